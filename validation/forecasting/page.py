"""The page of one forecaster: verdict first, then what the split does, what warning costs, and what was learnt beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from validation.forecasting import transfer
from validation.forecasting.charts import draw_operating
from validation.forecasting.figures import BLIND
from validation.gates import Gate
from validation.inflation import LEAKY, Mark, draw_regimes
from validation.outcome import gates_of, verdict
from validation.pages import Cell, Links, Section, Table, column_figure, render_page
from validation.reading import Estimate, basis, estimate
from validation.splits import REPORTABLE

REGIMES = {"patient": "patients apart", "site": "sites apart", "seizure": "random clips"}
"""How the regimes of a forecast are called on a page, from the honest to the leaky."""

MEASURE = "balanced accuracy (0.5 is chance)"

SEEN = (
    "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on grey: not evidence; shown to see "
    "how much folds over clips flatter, what can be scored without looking at the film, and what was published. "
)


@dataclass(frozen=True)
class ForecastDossier:
    """All that is known of one forecaster when its page is written.

    `results`: detector → regime → result of `evaluate_forecasting`; the regime `patient` of `name` must be there.
    `inflation`: `regime_difference` of seizure and patient, where both were run. `published`: what the detector's paper
    states (its card's header). `few_shot`, `compositions` and `controls` as of `few_shot_figures`,
    `table_of_compositions` and `controls`; empty where they were not made.
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
    beside: Mapping[str, str] = field(default_factory=dict)
    few_shot: Mapping[str, Any] = field(default_factory=dict)
    compositions: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "patient" not in self.results.get(self.name, {}):
            raise ValueError(f"no result of {self.name!r} with patients apart: evaluate it under `patient` first")

    @property
    def main(self) -> Mapping[str, Any]:
        """With patients apart: what counts."""
        return self.results[self.name]["patient"]


def forecast_page(dossier: ForecastDossier) -> str:
    """HTML of one forecaster beside the floor and the baselines: one file that loads nothing."""
    main = dossier.main
    counts = main["counts"]
    return render_page(
        "report",
        kind="Evaluation",
        title=f"Evaluation of {dossier.name}: will a seizure begin?",
        lead="Every figure is from patients whom the detector had not seen, unless it is marked as a leaky control.",
        simulated=dossier.simulated,
        headline=verdict(dossier.name, dossier.floor, dossier.gates, said(main)),
        facts={
            "Patients": counts["persons"], "Clips": counts["clips"], "Of them preictal": counts["preictal"],
            "Answered": counts["answered"], "Hours": float(counts["hours"]), "Sites": len(counts["sites"]),
        },
        beside=Links(dossier.beside) if dossier.beside else None,
        sections=sections(dossier),
        provenance={**dossier.provenance, **_origins(main)},
    )  # fmt: skip


def said(main: Mapping[str, Any]) -> tuple[str, ...]:
    """The figures that count, in sentences: what is foreseen never stands without what it costs."""
    answer, baselines = main["answer"], main["baselines"]
    return (
        f"With patients apart: balanced accuracy {estimate(answer, 'balanced_accuracy').written()}, area under the ROC "
        f"curve {estimate(answer, 'roc_auc').written()}, Brier score {estimate(answer, 'brier').written()}; as many "
        f"warnings at regular times reach {estimate(baselines['clock'], 'balanced_accuracy').written()}.",
        f"It costs {estimate(answer, 'false_warnings_per_h').rate()} false warnings per hour of film; the sign is on for "
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
    marks = [_mark(dossier, regime) for regime in REGIMES]
    for regime, kept in (("patient", "baselines"), ("seizure", "baselines_over_stretches")):
        marks += [
            Mark(f"no film: {BLIND[name]},\n{REGIMES[regime]} ({LEAKY})", "blind", estimate(block, "balanced_accuracy"))
            for name, block in own["patient"][kept].items()
            if regime == "patient" or name in ("id_lookup", "label_oracle")
        ]
    marks += [Mark(f"as published, {what}", "published", Estimate(value)) for what, value in _stated(dossier.published)]
    alt = f"Balanced accuracy of {dossier.name} under each split"
    chart = column_figure(draw_regimes(marks, MEASURE, 0.5), alt, SEEN + basis(dossier.main["answer"]))
    told = [f"{REGIMES[r].capitalize()}: not evaluable, {why}." for r, why in dossier.undivided.items()]
    return Section("What the split does to the figure", (chart, *_worth(dossier), *_headline_of_paper(dossier), *told))


def _mark(dossier: ForecastDossier, regime: str) -> Mark:
    honest, result = regime in REPORTABLE, dossier.results[dossier.name].get(regime)
    label = REGIMES[regime] + ("" if honest else f"\n({LEAKY})")
    if result is None:
        return Mark(label, "absent", why="not evaluable" if regime in dossier.undivided else "not run")
    return Mark(label, "honest" if honest else "leaky", estimate(result["answer"], "balanced_accuracy"))


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
        f"Neighbouring clips overlap. {basis(dossier.inflation)}",
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
    blind = {BLIND[name]: main["baselines"][name] for name in ("always_interictal", "clock")}
    stated = (
        f"A clip whose probability is {rule['threshold']:g} or more raises a warning at its end, which lasts "
        f"{rule['lasts_s']:g} s; further ones prolong it. Nothing new is raised within {rule['refractory_s']:g} s of its end. "
        "A warning is false where no seizure followed any of its clips. Each clip stands for "
        f"{rule['hop_s']:g} s of film; what is not asked about (seizures, the time after them, and the time too long before one) "
        "is not counted as film."
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
        _lines(estimate(block, "foreseen").percent()),
        _lines(estimate(block, "rightly_silent").percent()),
        _lines(estimate(block, "false_warnings_per_h").rate()),
        _lines(estimate(block, "time_in_warning").percent()),
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
    return tuple(_lines(estimate(block, name).written()) for name in names)


def _lines(text: str) -> str:
    return text.replace(" (", "\n(")


def _origins(main: Mapping[str, Any]) -> dict[str, str]:
    scorer, drawn = main["answer"]["scorer"], main["uncertainty"]
    return {
        **{f"{name} (SHA-256)": digest for name, digest in main["digests"].items()},
        "intervals": f"95 %, {drawn['draws']:,} resamples of patients within sites",
        "scorers": f"{scorer['name']} {scorer['version']} {scorer['code_digest'][:12]}",
    }
