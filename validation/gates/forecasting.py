"""The gates of detectors that warn ahead of seizures: no worse in what is foreseen, nor in what the warnings cost.

A detector that always warns foresees everything; so balanced accuracy, warnings per hour and time in warning are
judged together, and balanced accuracy must exceed chance and whatever needs no look at a film: how far the film has come
may foretell more than a forecaster does. Clips that got no answer count as wrong, and no more of the film may be left
without one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from validation.gates.envelope import Declared
from validation.gates.gate import Claim, Gate, judge
from validation.gates.silence import with_silence
from validation.gates.study import Study
from validation.gates.superiority import Endpoint, superior
from validation.leakage import LeakageAudit
from validation.uncertainty import ratio_of_sums

PAIRED = ("balanced_accuracy", "warnings", "time_in_warning", "brier", "abstention", "superior")


@dataclass(frozen=True)
class ForecastEvidence:
    """Per person (rows of `table`, index person), columns: site;
    ahead, foreseen (clips that a seizure followed, and those of them with a warning);
    quiet, silent (clips that none followed, and those of them without a warning);
    judged, squared_error (clips that got a probability, and their summed squared error);
    false_warnings, warning_s (over the film that was answered), answered_s, observed_s (film answered, and film there was).

    `blind`: of each baseline that looks at no film, by what it looks at instead, (persons, 4) foreseen, ahead, silent and
    quiet of the same clips.
    """

    task: ClassVar[str] = "forecasting"

    table: pd.DataFrame
    audit: LeakageAudit | None = None
    cost_s_per_eeg_hour: float | None = None
    declared: Declared | None = None
    blind: Mapping[str, np.ndarray] = field(default_factory=dict)

    def of_persons(self, chosen: np.ndarray) -> "ForecastEvidence":
        """These persons, indices (chosen,), in this order."""
        blind = {what: answers[chosen] for what, answers in self.blind.items()}
        return replace(self, table=self.table.iloc[chosen], blind=blind)

    def numbers(self) -> np.ndarray:
        return np.hstack([self.table.select_dtypes("number").to_numpy(dtype=float), *self.blind.values()])

    def recorded(self) -> pd.DataFrame:
        return self.table[["site", "ahead", "quiet", "observed_s"]]

    def columns(self, *names: str) -> np.ndarray:
        """These columns of `table`, float (persons, columns)."""
        return self.table[list(names)].to_numpy(dtype=float)

    @property
    def warnings(self) -> np.ndarray:
        """(persons, 2): false warnings, answered hours; film that was refused raises none, and stands in no rate."""
        return self.columns("false_warnings", "answered_s") / [1, 3600]

    @property
    def errors(self) -> np.ndarray:
        """(persons, 2): summed squared error, clips."""
        error, judged, ahead, quiet = self.columns("squared_error", "judged", "ahead", "quiet").T
        return with_silence(error, judged, ahead + quiet)


def balanced_accuracy(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Statistic: mean of the shares foreseen and rightly silent; values (patients, 4): foreseen, ahead, silent, quiet."""
    return (ratio_of_sums(weights, values[:, :2]) + ratio_of_sums(weights, values[:, 2:])) / 2


def compare(study: Study[ForecastEvidence]) -> list[Gate]:
    """The gates of `PAIRED`."""
    each = (_balanced_accuracy, _warnings, _time_in_warning, _brier, _abstention, _superior)
    return [gate(study) for gate in each]


def alone(study: Study[ForecastEvidence]) -> list[Gate]:
    """Better than chance, and than what looks at no film, whoever the rival is."""
    return [_floor(study), _baselines(study)]


def _floor(study: Study[ForecastEvidence]) -> Gate:
    plan = study.plan
    limit, values = plan.forecasting.floor_balanced_accuracy, _answers(study.candidate)
    truth = min(1.0, limit + plan.power_alternative)
    claim = Claim(
        "floor:balanced_accuracy", "balanced accuracy", limit, _warnable(study), plan.forecasting.min_patients,
        strict=True, who=WHO, truth=truth, assumed=f"the true balanced accuracy were {truth:.2f}",
    )  # fmt: skip
    return judge(claim, study.interval(values, balanced_accuracy))


def _baselines(study: Study[ForecastEvidence]) -> Gate:
    """Better than the best of what looks at no film, whichever that is among the patients of each draw."""
    plan, blind = study.plan, study.candidate.blind
    limit = plan.forecasting.baseline_margin
    if not blind:
        return Gate("baselines", "unknown", None, limit, "nothing that looks at no film was scored")
    truth = limit + plan.power_alternative
    claim = Claim(
        "baselines", "Δ balanced accuracy to the best that looks at no film", limit, _warnable(study),
        plan.forecasting.min_patients, strict=True, who=WHO, truth=truth,
        assumed=f"balanced accuracy were truly {100 * truth:g} points above it",
    )  # fmt: skip
    own = _answers(study.candidate)
    gate = judge(claim, study.delta([own], list(blind.values()), _best))
    return replace(gate, reason=gate.reason + _reached(own, blind))


