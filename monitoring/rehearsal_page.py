"""The page of a rehearsal: which faults a site could bring in unnoticed, which would be found, by what, and how soon."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from monitoring.findings import BUDGET
from monitoring.persistence import AMONG, NEEDED
from monitoring.rehearsal import LONGEST, NOTICED
from validation.drawing import BLUE, GREY, INK, ORANGE, QUIET, RED, canvas
from validation.pages import Cell, Figure, Headline, Section, Table, figure_svg, interval, render_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

PARTS = {"checks": BLUE, "rules": ORANGE, "statistics": GREY}

Row = Mapping[str, Any]


def rehearsal_page(document: Mapping[str, Any], made_at: str = "") -> str:
    """HTML of a rehearsal's table (`ictal.rehearsal/1`)."""
    measured = [row for row in document["faults"] if row["state"] == "measured"]
    return render_page(
        "report",
        kind="Rehearsal of drift",
        title=f"Faults at {document['site']}",
        lead="Each fault was put into the site's own recordings, which then went through the same checks and the same "
        "comparison as real ones.",
        simulated=document["simulated"],
        headline=headline(document),
        facts={
            "Site": document["site"],
            "Patients at hand": measured[0]["patients_at_hand"] if measured else 0,
            "Patients in a drawn week": measured[0]["patients"] if measured else 0,
            "Drawn weeks per fault": document["draws"],
        },
        sections=(
            Section("Power", (_figure(document), _power(document))),
            Section("Time to alarm", (_times(document),)),
            *_left_out(document),
            Section("How this was measured", _method(document)),
        ),
        provenance={"recordings": document["of"]["recordings"]},
        made_at=made_at,
    )


def headline(document: Mapping[str, Any]) -> Headline:
    """How many faults would be noticed, which would not, and whether the site is steady without any."""
    measured = [row for row in document["faults"] if row["state"] == "measured"]
    missed = [row for row in measured if row["power"] < NOTICED]
    restless = [row for row in document["controls"] if row["state"] == "measured" and row["interval"][0] > BUDGET]
    reasons = [f"Without any fault {_share(row)} of the weeks alarm ({row['modality']}): the site is not steady, "
               "so that power says little." for row in restless]  # fmt: skip
    reasons += [f"{_name(row)}: noticed in {_share(row)} of the weeks." for row in missed]
    sentence = f"{len(measured) - len(missed)} of {len(measured)} faults would be noticed in at least {100 * NOTICED:.0f} % of weeks."
    if restless:
        return Headline("unsure", sentence, tuple(reasons), "Site not steady")
    return Headline("unsure" if missed else "pass", sentence, tuple(reasons), "Some would be missed" if missed else "")


def lines(document: Mapping[str, Any]) -> list[str]:
    """What the terminal shows: one line per fault, the controls first."""
    head = f"{'fault':18} {'power':>6}  {'95 % interval':14} {'first alarm':20} {'confirmed':20} found by"
    return [f"faults at {document['site']}, {document['draws']} drawn weeks each", head, *map(_line, _all(document))]


def _line(row: Row) -> str:
    if row["state"] != "measured":
        return f"{row['fault']:18} not evaluable: {row['reason']}"
    by = ", ".join(f"{part} {_percent(share)}" for part, share in row["found_by"].items() if share) or "nothing"
    said = f" ({'; '.join(row['said'])})" if row["said"] and row["found"] else ""
    return (
        f"{row['fault']:18} {_share(row):>6}  {_interval(row):14} {_when(row['to_alarm']):20} "
        f"{_when(row['to_confirmed']):20} {by}{said}"
    )


def _all(document: Mapping[str, Any]) -> list[Row]:
    return [*document["controls"], *document["faults"]]


def _share(row: Row) -> str:
    return _percent(row["power"])


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _interval(row: Row) -> str:
    low, high = row["interval"]
    return interval(100 * low, 100 * high, 0) + " %"


def _when(time: Mapping[str, Any]) -> str:
    """“9 patients, 1 week”: the medians."""
    if time["median"] is None:
        return f"> {LONGEST} weeks"
    return f"{time['median']} pat., {time['median_periods']:.2g} weeks"


def _name(row: Row) -> str:
    return f"{row['fault'].replace('_', ' ')} ({row['meaning']})"


