"""The page about the rule itself: how often it alarms without drift, and what it finds beside what it says it finds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from monitoring.findings import BUDGET, DriftSettings
from monitoring.persistence import AMONG, NEEDED
from validation.drawing import INK, QUIET, SERIES, canvas
from validation.pages import Headline, Section, Table, column_figure, render_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

RULES = {
    "ictal": "Ictal's rule, on patients",
    "ks": "Kolmogorov–Smirnov at .05, on windows",
    "evidently": "Evidently's default rule, on windows",
}


def operating_page(
    found: Mapping[str, Any], settings: DriftSettings, provenance: Mapping[str, str] | None = None
) -> str:
    """HTML of what `monitoring.operating.summary` says."""
    broken = [what for what, kept in found["promises"].items() if not kept]
    head = (
        Headline("fail", "The rule does not work as it says.", tuple(broken), "Promise broken")
        if broken
        else Headline("pass", "The rule works as it says.", tuple(found["promises"]), "As stated")
    )
    return render_page(
        "report",
        kind="The rule of drift, measured",
        title="What the rule of drift finds and misses",
        lead=f"Site-months are drawn by chance, with {found['features']} features and {found['reference_patients']} patients "
        "in the reference, and patients are compared in each as at a real site.",
        simulated=True,
        headline=head,
        sections=(_nulls(found), _beside(found), _power(found), _how(found, settings)),
        provenance=provenance or {},
    )


def lines(found: Mapping[str, Any]) -> list[str]:
    """The same for the terminal."""
    told = ["months without drift in which any alarm is raised"]
    for null in found["nulls"]:
        others = [f"{name} {100 * null[name]['share']:.0f} %" for name in ("ks", "evidently") if null[name]]
        told.append(
            f"  {null['cell']:43} {_written(null['ictal'])}" + f"  (on windows: {', '.join(others)})" * bool(others)
        )
    told.append(f"found of shifts of one feature, with {found['reference_patients']} patients in the reference")
    for cell in found["power"]:
        measured = cell["ictal"]
        told.append(
            f"  {cell['patients']:2} patients, {cell['shift_sd']:g} SD   stated {100 * cell['stated']:5.1f} %   "
            f"measured {_written(measured)}"
        )
    return told + [f"{'kept' if kept else 'BROKEN'}: {what}" for what, kept in found["promises"].items()]


def draw_power(found: Mapping[str, Any]) -> "Plot":
    """Power against the number of patients, one colour per shift: what is stated as lines, what was measured as points."""
    with canvas(5.4, 3.6) as (figure, axes):
        for number, sd in enumerate(sorted({c["shift_sd"] for c in found["power"]})):
            cells = [c for c in found["power"] if c["shift_sd"] == sd]
            patients, color = [c["patients"] for c in cells], SERIES[number % len(SERIES)]
            shares = [c["ictal"]["share"] for c in cells]
            below = [c["ictal"]["share"] - c["ictal"]["low"] for c in cells]
            above = [c["ictal"]["high"] - c["ictal"]["share"] for c in cells]
            axes.plot(patients, [c["stated"] for c in cells], "-", color=color, label=f"{sd:g} SD")
            axes.errorbar(patients, shares, yerr=[below, above], fmt="o", ms=4, lw=1, color=color)
        axes.set_xscale("log", base=2)
        axes.set_xticks([c["patients"] for c in found["power"]], [str(c["patients"]) for c in found["power"]])
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("patients in the month")
        axes.set_ylabel("share of months in which it is found")
        figure.legend(loc="outside upper left", ncols=4)
    return figure


def draw_nulls(found: Mapping[str, Any]) -> "Plot":
    """Share of months without drift that raise an alarm, row by row, with the budget as a line."""
    with canvas(5.4, 0.8 + 0.28 * len(found["nulls"])) as (figure, axes):
        for row, null in enumerate(found["nulls"]):
            own = null["ictal"]
            reach = [[own["share"] - own["low"]], [own["high"] - own["share"]]]
            axes.errorbar([own["share"]], [row], xerr=reach, fmt="o", ms=5, color=SERIES[0])
        axes.axvline(BUDGET, color=INK, lw=0.8)
        axes.axvline(0, color=QUIET, lw=0.8)
        axes.set_yticks(range(len(found["nulls"])), [n["cell"] for n in found["nulls"]])
        axes.set_ylim(len(found["nulls"]) - 0.5, -0.5)
        axes.set_xlabel("share of months without drift that raise any alarm")
    return figure


def _nulls(found: Mapping[str, Any]) -> Section:
    rows = [(n["cell"], n["patients"], n["ictal"]["months"], _written(n["ictal"])) for n in found["nulls"]]
    columns = ("Months", "Patients", "Looked at", "Any alarm (95 % interval)")
    caption = f"The line is the budget: {100 * BUDGET:g} % of months without drift."
    alt = "Share of months without drift that raise an alarm"
    note = (
        "The budget is promised for months whose recordings tell as much of a patient as the reference's do. In the last two "
        "rows they do not: a shorter recording makes a patient's value less certain, and the exchange of patients takes it "
        "for as certain as the others."
    )
    return Section(
        "Without drift",
        (column_figure(draw_nulls(found), alt, caption), Table("Months without drift", columns, rows, note)),
    )


def _beside(found: Mapping[str, Any]) -> Section:
    null = found["nulls"][0]
    rows = [
        (name, own["months"], _written(own), f"{100 * own['columns']:.1f} %")
        for rule, name in RULES.items()
        if (own := null[rule])
    ]
    columns = ("Rule", "Months", "Any alarm (95 % interval)", "Features in alarm")
    found_by = [
        (f"{c['shift_sd']:g} SD", *(_written(c[rule]) if c[rule] else "–" for rule in RULES))
        for c in found["power"]
        if c["ks"]
    ]
    return Section(
        "Beside rules that look at windows",
        (
            Table("The same months without drift", columns, rows),
            *((Table("Found with 12 patients", ("Shift", *RULES.values()), found_by),) if found_by else ()),
            "A rule that alarms in every month finds every shift, and says nothing.",
        ),
    )


def _power(found: Mapping[str, Any]) -> Section:
    rows = [
        (c["patients"], c["shift_sd"], f"{100 * c['stated']:.1f} %", _written(c["ictal"]), c["ictal"]["months"])
        for c in found["power"]
    ]
    columns = ("Patients", "Shift, SD", "Stated", "Measured (95 % interval)", "Months")
    alt = "Share of months in which a shift is found, against the number of patients"
    caption = "Lines: what the report states. Points: what was measured, with exact intervals."
    return Section(
        "A shift of one feature",
        (column_figure(draw_power(found), alt, caption), Table("What is found", columns, rows)),
    )


def _how(found: Mapping[str, Any], settings: DriftSettings) -> Section:
    told = (
        f"The rule: q < {settings.q:g} over the features of a site, an effect of at least {settings.effect_floor:g} SD, at least "
        f"{settings.min_patients} patients, values beyond {settings.outlier_sd:g} robust SDs pulled in. A patient has 100 to 300 "
        "windows, each correlated with the one before (.8); .1 or .4 of a window's variance lies between patients; features "
        "of a patient share .36 of theirs. SD is that between patients of what one recording tells of them."
    )
    left_out = (
        "Not measured here: rules of acquisition, of refused recordings among them, for simulated months have no facts of that "
        f"kind; and what persistence confirms (the same feature in the same direction, in {NEEDED} of {AMONG} periods), which is "
        "less than what one period shows."
    )
    return Section("How this was measured", (told, left_out))


def _written(share: Mapping[str, float]) -> str:
    return f"{100 * share['share']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f})"
