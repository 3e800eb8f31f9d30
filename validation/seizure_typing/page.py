"""The page of one detector that names seizure types: verdict first, then what the split does, then type by type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from validation.gates import Gate
from validation.inflation import LEAKY, Mark, draw_regimes
from validation.outcome import gates_of, verdict
from validation.pages import Cell, Links, Section, Table, column_figure, render_page
from validation.reading import Estimate, as_estimate, basis, estimate, missing
from validation.seizure_typing.baselines import BLIND
from validation.seizure_typing.charts import draw_confusion
from validation.seizure_typing.figures import FOCAL, MIN_PATIENTS
from validation.splits import REPORTABLE

REGIMES = {"patient": "patients apart", "site": "sites apart", "seizure": "random seizures"}
"""How the regimes of a typing are called on a page, from the honest to the leaky."""

WEIGHTED = "weighted F1 of seizures (0 to 1)"

SEEN = (
    "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on grey: not evidence; shown to see "
    "how much folds over seizures flatter, what can be scored without looking at the {looked_at}, and what was published. "
)
ALIKE = (
    f"{', '.join(FOCAL)} differ by awareness and by what could be observed at the bedside, not by EEG. "
    "“Focal types together” counts them as one class."
)
SIMULATED_ALIKE = (
    f"In the simulated adults {', '.join(FOCAL)} are drawn from one and the same pattern: no signal can tell them apart, "
    "and whatever a detector scores between them comes from somewhere else."
)


TITLES = {"typing": "types of seizures", "semiology": "seizures named by film"}
"""What a detector of each task is asked, as its page is called."""

LOOKED_AT = {"semiology": "film"}
"""What a detector of a task looks at and a baseline does not: EEG unless it stands here."""


@dataclass(frozen=True)
class TypingDossier:
    """All that is known of one detector when its page is written.

    `results`: detector → regime → result of `evaluate_typing`; the regime `patient` of `name` must be there.
    `inflation`: `regime_difference` of seizure and patient, where both were run. `published`: what the detector's paper
    states (its card's header). `task` is what the detector answers.
    """

    name: str
    results: Mapping[str, Mapping[str, Mapping[str, Any]]]
    provenance: Mapping[str, str]
    simulated: bool
    gates: Sequence[Gate] = ()
    floor: str = ""
    inflation: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)
    undivided: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    task: str = "typing"

    def __post_init__(self) -> None:
        if "patient" not in self.results.get(self.name, {}):
            raise ValueError(f"no result of {self.name!r} with patients apart: evaluate it under `patient` first")

    @property
    def main(self) -> Mapping[str, Any]:
        """With patients apart: what counts."""
        return self.results[self.name]["patient"]

    @property
    def looked_at(self) -> str:
        return LOOKED_AT.get(self.task, "EEG")

    @property
    def has_alike(self) -> bool:
        """Whether several of the focal types are among the classes, so that they can be counted as one."""
        return len(set(FOCAL) & set(self.classes)) > 1

    @property
    def classes(self) -> list[str]:
        return [row["type"] for row in self.main["classes"]]


def typing_page(dossier: TypingDossier) -> str:
    """HTML of one detector beside the floor and the baselines: one file that loads nothing."""
    main = dossier.main
    counts = main["counts"]
    return render_page(
        "report",
        kind="Evaluation",
        title=f"Evaluation of {dossier.name}: {TITLES.get(dossier.task, dossier.task)}",
        lead="Every figure is from patients whom the detector had not seen, unless it is marked as a leaky control.",
        simulated=dossier.simulated,
        headline=verdict(dossier.name, dossier.floor, dossier.gates, (said(main),)),
        facts={
            "Patients": counts["persons"], "Seizures": counts["seizures"], "Answered": counts["answered"],
            "Types": len(dossier.classes), "Sites": len(counts["sites"]),
        },
        beside=Links(dossier.beside) if dossier.beside else None,
        sections=sections(dossier),
        provenance={**dossier.provenance, **_origins(main)},
    )  # fmt: skip


def said(main: Mapping[str, Any]) -> str:
    """The figures that count, in a sentence."""
    answer, baselines = main["answer"], main["baselines"]
    evaluable = [row["type"] for row in main["classes"] if row["evaluable"]] or ["no type"]
    silent = [row["type"] for row in main["classes"] if not row["evaluable"]]
    left_out = f"; {', '.join(silent)} not evaluable, with fewer than {MIN_PATIENTS} patients" if silent else ""
    return (
        f"With patients apart: macro-F1 {estimate(answer, 'macro_f1').written()} over {', '.join(evaluable)}{left_out}. "
        f"Weighted F1 {estimate(answer, 'weighted_f1').written()}; always the most common type "
        f"{estimate(baselines['majority'], 'weighted_f1').written()}."
    )


def sections(dossier: TypingDossier) -> tuple[Section, ...]:
    """Everything below the verdict, in reading order."""
    persons = dossier.main["counts"]["persons"]
    size = (f"This cohort has {persons} patients; the types and who had them stand below.",)
    return (
        _split(dossier),
        _types(dossier),
        _parts(dossier),
        *_views(dossier),
        gates_of(dossier.gates, size),
        _side_by_side(dossier),
    )


def _split(dossier: TypingDossier) -> Section:
    own = dossier.results[dossier.name]
    marks = [_mark(dossier, regime) for regime in REGIMES]
    for regime, kept in (("patient", "baselines"), ("seizure", "baselines_over_seizures")):
        marks += [
            Mark(
                f"no {dossier.looked_at}: {BLIND[name]},\n{REGIMES[regime]} ({LEAKY})",
                "blind",
                estimate(block, "weighted_f1"),
            )
            for name, block in own["patient"][kept].items()
        ]
    marks += [Mark(f"as published, {where}", "published", Estimate(f1)) for where, f1 in _published(dossier)]
    alt = f"Weighted F1 of {dossier.name} under each split"
    seen = SEEN.format(looked_at=dossier.looked_at) + basis(dossier.main["answer"])
    chart = column_figure(draw_regimes(marks, WEIGHTED, None), alt, seen)
    told = [f"{REGIMES[r].capitalize()}: not evaluable, {why}." for r, why in dossier.undivided.items()]
    return Section("What the split does to the figure", (chart, *_worth(dossier), *_headline_of_paper(dossier), *told))


def _mark(dossier: TypingDossier, regime: str) -> Mark:
    honest, result = regime in REPORTABLE, dossier.results[dossier.name].get(regime)
    label = REGIMES[regime] + ("" if honest else f"\n({LEAKY})")
    if result is None:
        return Mark(label, "absent", why="not evaluable" if regime in dossier.undivided else "not run")
    return Mark(label, "honest" if honest else "leaky", estimate(result["answer"], "weighted_f1"))


def _published(dossier: TypingDossier) -> list[tuple[str, float]]:
    stated = dossier.published
    named = {"folds over seizures": "weighted_f1_seizures", "folds over patients": "weighted_f1_patients"}
    return [(where, float(stated[key])) for where, key in named.items() if key in stated]


def _worth(dossier: TypingDossier) -> tuple[Table | str, ...]:
    if not dossier.inflation:
        ask = f"run “ictal evaluate {dossier.name} --regimes all”"
        return (f"What folds over seizures are worth to {dossier.name}: not evaluable, they were not run: {ask}.",)
    row = ("random seizures instead of patients apart", *_two(dossier.inflation, sign=True))
    columns = ("What is compared", "Macro-F1", "Weighted F1")
    note = "Above 0: folds over seizures give the higher figure, and so flatter. Same patients, seizures and seed. "
    return (
        Table(
            "What the split is worth, with 95 % intervals over patients",
            columns,
            [row],
            note + basis(dossier.inflation),
        ),
    )


def _headline_of_paper(dossier: TypingDossier) -> tuple[str, ...]:
    stated = dossier.published
    if not stated:
        return ()
    figures = ", ".join(f"{f1:g} with {where}" for where, f1 in _published(dossier))
    right = f"{100 * stated['accuracy_seizures']:.1f} % right, " if "accuracy_seizures" in stated else ""
    return (
        f"Published headline of {dossier.name}: {right}weighted F1 {figures} ({stated['protocol']}; {stated['source']}). "
        "It was not measured here.",
    )


def _types(dossier: TypingDossier) -> Section:
    main = dossier.main
    patients = [row["patients"] for row in main["classes"]]
    figure = column_figure(
        draw_confusion(main["answer"]["confusion"], dossier.classes, patients),
        "Which types were taken for which",
        f"Patients apart. Numbers are seizures. {basis(main['answer'])}",
    )
    columns = ("Type", "Patients", "Seizures", f"F1 of {dossier.name}", "F1 of the most common type", "F1 by who it is")
    rows = [_class(dossier, name) for name in dossier.classes]
    together = estimate(main["answer"], "macro_f1_focal_together").written()
    note = f"Types that fewer than {MIN_PATIENTS} patients had are not evaluable, and enter no mean. {basis(main['answer'])}"
    table = Table("Type by type, patients apart, with 95 % intervals over patients", columns, rows, note)
    if not dossier.has_alike:
        return Section("Type by type", (figure, table))
    alike = (ALIKE, SIMULATED_ALIKE) if dossier.simulated else (ALIKE,)
    return Section("Type by type", (figure, table, *alike, f"Macro-F1 with the focal types together: {together}."))


def _class(dossier: TypingDossier, name: str) -> tuple[Cell, ...]:
    blocks = [dossier.main["answer"], *(dossier.main["baselines"][b] for b in ("majority", "id_lookup"))]
    own = [block["per_class"][name] for block in blocks]
    shown = [
        estimate(found, "f1").written().replace(" (", "\n(") if not missing(found) else "not evaluable" for found in own
    ]
    return (name, own[0]["patients"], own[0]["seizures"], *shown)


def _parts(dossier: TypingDossier) -> Section:
    main = dossier.main
    if not main["variants"]:
        return Section("The whole and its parts", (f"{dossier.name} has no parts that answer for themselves.",))
    rows = [("all of it", *_two(main["answer"]), "–", *_size(dossier, "answer"))]
    rows += [
        (
            name,
            *_two(block),
            _lines(estimate(main["differences"][name], "macro_f1").written(sign=True)),
            *_size(dossier, name),
        )
        for name, block in main["variants"].items()
    ]
    columns = (
        "Part", "Macro-F1", "Weighted F1", "Macro-F1 of the whole\nminus this part", "Parameters", "MB", "ms per clip",
    )  # fmt: skip
    note = "Patients apart, paired by patient: an interval that holds 0 is no difference that this cohort could show. "
    caption = "Ensemble, members and students" if dossier.task == "typing" else "All of it, and what stands for itself"
    table = Table(caption, columns, rows, note + basis(main["answer"]))
    return Section("The whole and its parts", (table,))


def _views(dossier: TypingDossier) -> tuple[Section, ...]:
    """Of a film: how answers fare that rest on one view, because the other is missing or shows nothing."""
    if not (kept := dossier.main.get("views")):
        return ()
    rows = [(row["rests_on"], row["seizures"], row["persons"], estimate(row, "accuracy").percent()) for row in kept]
    note = (
        "A view that is black or frozen is left out as a missing one is. What each view names by itself stands among the "
        "parts. Seizures that rest on no view have no answer, and count as wrong. "
    )
    columns = ("The answer rests on", "Seizures", "Patients", "Right, %")
    table = Table(
        "Patients apart, with 95 % intervals over patients", columns, rows, note + basis(dossier.main["answer"])
    )
    return (Section("Views that are missing", (table,)),)


def _size(dossier: TypingDossier, variant: str) -> tuple[Cell, Cell, Cell]:
    own = dossier.main["of"].get("costs", {}).get(variant, {})
    return own.get("parameters"), own.get("megabytes"), own.get("ms_per_clip")


def _side_by_side(dossier: TypingDossier) -> Section:
    rows, shades = [], []
    for name, regimes in dossier.results.items():
        for regime, result in regimes.items():
            honest = regime in REPORTABLE
            rows.append(
                (
                    name,
                    REGIMES[regime] + ("" if honest else f"\n{LEAKY}"),
                    *_two(result["answer"]),
                    *_more(result["answer"]),
                )
            )
            shades.append("" if honest else "unsure")
    for regime, kept in (("patient", "baselines"), ("seizure", "baselines_over_seizures")):
        for name, block in dossier.main[kept].items():
            rows.append((f"no {dossier.looked_at}: {BLIND[name]}", REGIMES[regime], *_two(block), *_more(block)))
            shades.append("unsure")
    columns = ("Detector", "Split", "Macro-F1", "Weighted F1", "Right", "Focal together,\nmacro-F1")
    if not dossier.has_alike:  # then the last column says what the third does
        table = Table(
            "All on the same seizures",
            columns[:-1],
            [row[:-1] for row in rows],
            basis(dossier.main["answer"]),
            tuple(shades),
        )
    else:
        table = Table("All on the same seizures", columns, rows, basis(dossier.main["answer"]), tuple(shades))
    return Section("Detectors and baselines side by side", (table,))


def _two(block: Mapping[str, Any], sign: bool = False) -> tuple[str, str]:
    return _lines(estimate(block, "macro_f1").written(sign=sign)), _lines(
        estimate(block, "weighted_f1").written(sign=sign)
    )


def _more(block: Mapping[str, Any]) -> tuple[str, str]:
    return _lines(as_estimate(block["accuracy"]).written()), _lines(
        as_estimate(block["macro_f1_focal_together"]).written()
    )


def _lines(text: str) -> str:
    return text.replace(" (", "\n(")


def _origins(main: Mapping[str, Any]) -> dict[str, str]:
    scorer, drawn = main["answer"]["scorer"], main["uncertainty"]
    return {
        **{f"{name} (SHA-256)": digest for name, digest in main["digests"].items()},
        "intervals": f"95 %, {drawn['draws']:,} resamples of patients within sites",
        "scorers": f"{scorer['name']} {scorer['version']} {scorer['code_digest'][:12]}",
    }
