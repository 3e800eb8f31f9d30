"""The page of the grid, and the same in a few lines of text: n × γ × aggregator, patients apart beside the paper's folds."""

from collections.abc import Mapping
from typing import Any

from validation.inflation import LEAKY
from validation.pages import SIMULATED, Headline, Links, Section, Table, column_figure, render_page
from validation.reading import as_estimate, basis
from validation.seizure_typing.page import REGIMES
from validation.semiology.charts import CALLED, draw_grid
from validation.semiology.published import WHERE
from validation.splits import REPORTABLE

Document = Mapping[str, Any]
"""`grid_result`, with what it is of: `detector`, `simulated`, `of` (preset, split, features), `not_evaluable`."""

WORTH = {
    "over_mean": "BLSTM minus mean",
    "over_shuffled": "BLSTM minus BLSTM\nwithout order",
    "shuffled_over_mean": "BLSTM without order\nminus mean",
}
ORDER = (
    "Without order the same network is taught with the moments of each seizure in a random order, and its answer is the mean "
    "over all rotations of their order and of its reverse. Where order is what a BLSTM knows more than the mean, its "
    "advantage goes: the last column then holds 0. Paired by patient."
)


def grid_page(document: Document) -> str:
    """HTML of one detector's grid: one file that loads nothing."""
    patient = document["regimes"]["patient"]
    return render_page(
        "report",
        kind="Grid",
        title=f"Grid of {document['detector']}",
        lead="How many moments, how they are drawn, what reads them: every cell on the same features of the same seizures.",
        simulated=document["simulated"],
        headline=Headline("unsure", said(document), (_best_of_many(patient),), "As measured"),
        facts={
            "Patients": patient["rests_on"]["persons"], "Seizures": patient["rests_on"]["seizures"],
            "Cells": len([c for c in patient["cells"] if not c["shuffled"]]),
        },
        beside=Links({"This page as data (JSON)": f"{document['detector']}.json"}),
        sections=sections(document),
        provenance=dict(document.get("provenance", {})),
    )  # fmt: skip


def sections(document: Document) -> tuple[Section, ...]:
    """The grid under each split, what order is worth, and what was published."""
    own = [_grid(regime, found) for regime, found in document["regimes"].items()]
    return (*own, _order(document["regimes"]["patient"]), _published(document["regimes"]["patient"]))


def said(document: Document) -> str:
    """What the grid shows with patients apart, in a sentence."""
    cells = [c for c in document["regimes"]["patient"]["cells"] if not c["shuffled"]]
    ranges = []
    for kind, name in CALLED.items():
        found = [c["accuracy"]["estimate"] for c in cells if c["aggregator"] == kind]
        if found:
            ranges.append(f"{name} {100 * min(found):.0f}–{100 * max(found):.0f} %")
    return f"With patients apart, accuracy over the cells: {', '.join(ranges)}."


def lines(document: Document) -> list[str]:
    """The cells as a terminal shows them."""
    regimes = document["regimes"]
    rows = [("cell", *(REGIMES[r] for r in regimes), "published (not evidence)")]
    for at, cell in enumerate(regimes["patient"]["cells"]):
        figures = [as_estimate(found["cells"][at]["accuracy"]).percent() for found in regimes.values()]
        rows.append((cell["name"], *figures, _percent(cell["published_accuracy"])))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [said(document), *table, *([SIMULATED] if document["simulated"] else [])]


def _grid(regime: str, found: Mapping[str, Any]) -> Section:
    honest = regime in REPORTABLE
    name = REGIMES[regime].capitalize() + ("" if honest else f" ({LEAKY})")
    figure = column_figure(
        draw_grid(found["cells"]),
        f"Accuracy over the grid, {REGIMES[regime]}",
        f"Per cent of seizures named rightly. {basis(found)}",
    )
    columns = ("Read by", "Segments", "γ", "Right, %", "Weighted F1", "Published,\nright, %")
    rows = [
        (
            CALLED[c["aggregator"]] + (", no order" if c["shuffled"] else ""), c["segments"], c["gamma"],
            as_estimate(c["accuracy"]).percent(), as_estimate(c["weighted_f1"]).written(), _percent(c["published_accuracy"]),
        )
        for c in found["cells"]
    ]  # fmt: skip
    marks = ("",) * len(rows) if honest else ("unsure",) * len(rows)
    return Section(
        name, (figure, Table("Every cell, with 95 % intervals over patients", columns, rows, basis(found), marks))
    )


def _order(patient: Mapping[str, Any]) -> Section:
    heading = "What the order of moments is worth"
    if not patient["order"]:
        return Section(heading, ("No BLSTM was run beside a mean or without order.",))
    known = [what for what in WORTH if any(what in row for row in patient["order"])]
    rows = [
        (row["segments"], row["gamma"], *(as_estimate(row.get(what, {})).percent(sign=True) for what in known))
        for row in patient["order"]
    ]
    columns = ("Segments", "γ", *(f"{WORTH[what]}, points" for what in known))
    return Section(heading, (Table("Accuracy with patients apart", columns, rows, basis(patient)), ORDER))


def _published(patient: Mapping[str, Any]) -> Section:
    cells = [c for c in patient["cells"] if c["published_accuracy"] is not None]
    if not cells:
        return Section("As published", ("The paper has none of these cells.",))
    figure = column_figure(
        draw_grid(cells, "published_accuracy"),
        "The same cells as published",
        f"Not evidence here, and not measured here: {WHERE}.",
    )
    return Section("As published", (figure,))


def _best_of_many(patient: Mapping[str, Any]) -> str:
    count = len([c for c in patient["cells"] if not c["shuffled"]])
    return f"The best of {count} cells is no estimate of what a new cohort would give: look at all of them."


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
