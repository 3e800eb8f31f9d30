"""The page of an ablation, and the same in a few lines of text: what each part is worth, whichever way it came out."""

from collections.abc import Mapping, Sequence
from typing import Any

from validation.ablation import looking
from validation.ablation.charts import draw_changes, draw_scaling
from validation.ablation.paired import excludes_zero
from validation.drawing import BLUE
from validation.pages import SIMULATED, Cell, Headline, Links, Section, Table, column_figure, render_page, short
from validation.reading import as_estimate, basis

Document = Mapping[str, Any]
"""What `flows.ablate` writes beside the page: the same as data."""

HOW_TO_READ = (
    "Every variant was fitted on the same training patients of the same folds, stopped early on the same inner patients, and "
    "has predicted the same test patients, none of whom it had seen. A change is the variant minus the whole detector, paired "
    "by patient and seed on the seconds that both assessed; its interval redraws patients inside their hospitals.",
    "Every variant was fitted several times, with the same seeds as the whole detector; a figure is the mean over its fits, and "
    "its interval is widened by how far they lie apart (Student's t), because chance in training can change as much as a part "
    "does. With two or three fits it is wide: few of them tell little of how far apart more would lie. Intervals are not corrected for the number of "
    "variants: of twenty without any effect, one will exclude 0.",
    "No recording is refused as strange here, as an answer would be: that judgement does not look at the network. So the "
    "figures are of all patients and lie lower than those of an evaluation. Nothing fitted here is kept as a model or can be "
    "registered.",
)


def ablation_page(document: Document) -> str:
    """HTML of one detector's ablation: one file that loads nothing."""
    return render_page(
        "report",
        kind="Ablation",
        title=f"Ablation of {document['detector']}",
        lead="What each part is worth: the same patients, split and seed, with the part and without it.",
        simulated=document["simulated"],
        headline=headline(document),
        facts=_facts(document),
        beside=Links({"This page as data (JSON)": f"{document['detector']}.json"}),
        sections=(
            _parts(document),
            *_scaling(document),
            *looking.sections(document),
            Section("How to read this", HOW_TO_READ),
        ),
        provenance=_provenance(document),
    )


def headline(document: Document) -> Headline:
    """What was found of the parts, in one sentence; “no difference” is said as plainly as a difference."""
    parts = [v for v in _run(document) if v["group"] == "parts"]
    patients = _whole(document)["result"]["rests_on"]["persons"]
    label = _label(document)
    telling = [v["name"] for v in parts if excludes_zero(v["result"]["change"])]
    if not parts:
        sentence = "No part has been taken away yet."
    elif telling:
        sentence = f"In {patients} patients the {label} changes with {_listed(telling)}"
        others = [v["name"] for v in parts if v["name"] not in telling]
        sentence += f"; with {_listed(others)} no difference can be seen." if others else "."
    else:
        sentence = (
            f"In {patients} patients no part that was taken away makes a difference that can be seen in the {label}."
        )
    return Headline("unsure", sentence, tuple(_reasons(document)), "As measured")


def lines(document: Document) -> list[str]:
    """The table as a terminal shows it, and what the probes found."""
    rows = [("variant", _label(document), "change to the whole", "what differs")]
    rows += [(v["name"], _figure(v, document), _change(v), v["meaning"]) for v in document["variants"]]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    table = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]).rstrip() for row in rows
    ]
    whole = _whole(document)["result"]["rests_on"]
    fits = _whole(document)["result"]["fits"]
    head = (
        f"{document['detector']}, {document['of']['preset']} preset: {whole['persons']} patients, patients apart, "
        f"mean of {fits} fits"
    )
    return [head, *table, _chance(document), *_probed(document), *([SIMULATED] if document["simulated"] else [])]


def _probed(document: Document) -> list[str]:
    probes, said = document["probes"], []
    if identity := probes.get("identity"):
        groups = ("train", "test") if "not_evaluable" not in identity else ("train",)
        said += [looking.identity_sentence(identity, document, whose) for whose in groups]
    if attention := probes.get("attention"):
        said += looking.attention_sentences(attention)
    return said


def _reasons(document: Document) -> list[str]:
    label = _label(document)
    return [
        f"{v['name']}: {label} {as_estimate(v['result']['change']).written(3, sign=True)}, {v['meaning']}"
        for v in _run(document)
        if v["group"] == "parts"
    ] + [_chance(document), *_probed(document)]


def _chance(document: Document) -> str:
    """How far the fits of the whole detector lie apart, by which everything else is to be judged."""
    each = _whole(document)["result"][next(iter(document["measures"]))]["each_fit"]
    known = [f"{value:.3f}" for value in each if value is not None]
    if len(known) < 2:
        return "The whole detector was fitted once: what chance in training does is not known."
    return (
        f"Chance in training alone: {len(known)} fits of the whole detector have {_label(document)} {_listed(known)}."
    )


