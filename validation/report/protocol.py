"""The papers' own protocol beside patients apart: single windows under folds over windows, and what needs no EEG there."""

from collections.abc import Mapping
from typing import Any

from validation.inflation import BLIND, LEAKY, digits
from validation.pages import Cell, Table, short
from validation.reading import Block, Estimate, as_estimate, basis
from validation.report.dossier import Dossier

NOTE = (
    "Only the first row is evidence. The others are non-reportable: windows of one seizure are trained and tested on, so "
    "whoever copies the label of the neighbouring window has the figure for nothing. "
)
OF_LABELS = {
    "label_oracle": f"No EEG: {BLIND['label_oracle']}",
    "id_lookup": "No EEG: share of the same baby",
    "label_oracle_apart": f"No EEG: {BLIND['label_oracle']}, babies apart",
}


def papers_protocol(dossier: Dossier) -> tuple[Table, ...]:
    """Nothing where neither single windows were scored nor labels of a published data set; else one table of both."""
    found: Block = dossier.own.get("window", {}).get("single_windows", {})
    labels = dossier.labels_alone or {}
    rows = [*_ours(dossier.name, found), *_stated(dossier), *_of_labels(labels)]
    if not rows:
        return ()
    honest = dossier.main.auc
    first = (f"{dossier.name}, patients apart", "here", _interval(honest), "–", "trend, second by second")
    columns = ("What was scored", "On which data", "AUC", "F1", "How")
    note = f"{NOTE}{_where(labels)}{basis(found or dossier.main.clinical)} 95 % intervals over patients; of labels alone the middle of several deals."
    marks = ("", *("unsure",) * len(rows))
    caption = "The papers' own protocol: folds over windows, every window by itself, beside patients apart"
    return (Table(caption, columns, [first, *rows], note, marks),)


def _ours(name: str, found: Block) -> list[tuple[Cell, ...]]:
    if not found:
        return []
    how = f"{found['folds']} folds over {found['windows']:,} windows of {found['window_s']:g} s, one each {found['hop_s']:g} s"
    own = (f"{name}, random windows\n{LEAKY}", "here", *(_interval(as_estimate(found[k])) for k in ("auc", "f1")), how)
    blind = [
        (f"No EEG: {BLIND[kind]}\n{LEAKY}", "here", _one(found[kind]["auc"]), _one(found[kind]["f1"]), "the same folds and windows")
        for kind in BLIND
    ]  # fmt: skip
    return [own, *blind]


def _stated(dossier: Dossier) -> list[tuple[Cell, ...]]:
    stated = dossier.published
    if stated is None:
        return []
    where = stated.labels.capitalize() or "their data"
    return [
        (
            f"{dossier.name}, as published",
            where,
            f"{stated.auc:g}",
            "not evaluable" if stated.f1 is None else f"{stated.f1:g}",
            f"{stated.protocol}; {stated.source}",
        )
    ]


def _of_labels(labels: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
    if not labels:
        return []
    dealt = f"{labels['folds']} folds, {labels['windows']:,} windows of {labels['window_s']} s without overlap"
    how = {"label_oracle_apart": f"{labels['folds']} folds over {labels['newborns']} babies"}
    data = f"{labels['labels'].capitalize()},\nreal labels"
    return [
        (f"{OF_LABELS[name]}\n{'non-reportable' if name in how else LEAKY}", data, _middle(own["auc"]), _middle(own["f1"]), how.get(name, dealt))
        for name, own in labels["figures"].items()
    ]  # fmt: skip


def _where(labels: Mapping[str, Any]) -> str:
    """Where the figures on real labels were computed, from which bytes, and how to compute them here."""
    if not labels:
        return ""
    return (
        f"Real labels: {labels['source']} (SHA-256 {short(labels['sha256'])}), {labels['where']}; compute them with "
        "“ictal oracle annotations_2017.mat”. "
    )


def _interval(found: Estimate) -> str:
    return found.written(3).replace(" (", "\n(")


def _middle(found: Mapping[str, float] | None) -> str:
    return "not evaluable" if found is None else _one(found["median"])


def _one(value: float | None) -> str:
    return "not evaluable" if value is None else digits(value)
