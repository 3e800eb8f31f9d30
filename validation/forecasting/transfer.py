"""What the page says of what was learnt beforehand: a handful of clips, compositions, and whether there is a cue at all."""

from collections.abc import Mapping
from typing import Any

from validation.forecasting.charts import draw_dose, draw_shots
from validation.forecasting.composition import NOTHING_BEFOREHAND
from validation.forecasting.fewshot import MIN_TASKS
from validation.pages import Cell, Section, Table, column_figure
from validation.reading import as_estimate
from validation.stretch_page import two_lines

Document = Mapping[str, Any]


def sections(
    few_shot: Document, compositions: Document, controls: Document, published: Document
) -> tuple[Section, ...]:
    """A section for each study that was made; one that says so where none was."""
    made = [
        *([_few_shot(few_shot)] if few_shot else []),
        *([_compositions(compositions)] if compositions else []),
        *([_controls(controls)] if controls else []),
    ]
    return tuple(made) or (
        Section("What was learnt beforehand", ("Not measured: the study of transfer was not run.",)),
    )


def claims(few_shot: Document) -> list[str]:
    """For each comparison what may be said, shot by shot; “no difference” as plainly as a difference."""
    return [_claim(one["method"], one["against"], one["shots"]) for one in few_shot["differences"]]


def _claim(method: str, rival: str, shots: Document) -> str:
    written = ", ".join(f"{k} shots {_of(own, sign=True)}" for k, own in shots.items())
    claimed = [k for k, own in shots.items() if own["claimed"]]
    verdict = (
        "no gain may be claimed"
        if not claimed
        else f"a gain may be claimed with {' and '.join(claimed)} shots"
        if len(claimed) < len(shots)
        else "a gain may be claimed"
    )
    return f"{method} against {rival}: {written}: {verdict}."


def _few_shot(document: Document) -> Section:
    fewest = min(own["tasks"] for by in document["methods"].values() for own in by.values())
    short = f" Hollow diamonds: fewer than {MIN_TASKS} tasks." if fewest < MIN_TASKS else ""
    caption = (
        f"Support and query of different persons. 95 % intervals redraw the {document['persons']} patients and the tasks.{short} "
        f"{_scored(document)}"
    )
    chart = column_figure(draw_shots(document), "Balanced accuracy over the number of shots", caption)
    shots = sorted({k for by in document["methods"].values() for k in by}, key=int)
    rows = [(name, *_tasks(by), *(_cell(by.get(k)) for k in shots)) for name, by in document["methods"].items()]
    columns = ("Method", "Tasks", *(f"{k} shots" for k in shots))
    table = Table("Balanced accuracy with a handful of clips of each class", columns, rows, _scored(document))
    rule = (
        f"Intervals are 95 % each. Transfer is claimed only where the difference, paired by task, lies above 0 with an interval that "
        f"is 95 % for all {document.get('comparisons', 1)} comparisons together. Pre-training was made once: what another seed of it would give is not in these intervals."
    )
    return Section("A handful of clips", (chart, table, *claims(document), rule))


def _tasks(by: Document) -> tuple[Cell]:
    counts = sorted({own["tasks"] for own in by.values()})
    return (" to ".join(str(n) for n in counts),)


def _compositions(document: Document) -> Section:
    ratios = sorted({cell["mask_ratio"] for cell in document["cells"]})
    names = list(dict.fromkeys(cell["composition"] for cell in document["cells"]))
    found = {(c["composition"], c["mask_ratio"]): c for c in document["cells"]}
    rows: list[tuple[Cell, ...]] = [
        (
            "nothing (scratch)",
            *[two_lines(as_estimate(document["scratch"]).written())] * len(ratios),
            NOTHING_BEFOREHAND,
        )
    ]
    for name in names:
        own = [found.get((name, ratio)) for ratio in ratios]
        published = next((c["published"] for c in own if c), None)
        rows.append((name, *(_gained(c) for c in own), published))
    columns = ("Watched beforehand", *(f"{ratio:g} hidden" for ratio in ratios), "Published\n(0.3 hidden)")
    note = (
        f"{document['measured']} * marks a gain over scratch whose 95 % interval lies above 0; of forty cells without "
        f"any effect one would bear it by chance. {_scored(document)}"
    )
    table = Table("Balanced accuracy by what was watched beforehand and how much of it was hidden", columns, rows, note)
    claimed = [c for c in document["cells"] if c["gain"]["claimed"]]
    told = f"Of {len(document['cells'])} cells {len(claimed)} gain over a network that learnt nothing beforehand."
    return Section("What was watched beforehand", (table, told, LETTERS))


LETTERS = "H: other people without a seizure; R(Y): rodents in seizure; R(N): rodents without one. All kinds are learnt from equally often."


def _gained(cell: Document | None) -> Cell:
    if cell is None:
        return "not run"
    return two_lines(as_estimate(cell["balanced_accuracy"]).written() + (" *" if cell["gain"]["claimed"] else ""))


def _controls(document: Document) -> Section:
    caption = f"95 % intervals over {document['persons']} patients. Dotted: chance. {_scored(document)}"
    chart = column_figure(draw_dose(document), "Balanced accuracy over the strength of the cue", caption)
    names = list(document["points"][0]["methods"])
    rows = [(p["cue"], *(two_lines(as_estimate(p["methods"][n]).written()) for n in names)) for p in document["points"]]
    table = Table(
        "The same cohort, its cue before seizures weaker or stronger", ("Cue", *names), rows, _scored(document)
    )
    return Section("Is there anything to be seen?", (chart, table, *_said_of_controls(document)))


def _said_of_controls(document: Document) -> list[str]:
    if "not_evaluable" in document:
        return [f"Null control: not evaluable, {document['not_evaluable']}."]
    null = [
        f"{name} {as_estimate(own).written()}{_ranks(own)}: {_verdict(own)}" for name, own in document["null"].items()
    ]
    grown = [f"{name} {_of(own, sign=True)}" for name, own in document["response"].items()]
    return [
        f"Null control (no cue, 0.5 is what is due): {'; '.join(null)}.",
        f"What the strongest cue adds to none: {'; '.join(grown)}.",
    ]


def _ranks(own: Document) -> str:
    return f", area under the ROC curve {as_estimate(own['auc']).written()}" if "auc" in own else ""


def _verdict(own: Document) -> str:
    if "not_evaluable" in own:
        return f"not evaluable, {own['not_evaluable']}"
    return "as it must be" if own["holds"] else "not at chance; something else tells the clips apart"


def _of(own: Document, sign: bool = False) -> str:
    return as_estimate(own["balanced_accuracy"]).written(sign=sign)


def _cell(own: Document | None) -> Cell:
    return "not run" if own is None else two_lines(_of(own))


def _scored(document: Document) -> str:
    scorer = document["scorer"]
    return f"Scored by {scorer['name']} {scorer['version']} (code {scorer['code_digest'][:12]})."
