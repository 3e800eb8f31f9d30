"""In whom it works: every patient as a dot, and figures by site, age and sex."""

from collections.abc import Sequence

from validation.charts import draw_patients
from validation.pages import Cell, Section, Table, column_figure
from validation.reading import Block, Reading, basis, estimate, missing, share
from validation.report.dossier import Dossier


def patients(dossier: Dossier) -> Section:
    """A dot per patient, and the worst tenth of them."""
    reading = dossier.main
    alt = "Every patient: area under the curve, sensitivity and false alarms per 24 h"
    caption = f"{dossier.name}, patients apart. One dot is one patient. {basis(reading.clinical)}"
    chart = column_figure(draw_patients(reading), alt, caption)
    return Section("Every patient", (chart, *_worst_tenth(reading), *_lowest(reading)))


def subgroups(reading: Reading) -> Section:
    """The same figures by site, age and sex; groups too small for a figure are named."""
    if not reading.subgroups:
        return Section("Subgroups", ("Not evaluable: not measured.",))
    columns = (
        "Group",
        "Patients",
        "with seizures",
        "AUC",
        "Seizures found, %",
        "False alarms\nper 24 h",
        "Time assessed",
    )
    rows = [_subgroup(g) for g in reading.subgroups]
    scored = basis({"scorer": reading.subgroups[0].get("scorer")})
    table = Table("Figures by site, age and sex", columns, rows, f"Intervals are 95 % over patients. {scored}")
    return Section("Subgroups", (table, *_too_small(reading.subgroups)))


def _too_small(groups: Sequence[Block]) -> tuple[str, ...]:
    """Groups without a figure, by name, with the reason."""
    told = [f"{g['by']} {g['group']} ({reason})" for g in groups if (reason := missing(g))]
    return (f"Not evaluable: {'; '.join(told)}.",) if told else ()


def _worst_tenth(reading: Reading) -> tuple[str, ...]:
    tenth = reading.worst.get("auc", {})
    if tenth.get("mean") is None:
        return ()
    told = f"In the worst tenth of evaluable patients ({len(tenth['persons'])} of {tenth['evaluable']})"
    return (f"{told} the mean AUC is {tenth['mean']:.2f}. {basis(tenth)}".strip(),)


def _lowest(reading: Reading) -> tuple[Table, ...]:
    ranked = sorted((p for p in reading.patients if p.get("auc") is not None), key=lambda p: p["auc"])[:5]
    columns = ("Patient", "Site", "AUC", "Seizures", "found", "False alarms\nper 24 h", "Time assessed")
    rows = [
        (p["person"], p["site"], p["auc"], p["seizures"], p["detected"], p.get("alarms_per_24h"), share(p["coverage"]))
        for p in ranked
    ]
    return (Table("The patients in whom it does worst", columns, rows),) if rows else ()


def _subgroup(group: Block) -> tuple[Cell, ...]:
    figures = (
        estimate(group, "auc_pooled").written(),
        estimate(group, "event_sensitivity").percent(),
        estimate(group, "false_alarms_per_24h").rate(),
    )
    covered = share(group.get("rests_on", {}).get("coverage"))
    named = (f"{group['by']}: {group['group']}", group["persons"], group["seizing_persons"])
    return (*named, *(text.replace(" (", "\n(") for text in figures), covered)
