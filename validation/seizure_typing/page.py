"""The page of one detector that names seizure types: verdict first, then what the split does, then type by type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from validation.inflation import LEAKY, Mark, blind_mark, draw_regimes
from validation.outcome import gates_of
from validation.pages import Cell, Section, Table, column_figure
from validation.reading import Estimate, as_estimate, basis, estimate, missing
from validation.seizure_typing.baselines import BLIND
from validation.seizure_typing.charts import draw_confusion
from validation.seizure_typing.figures import FOCAL, MIN_PATIENTS
from validation.splits import REPORTABLE
from validation.stretch_page import StretchDossier, not_evaluable_lines, regime_mark, stretch_page, two_lines

REGIMES = {"patient": "patients apart", "site": "sites apart", "seizure": "random seizures"}
"""How the regimes of a typing are called on a page, from the honest to the leaky."""

WEIGHTED = "weighted F1 of seizures (0 to 1)"

SEEN = (
    "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on white: what is scored with patients apart "
    "without looking at the {looked_at}. Hollow on grey: not evidence; shown to see how much folds over seizures flatter, and what was "
    "published. "
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
class TypingDossier(StretchDossier):
    """Of a detector of types: results of `evaluate_typing`. `task` is what the detector answers."""

    task: str = "typing"

    @property
    def looked_at(self) -> str:
        """What the detector was shown, in the page's word: film, or EEG."""
        return LOOKED_AT.get(self.task, "EEG")

    @property
    def has_alike(self) -> bool:
        """Whether several of the focal types are among the classes, so that they can be counted as one."""
        return len(set(FOCAL) & set(self.classes)) > 1

    @property
    def classes(self) -> list[str]:
        """The types of the main result, in its order, those that are not evaluable among them."""
        return [row["type"] for row in self.main["classes"]]


def typing_page(dossier: TypingDossier) -> str:
    """HTML of one detector beside the floor and the baselines: one file that loads nothing."""
    counts = dossier.main["counts"]
    facts = {
        "Patients": counts["persons"], "Seizures": counts["seizures"], "Answered": counts["answered"],
        "Types": len(dossier.classes), "Sites": len(counts["sites"]),
    }  # fmt: skip
    asked = TITLES.get(dossier.task, dossier.task)
    return stretch_page(dossier, asked, (said(dossier.main),), facts, sections(dossier))


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
    marks = [regime_mark(dossier, REGIMES, regime, "weighted_f1") for regime in REGIMES]
    for regime, kept in (("patient", "baselines"), ("seizure", "baselines_over_seizures")):
        marks += [
            blind_mark(dossier.looked_at, BLIND[name], regime, REGIMES, estimate(block, "weighted_f1"))
            for name, block in own["patient"][kept].items()
        ]
    marks += [Mark(f"as published, {where}", "published", Estimate(f1)) for where, f1 in _published(dossier)]
    alt = f"Weighted F1 of {dossier.name} under each split"
    seen = SEEN.format(looked_at=dossier.looked_at) + basis(dossier.main["answer"])
    chart = column_figure(draw_regimes(marks, WEIGHTED, None), alt, seen)
    told = not_evaluable_lines(dossier, REGIMES)
    return Section("What the split does to the figure", (chart, *_worth(dossier), *_headline_of_paper(dossier), *told))


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
    note = (
        "Above 0: folds over seizures give the higher figure, and so flatter. Same patients, seizures and seed, "
        "and what either leaves unanswered is left so in both. "
    )
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
            two_lines(estimate(main["differences"][name], "macro_f1").written(sign=True)),
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
    return two_lines(estimate(block, "macro_f1").written(sign=sign)), two_lines(
        estimate(block, "weighted_f1").written(sign=sign)
    )


def _more(block: Mapping[str, Any]) -> tuple[str, str]:
    return two_lines(as_estimate(block["accuracy"]).written()), two_lines(
        as_estimate(block["macro_f1_focal_together"]).written()
    )