def _parts(document: Document) -> Section:
    label, shown = _label(document), [v for v in _run(document) if v["group"] == "parts"]
    table = _table(document, "The whole detector, and each part taken away", _grouped(document, "reference", "parts"))
    if not shown:
        return Section("What each part is worth", (table,))
    rows = [(v["name"].replace("_", " "), v["result"]["change"], BLUE) for v in shown]
    caption = (
        f"Filled: mean over fits, with 95 % intervals over patients and fits, paired. Hollow: single fits. "
        f"{_chance(document)} {basis(_whole(document)['result'])}"
    )
    chart = column_figure(draw_changes(rows, label), f"Change of the {label} without each part", caption)
    return Section("What each part is worth", (chart, table))


def _table(document: Document, caption: str, variants: Sequence[Mapping[str, Any]]) -> Table:
    measures = document["measures"]
    rows = [_row(v, measures) for v in variants]
    columns = (
        "Variant",
        "What differs",
        *measures.values(),
        "Change of the\nfirst figure",
        "Numbers in\nits state",
        "People\nlearnt from",
        "Best epoch",
    )
    return Table(caption, columns, rows, basis(_whole(document)["result"]))


def _row(variant: Mapping[str, Any], measures: Mapping[str, str]) -> tuple[Cell, ...]:
    name = variant["name"].replace("_", " ")
    if "result" not in variant:
        return (name, variant["meaning"], *("not run" for _ in measures), "not run", None, None, None)
    runs, result = variant["runs"], variant["result"]
    figures = (as_estimate(result[key]).written(3).replace(" (", "\n(") for key in measures)
    spread = (_span([r[key] for r in runs]) for key in ("numbers", "learnt_from", "best_epoch"))
    return (name, variant["meaning"], *figures, _change(variant).replace(" (", "\n("), *spread)


def _scaling(document: Document) -> tuple[Section, ...]:
    shares = [v for v in _run(document) if v["group"] == "scaling"]
    if not shares:
        return ()
    measure = next(iter(document["measures"]))
    ordered = sorted(_grouped(document, "scaling", "reference"), key=lambda v: v["share"])
    points = [(v["share"], v["result"][measure]) for v in ordered if "result" in v]
    chart = draw_scaling(points, _label(document))
    caption = (
        "Filled: mean over fits; hollow: single fits. The same inner and test patients throughout; every share is part of the "
        "next, with a person with seizures and one without at least. Who comes first is drawn anew for every fit. "
        f"{basis(_whole(document)['result'])}"
    )
    figure = column_figure(chart, f"{_label(document)} over the share of training people", caption)
    return (
        Section("More people to learn from", (figure, _table(document, "By share of the training people", ordered))),
    )


def _facts(document: Document) -> Mapping[str, Cell]:
    rests_on = _whole(document)["result"]["rests_on"]
    return {
        "Patients": rests_on["persons"],
        "Hours": f"{rests_on['assessed_hours']:.1f}",
        "Folds": len({r["fold"] for r in _whole(document)["runs"]}),
        "Fits of each variant": _whole(document)["result"]["fits"],
        "Variants": len(_run(document)),
        "Preset": document["of"]["preset"],
        _label(document): as_estimate(_whole(document)["result"][next(iter(document["measures"]))]).written(),
    }


def _provenance(document: Document) -> dict[str, str]:
    of, scored = document["of"], _whole(document)["result"]["scorer"]
    digests = {f"{what} (SHA-256)": of[what] for what in ("dataset", "labels", "split", "code")}
    null = {"labels": "of somebody else: null control"} if of["shuffled_labels"] else {}
    policy = scored["policy"]
    return {
        **digests,
        **null,
        "seed of training": str(of["seed"]),
        "intervals": f"95 %, {policy['draws']:,} resamples of patients within sites, and of fits, seed {policy['seed']}",
        "scorers": "; ".join(_scorers(document)),
    }


def _scorers(document: Document) -> list[str]:
    found: dict[str, None] = {}

    def walk(part: Any) -> None:
        if isinstance(part, Mapping):
            if isinstance(own := part.get("scorer"), Mapping):
                found[f"{own['name']} {own['version']} {short(own['code_digest'])}"] = None
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk([document["variants"], document["probes"]])
    return list(found)


def _grouped(document: Document, *groups: str) -> list[Mapping[str, Any]]:
    return [v for v in document["variants"] if v["group"] in groups]


def _run(document: Document) -> list[Mapping[str, Any]]:
    return [v for v in document["variants"] if "result" in v]


def _whole(document: Document) -> Mapping[str, Any]:
    whole: Mapping[str, Any] = document["variants"][0]
    return whole


def _label(document: Document) -> str:
    return str(next(iter(document["measures"].values())))


def _figure(variant: Mapping[str, Any], document: Document) -> str:
    if "result" not in variant:
        return "not run"
    return as_estimate(variant["result"][next(iter(document["measures"]))]).written(3)


def _change(variant: Mapping[str, Any]) -> str:
    if "result" not in variant:
        return "not run"
    changed = variant["result"]["change"]
    return "–" if changed is None else as_estimate(changed).written(3, sign=True)


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
