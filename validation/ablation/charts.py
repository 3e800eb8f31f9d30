"""The charts of an ablation: what each part is worth, what more people are worth, who can be named, where it looks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from validation.drawing import BLUE, COLUMN_IN, GREY, INK, ORANGE, QUIET, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = tuple[str, Mapping[str, Any], str]
"""A label, a figure with its interval as it stands in a result, and a colour."""


def draw_changes(rows: Sequence[Row], label: str) -> "Figure":
    """One line per variant: by how much it differs from the whole detector, with its interval; 0 is no difference."""
    with canvas(COLUMN_IN, 0.9 + 0.38 * len(rows)) as (figure, axes):
        axes.axvline(0, color=INK, lw=1)
        _lines(axes, rows, sign=True)
        axes.set_xlabel(f"change of {label} (below 0: worse than the whole detector)")
    return figure


def draw_scaling(points: Sequence[tuple[float, Mapping[str, Any]]], label: str) -> "Figure":
    """A figure over the share of the training people, with intervals over patients."""
    with canvas(COLUMN_IN, 3.2) as (figure, axes):
        x = [100 * share for share, _ in points]
        axes.plot(x, [found["estimate"] for _, found in points], color=BLUE, marker="o", ms=5)
        for at, (_, found) in zip(x, points, strict=True):
            single = [value for value in found.get("each_fit", ()) if value is not None]
            axes.plot([at + 1.2] * len(single), single, "o", ms=3.5, mfc="white", mew=0.9, color=BLUE)
            if found["low"] is not None:
                axes.plot([at, at], [found["low"], found["high"]], color=BLUE, lw=1.4)
        axes.set_xticks(x, [f"{at:.0f} %" for at in x])
        axes.set(xlabel="share of the training people", ylabel=label)
    return figure


def draw_identity(probe: Mapping[str, Any], names: Mapping[str, str]) -> "Figure":
    """How often the baby is named rightly, by what was read, of babies learnt from and of babies never seen."""
    whose = {"train": "learnt from", "test": "never seen"}
    rows = [
        (f"{label}\n({whose[group]})", probe[group]["accuracy"][name], BLUE if group == "train" else ORANGE)
        for name, label in names.items()
        for group in whose
        if "accuracy" in probe[group]
    ]
    with canvas(COLUMN_IN, 0.9 + 0.46 * len(rows)) as (figure, axes):
        for group, color in (("train", BLUE), ("test", ORANGE)):
            if "chance" in probe[group]:
                axes.axvline(probe[group]["chance"], color=color, lw=1, ls=":", label=f"chance, {whose[group]}")
        _lines(axes, rows)
        axes.set_xlim(left=0)
        axes.set_xlabel("windows whose baby is named rightly (share)")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def draw_attention(foci: Mapping[str, Any], artefacts: Mapping[str, Any], names: Mapping[str, str]) -> "Figure":
    """Weight beside equal weights (1): on ictal derivations, and on a disturbed electrode's, without and with it."""
    rows: list[Row] = (
        [("ictal derivations,\nin seizures", foci["mass_to_equal"], BLUE)] if "mass_to_equal" in foci else []
    )
    for kind, label in names.items():
        if kind in artefacts:
            rows.append((f"an electrode before\n{label}", artefacts[kind]["before_to_equal"], GREY))
            rows.append((f"the same with\n{label}", artefacts[kind]["after_to_equal"], ORANGE))
    with canvas(COLUMN_IN, 0.9 + 0.46 * len(rows)) as (figure, axes):
        axes.axvline(1, color=INK, lw=1)
        _lines(axes, rows)
        axes.set_xlabel("attention, as a multiple of equal weights (1)")
    return figure


def _lines(axes: "Axes", rows: Sequence[Row], sign: bool = False) -> None:
    """One figure with its interval per line, from the top, its value at the right."""
    across = axes.get_yaxis_transform()
    for place, (_, found, color) in enumerate(rows):
        if found["low"] is not None and found["high"] is not None:
            axes.plot([found["low"], found["high"]], [place, place], color=color, lw=2.2, solid_capstyle="butt")
        if found["estimate"] is not None:
            axes.plot(found["estimate"], place, "o", ms=6, color=color)
            single = [value for value in found.get("each_fit", ()) if value is not None]
            axes.plot(single, [place + 0.22] * len(single), "o", ms=3.5, mfc="white", mew=0.9, color=color)
            value = f"{found['estimate']:{'+' if sign else ''}z.{3 if sign else 2}f}".replace("-", "−")
            axes.text(1.02, place, value, va="center", color=INK, transform=across)
        else:
            axes.text(0.5, place, "not evaluable", va="center", color=QUIET, transform=across)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
