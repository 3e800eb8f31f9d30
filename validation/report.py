"""The page about one candidate: may it replace what is in force, how good is it honestly, and where does it fail?"""

from collections.abc import Mapping, Sequence
from typing import Any

from lineage.digest import digest_of
from validation.charts import draw_calibration, draw_operating_curve, draw_patients
from validation.gates import Gate
from validation.inflation import LEAKY, REGIMES, draw_regimes, marks, ordered
from validation.outcome import gates_section, headline
from validation.pages import Cell, Figure, Section, Table, figure_svg, render_page, short
from validation.reading import Reading, Result, estimate, read
from validation.splits import REPORTABLE
from validation.traces import Excerpt, draw_excerpt

PUBLISHED = {
    "da_stnet": (0.9998, "over windows of the same babies, Helsinki"),
}
"""AUC that a detector's paper states (Xu & Zheng 2026: 5-fold over windows, Helsinki), and how it was measured."""


def evaluation_page(
    evaluations: Mapping[str, Mapping[str, Result]],
    gates: Sequence[Gate],
    split: Mapping[str, Any],
    provenance: Mapping[str, str],
    *,
    simulated: bool,
    excerpts: Sequence[Excerpt] = (),
    candidate: str = "",
    champion: str = "",
    made_at: str = "",
) -> str:
    """HTML of one candidate (the first of `evaluations` unless named) beside other detectors.

    `evaluations`: detector → regime → result of `validation.evaluation.evaluate`, or the same from JSON; the regime
    `patient` of the candidate must be there. `split` is `Split.to_json()` of the reportable regime. `gates` may be
    empty, and the page then says that nothing was decided.
    """
    readings = {name: {regime: read(own[regime]) for regime in ordered(own)} for name, own in evaluations.items()}
    name = candidate or next(iter(readings))
    if "patient" not in readings.get(name, {}):
        raise ValueError(f"no result of {name!r} with patients apart: evaluate it under the regime `patient` first")
    main = readings[name]["patient"]
    return render_page(
        "report",
        kind="Evaluation",
        title=f"Evaluation of {name}",
        lead="Every figure is from patients whom the detector had not seen, unless it is marked as a leaky control.",
        simulated=simulated,
        headline=headline(name, champion, gates, main),
        facts=_facts(main),
        sections=(
            _regimes(name, readings),
            _operating(readings),
            _patients(name, main),
            _calibration(main),
            _subgroups(main),
            _worst(main, excerpts),
            _detectors(readings),
            gates_section(gates, main),
        ),
        provenance=_provenance(main, split, provenance),
        made_at=made_at,
    )


def _facts(reading: Reading) -> dict[str, Cell]:
    counts = reading.counts
    coverage = counts.get("coverage")
    return {
        "Patients": counts.get("persons"),
        "with seizures": counts.get("seizing_persons"),
        "Seizures": counts.get("seizures"),
        "Hours": None if counts.get("hours") is None else f"{counts['hours']:.1f}",
        "Time assessed": None if coverage is None else f"{100 * coverage:.1f} %",
    }


def _regimes(name: str, readings: Mapping[str, Mapping[str, Reading]]) -> Section:
    own = readings[name]
    svg = figure_svg(
        draw_regimes(marks(readings, REPORTABLE, PUBLISHED)),
        "Area under the ROC curve of each detector under each split",
    )
    caption = (
        "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on grey: not evidence; shown "
        "to see how much a leaky split flatters, what can be scored without looking at the EEG, and what was published."
    )
    return Section("What the split does to the figure", (Figure(svg, caption), *_inflation(name, own)))


def _inflation(name: str, own: Mapping[str, Reading]) -> tuple[str, ...]:
    honest, leaky = own["patient"].auc.value, own["window"].auc.value if "window" in own else None
    if honest is None or leaky is None:
        return ("The leaky control was not run: the inflation by random windows is not known.",)
    return (
        f"Random windows instead of patients apart change the AUC of {name} from {honest:.3f} to {leaky:.3f} ({leaky - honest:+.3f}).",
    )


def _operating(readings: Mapping[str, Mapping[str, Reading]]) -> Section:
    honest = {name: regimes["patient"] for name, regimes in readings.items() if "patient" in regimes}
    svg = figure_svg(draw_operating_curve(honest), "Share of seizures found over false alarms per 24 hours")
    caption = (
        "Patients apart; thresholds are read off these same patients, so the curve describes and sets nothing. Bars: 95 % "
        "intervals over patients. Yardsticks were measured in adults on other data. Inside the grey band there is less "
        "than one alarm in all the hours of this cohort: rates there cannot be told from zero."
    )
    rows = [(name, *(_point(p) for p in r.points)) for name, r in honest.items()]
    columns = ("Detector", *(f"≤ {p['at_most_per_24h']:g} per 24 h" for p in next(iter(honest.values())).points))
    table = Table("Seizures found in per cent (95 % interval) at a number of false alarms per 24 h", columns, rows)
    return Section("Operating curve", (Figure(svg, caption), table))


