"""The one front end: what training, evaluation, serving and drift all read is made here, causally and alike."""

from dataclasses import asdict, dataclass
from math import prod

import numpy as np

from data.filters import BandPass, Resampler, refuse_slow
from data.montage import MONTAGES, Derivation, derive
from data.recording import Recording, Segment
from data.threads import each, shares
from lineage.digest import digest_of

CHUNK_S = 60.0


@dataclass(frozen=True)
class FrontEnd:
    """Bipolar derivation → causal resampling → causal band-pass, the same filter whatever the recording's rate.

    Settings change results, so they travel in the bundle and `digest` names them.
    """

    montage: str = "neonatal_18"
    rate_hz: float = 128.0
    band_hz: tuple[float, float] = (0.5, 30.0)
    version: int = 2

    @property
    def channels(self) -> tuple[str, ...]:
        """Derivations of the montage, in the order of the prepared rows."""
        return MONTAGES[self.montage]

    @property
    def digest(self) -> str:
        """Digest of all settings and of the derivations that the montage's name stands for."""
        return digest_of(asdict(self) | {"channels": self.channels})

    def prepare(self, recording: Recording) -> "Prepared":
        """Prepare a whole recording: the same arithmetic as `stream`, fed in chunks that stay in cache."""
        segments = [self._prepared(segment, recording) for segment in recording.segments if segment.signal.shape[1]]
        return Prepared(self.channels, self.rate_hz, tuple(segments), recording.duration_s, recording.digest)

    def _prepared(self, segment: Segment, recording: Recording) -> Segment:
        stream, step = self.stream(recording.channels, recording.rate_hz), int(CHUNK_S * recording.rate_hz)
        count = int(segment.signal.shape[1] / recording.rate_hz * self.rate_hz) + 1
        out, made = np.empty((len(self.channels), count), dtype=np.float32), 0  # in place: parts would take it twice
        for at in range(0, segment.signal.shape[1], step):
            part = stream(segment.signal[:, at : at + step])
            out[:, made : made + part.shape[1]] = part
            made += part.shape[1]
        return Segment(segment.onset_s, out[:, :made])

    def stream(self, channels: tuple[str, ...], rate_hz: float) -> "Stream":
        """A stateful preparation of one gapless segment; start a new one after a gap."""
        return Stream(self, channels, rate_hz)


class Stream:
    """Feed chunks of any size, get prepared samples: the concatenation is bit-equal for every chunking.

    Derivations do not know of each other, so they are shared out to threads; 32-bit numbers do for the resampling,
    the band-pass near 0 Hz needs 64.
    """

    def __init__(self, settings: FrontEnd, channels: tuple[str, ...], rate_hz: float):
        refuse_slow(rate_hz, settings.band_hz)  # of the recording: resampling makes no frequency that was not recorded
        derivation = derive(channels, settings.montage)
        self._lanes = [_Lane(derivation.take(share), settings, rate_hz) for share in shares(len(derivation.channels))]

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """(channels, samples) µV at the native rate → (derivations, samples) float32 µV at the front end's rate.

        Stretches of several recordings may be prepared side by side, (channels, stretches, samples): no row knows of another.
        """
        parts = each(lambda lane: lane(signal), self._lanes)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class _Lane:
    """Some of the derivations, on one thread."""

    def __init__(self, derivation: Derivation, settings: FrontEnd, rate_hz: float):
        self._derive = derivation
        self._resample = Resampler(rate_hz, settings.rate_hz)
        self._band_pass = BandPass(settings.band_hz, settings.rate_hz)

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        derived = self._derive(signal)
        resampled = self._resample(derived.reshape(prod(derived.shape[:-1]), signal.shape[-1]))
        prepared = self._band_pass(resampled.astype(np.float64)).astype(np.float32)
        return prepared.reshape(*derived.shape[:-1], prepared.shape[-1])


@dataclass(frozen=True)
class Prepared:
    """What detectors see of a recording: derivations in µV at the front end's rate, segment by segment."""

    channels: tuple[str, ...]
    rate_hz: float
    segments: tuple[Segment, ...]
    duration_s: float
    digest: str

    @property
    def prepared_s(self) -> float:
        """Seconds of prepared signal; gaps between segments do not count."""
        return sum(s.signal.shape[1] for s in self.segments) / self.rate_hz

    def between(self, onset_s: float, end_s: float) -> "Prepared":
        """The part of it from `onset_s` to `end_s` (seconds of the recording), times unchanged; gaps stay gaps.

        The filter has run since the recording's start, so nothing of the cut shows in the signal.
        """
        parts = []
        for segment in self.segments:
            first = max(0, round((onset_s - segment.onset_s) * self.rate_hz))
            last = min(segment.signal.shape[1], round((end_s - segment.onset_s) * self.rate_hz))
            if last > first:
                parts.append(Segment(segment.onset_s + first / self.rate_hz, segment.signal[:, first:last]))
        return Prepared(self.channels, self.rate_hz, tuple(parts), self.duration_s, self.digest)
