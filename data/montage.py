"""Channel names as laboratories write them, and the bipolar derivations that detectors read."""

import re
from dataclasses import dataclass

import numpy as np

from data.outcomes import Refusal

ELECTRODES = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T3", "C3", "Cz", "C4", "T4", "T5", "P3", "Pz", "P4", "T6", "O1", "O2",
)  # fmt: skip
"""The 19 electrodes of the 10-20 system, in its older names."""

NEONATAL_18 = (
    "Fp2-F4", "F4-C4", "C4-P4", "P4-O2", "Fp1-F3", "F3-C3", "C3-P3", "P3-O1", "Fp2-F8", "F8-T4", "T4-T6", "T6-O2",
    "Fp1-F7", "F7-T3", "T3-T5", "T5-O1", "Fz-Cz", "Cz-Pz",
)  # fmt: skip
"""DA-STNet's derivations in its order (Xu & Zheng 2026; also Tapani et al. 2019)."""

MONTAGES = {"neonatal_18": NEONATAL_18}

_NEWER_NAMES = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
_CANONICAL = {name.upper(): name for name in ELECTRODES} | dict(_NEWER_NAMES.items())
_REFERENCES = {"REF", "LE", "AVG", "AV", "CAR", "A1", "A2", "M1", "M2", "A1A2", "CREF", "G2", "VREF", "0", "1", "2"}


def electrode(name: str) -> str | None:
    """The 10-20 electrode that a referential channel name means, or None: `EEG T7-Ref` is `T3`."""
    parts = _parts(name)
    if not parts or parts[0] not in _CANONICAL:
        return None
    return _CANONICAL[parts[0]] if all(p in _REFERENCES for p in parts[1:]) else None


def derivation(name: str) -> str | None:
    """The bipolar derivation that a channel name means, or None: `FP1-F7` is `Fp1-F7`, `T8-P8-0` is `T4-T6`."""
    parts = _parts(name)
    if len(parts) < 2 or not all(p in _CANONICAL for p in parts[:2]) or not all(p.isdigit() for p in parts[2:]):
        return None
    return f"{_CANONICAL[parts[0]]}-{_CANONICAL[parts[1]]}"


@dataclass(frozen=True)
class Derivation:
    """How to make `channels` of a montage from a recording's channels: `weights @ signal`.

    `weights` has shape (montage channels, recording channels) with entries −1, 0 or 1.
    """

    channels: tuple[str, ...]
    weights: np.ndarray

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        out = np.empty((len(self.channels), signal.shape[1]), dtype=np.float64)
        for row, weights in zip(out, self.weights, strict=True):
            plus, minus = np.flatnonzero(weights > 0), np.flatnonzero(weights < 0)
            row[:] = signal[plus[0]] if len(plus) else 0.0
            if len(minus):
                row -= signal[minus[0]]
        return out


def derive(channels: tuple[str, ...], montage: str = "neonatal_18") -> Derivation:
    """Find how `montage` follows from these channel names, referential or bipolar; the first of duplicates counts.

    Refuses with `montage_missing`, naming the derivations that cannot be made.
    """
    wanted = MONTAGES[montage]
    referential = _first_index(channels, electrode)
    bipolar = _first_index(channels, derivation)
    weights = np.zeros((len(wanted), len(channels)))
    missing = []
    for row, pair in enumerate(wanted):
        anode, cathode = pair.split("-")
        if anode in referential and cathode in referential:
            weights[row, referential[anode]], weights[row, referential[cathode]] = 1, -1
        elif pair in bipolar:
            weights[row, bipolar[pair]] = 1
        elif f"{cathode}-{anode}" in bipolar:
            weights[row, bipolar[f"{cathode}-{anode}"]] = -1
        else:
            missing.append(pair)
    if missing:
        raise Refusal(
            "montage_missing",
            f"{len(missing)} of {len(wanted)} derivations of {montage} cannot be made ({', '.join(missing[:6])}"
            f"{', …' if len(missing) > 6 else ''}); record the 19 electrodes of the 10-20 system or their bipolar pairs",
        )
    return Derivation(wanted, weights)


def is_eeg(name: str) -> bool:
    return electrode(name) is not None or derivation(name) is not None


def _parts(name: str) -> list[str]:
    text = re.sub(r"^(EEG|POL)[\s_]+", "", name.strip().upper())
    return [p for p in re.split(r"[-\s_:]+", text) if p]


def _first_index(channels: tuple[str, ...], meaning: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, name in enumerate(channels):
        key = meaning(name)  # type: ignore[operator]
        if key is not None:
            found.setdefault(key, index)
    return found