def _point(point: Mapping[str, Any]) -> str:
    return estimate(point, "sensitivity").percent()


def _patients(name: str, reading: Reading) -> Section:
    svg = figure_svg(
        draw_patients(reading), "Every patient: area under the curve, sensitivity and false alarms per hour"
    )
    tenth = reading.worst.get("auc", {})
    worst = tenth.get("mean")
    tail = () if worst is None else (
        f"In the worst tenth of evaluable patients ({len(tenth['persons'])} of {tenth['evaluable']}) the mean AUC is {worst:.2f}.",
    )  # fmt: skip
    return Section("Every patient", (Figure(svg, f"{name}, patients apart. One dot is one patient."), *tail))


def _calibration(reading: Reading) -> Section:
    svg = figure_svg(draw_calibration(reading), "Stated against observed probability")
    caption = (
        f"Does a stated probability mean what it says? Expected calibration error {reading.ece.written(3)}, Brier score "
        f"{reading.brier.written(3)}. Points rest on the seconds shown below them."
    )
    return Section("Calibration", (Figure(svg, caption),))


def _subgroups(reading: Reading) -> Section:
    columns = ("Group", "Patients", "with seizures", "AUC", "Seizures found, %", "False alarms per 24 h")
    rows = [_subgroup(g) for g in reading.subgroups]
    note = "Intervals are 95 % over patients. Groups too small for a figure are named, with the reason."
    return Section("Subgroups", (Table("Figures by site, age and sex", columns, rows, note),))


def _subgroup(group: Mapping[str, Any]) -> tuple[Cell, ...]:
    head = (f"{group['by']}: {group['group']}", group["persons"], group["seizing_persons"])
    if "not_evaluable" in group:
        return (*head, f"not evaluable: {group['not_evaluable']}", "not evaluable", "not evaluable")
    found = estimate(group, "event_sensitivity").percent()
    return (*head, estimate(group, "auc_pooled").written(), found, estimate(group, "false_alarms_per_24h").rate())


def _worst(reading: Reading, excerpts: Sequence[Excerpt]) -> Section:
    ranked = [p for p in reading.patients if p.get("auc") is not None]
    lowest = sorted(ranked, key=lambda p: p["auc"])[:5]
    columns = ("Patient", "Site", "AUC", "Seizures", "found", "False alarms per hour")
    rows = [(p["person"], p["site"], p["auc"], p["seizures"], p["detected"], p.get("false_per_hour")) for p in lowest]
    drawn = tuple(Figure(figure_svg(draw_excerpt(e), f"EEG traces: {e.title}"), e.title) for e in excerpts)
    missing = () if excerpts else ("No traces were given for this page.",)
    return Section("Worst cases", (Table("The patients in whom it does worst", columns, rows), *drawn, *missing))


def _detectors(readings: Mapping[str, Mapping[str, Reading]]) -> Section:
    columns = (
        "Detector", "Split", "AUC", "Seizures found, %", "False alarms per 24 h", "F1 (SzCORE)", "MCC", "Published AUC",
    )  # fmt: skip
    rows = [_detector(name, regime, r) for name, regimes in readings.items() for regime, r in regimes.items()]
    note = (
        "F1 by SzCORE's rules, mean over patients, undetected patients counted as 0. Published: the headline of the "
        "detector's paper, measured over windows of the same babies; it is not comparable with patients apart."
    )
    shades = tuple("unsure" if regime not in REPORTABLE else "" for regimes in readings.values() for regime in regimes)
    return Section(
        "Detectors side by side", (Table("All detectors on the same recordings", columns, rows, note, shades),)
    )


def _detector(name: str, regime: str, r: Reading) -> tuple[Cell, ...]:
    split = REGIMES.get(regime, regime) + ("" if regime in REPORTABLE else f"\n{LEAKY}")
    published = f"{PUBLISHED[name][0]:.4f}" if name in PUBLISHED else "–"
    figures = (r.auc.written(), r.sensitivity.percent(), r.alarms_per_24h.rate(), r.f1.written(), r.mcc.written())
    # the interval on a line of its own keeps the table inside the page
    return (name, split, *(text.replace(" (", "\n(") for text in figures), published)


def _provenance(reading: Reading, split: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    drawn = {key: str(split[key]) for key in ("regime", "seed") if key in split}
    described = ", ".join(f"{key} {value}" for key, value in drawn.items())
    digests = {f"{name} (SHA-256)": digest for name, digest in reading.digests.items()}
    scorers = {"scorers": "; ".join(f"{n} {v} {short(d)}" for n, v, d in (s.rsplit(" ", 2) for s in reading.scorers))}
    intervals = {"intervals": f"{reading.draws:,} resamples of patients within sites"} if reading.draws else {}
    own = {"split": f"{described}, {len(split.get('folds', ()))} folds", "split (SHA-256)": digest_of(split)}
    return {**given, **own, **digests, **intervals, **scorers}
