"""The page of one forecaster: verdict first, then what the split does, what warning costs, and what was learnt beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from validation.forecasting import transfer
from validation.forecasting.charts import draw_operating
from validation.forecasting.figures import BLIND
from validation.inflation import LEAKY, Mark, blind_mark, draw_regimes
from validation.outcome import gates_of
from validation.pages import Cell, Section, Table, column_figure
from validation.reading import Estimate, basis, estimate
from validation.splits import REPORTABLE
from validation.stretch_page import StretchDossier, not_evaluable_lines, regime_mark, stretch_page, two_lines

REGIMES = {"patient": "patients apart", "site": "sites apart", "seizure": "random clips"}
"""How the regimes of a forecast are called on a page, from the honest to the leaky."""

MEASURE = "balanced accuracy (0.5 is chance)"

SEEN = (
    "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on white: what is scored with patients apart "
    "without looking at the film. Hollow on grey: not evidence; shown to see how much folds over clips flatter, and what was "
    "published. "
)


@dataclass(frozen=True)
class ForecastDossier(StretchDossier):
    """Of a forecaster: results of `evaluate_forecasting`, and what was learnt beforehand.

    `few_shot`, `compositions` and `controls` as of `few_shot_figures`, `table_of_compositions` and `controls`; empty where
    they were not made.
    """

    few_shot: Mapping[str, Any] = field(default_factory=dict)
    compositions: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, Any] = field(default_factory=dict)


def forecast_page(dossier: ForecastDossier) -> str:
    """HTML of one forecaster beside the floor and the baselines: one file that loads nothing."""
    counts = dossier.main["counts"]
    facts = {
        "Patients": counts["persons"], "Clips": counts["clips"], "Of them preictal": counts["preictal"],
        "Answered": counts["answered"], "Hours": float(counts["hours"]), "Hours answered": float(counts["answered_hours"]),
        "Sites": len(counts["sites"]),
    }  # fmt: skip
    return stretch_page(dossier, "will a seizure begin?", said(dossier.main), facts, sections(dossier))


def said(main: Mapping[str, Any]) -> tuple[str, ...]:
    """The figures that count, in sentences: what is foreseen never stands without what it costs."""
    answer, baselines = main["answer"], main["baselines"]
    return (
        f"With patients apart: balanced accuracy {estimate(answer, 'balanced_accuracy').written()}, area under the ROC "
        f"curve {estimate(answer, 'roc_auc').written()}, Brier score {estimate(answer, 'brier').written()}; as many "
        f"warnings at regular times reach {estimate(baselines['clock'], 'balanced_accuracy').written()}, and how far the film has "
        f"come {estimate(baselines['elapsed'], 'balanced_accuracy').written()}, both without a look at it.",
        f"It costs {estimate(answer, 'false_warnings_per_h').rate()} false warnings per hour of answered film; the sign is on for "
        f"{estimate(answer, 'time_in_warning').percent()} % of the time.",
    )


def sections(dossier: ForecastDossier) -> tuple[Section, ...]:
    """Everything below the verdict, in reading order."""
    counts = dossier.main["counts"]
    size = (
        f"This cohort has {counts['persons']} patients, {counts['persons_ahead']} of them with a clip before a seizure.",
    )
    return (
        _split(dossier),
        _cost(dossier),
        *transfer.sections(dossier.few_shot, dossier.compositions, dossier.controls, dossier.published),
        gates_of(dossier.gates, size),
        _side_by_side(dossier),
    )


def _split(dossier: ForecastDossier) -> Section:
    own = dossier.results[dossier.name]
    marks = [regime_mark(dossier, REGIMES, regime, "balanced_accuracy") for regime in REGIMES]
    for regime, kept in (("patient", "baselines"), ("seizure", "baselines_over_stretches")):
        marks += [
            blind_mark("film", BLIND[name], regime, REGIMES, estimate(block, "balanced_accuracy"))
            for name, block in own["patient"][kept].items()
            if regime == "patient" or name in ("id_lookup", "label_oracle")
        ]
    marks += [Mark(f"as published, {what}", "published", Estimate(value)) for what, value in _stated(dossier.published)]
    alt = f"Balanced accuracy of {dossier.name} under each split"
    chart = column_figure(draw_regimes(marks, MEASURE, 0.5), alt, SEEN + basis(dossier.main["answer"]))
    told = not_evaluable_lines(dossier, REGIMES)
    return Section("What the split does to the figure", (chart, *_worth(dossier), *_headline_of_paper(dossier), *told))


def _stated(published: Mapping[str, Any]) -> list[tuple[str, float]]:
    named = {
        "both species": "balanced_accuracy",
        "people alone": "human_only_balanced_accuracy",
        "rodents alone": "rodent_only_balanced_accuracy",
    }
    return [(what, float(published[key])) for what, key in named.items() if key in published]


def _worth(dossier: ForecastDossier) -> tuple[str, ...]:
    if not dossier.inflation:
        return (f"What folds over clips are worth to {dossier.name}: not evaluable, they were not run.",)
    found = estimate(dossier.inflation, "balanced_accuracy").written(sign=True)
    return (
        f"Random clips instead of patients apart change the balanced accuracy by {found}; above 0 they flatter. "
        f"Neighbouring clips overlap, and what either leaves unanswered is left so in both. {basis(dossier.inflation)}",
    )


def _headline_of_paper(dossier: ForecastDossier) -> tuple[str, ...]:
    stated = dossier.published
    if not stated:
        return ()
    shots = ", ".join(f"{value:g}" for value in stated["balanced_accuracy_by_shots"])
    ours, theirs, of = stated["right"]
    return (
        f"Published headline: balanced accuracy {shots} with 2, 3 and 4 shots (mean {stated['balanced_accuracy']:g}), ROC-AUC "
        f"{stated['roc_auc']:g}; people alone {stated['human_only_balanced_accuracy']:g}, rodents alone "
        f"{stated['rodent_only_balanced_accuracy']:g} ({stated['protocol']}; {stated['source']}). It was not measured here. "
        f"By arithmetic from these figures both species together are right in {ours} of {of} decisions and people "
        f"alone in {theirs}: {ours - theirs} decisions, on the same few clips drawn again and again.",
    )


def _cost(dossier: ForecastDossier) -> Section:
    main, rule = dossier.main, dossier.main["rule"]
    curves = {n: own["patient"]["operating_curve"]["points"] for n, own in dossier.results.items() if "patient" in own}
    blind = {BLIND[name]: main["baselines"][name] for name in ("always_interictal", "clock", "elapsed")}
    stated = (
        f"A clip whose probability is {rule['threshold']:g} or more raises a warning at its end, which lasts "
        f"{rule['lasts_s']:g} s; further ones prolong it, and what goes on for {rule['longest_s']:g} s is a warning again. Within "
        f"{rule['refractory_s']:g} s of its end nothing is raised. A warning is false where no seizure followed any of its clips. "
        f"Each clip stands for {rule['hop_s']:g} s of film; what got no answer, and what is not asked about (seizures, the "
        "time after them, and the time too long before one), is not counted as film."
    )
    caption = f"Patients apart; numbers are thresholds, the one in use is filled. {basis(main['answer'])}"
    chart = column_figure(
        draw_operating(curves, rule["threshold"], blind), "Balanced accuracy over false warnings per hour", caption
    )
    rows = [
        (name, *_warned(result["answer"]))
        for name, result in ((n, own["patient"]) for n, own in dossier.results.items() if "patient" in own)
    ]
    rows += [(f"no film: {BLIND[name]}", *_warned(block)) for name, block in main["baselines"].items()]
    columns = ("Detector", "Foreseen, %", "Rightly silent, %", "False warnings\nper hour", "Time in\nwarning, %")
    shades = tuple("" if not str(row[0]).startswith("no film") else "unsure" for row in rows)
    table = Table("Warnings along continuous film, patients apart, with 95 % intervals over patients", columns, rows, basis(main["answer"]), shades)  # fmt: skip
    return Section("What warning costs", (chart, table, stated))


def _warned(block: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        two_lines(estimate(block, "foreseen").percent()),
        two_lines(estimate(block, "rightly_silent").percent()),
        two_lines(estimate(block, "false_warnings_per_h").rate()),
        two_lines(estimate(block, "time_in_warning").percent()),
    )


def _side_by_side(dossier: ForecastDossier) -> Section:
    rows: list[tuple[Cell, ...]] = []
    shades = []
    for name, regimes in dossier.results.items():
        for regime, result in regimes.items():
            honest = regime in REPORTABLE
            rows.append((name, REGIMES[regime] + ("" if honest else f"\n{LEAKY}"), *_ranked(result["answer"])))
            shades.append("" if honest else "unsure")
    for name, block in dossier.main["variants"].items():
        rows.append((f"{dossier.name}:\n{name}", REGIMES["patient"], *_ranked(block)))
        shades.append("")
    for regime, kept in (("patient", "baselines"), ("seizure", "baselines_over_stretches")):
        for name, block in dossier.main[kept].items():
            rows.append((f"no film: {BLIND[name]}", REGIMES[regime], *_ranked(block)))
            shades.append("unsure")
    columns = ("Detector", "Split", "Balanced\naccuracy", "ROC-AUC", "ROC-AUC within\na patient, mean", "Brier")
    table = Table("All on the same clips", columns, rows, basis(dossier.main["answer"]), tuple(shades))
    return Section("Detectors and baselines side by side", (table,))


def _ranked(block: Mapping[str, Any]) -> tuple[Cell, ...]:
    names = ("balanced_accuracy", "roc_auc", "roc_auc_per_patient", "brier")
    return tuple(two_lines(estimate(block, name).written()) for name in names)
