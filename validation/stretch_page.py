"""The page of any detector that names stretches of recordings: what all of them are made of, whatever is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from validation.gates import Gate
from validation.inflation import LEAKY, Mark
from validation.outcome import verdict
from validation.pages import Cell, Links, Section, render_page
from validation.reading import estimate
from validation.splits import REPORTABLE


@dataclass(frozen=True)
class StretchDossier:
    """All that is known of one detector when its page is written.

    `results`: detector → regime → result of its task's evaluation; the regime `patient` of `name` must be there.
    `inflation`: what random stretches instead of patients apart are worth, where both were run. `published`: what the
    detector's paper states (its card's header). `undivided` and `unjudged` say of regimes why the cohort cannot be divided
    so, and why some folds have no AUC of inner patients. ValueError where the regime `patient` is missing.
    """

    name: str
    results: Mapping[str, Mapping[str, Mapping[str, Any]]]
    provenance: Mapping[str, str]
    simulated: bool
    gates: Sequence[Gate] = ()
    floor: str = ""
    inflation: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)
    undivided: Mapping[str, str] = field(default_factory=dict)
    unjudged: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "patient" not in self.results.get(self.name, {}):
            raise ValueError(f"no result of {self.name!r} with patients apart: evaluate it under `patient` first")

    @property
    def main(self) -> Mapping[str, Any]:
        """With patients apart: what counts."""
        return self.results[self.name]["patient"]

    @property
    def honest(self) -> dict[str, Mapping[str, Any]]:
        """Every detector with patients apart."""
        return {name: own["patient"] for name, own in self.results.items() if "patient" in own}


def stretch_page(
    dossier: StretchDossier,
    asked: str,
    said: tuple[str, ...],
    facts: Mapping[str, Cell],
    sections: tuple[Section, ...],
) -> str:
    """HTML of one detector beside the floor and the baselines: one file that loads nothing.

    `asked` is what the detector is asked, `said` the figures that count, in sentences.
    """
    return render_page(
        "report",
        kind="Evaluation",
        title=f"Evaluation of {dossier.name}: {asked}",
        lead="Every figure is from patients whom the detector had not seen, unless it is marked as a leaky control.",
        simulated=dossier.simulated,
        headline=verdict(dossier.name, dossier.floor, dossier.gates, (*said, *_silence(dossier.main))),
        facts=dict(facts),
        beside=Links(dossier.beside) if dossier.beside else None,
        sections=sections,
        provenance={**dossier.provenance, **_origins(dossier.main)},
    )


def _silence(main: Mapping[str, Any]) -> tuple[str, ...]:
    """How many stretches got no answer and why, in a sentence; none where all did, or nobody counted."""
    why = main["counts"].get("not_answered", {})
    return (f"Not answered: {', '.join(f'{count} as {code}' for code, count in why.items())}.",) if why else ()


def regime_mark(dossier: StretchDossier, called: Mapping[str, str], regime: str, figure: str) -> Mark:
    """How one split stands in the chart of splits: its `figure`, or why there is none. `called` names the regimes."""
    honest, result = regime in REPORTABLE, dossier.results[dossier.name].get(regime)
    label = called[regime] + ("" if honest else f"\n({LEAKY})")
    if result is None:
        why = "not evaluable" if regime in dossier.undivided else "not run"
        return Mark(label, "absent", why=why, reportable=honest)
    return Mark(label, "honest" if honest else "leaky", estimate(result["answer"], figure), reportable=honest)


def not_evaluable_lines(dossier: StretchDossier, called: Mapping[str, str]) -> list[str]:
    """Why a split could not be made of this cohort, and why the learning of some folds could not be judged."""
    return [
        *(f"{called[r].capitalize()}: not evaluable, {why}." for r, why in dossier.undivided.items()),
        *(
            f"{called[r].capitalize()}, AUC of inner patients: not evaluable, {why}."
            for r, why in dossier.unjudged.items()
        ),
    ]


def two_lines(text: str) -> str:
    """A figure above its interval, so that a column stays narrow."""
    return text.replace(" (", "\n(")


def _origins(main: Mapping[str, Any]) -> dict[str, str]:
    scorer, drawn = main["answer"]["scorer"], main["uncertainty"]
    return {
        **{f"{name} (SHA-256)": digest for name, digest in main["digests"].items()},
        "intervals": f"95 %, {drawn['draws']:,} resamples of patients within sites",
        "scorers": f"{scorer['name']} {scorer['version']} {scorer['code_digest'][:12]}",
    }
