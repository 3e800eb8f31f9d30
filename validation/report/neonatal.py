"""What is asked of a detector for newborns: seizure burden, latency, and agreement with experts."""

from validation.burden import MEASURES
from validation.charts import draw_burden
from validation.pages import Cell, Figure, Heading, Section, Table, column_figure
from validation.reading import Block, Reading, as_estimate, basis, estimate, minus, missing, share

BURDEN = {"min_per_h": "Minutes per hour", "total_min": "Minutes in all", "max_hourly_min": "Minutes in the worst hour"}
BETWEEN = (
    "Mean difference with its 95 % interval; limits of agreement after Bland and Altman, between which 95 % of the "
    "differences lie; Pearson's r."
)
LATENCY = (
    "Latency runs to the alarm that is on at the onset, which begins anew every 300 s: a detector that is always on is "
    "early by half of that on average, and has foreseen nothing."
)
SHORT = "Rhythms shorter than {s:g} s are left out for experts and detector alike: {reference} marks, {detector} detections."
DELTA = (
    "Δκ is Fleiss' κ of the experts minus the mean κ with one of them replaced by the detector: above 0 the detector "
    "agrees with experts less than they do with each other. It passes when its interval includes or lies below 0; a "
    "wide interval passes by being wide, so its half width is stated."
)


def section(reading: Reading) -> Section:
    """Burden as marked and as detected, and κ with the reference, with each expert and among experts."""
    return Section("Neonatal measures", (*_burden(reading), *_agreement(reading.agreement)))


def _burden(reading: Reading) -> tuple[str | Heading | Figure | Table, ...]:
    heading = Heading("Seizure burden")
    if not reading.patients:
        return (heading, "Not evaluable: not measured.")
    totals = reading.clinical.get("burden_total", {})
    caption = f"Raw events, never merged. One dot is one patient. {_totals(totals)}{basis(reading.clinical)}"
    chart = column_figure(draw_burden(reading), "Detected over marked seizure burden, every patient", caption)
    return (heading, chart, _figures(reading), *_limits(reading.burden))


def _totals(totals: Block) -> str:
    if not totals:
        return ""
    return f"In all {totals['marked_min']:.1f} min were marked and {totals['detected_min']:.1f} min detected. "


def _figures(reading: Reading) -> Table:
    found = sum(row["detected"] for row in reading.patients)
    named = {
        "Pearson's r of marked and detected burden": estimate(reading.clinical, "burden_pearson_r").written(),
        f"Latency to detection of the {found} seizures found, seconds (mean over patients)": estimate(
            reading.clinical, "latency_s_patient_mean"
        ).written(1),
        f"Alarm on before the onset, % of the {found} seizures found": estimate(
            reading.clinical, "early_detections"
        ).percent(),
        "Assessed time spent in alarm, %": estimate(reading.clinical, "time_in_alarm").percent(),
        "False detections per hour": estimate(reading.clinical, "false_detections_per_hour").written(),
    }
    columns = ("Measure", "With 95 % interval")
    note = f"{LATENCY} {basis(reading.clinical)}"
    return Table("Burden, latency and time in alarm", columns, list(named.items()), note)


def _limits(block: Block) -> tuple[str | Table, ...]:
    if reason := missing(block):
        return (f"Agreement in burden: not evaluable, {reason}.",)
    pairs = {"detector – reference": block["with_reference"]}
    pairs |= {f"detector – {name}": part for name, part in block["with_experts"].items()}
    pairs |= {" – ".join(part["experts"]): part for part in block["between_experts"]}
    rows = [
        (who, *(_limit(part[m]) for m in MEASURES), part["min_per_h"]["evaluable_persons"])
        for who, part in pairs.items()
    ]
    columns = ("Difference", *(BURDEN[m] for m in MEASURES), "Patients")
    return (Table("How far two raters of the same newborn lie apart", columns, rows, f"{BETWEEN} {_bases(block)}"),)


def _limit(part: Block) -> str:
    low, high = (as_estimate(part[name]).value for name in ("lower_limit", "upper_limit"))
    limits = "not evaluable" if low is None or high is None else minus(f"{low:z.1f} to {high:z.1f}")
    return f"{estimate(part, 'mean_difference').written(1)}\nlimits {limits}\nr {estimate(part, 'pearson_r').written()}"


def _agreement(block: Block) -> tuple[str | Heading | Table, ...]:
    heading = Heading("Agreement with experts")
    if reason := missing(block):
        return (heading, f"κ with experts, Fleiss' κ and Δκ: not evaluable, {reason}.")
    pairs = {"detector – reference": block["with_reference"]}
    pairs |= {f"detector – {name}": part for name, part in block["with_experts"].items()}
    between, delta = block["between_experts"], block["delta_kappa"]
    pairs |= {" – ".join(part["experts"]): part for part in between.get("pairs", ())}
    rows = [_pair(who, part) for who, part in pairs.items()]
    rows.append(("all experts (Fleiss)", _or_reason(between, "fleiss_kappa"), "–", "–"))
    rows.append(("Δκ", _delta(delta), "–", "–"))
    columns = ("Raters", "κ, seconds of all pooled", "κ, mean over patients", "Patients")
    dropped = block.get("shorter_events_dropped", {})
    shortest_s = block["scorer"]["policy"].get("shortest_event_s", 0.0)
    note = f"{SHORT.format(s=shortest_s, **dropped)} {DELTA} {_bases(block)}"
    return (heading, Table("Agreement beyond chance, second by second", columns, rows, note), *_decided(delta))


def _pair(who: str, part: Block) -> tuple[Cell, ...]:
    figures = (estimate(part, name).written() for name in ("kappa", "kappa_patient_mean"))
    return (who, *figures, part["evaluable_persons"])


def _or_reason(block: Block, name: str) -> str:
    reason = missing(block)
    return f"not evaluable: {reason}" if reason else estimate(block, name).written()


def _delta(block: Block) -> str:
    reason = missing(block)
    return f"not evaluable: {reason}" if reason else as_estimate(block).written(3, sign=True)


def _decided(delta: Block) -> tuple[str, ...]:
    if missing(delta):
        return ()
    outcome = "includes or lies below 0" if delta["passes"] else "lies above 0"
    return (
        f"Δκ {as_estimate(delta).written(3, sign=True)}: its interval {outcome}; half width {delta['half_width']:.3f}.",
    )


def _bases(block: Block) -> str:
    shared = block.get("read_by_all")
    read = f" Read by all experts: {shared['persons']} patients, {share(shared['coverage'])}." if shared else ""
    return basis(block) + read
