"""From the potential on a scalp to the recording in a file: disturbances, hum, amplifier; and the JSON of all that."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from data.events import Annotations
from data.recording import Recording, Segment
from data.simulator.disturbance import Artefact, Shape, render_artefact
from data.simulator.mains import Mains, render_mains
from data.simulator.scalp import index_of
from data.simulator.site import Amplifier, Site


class Recorded(Protocol):
    """What is drawn for every recording, of whomever."""

    @property
    def name(self) -> str:
        """The participant, such as `sub-001`; the recording bears it."""

    @property
    def duration_s(self) -> float:
        """Seconds that the recording lasts."""

    @property
    def site(self) -> Site:
        """Where it is recorded: channels, rate, reference and amplifier."""

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """What disturbs the recording, each with its onset and electrodes; where several meet they add up."""

    @property
    def mains(self) -> Mains:
        """The hum over all electrodes, from the first sample to the last."""

    @property
    def amplifier_seed(self) -> int:
        """Seed of the amplifier's noise: the same seed gives the same recording."""


def stem_of(name: str) -> str:
    """What the names of all files of a patient's one recording begin with."""
    return f"{name}_task-eeg_run-01"


def record(
    potential: np.ndarray, params: Recorded, shapes: Mapping[str, Shape], age_days: float, truth: Annotations
) -> Recording:
    """The recording of a scalp potential (19, samples) in µV, which is added to: channels as the site names them."""
    rate_hz = params.site.rate_hz
    for artefact in params.artefacts:
        rows = [index_of(e) for e in artefact.electrodes]
        add(potential, artefact.onset_s, rate_hz, render_artefact(artefact, rate_hz, shapes), rows)
    potential += render_mains(params.mains, potential.shape[1], rate_hz)
    signal = params.site.record(potential, np.random.default_rng(params.amplifier_seed))
    return Recording(
        params.site.channels,
        rate_hz,
        (Segment(0.0, signal),),
        signal.shape[1] / rate_hz,
        name=params.name,
        age_days=age_days,
        annotations=truth,
    )


def fields_from(drawn: dict[str, Any]) -> dict[str, Any]:
    """The JSON of what was drawn with tuples for lists, and site, artefacts and mains as what they are."""
    fields = {key: _tuples(value) for key, value in drawn.items()}
    fields["site"] = Site(**{**fields["site"], "amplifier": Amplifier(**fields["site"]["amplifier"])})
    fields["artefacts"] = tuple(Artefact(**a) for a in fields["artefacts"])
    fields["mains"] = Mains(**fields["mains"])
    return fields


def add(
    potential: np.ndarray, onset_s: float, rate_hz: float, part: np.ndarray, rows: list[int] | slice = slice(None)
) -> None:
    """Add `part` (rows, samples) in place to the potential (19, samples), both µV, from `onset_s` on.

    What would lie behind the potential's end is left out. `rows`: where the part's rows stand, all unless told.
    """
    start = round(onset_s * rate_hz)
    stop = max(start, min(start + part.shape[1], potential.shape[1]))
    potential[rows, start:stop] += part[:, : stop - start]


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(part) for key, part in value.items()}
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value
