"""Where the detector does not commit itself: prediction sets, what abstaining costs, and recordings unlike any known."""

from collections.abc import Mapping
from typing import Any

from validation.pages import Cell, Heading, Section, Table
from validation.reading import Block, Reading, as_estimate, basis, missing, share

RULE = (
    "Patients are the trials: coverage and errors are means over patients, with the binomial interval of so many "
    "patients. Figures of decided seconds never stand without the share that was decided."
)


def section(reading: Reading) -> Section:
    """Coverage of the prediction sets, the share decided, the error where decided, and what was out of distribution."""
    return Section("Uncertainty and abstention", (*_sets(reading.abstention), *_strange(reading.ood)))


def _sets(block: Block) -> tuple[str | Heading | Table, ...]:
    if reason := missing(block):
        return (f"Conformal coverage and error where decided: not evaluable, {reason}.",)
    columns = ("Class", "Truth in the set, %", "As promised", "Wrong where decided, %")
    rows = [_class(name, block) for name in block["coverage"]]
    note = f"Promised: {share(block['target'])}. {RULE} {basis(block)}"
    table = Table("Prediction sets of seconds, with 95 % binomial intervals", columns, rows, note)
    return (_decided(block), table, *_sites(block))


def _decided(block: Block) -> str:
    auc = block.get("auc", {})
    aucs = [("decided", auc.get("decided_seconds")), ("all", auc.get("all_seconds"))]
    told = ", ".join(f"{value:.3f} over {which} seconds" for which, value in aucs if value is not None)
    return f"The detector commits itself in {share(block['decided_share'])} of the seconds that it assessed. AUC {told or 'not evaluable'}."


def _class(name: str, block: Block) -> tuple[Cell, ...]:
    held, wrong = block["coverage"][name], block["error_where_decided"][name]
    return (name, _of_persons(held), _agrees(held), _of_persons(wrong))


def _percent(found: Mapping[str, Any]) -> str:
    return as_estimate(found).percent()


def _of_persons(found: Mapping[str, Any]) -> str:
    """With how many patients stand behind it: fewer have decided seconds than have seconds."""
    return f"{_percent(found)}\n{found['persons']} patients"


def _agrees(held: Mapping[str, Any]) -> str:
    known = held.get("agrees")
    return "not evaluable" if known is None else "yes" if known else "no"


def _sites(block: Block) -> tuple[Table, ...]:
    rows = [
        (site, share(part["decided_share"]), *(_percent(held) for held in part["coverage"].values()))
        for site, part in block.get("sites", {}).items()
    ]
    columns = ("Site", "Decided", *(f"Truth in the set, %:\n{name}" for name in block["coverage"]))
    return (Table("Prediction sets by site", columns, rows),) if rows else ()


def _strange(block: Block) -> tuple[str | Heading | Table, ...]:
    heading = Heading("Recordings unlike the training patients")
    if reason := missing(block):
        return (heading, f"Out of distribution: not evaluable, {reason}.")
    known: Mapping[str, Block] = block["recordings"]
    refused = len(block["refused"])
    told = f"{refused} of {block['judged']} recordings were refused as unlike the patients that the model learnt from."
    farthest = sorted(known.items(), key=lambda named: -named[1]["score"] / named[1]["limit"])[:5]
    rows = [(name, *_distance(found), "yes" if name in block["refused"] else "no") for name, found in farthest]
    columns = ("Recording", "Score", "Limit", "Windows outside", "What differs most", "Refused")
    note = "1 is usual; the limit is that of the fold's own training patients."
    return (heading, told, Table("The recordings that lie farthest away", columns, rows, note))


def _distance(found: Block) -> tuple[Cell, ...]:
    return (found["score"], found["limit"], share(found["share_outside"]), found["farthest"].replace("_", " "))
