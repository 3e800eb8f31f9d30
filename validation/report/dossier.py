"""All that is known of one candidate when its page, its data and its card are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from validation.gates import Gate
from validation.inflation import Published, absent_regimes, ordered
from validation.peers import Yardsticks
from validation.ranking import NotComparable, Rankings, rank
from validation.reading import Reading, Result, read
from validation.report.worst import WorstCase
from validation.traces import Excerpt


@dataclass(frozen=True)
class Dossier:
    """One candidate, `name`, beside other detectors that were evaluated on the same recordings.

    `results`: detector → regime → result of `validation.evaluation.evaluate`, or the same from JSON; the regime
    `patient` of the candidate must be there. `inflation` as of `validation.lab.inflation`; `split` is `Split.to_json()`
    of the regime `patient`; `undivided`: regimes that the cohort cannot be divided by, with the reason. `gates` may be
    empty: then nothing was decided. `champion`: whom it would replace, empty for the floor where it would stand in; `in_force`:
    it is the model in force itself. `worst` is None where nobody looked. `labels_alone`: what the labels of the
    published data set score without any EEG (`validation.labels_alone`), with `where` it was computed. `beside`: text →
    address of what lies in the same folder. ValueError where the regime `patient` is missing.
    """

    name: str
    results: Mapping[str, Mapping[str, Result]]
    split: Mapping[str, Any]
    provenance: Mapping[str, str]
    simulated: bool
    gates: Sequence[Gate] = ()
    champion: str = ""
    in_force: bool = False
    inflation: Mapping[str, Any] = field(default_factory=dict)
    undivided: Mapping[str, str] = field(default_factory=dict)
    worst: Sequence[WorstCase] | None = None
    excerpts: Sequence[Excerpt] = ()
    published: Published | None = None
    labels_alone: Mapping[str, Any] | None = None
    peers: Sequence[Yardsticks] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    made_at: str = ""

    def __post_init__(self) -> None:
        if "patient" not in self.results.get(self.name, {}):
            raise ValueError(
                f"no result of {self.name!r} with patients apart: evaluate it under the regime `patient` first"
            )

    @property
    def own(self) -> Mapping[str, Result]:
        """The candidate's results by regime."""
        return self.results[self.name]

    @cached_property
    def readings(self) -> dict[str, dict[str, Reading]]:
        """Every detector under every regime, regimes from the honest to the leaky."""
        return {name: {regime: read(own[regime]) for regime in ordered(own)} for name, own in self.results.items()}

    @property
    def main(self) -> Reading:
        """The candidate with patients apart: what counts."""
        return self.readings[self.name]["patient"]

    @cached_property
    def absent(self) -> dict[str, str]:
        """The regimes without a result, and why."""
        return absent_regimes(self.own, self.undivided)

    @cached_property
    def averaging(self) -> Rankings | str:
        """Who leads under each way to average patients, or why no order can be made."""
        try:
            return rank({name: own["patient"] for name, own in self.results.items() if "patient" in own})
        except NotComparable as refused:
            return str(refused)
