"""How patients are averaged: SzCORE's three policies side by side, and whether an order of detectors hangs on them."""

from validation.pages import Cell, Section, Table
from validation.ranking import MEASURES, UNIT, Rankings
from validation.reading import Estimate, Reading, basis, estimate, missing
from validation.report.dossier import Dossier
from validation.scoring.szcore import AGGREGATES, ALARMS, ALARMS_ASSESSED, METRICS, UNITS, Unit

POLICY = {
    "pooled": "All patients pooled",
    "patient_mean": "Mean over patients,\nundetected as 0",
    "legacy_patient_mean": "Mean over patients,\nundetected left out\n(until 2026-01)",
}
PER_DAY = {ALARMS: "False alarms per 24 h recorded,\nas SzCORE counts", ALARMS_ASSESSED: MEASURES[ALARMS_ASSESSED]}
RULES = (
    "SzCORE merges events closer than 90 s and tolerates 30 s before and 60 s after: never read burden off these. It "
    "counts false alarms per 24 h recorded, whether the detector could assess them or not; per 24 h assessed they stand "
    "below, which is no figure of SzCORE, and is what detectors are ordered by. In "
    "brackets 95 % intervals, then how many patients stand behind the figure."
)


def section(dossier: Dossier) -> Section:
    """Every SzCORE figure under each policy, and in a sentence whether detectors would change places."""
    return Section("How patients are averaged", (*_policies(dossier.main), *_order(dossier.averaging)))


def _policies(reading: Reading) -> tuple[str | Table, ...]:
    if reason := missing(reading.szcore):
        return (f"Not evaluable: {reason}.",)
    columns = ("Measure", *(POLICY[policy] for policy in AGGREGATES))
    shown: dict[Unit, tuple[str, ...]] = METRICS | {"event": (*METRICS["event"], ALARMS_ASSESSED)}
    rows = [_row(reading, unit, measure) for unit in UNITS for measure in shown[unit]]
    scored = basis(reading.szcore.get("patient_mean", {}))
    return (Table("The same predictions by SzCORE, averaged in three ways", columns, rows, f"{RULES} {scored}"),)


def _row(reading: Reading, unit: Unit, measure: str) -> tuple[Cell, ...]:
    shown = [_shown(reading, policy, unit, measure) for policy in AGGREGATES]
    return (PER_DAY.get(measure) or f"{MEASURES[measure]} of {UNIT[unit]}", *shown)


def _shown(reading: Reading, policy: str, unit: Unit, measure: str) -> str:
    part = reading.szcore.get(policy, {}).get(unit, {})
    found: Estimate = estimate(part, measure)
    behind = part.get("patients_behind", {}).get(measure)
    text = found.rate() if measure in PER_DAY else found.written()
    return text.replace(" (", "\n(") + ("" if behind is None else f"\n{behind} patients")


def _order(found: Rankings | str) -> tuple[str | Table, ...]:
    if isinstance(found, str):
        return (f"Whether an order of detectors depends on the policy: not evaluable, {found}.",)
    if not found.flips:
        return (found.sentence,)
    rows = [(flip.sentence,) for flip in found.flips]
    return (found.sentence, Table("Orders that depend on the policy alone", ("Both from the same predictions",), rows))
