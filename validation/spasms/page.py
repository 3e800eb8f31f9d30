"""The page of one detector of infantile spasms: verdict first, then alarms and spasms, the split, sites, each patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from validation.inflation import LEAKY, Mark, blind_mark, draw_regimes
from validation.outcome import gates_of
from validation.pages import Cell, Figure, Section, Table, column_figure
from validation.reading import Estimate, as_estimate, basis, estimate, missing, share
from validation.spasms.charts import draw_spasm_curve, draw_spasm_patients
from validation.splits import REPORTABLE
from validation.stretch_page import StretchDossier, not_evaluable_lines, regime_mark, stretch_page, two_lines

REGIMES = {"patient": "patients apart", "site": "sites apart", "seizure": "random clips"}
"""How the regimes are called on a page, from the honest to the leaky; folds over stretches are folds over clips here."""

LOOKED_AT = {
    "majority": "always the most common answer",
    "id_lookup": "the same patient's usual answer",
    "label_oracle": "answer to the nearest known clip",
}

PAPER = ("accuracy", "precision", "recall", "f1", "auroc")
"""What papers state of clips, in their order."""

SEEN = (
    "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on white: what is scored with patients apart "
    "without looking at any movement. Hollow on grey: not evidence; shown to see how much folds over clips flatter, and what was "
    "published. "
)
THRESHOLD = (
    "A clip is positive from a probability of ½ on, which each model puts where the F1 of its inner patients was highest: "
    "nobody who is tested had a say in it. Neighbouring positive clips are one alarm, up to 30 s; it is false if no part of a spasm "
    "lies in it. A spasm is found if a positive clip holds a part of it, a cluster (spasms less than a minute apart) if "
    "any of its spasms is."
)
WARD = (
    "Clips of a paper are chosen, those of a ward are not: with 720 clips in an hour, of which few hold a spasm, a "
    "precision on chosen clips says little about alarms."
)
PAPERS = (
    "Published figures are of other infants and other cameras, and were not measured here: STA-GUNet chose its epoch on "
    "the tested fold; its follow-up states an accuracy of 0.992 in its own folds; the challenge had 26 entries."
)
SIMULATED_PHONES = "The phone site is simulated like the others, by another camera in a moving hand; nothing was fitted or stopped on it."


@dataclass(frozen=True)
class SpasmDossier(StretchDossier):
    """Of a detector of spasms: results of `evaluate_spasms`.

    `ablation`: a result whose variants are the detector with a part taken away, with what each means.
    """

    ablation: Mapping[str, Any] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)


def spasm_page(dossier: SpasmDossier) -> str:
    """HTML of one detector beside the floor and the baselines: one file that loads nothing."""
    counts = dossier.main["counts"]
    facts = {
        "Patients": counts["persons"], "With spasms": counts["persons_with_spasms"], "Spasms": counts["spasms"],
        "Clusters": counts["clusters"], "Clips": counts["clips"], "Hours": round(counts["assessed_hours"], 1),
    }  # fmt: skip
    return stretch_page(dossier, "infantile spasms", (said(dossier.main),), facts, sections(dossier))


def said(main: Mapping[str, Any]) -> str:
    """The figures that count, in a sentence."""
    answer, free = main["answer"], main["spasm_free"]
    healthy = "" if missing(free) else f" ({estimate(free, 'false_alarms_per_hour').rate()} in patients without spasms)"
    return (
        f"With patients apart: {estimate(answer, 'spasms_found').percent()} % of all spasms found at "
        f"{estimate(answer, 'false_alarms_per_hour').rate()} false alarms per hour{healthy}; by clips, F1 "
        f"{estimate(answer, 'f1').written()}, AUROC {estimate(answer, 'auroc').written()}."
    )


def sections(dossier: SpasmDossier) -> tuple[Section, ...]:
    """Everything below the verdict, in reading order."""
    counts = dossier.main["counts"]
    size = (f"This cohort has {counts['persons']} patients, {counts['persons_with_spasms']} of them with spasms.",)
    parts = (
        _alarms(dossier),
        _split(dossier),
        _clips(dossier),
        _places(dossier),
        gates_of(dossier.gates, size),
        _taken_away(dossier),
        _patients(dossier),
    )
    return tuple(part for part in parts if part.parts)


def _alarms(dossier: SpasmDossier) -> Section:
    honest = dossier.honest
    curves = {name: result["operating"]["curve"] for name, result in honest.items()}
    points = {name: result["answer"] for name, result in honest.items()}
    reached = [p["false_alarms_per_hour"] or 0 for curve in curves.values() for p in curve]
    figure = column_figure(
        draw_spasm_curve(curves, points, max([20.0, *reached]) * 1.2),
        "Spasms found over false alarms per hour",
        "Dots: the threshold of inner patients, with 95 % intervals over patients. Lines look at the patients tested "
        f"and decide nothing. {basis(dossier.main['answer'])}",
    )
    columns = (
        "Detector", "Spasms found,\n%", "Clusters found,\n%", "False alarms\nper hour", "False alarms per hour,\nno spasms"
    )  # fmt: skip
    rows = [_ward_row(name, result) for name, result in honest.items()]
    note = f"Patients apart, at the threshold of inner patients. {basis(dossier.main['answer'])}"
    table = Table("On whole recordings, with 95 % intervals over patients", columns, rows, note)
    return Section("Spasms found and false alarms", (THRESHOLD, figure, table, WARD))


def _ward_row(name: str, result: Mapping[str, Any]) -> tuple[Cell, ...]:
    answer, free = result["answer"], result["spasm_free"]
    return (
        name,
        two_lines(estimate(answer, "spasms_found").percent()),
        two_lines(estimate(answer, "clusters_found").percent()),
        two_lines(estimate(answer, "false_alarms_per_hour").rate()),
        two_lines(estimate(free, "false_alarms_per_hour").rate()),
    )


def _split(dossier: SpasmDossier) -> Section:
    main = dossier.main
    marks = [regime_mark(dossier, REGIMES, regime, "accuracy") for regime in REGIMES]
    for where, kept in (("patient", "baselines"), ("seizure", "baselines_over_clips")):
        marks += [
            blind_mark("movement", LOOKED_AT[name], where, REGIMES, estimate(block, "accuracy"))
            for name, block in main[kept].items()
        ]
    marks += [
        Mark(f"{one['what']}, published ({one['protocol']})", "published", Estimate(one["accuracy"]))
        for one in main["published"]
        if one["accuracy"] is not None
    ]
    alt = f"Accuracy of {dossier.name} by clips under each split"
    chart = column_figure(draw_regimes(marks, "accuracy by clips (0 to 1)", None), alt, SEEN + basis(main["answer"]))
    told = not_evaluable_lines(dossier, REGIMES)
    return Section("What the split does to the figure", (chart, *_worth(dossier), *told))


def _worth(dossier: SpasmDossier) -> tuple[Table | str, ...]:
    if not dossier.inflation:
        ask = f"run “ictal evaluate {dossier.name} --regimes all”"
        return (f"What folds over clips are worth to {dossier.name}: not evaluable, they were not run: {ask}.",)
    row = ("random clips instead of patients apart", *_five(dossier.inflation, sign=True))
    note = (
        "Above 0: folds over clips give the higher figure, and so flatter. Same patients, clips and seed, "
        "and what either leaves unanswered is left so in both. "
    )
    title = "What the split is worth, with 95 % intervals over patients"
    return (Table(title, ("What is compared", *_heads()), [row], note + basis(dossier.inflation)),)


def _clips(dossier: SpasmDossier) -> Section:
    rows: list[tuple[Cell, ...]] = []
    shades = []
    for name, regimes in dossier.results.items():
        for regime, result in regimes.items():
            honest = regime in REPORTABLE
            split = _lines_of(REGIMES[regime]) + ("" if honest else "\n(leaky)")
            rows.append((name, split, *_five(result["answer"])))
            shades.append("" if honest else "unsure")
    for where, kept in (("patient", "baselines"), ("seizure", "baselines_over_clips")):
        for name, block in dossier.main[kept].items():
            rows.append((LOOKED_AT[name], _lines_of(REGIMES[where]), *_five(block)))
            shades.append("unsure")
    for one in dossier.main["published"]:
        stated = ("–" if one[key] is None else f"{one[key]:.3f}" for key in PAPER)
        rows.append((f"{one['what']}\n(published)", _lines_of(one["protocol"]), *stated))
        shades.append("unsure")
    columns = ("Detector", "Split", *_heads())
    note = f"Shaded: no evidence; leaky ({LEAKY}), without any look at movement, or published. {PAPERS} "
    table = Table("Clip by clip, as papers count", columns, rows, note + basis(dossier.main["answer"]), tuple(shades))
    return Section("Clips, detectors and baselines side by side", (table,))


def _places(dossier: SpasmDossier) -> Section:
    rows: list[tuple[Cell, ...]] = [(site, *_place_row(block)) for site, block in dossier.main["sites"].items()]
    external = dossier.main["external"]
    if not missing(external):
        sites = ", ".join(external["told"]["sites"])
        rows.append((f"{sites} (never trained on)", *_place_row(external)))
    columns = (
        "Site",
        "Patients",
        "Spasms",
        "Spasms found,\n%",
        "False alarms\nper hour",
        "F1 by clips",
        "AUROC by clips",
    )
    table = Table("Site by site, patients apart", columns, rows, basis(dossier.main["answer"]))
    told: tuple[str, ...] = (f"A site apart: not evaluable, {missing(external)}.",) if missing(external) else ()
    phones = (SIMULATED_PHONES,) if dossier.simulated and not told else ()
    return Section("Sites, and one on which nothing was fitted", (table, *told, *phones))


def _place_row(block: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        block["rests_on"]["persons"],
        block["counted"]["spasms"],
        two_lines(estimate(block, "spasms_found").percent()),
        two_lines(estimate(block, "false_alarms_per_hour").rate()),
        two_lines(estimate(block, "f1").written()),
        two_lines(estimate(block, "auroc").written()),
    )


def _taken_away(dossier: SpasmDossier) -> Section:
    """Each ablation beside the whole detector, paired by patient."""
    found = dossier.ablation
    if not found:
        return Section("What each part is worth", ())
    rows: list[tuple[Cell, ...]] = [("everything in its place", *_five(found["answer"]))]
    for name, change in found["differences"].items():
        if name in found["variants"]:
            rows.append((f"{dossier.meanings.get(name, name)}:\nthe whole minus this", *_five(change, sign=True)))
    note = "Patients apart, paired by patient: an interval that holds 0 is no difference that this cohort could show. "
    table = Table("With a part taken away", ("Variant", *_heads()), rows, note + basis(found["answer"]))
    return Section("What each part is worth", (table,))


def _patients(dossier: SpasmDossier) -> Section:
    patients = dossier.main["per_patient"]
    figure: Figure = column_figure(
        draw_spasm_patients(patients),
        "Every patient: spasms found and false alarms per hour",
        f"Patients apart. On the left those who have spasms. {basis(dossier.main['answer'])}",
    )
    columns = (
        "Patient",
        "Site",
        "Spasms found",
        "Clusters found",
        "Alarms",
        "False",
        "False per hour",
        "Clips answered",
    )
    rows = [_patient(p) for p in sorted(patients, key=lambda p: -(p["false_alarms_per_hour"] or 0))]
    table = Table("Patient by patient, those with most false alarms first", columns, rows)
    probabilities = dossier.main["probabilities"]
    told = (
        ()
        if missing(probabilities)
        else (
            f"Brier score of the stated probabilities {probabilities['brier']:.3f}; always stating the share of spasm "
            f"clips, {probabilities['brier_of_the_share']:.3f}.",
        )
    )
    return Section("Patient by patient", (figure, table, *told))


def _patient(p: Mapping[str, Any]) -> tuple[Cell, ...]:
    found = f"{p['spasms_found']} of {p['spasms']}" if p["spasms"] else "–"
    clusters = f"{p['clusters_found']} of {p['clusters']}" if p["clusters"] else "–"
    answered = share(p["answered"] / p["clips"] if p["clips"] else None)
    return p["person"], p["site"], found, clusters, p["alarms"], p["false_alarms"], p["false_alarms_per_hour"], answered


def _heads() -> tuple[str, ...]:
    return ("Accuracy", "Precision", "Recall", "F1", "AUROC")


def _five(block: Mapping[str, Any], sign: bool = False) -> tuple[str, ...]:
    return tuple(two_lines(as_estimate(block[name]).written(sign=sign)) for name in PAPER)


def _lines_of(words: str) -> str:
    """A phrase on two lines, broken near its middle at a space, so that a column stays narrow."""
    spaces = [at for at, sign in enumerate(words) if sign == " "]
    if not spaces:
        return words
    middle = min(spaces, key=lambda at: abs(at - len(words) / 2))
    return f"{words[:middle]}\n{words[middle + 1 :]}"
