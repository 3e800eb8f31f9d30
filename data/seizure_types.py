"""The names of seizure types that Ictal reads: HED-SCORE's, as SzCORE writes them, and nothing else.

A closed vocabulary, because annotation texts are typed by people and may name one.
"""

TUH_TYPES = {
    "FNSZ": "sz_foc",
    "GNSZ": "sz_gen",
    "CPSZ": "sz_foc_ia",
    "ABSZ": "sz_gen_nm_typical",
    "TNSZ": "sz_gen_m_tonic",
    "TCSZ": "sz_gen_m_tonicClonic",
    "SPSZ": "sz_foc_a",
    "MYSZ": "sz_gen_m_myoclonic",
}
"""The types of the TUH seizure corpus in HED-SCORE's names. Complex and simple partial differ by awareness alone."""

SEIZURE_WORDS = {"sz", "seiz", "seizure"}

_CLASSES = ("foc", "gen", "uo")
_DETAILS = (
    "a", "ia", "ua", "m", "nm", "um", "f2b",
    "automatisms", "atonic", "clonic", "spasms", "hyperkinetic", "myoclonic", "tonic", "tonicClonic", "myoTC",
    "myoAtonic", "tonicMyio", "autonomic", "behavior", "cognitive", "emotional", "sensory", "typical", "atypical",
    "eyelidMyio",
)  # fmt: skip
_NAMES = {name.casefold(): name for name in (*_CLASSES, *_DETAILS)}


def seizure_type(text: str) -> str | None:
    """The type that a text names (`sz`, `sz_foc_ia_m_tonic`, …), written with `-` or `_`; None for any other text.

    The words `seizure` and `seiz` mean `sz`.
    """
    parts = text.strip().casefold().replace("-", "_").split("_")
    if parts[0] not in SEIZURE_WORDS or any(part not in _NAMES for part in parts[1:]):
        return None
    if len(parts) > 1 and _NAMES[parts[1]] not in _CLASSES:
        return None
    return "_".join(["sz", *(_NAMES[part] for part in parts[1:])])


def tuh_type(type: str) -> str | None:
    """The TUH code of a HED-SCORE type (`sz_gen_m_tonic` is TNSZ); None for a type that TUH has no code for."""
    return _TUH_CODES.get(type)


def semiology_type(type: str) -> str | None:
    """FBTCS for a focal seizure that becomes bilateral tonic-clonic (`sz_foc_f2b…`), FOS for any other focal one.

    None for all else. As GESTURES tells them apart (Pérez-García et al. 2021).
    """
    parts = type.split("_")
    if parts[:2] != ["sz", "foc"]:
        return None
    return "FBTCS" if "f2b" in parts else "FOS"


_TUH_CODES = {name: code for code, name in TUH_TYPES.items()}
