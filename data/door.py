"""The cheap refusals at the door: recordings that a detector cannot judge, before or while they are heard."""

import numpy as np

from data import measures
from data.ages import check_age
from data.growing import Growing
from data.montage import Derivation, derive
from data.outcomes import Refusal
from data.quality import CLIPPED_SHARE, FLAT_SHARE, SPECTRUM_PIECES, check_rate, check_spreads
from data.recording import Recording
from data.windows import Cutter

CHUNK_S = 60.0


class Door:
    """Refuses at once what is known beforehand; the rest is measured chunk by chunk and judged by `verdict`.

    Rate, electrodes and age are refused when the door is made, in this order (`rate_too_low`, `unsupported_format`,
    `montage_missing`, `age_unknown`, `age_out_of_scope`). Of the signal two numbers per channel and second are kept.
    """

    def __init__(
        self,
        channels: tuple[str, ...],
        rate_hz: float,
        age_days: float | None,
        *,
        montage: str = "neonatal_18",
        min_duration_s: float = 30.0,
        age_range_days: tuple[float, float] | None = None,
    ):
        check_rate(rate_hz)
        self._derivation = derive(channels, montage)
        check_age(age_days, age_range_days)
        self._rate_hz, self._min_duration_s = rate_hz, min_duration_s
        self._rails = measures.Rails(len(channels))
        self._facts = Growing(2, len(channels), dtype=np.float32)
        self._stretches: list[tuple[int, int]] = []  # samples, and the number of the first second, of each stretch
        self.start()

    def start(self) -> None:
        """A new gapless stretch."""
        length = float(round(self._rate_hz))
        self._cut = Cutter(length, 1.0, 1.0)
        self._rails.start()
        self._stretches.append((0, len(self._facts)))

    def __call__(self, signal: np.ndarray) -> None:
        """(channels, samples) µV, the next of this stretch."""
        self._rails(signal)
        self._facts.append(np.stack(measures.within(self._cut(signal)[0]), axis=1))
        samples, first = self._stretches[-1]
        self._stretches[-1] = (samples + signal.shape[1], first)

    def verdict(self) -> tuple[str, ...]:
        """What would be said if the recording ended now: refuses, or gives the derivations that are flat or clipped.

        Refuses with `no_signal`, `too_short`, `discontinuous`, `unit_suspect`, `flat`, `clipped`; the last two where
        more than half of the needed channels are.
        """
        _check_duration([samples for samples, _ in self._stretches], self._rate_hz, self._min_duration_s)
        thinned = self._thinned()
        spreads = measures.spreads(thinned[:, 0], thinned[:, 1])
        flat_shares, clipped_shares = measures.flat_shares(self._facts.rows[:, 0]), self._rails.shares()
        return _judged(self._derivation, spreads.tolist(), flat_shares.tolist(), clipped_shares.tolist())

    def _thinned(self) -> np.ndarray:
        """The facts of the seconds that `check_amplitude` measures."""
        step = max(1, -(-len(self._facts) // SPECTRUM_PIECES))
        parts = np.split(self._facts.rows, [first for _, first in self._stretches[1:]])
        return np.concatenate([part[::step] for part in parts])


def verdicts(
    signals: np.ndarray, channels: tuple[str, ...], rate_hz: float, *, montage: str, min_duration_s: float
) -> list[tuple[str, ...] | Refusal]:
    """What a `Door` would say of each of some stretches, (stretches, channels, samples) µV, that were let in; at one go.

    Law: the same as one by one. For stretches of seconds, of which all facts are kept.
    """
    count, _, samples = signals.shape
    derivation, rows = derive(channels, montage), signals.reshape(count * len(channels), samples)
    try:
        _check_duration([samples], rate_hz, min_duration_s)
    except Refusal as refusal:
        return [refusal] * count
    rails = measures.Rails(len(rows))
    rails(rows)
    height, deviation = measures.within(Cutter(float(round(rate_hz)), 1.0, 1.0)(rows)[0])
    facts = measures.spreads(height, deviation), measures.flat_shares(height), rails.shares()
    found: list[tuple[str, ...] | Refusal] = []
    for own in zip(*(fact.reshape(count, -1).tolist() for fact in facts), strict=True):
        try:
            found.append(_judged(derivation, *own))
        except Refusal as refusal:
            found.append(refusal)
    return found


def door(
    recording: Recording,
    *,
    montage: str = "neonatal_18",
    min_duration_s: float = 30.0,
    age_range_days: tuple[float, float] | None = None,
) -> tuple[str, ...]:
    """Refuse a recording that a detector cannot judge (see `Door`); else the derivations that are flat or clipped.

    `min_duration_s` is the longest gapless stretch that is needed. An unknown age is refused, unless no range is
    asked for.
    """
    judge = Door(
        recording.channels, recording.rate_hz, recording.age_days,
        montage=montage, min_duration_s=min_duration_s, age_range_days=age_range_days,
    )  # fmt: skip
    step = int(CHUNK_S * recording.rate_hz)
    for segment in recording.segments:
        judge.start()
        for at in range(0, segment.signal.shape[1], step):
            judge(segment.signal[:, at : at + step])
    return judge.verdict()


def _check_duration(samples: list[int], rate_hz: float, min_duration_s: float) -> None:
    longest_s, recorded_s = max(samples) / rate_hz, sum(samples) / rate_hz
    if longest_s == 0:
        raise Refusal("no_signal", "the recording holds 0 s of signal: check that it was saved")
    if recorded_s < min_duration_s:
        raise Refusal("too_short", f"{recorded_s:.1f} s were recorded, needed are {min_duration_s:g} s")
    if longest_s < min_duration_s:
        raise Refusal(
            "discontinuous",
            f"the longest stretch without a gap lasts {longest_s:.1f} s of {recorded_s:.1f} s recorded, "
            f"needed are {min_duration_s:g} s: send the recording without interruptions",
        )


def _judged(
    derivation: Derivation, spreads: list[float], flat_shares: list[float], clipped_shares: list[float]
) -> tuple[str, ...]:
    """Of what was measured of each channel: a refusal, or the derivations that are flat or clipped."""
    check_spreads(spreads)
    needed = derivation.needed
    flat = {i for i in needed if not flat_shares[i] <= FLAT_SHARE}
    clipped = {i for i in needed if clipped_shares[i] > CLIPPED_SHARE}
    _check_half("flat", flat, len(needed), f"less than {measures.FLAT_UV:g} µV for over {FLAT_SHARE:.0%} of the time")
    _check_half("clipped", clipped, len(needed), f"over {CLIPPED_SHARE:.0%} of samples at the end of the range")
    lost = list(flat | clipped)
    if not lost:
        return ()
    used = zip(derivation.channels, derivation.weights, strict=True)
    return tuple(name for name, row in used if np.any(row[lost] != 0))


def _check_half(code: str, found: set[int], needed: int, what: str) -> None:
    if len(found) > needed / 2:
        raise Refusal(
            code, f"{len(found)} of {needed} channels have {what} (limit: half of them): check the electrodes"
        )