def _reached(own: np.ndarray, blind: Mapping[str, np.ndarray]) -> str:
    """Both figures in words, which are told however few patients there are."""
    once = np.ones((1, len(own)), dtype=np.int64)
    reached = {what: float(balanced_accuracy(once, answers)[0]) for what, answers in blind.items()}
    best = max(reached, key=lambda what: reached[what])
    if not np.isfinite(reached[best]):
        return ""
    return f"; {best} reached {reached[best]:.3f}, the forecaster {balanced_accuracy(once, own)[0]:.3f}"


def _best(weights: np.ndarray, several: Sequence[np.ndarray]) -> np.ndarray:
    """Statistic: the highest balanced accuracy of several, in each draw."""
    return np.max([balanced_accuracy(weights, answers) for answers in several], axis=0)


WHO = "patients with a seizure to foresee"


def _answers(evidence: ForecastEvidence) -> np.ndarray:
    return evidence.columns("foreseen", "ahead", "silent", "quiet")


def _warnable(study: Study[ForecastEvidence]) -> int:
    return int((study.candidate.table["ahead"] > 0).sum())


def _balanced_accuracy(study: Study[ForecastEvidence]) -> Gate:
    plan = study.plan.forecasting
    delta = study.delta(_answers(study.candidate), _answers(study.against), balanced_accuracy)
    limit = -plan.balanced_accuracy_margin
    claim = Claim("balanced_accuracy", "Δ balanced accuracy", limit, _warnable(study), plan.min_patients, who=WHO)
    return judge(claim, delta)


def _warnings(study: Study[ForecastEvidence]) -> Gate:
    limit, hours = study.plan.forecasting.warnings_margin_per_h, float(study.candidate.warnings[:, 1].sum())
    claim = _at_most(
        study, "warnings", "Δ false warnings per hour", limit, enough=hours * limit,
        short=f"{hours:.1f} h answered, {1 / limit:g} h are needed for one warning to be seen",
    )  # fmt: skip
    return judge(claim, study.delta(study.candidate.warnings, study.against.warnings, ratio_of_sums))


def _time_in_warning(study: Study[ForecastEvidence]) -> Gate:
    ours, theirs = (e.columns("warning_s", "answered_s") for e in (study.candidate, study.against))
    limit = study.plan.forecasting.time_in_warning_margin
    claim = _at_most(study, "time_in_warning", "Δ share of time in warning", limit)
    return judge(claim, study.delta(ours, theirs, ratio_of_sums))


def _brier(study: Study[ForecastEvidence]) -> Gate:
    claim = _at_most(study, "brier", "Δ Brier score", study.plan.forecasting.brier_margin)
    return judge(claim, study.delta(study.candidate.errors, study.against.errors, ratio_of_sums))


def _abstention(study: Study[ForecastEvidence]) -> Gate:
    """To say nothing where one would have warned falsely costs no balanced accuracy, and makes warnings rarer."""
    claim = _at_most(study, "abstention", "Δ share of film not answered", study.plan.abstention_margin)
    return judge(claim, study.delta(_silence(study.candidate), _silence(study.against), ratio_of_sums))


def _silence(evidence: ForecastEvidence) -> np.ndarray:
    answered, observed = evidence.columns("answered_s", "observed_s").T
    return np.stack([observed - answered, observed], axis=1)


def _at_most(
    study: Study[ForecastEvidence], name: str, what: str, limit: float, enough: float = 1.0, short: str = ""
) -> Claim:
    persons = int((study.candidate.table["observed_s"] > 0).sum())
    minimum = study.plan.forecasting.min_patients
    return Claim(name, what, limit, persons, minimum, at_least=False, enough=enough, short=short)


def _superior(study: Study[ForecastEvidence]) -> Gate:
    ours, theirs = study.candidate, study.against
    answers, others = _answers(ours), _answers(theirs)
    right = (answers - others)[:, [0, 2]].sum(axis=1)
    every = {
        "balanced_accuracy": Endpoint(answers, others, balanced_accuracy, 1, int((right > 0).sum())),
        "warnings_per_h": _lower(ours.warnings, theirs.warnings),
        "brier": _lower(ours.errors, theirs.errors),
    }
    chosen = {name: every[name] for name in study.plan.forecasting.endpoints}
    assumed = f"balanced accuracy were truly {100 * study.plan.power_alternative:g} points higher"
    return superior(study, chosen, "balanced_accuracy", _warnable(study), assumed)


def _lower(ours: np.ndarray, theirs: np.ndarray) -> Endpoint:
    return Endpoint(ours, theirs, ratio_of_sums, -1, int((ours[:, 0] < theirs[:, 0]).sum()))
