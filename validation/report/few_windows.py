"""The page of a handful of windows that were scored for research: what the service would have done, then the scores."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from validation.drawing import BLUE, COLUMN_IN, GREY, INK, ORANGE, QUIET, canvas
from validation.pages import Cell, Headline, Section, Table, column_figure, interval, render_page, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL = "Not evidence: non-reportable"
STRIPS = "One dot is one window. Filled: inside a seizure. Hollow: not. Every strip has its own scale. "
INTERVALS = (
    "Thick: exact bootstrap, the percentiles over every possible resample of these windows. Thin: guaranteed for any "
    "distribution of independent windows (Hoeffding 1963). Neither speaks of another patient. "
)


def research_page(result: Mapping[str, Any], provenance: Mapping[str, str]) -> str:
    """HTML of one result of `validation.few_windows.research_result`: one file that loads nothing."""
    windows, detector = result["windows"], result["of"]["detector"]
    return render_page(
        "report",
        kind="Research on windows",
        title=f"{detector} on windows it is not meant for",
        lead=windows["title"],
        headline=_headline(result),
        facts=_facts(windows),
        sections=(_why_not(result), _scores(result), _each(result)),
        provenance=provenance,
    )


def sentences(result: Mapping[str, Any]) -> list[str]:
    """The same in a few lines of text: what the service would have done, then every score."""
    lines = [served_sentence(result)]
    lines += [f"  {s['name']}: {written(s)}" for s in result["scores"]]
    return lines


def served_sentence(result: Mapping[str, Any]) -> str:
    """How many windows the service would have refused, by code, and how many look unlike the training patients."""
    served, n = result["served"], result["windows"]["windows"]
    codes = ", ".join(f"{code} {count}" for code, count in served["codes"].items()) or "none"
    ood = ", ".join(str(count) for count in served["ood"])
    return (
        f"the service would have refused {served['refused']} of {n} windows ({codes}); past the door it would have "
        f"refused {ood} of {n} as unlike its training patients (one number per fold)"
    )


def written(score: Mapping[str, Any]) -> str:
    """“AUC 0.98 (exact bootstrap 0.92 to 1.00; guaranteed 0.53 to 1.00), p 0.0006”, or why there is none."""
    if why := score.get("not_evaluable"):
        return f"not evaluable: {why}"
    boot, sure = (interval(*score[name]) for name in ("bootstrap", "guaranteed"))
    return f"AUC {score['auc']:.2f} (exact bootstrap {boot}; guaranteed {sure}), p {_p(score['p'])}"


def _p(value: float) -> str:
    return f"{value:.1g}" if value < 0.01 else f"{value:.2f}"


def _headline(result: Mapping[str, Any]) -> Headline:
    first = result["scores"][0]
    yard = [s for s in result["scores"] if s["yardstick"] and "auc" in s]
    beside = "; ".join(f"{s['name']}: {written(s)}" for s in yard)
    sentence = served_sentence(result)
    reasons = (
        f"{first['name']}, with that refusal set aside: {written(first)}.",
        *((f"{beside}.",) if beside else ()),
    )
    return Headline("fail", sentence[:1].upper() + sentence[1:] + ".", reasons, LABEL)


def _facts(windows: Mapping[str, Any]) -> dict[str, Cell]:
    return {
        "Windows": windows["windows"],
        "of them seizures": windows["seizures"],
        "Persons": windows["persons"] or "not stated",
        "Age": windows["age"] or "not stated",
        "Seconds each": windows["seconds"],
    }


def _why_not(result: Mapping[str, Any]) -> Section:
    override = result["override"]
    rows = [(reason,) for reason in result["non_reportable"]]
    said = "No term of the detector's contract had to be set aside."
    if override:
        said = f"{override['who']} set aside {', '.join(override['codes'])} for research: “{override['reason']}”. The ledger has the line."
    return Section(
        "Why none of this is evidence", (said, Table("Reasons", ("These figures are non-reportable",), rows))
    )


def _scores(result: Mapping[str, Any]) -> Section:
    known = [s for s in result["scores"] if "auc" in s]
    names = {row["window"]: row["seizure"] for row in result["rows"]}
    strips = column_figure(_draw_strips(known, list(names.values())), "Scores of every window by class", STRIPS)
    aucs = column_figure(_draw_aucs(known), "Area under the ROC curve of every score", INTERVALS)
    columns = ("Score", "AUC", "Exact bootstrap", "Guaranteed", "p", "What it is")
    rows = [_row(s) for s in result["scores"]]
    note = f"95 % intervals; p: share of all ways to deal out the labels that order the windows as well. {result['declared']}"
    marks = ("unsure",) * len(rows)
    return Section("Scores", (strips, aucs, Table("Every score beside the yardstick", columns, rows, note, marks)))


def _row(score: Mapping[str, Any]) -> tuple[Cell, ...]:
    if why := score.get("not_evaluable"):
        return (score["name"], "not evaluable", "–", "–", "–", why)
    between = (interval(*score[name]) for name in ("bootstrap", "guaranteed"))
    return (score["name"], f"{score['auc']:.3f}", *between, _p(score["p"]), score["what"])


def _each(result: Mapping[str, Any]) -> Section:
    known = [s for s in result["scores"] if "auc" in s]
    rows = [
        (row["window"], "seizure" if row["seizure"] else "other", *(f"{s['values'][n]:.3g}" for s in known))
        for n, row in enumerate(result["rows"])
    ]
    columns = ("Window", "Label", *(s["name"].replace(", ", ",\n") for s in known))
    return Section("Every window", (Table("Scores of every window", columns, rows),))


def _draw_strips(scores: Sequence[Mapping[str, Any]], seizure: Sequence[bool]) -> "Figure":
    with canvas(COLUMN_IN, 0.95 * len(scores) + 0.3, nrows=len(scores), squeeze=False) as (figure, axes):
        for (place,), score in zip(axes, scores, strict=True):
            for row, is_seizure in enumerate((True, False)):
                own = [v for v, s in zip(score["values"], seizure, strict=True) if s == is_seizure]
                color = BLUE if is_seizure else ORANGE
                face, label = (color, "inside a seizure") if is_seizure else ("white", "not")
                place.plot(own, [row] * len(own), "o", ms=6, color=color, mfc=face, label=label, clip_on=False)
            place.set(ylim=(1.5, -0.5), yticks=[])
            place.set_title(f"{score['name']} ({score['unit']})", fontsize=8.5, fontweight="normal")
            if score["unit"] == "probability":
                place.set_xlim(-0.02, 1.02)
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def _draw_aucs(scores: Sequence[Mapping[str, Any]]) -> "Figure":
    with canvas(COLUMN_IN, 0.7 + 0.36 * len(scores)) as (figure, axes):
        for place, score in enumerate(scores):
            _draw_auc(axes, place, score)
        axes.axvline(0.5, color=QUIET, lw=0.8, ls=":")
        axes.set_yticks(range(len(scores)), [s["name"] for s in scores])
        axes.set(ylim=(len(scores) - 0.5, -0.5), xlim=(0, 1.01), xlabel="area under the ROC curve (0.5 is chance)")
        axes.grid(axis="y", visible=False)
    return figure


def _draw_auc(axes: "Axes", place: int, score: Mapping[str, Any]) -> None:
    color = INK if score["yardstick"] else GREY
    axes.plot(score["guaranteed"], [place, place], color=color, lw=0.8)
    axes.plot(score["bootstrap"], [place, place], color=color, lw=3, solid_capstyle="butt")
    axes.plot(score["auc"], place, "D" if score["yardstick"] else "o", ms=6, color=color, mfc="white", mew=1.6)


def provenance_of(result: Mapping[str, Any]) -> dict[str, str]:
    """Where the figures come from, with digests."""
    scorer = result["scorer"]
    bundles = {f"bundle of {name} (SHA-256)": digest for name, digest in result["of"]["bundles"].items()}
    return {
        "windows": result["windows"]["source"],
        "windows (SHA-256)": result["windows"]["digest"],
        **bundles,
        "scorer": f"{scorer['name']} {scorer['version']} {short(scorer['code_digest'])}",
    }
