"""Artefacts put into a real or simulated recording on purpose, to see what they do: one electrode, one stretch, one kind.

Shape, amplitude and rhythm are those of the simulator's own artefacts (`data.simulator.artefacts`). The disturbance is
added to one electrode's channel, as a bad contact would, so that it is in every derivation that shares the electrode.
"""

from dataclasses import replace

import numpy as np

from data.events import Annotations
from data.montage import ELECTRODES, MONTAGES, electrode
from data.outcomes import Refusal
from data.recording import Recording, Segment
from data.simulator.artefacts import KINDS, SHAPES
from data.simulator.disturbance import Artefact, render_artefact

LENGTH_S = 10.0
AWAY_S = 10.0
"""How far from a seizure, and from the next injection, an injection stays."""


def draw_injections(
    rng: np.random.Generator, truth: Annotations, kinds: tuple[str, ...], per_kind: int = 3
) -> tuple[Artefact, ...]:
    """Artefacts of `LENGTH_S` in a recording's background, kinds in turn, at most `per_kind` of each, in time order.

    Every electrode is as likely as any other. None where there is no room away from seizures.
    """
    places_s = _free_places(truth)
    chosen = np.sort(rng.permutation(len(places_s))[: per_kind * len(kinds)])
    order = [kinds[n % len(kinds)] for n in rng.permutation(len(chosen))]
    return tuple(_draw(rng, kind, places_s[at]) for kind, at in zip(order, chosen, strict=True))


def injected(recording: Recording, artefacts: tuple[Artefact, ...]) -> Recording:
    """The same recording with the artefacts added, in µV; nothing else changes, but it has no digest any more.

    Refuses (`montage_missing`) one without a channel for each electrode to be disturbed.
    """
    rows = {name: row for row, channel in enumerate(recording.channels) if (name := electrode(channel))}
    missing = sorted({e for a in artefacts for e in a.electrodes} - set(rows))
    if missing:
        raise Refusal("montage_missing", f"no channel of electrode {missing[0]} alone: it cannot be disturbed alone")
    segments = []
    for segment in recording.segments:
        signal = segment.signal.copy()
        for artefact in artefacts:
            wave = render_artefact(artefact, recording.rate_hz, SHAPES)
            _add(
                signal,
                artefact.onset_s - segment.onset_s,
                recording.rate_hz,
                wave,
                [rows[e] for e in artefact.electrodes],
            )
        segments.append(Segment(segment.onset_s, signal))
    return replace(recording, segments=tuple(segments), digest="")  # these are no longer the bytes of a file


def sharing(name: str, montage: str = "neonatal_18") -> tuple[str, ...]:
    """The derivations of a montage that share an electrode."""
    return tuple(pair for pair in MONTAGES[montage] if name in pair.split("-"))


def _free_places(truth: Annotations) -> np.ndarray:
    """Onsets on a grid at which an injection lies away from every seizure and from its neighbours."""
    onsets_s = np.arange(AWAY_S, truth.duration_s - LENGTH_S - AWAY_S, LENGTH_S + AWAY_S)
    return onsets_s[truth.covered(onsets_s - AWAY_S, LENGTH_S + 2 * AWAY_S) == 0]


def _draw(rng: np.random.Generator, name: str, onset_s: float) -> Artefact:
    kind = KINDS[name]
    return Artefact(
        name,
        float(onset_s),
        LENGTH_S,
        (str(rng.choice(ELECTRODES)),),
        (1.0,),
        float(np.exp(rng.uniform(*np.log(kind.amplitude_uv)))),
        float(rng.uniform(*kind.rhythm_hz)),
        int(rng.integers(2**63)),
    )


def _add(signal: np.ndarray, onset_s: float, rate_hz: float, wave: np.ndarray, rows: list[int]) -> None:
    start = round(onset_s * rate_hz)
    first, last = max(0, -start), min(wave.shape[1], signal.shape[1] - start)
    if first < last:
        signal[rows, start + first : start + last] += wave[:, first:last].astype(signal.dtype)