def _power(document: Mapping[str, Any]) -> Table:
    columns = ("Fault", "What is wrong", "Power", "95 % interval", "Checks", "Rules", "Statistics", "What was said")
    rows = [_power_row(row) for row in _all(document)]
    marks = [_mark(row) for row in document["faults"]]
    note = (
        "Power: share of drawn weeks in which the recordings are refused or the site is in alarm. Checks refuse a "
        "recording by name; rules are those of acquisition; statistics exchange whole patients. The first rows are "
        "controls, without any fault."
    )
    controls = [""] * len(document["controls"])
    return Table("Detection power", columns, rows, note, marks=(*controls, *marks))


def _mark(row: Row) -> str:
    return "unsure" if row["state"] != "measured" or row["power"] < NOTICED else "pass"


def _power_row(row: Row) -> tuple[Cell, ...]:
    if row["state"] != "measured":
        return row["fault"].replace("_", " "), row["meaning"], None, "", "", "", "", row["reason"]
    parts = [_percent(row["found_by"][part]) for part in PARTS]
    said = "; ".join(row["said"]) if row["found"] else ""
    return row["fault"].replace("_", " "), row["meaning"], _share(row), _interval(row), *parts, said


def _times(document: Mapping[str, Any]) -> Table:
    columns = ("Fault", "First alarm: median", "p90", "Confirmed: median", "p90", "Confirmed at all")
    rows = [
        (
            row["fault"].replace("_", " "),
            *(_told(row[when], share) for when in ("to_alarm", "to_confirmed") for share in ("median", "p90")),
            _percent(row["to_confirmed"]["within"]),
        )
        for row in _all(document)
        if row["state"] == "measured"
    ]
    note = (
        f"Counted from the first faulty recording on, over drawn courses of up to {LONGEST} weeks. What the checks refuse "
        "is known when it comes; the rest at the week's end. A shift is confirmed when it returns in "
        f"{NEEDED} of {AMONG} weeks."
    )
    return Table("Patients until an alarm (weeks)", columns, rows, note)


def _told(time: Mapping[str, Any], share: str) -> str:
    if time[share] is None:
        return f"> {LONGEST} weeks"
    return f"{time[share]} ({time[f'{share}_periods']:.2g})"


def _left_out(document: Mapping[str, Any]) -> list[Section]:
    missing = [row for row in document["faults"] if row["state"] != "measured"]
    if not missing:
        return []
    told = tuple(f"{_name(row)}: {row['reason']}." for row in missing)
    return [Section("Not evaluable here", told)]


def _method(document: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "A week is drawn from the patients at hand, without anybody twice; its recordings carry the fault from the first "
        "on, and are compared with the reference as a real week is. The interval is that of the "
        f"share of {document['draws']} weeks (Clopper and Pearson): weeks share patients, so that other patients may "
        "differ by more.",
        "Films have no later period here: the patients of a drawn week are taken out of the site's reference. They are "
        "coded anew with and without the fault.",
        "Where the control alarms, the site has changed already, and the power of a fault is not its own.",
    )


def _figure(document: Mapping[str, Any]) -> Figure:
    svg = figure_svg(draw_power(document), "Detection power of every fault with its 95 % interval")
    return Figure(
        svg,
        "Share of drawn weeks that would be noticed, with its 95 % interval. Colours say by what mostly; red: by nothing.",
    )


def draw_power(document: Mapping[str, Any]) -> "Plot":
    """One row per fault; dots with intervals; the part that found most as the colour."""
    rows: Sequence[Row] = [row for row in _all(document) if row["state"] == "measured"]
    with canvas(7.6, 1.3 + 0.3 * len(rows)) as (figure, axes):
        for place, row in enumerate(rows):
            low, high = row["interval"]
            best = max(PARTS, key=lambda part: row["found_by"][part])
            color = PARTS[best] if row["found"] else RED
            axes.plot([low, high], [place, place], color=color, lw=2.2)
            axes.plot([row["power"]], [place], "o", ms=7, color=color)
        for part, color in PARTS.items():
            axes.plot([], [], "o", ms=7, color=color, label=f"found mostly by {part}")
        axes.axvline(NOTICED, color=QUIET, lw=0.8, ls="--")
        axes.set_yticks(range(len(rows)), [row["fault"].replace("_", " ") for row in rows], color=INK)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("share of drawn weeks in which it is noticed")
        figure.legend(loc="outside upper left", ncols=3)
    return figure
