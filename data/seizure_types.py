"""The names of seizure types that Ictal reads: HED-SCORE's, as SzCORE writes them, and nothing else.

A closed vocabulary, because annotation texts are typed by people and may name one.
"""

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
