"""Channel names as laboratories write them, and the bipolar derivations that detectors read."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

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

TCP_20 = (
    "Fp1-F7", "F7-T3", "T3-T5", "T5-O1", "Fp2-F8", "F8-T4", "T4-T6", "T6-O2", "T3-C3", "C3-Cz", "Cz-C4", "C4-T4",
    "Fp1-F3", "F3-C3", "C3-P3", "P3-O1", "Fp2-F4", "F4-C4", "C4-P4", "P4-O2",
)  # fmt: skip
"""The temporal central parasagittal montage of the TUH corpus, in SeizureNet's order (Asif et al. 2020)."""

MONTAGES = {"neonatal_18": NEONATAL_18, "tcp_20": TCP_20}

_NEWER_NAMES = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
_CANONICAL = {name.upper(): name for name in ELECTRODES} | dict(_NEWER_NAMES.items())
_REFERENCES = {"REF", "LE", "AVG", "AV", "CAR", "A1", "A2", "M1", "M2", "A1A2", "CREF", "G2", "VREF", "0", "1", "2"}
_UNNAMED = {"REF", "CREF", "G2", "VREF", "0", "1", "2"}
"""Endings that do not say which reference was used: the recording has one, and all channels share it."""
_SAME_REFERENCE = {"AV": "AVG", "CAR": "AVG"}


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
        """(channels, …) → (derivations, …)."""
        out = np.empty((len(self.channels), *signal.shape[1:]), dtype=np.result_type(signal, np.float32))
        for row, (plus, minus) in zip(out, self._pairs, strict=True):
            if minus is None:
                row[:] = signal[plus]
            elif plus is None:
                np.negative(signal[minus], out=row)
            else:
                np.subtract(signal[plus], signal[minus], out=row)
        return out

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """The recording's channels that any derivation is made of."""
        return tuple(np.flatnonzero(np.any(self.weights != 0, axis=0)).tolist())

    @cached_property
    def _pairs(self) -> list[tuple[int | None, int | None]]:
        """For each derivation the channel that counts, and the one that is taken away."""

        def first(which: np.ndarray) -> int | None:
            return int(np.argmax(which)) if which.any() else None

        return [(first(row > 0), first(row < 0)) for row in self.weights]

    def take(self, share: slice) -> "Derivation":
        """Some of the derivations; all of them are itself, which knows its pairs already."""
        if (share.start, share.stop) == (0, len(self.channels)):
            return self
        return Derivation(self.channels[share], self.weights[share])


@lru_cache(64)
def derive(channels: tuple[str, ...], montage: str = "neonatal_18") -> Derivation:
    """Find how `montage` follows from these channel names, referential or bipolar; the first of duplicates counts.

    Two channels are subtracted only where they share a reference, which may be an electrode: X-Cz minus Y-Cz is X-Y.
    Refuses with `montage_missing`, naming the derivations that cannot be made.
    """
    wanted, measured = MONTAGES[montage], _measured(channels)
    sources = {pair: _sources(pair, measured) for pair in wanted}
    missing = [pair for pair, found in sources.items() if not found]
    if missing:
        raise Refusal(
            "montage_missing",
            f"{len(missing)} of {len(wanted)} derivations of {montage} cannot be made ({', '.join(missing[:6])}"
            f"{', …' if len(missing) > 6 else ''}); record the 19 electrodes of the 10-20 system or their bipolar pairs",
        )
    weights = np.zeros((len(wanted), len(channels)))
    for row, pair in enumerate(wanted):
        for index, sign in sources[pair].items():
            weights[row, index] = sign
    weights.setflags(write=False)  # everybody who asks is given the same
    return Derivation(wanted, weights)


def missing_derivations(channels: tuple[str, ...], montage: str = "neonatal_18") -> tuple[str, ...]:
    """The derivations of `montage` that these channel names do not give."""
    measured = _measured(channels)
    return tuple(pair for pair in MONTAGES[montage] if not _sources(pair, measured))


def is_eeg(name: str) -> bool:
    """Whether a channel name means an electrode of the 10-20 system, or a derivation between two of them."""
    return measured_between(name) is not None


def measured_between(name: str) -> tuple[str, str] | None:
    """The electrode and what it was measured against: `T7-A1` is (T3, A1), `FP1-F7` (Fp1, F7), `EEG Cz-Ref` (Cz, "").

    An empty second place is the recording's own, unnamed reference; None is no EEG channel.
    """
    if (single := electrode(name)) is not None:
        stated = [_SAME_REFERENCE.get(p, p) for p in _parts(name)[1:] if p not in _UNNAMED]
        return single, " ".join(stated)
    if (pair := derivation(name)) is not None:
        anode, cathode = pair.split("-")
        return anode, cathode
    return None


def _parts(name: str) -> list[str]:
    text = re.sub(r"^(EEG|POL)[\s_]+", "", name.strip().upper())
    return [p for p in re.split(r"[-\s_:]+", text) if p]


def _measured(channels: tuple[str, ...]) -> dict[tuple[str, str], int]:
    """(electrode, what it was measured against) → index of the first such channel."""
    found: dict[tuple[str, str], int] = {}
    for index, name in enumerate(channels):
        if (between := measured_between(name)) is not None:
            found.setdefault(between, index)
    return found


def _sources(pair: str, measured: dict[tuple[str, str], int]) -> dict[int, int]:
    """Channel index → sign (1 or −1) that make `pair`; empty where it cannot be made."""
    anode, cathode = pair.split("-")
    shared = [against for single, against in measured if single == anode and (cathode, against) in measured]
    shared.sort(key=lambda against: against in ELECTRODES)  # true references before electrodes, else file order
    difference = {measured[anode, shared[0]]: 1, measured[cathode, shared[0]]: -1} if shared else {}
    if difference and shared[0] not in ELECTRODES:
        return difference
    for bipolar, sign in (((anode, cathode), 1), ((cathode, anode), -1)):
        if bipolar in measured:
            return {measured[bipolar]: sign}
    return difference
