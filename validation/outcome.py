"""What the gates decided about a candidate, in sentences: the first thing that a reader of its page sees."""

from collections.abc import Sequence

from validation.gates import Gate, passed
from validation.pages import Cell, Headline, Section, Table, show
from validation.reading import Reading


def headline(name: str, champion: str, gates: Sequence[Gate], reading: Reading, in_force: bool = False) -> Headline:
    """The outcome of the gates in one sentence, then the main figures and every gate that did not pass.

    `champion`: whom it would replace, empty for the floor, which has no rival. One that is `in_force` itself is not
    judged anew: that stands with what was signed.
    """
    return verdict(name, champion, gates, _figures(reading), in_force)


def verdict(
    name: str, champion: str, gates: Sequence[Gate], figures: tuple[str, ...], in_force: bool = False
) -> Headline:
    """The same of any task; `figures` say in sentences how good it is."""
    if not gates:
        sentence = f"No gates were run: this page decides nothing about {name}."
        return Headline("unsure", sentence, figures, "Not decided")
    if passed(gates):
        sentence = f"All {len(gates)} gates passed: {name} may be proposed" + (
            f" to replace {champion}." if champion else "."
        )
        return Headline("pass", sentence, figures)
    failed = any(g.outcome == "fail" for g in gates)
    counted = f"of {len(gates)} gates {_counted(gates)}."
    reasons = tuple(_reason(g) for g in gates if g.outcome != "pass" and g.applies)
    if in_force:
        sentence = f"{name} is the model in force: nothing here undoes what was signed for it."
        told = (*figures, f"Nobody is compared with itself: {counted}", *reasons)
        return Headline("fail" if failed else "unsure", sentence, told, "In force")
    sentence = (
        f"{name} may not replace {champion}: {counted}"
        if champion
        else f"{name} is the floor, which others are compared with: {counted}"
    )
    lacks = any(g.outcome != "pass" and g.applies for g in gates)
    label = "Not passed" if failed else "Not passed: too little evidence" if lacks else "The floor"
    return Headline("fail" if failed else "unsure", sentence, figures + reasons, label)


def gates_section(gates: Sequence[Gate], reading: Reading) -> Section:
    """Every gate with its bound and limit, its power in this cohort, and its reason."""
    return gates_of(gates, _size(reading))


def gates_of(gates: Sequence[Gate], size: tuple[str, ...]) -> Section:
    """The same of any task; `size` says in a sentence how large the cohort is."""
    if not gates:
        return Section("Gates", ("No gates were run.",))
    rows = [(g.name, g.outcome.replace("_", " "), _bound(g), _power(g), as_sentence(g.reason)) for g in gates]
    shades = tuple({"pass": "pass", "fail": "fail"}.get(g.outcome, "unsure") for g in gates)
    columns = ("Gate", "Outcome", "Bound\n(limit)", "Power", "Why")
    table = Table("Gates declared before the evaluation", columns, rows, POWER_NOTE, shades)
    return Section("Gates", (RULE, *size, *_plan(gates), table))


RULE = (
    "A figure passes where the bound of its interval keeps the limit, and fails where not even its estimate does; where the "
    "estimate keeps it and the bound does not, or too few patients count, evidence is insufficient. Unknown and "
    "insufficient evidence count as not passed; nobody loosens a gate for that."
)

POWER_NOTE = (
    "Power: in how many of 100 cohorts like this one the gate would pass if the truth were as stated, and how many "
    "patients would make that 80. It is estimated from the spread in this cohort. Counted are the patients who matter "
    "to the gate: for seizures found, those who have any. With little power a good detector cannot be told from a poor one."
)


def power_sentence(gate: Gate) -> str:
    """What the cohort could have shown, in one plain sentence; empty where chance has no part in the gate."""
    if gate.power is None:
        return ""
    needed = "" if gate.persons_needed is None else f"; {_many(gate.persons_needed)} patients are needed for 80 %"
    if gate.power == 0:
        return f"It cannot pass in a cohort like this{needed}."
    enough = "" if gate.power >= 0.8 else needed
    return f"It would pass in {_percent(gate.power)} of such cohorts if {gate.power_if}{enough}."


def as_sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _bound(gate: Gate) -> Cell:
    shown = [show(x) for x in (gate.value,) if x is not None] + [f"({show(x)})" for x in (gate.limit,) if x is not None]
    return "\n".join(shown) or "–"


def _power(gate: Gate) -> Cell:
    """Short enough for a column on a phone."""
    if gate.power is None:
        return "–"
    needed = "" if gate.persons_needed is None or gate.power >= 0.8 else f"\n80 % needs {_many(gate.persons_needed)}"
    return ("none here" if gate.power == 0 else f"{_percent(gate.power)} if\n{gate.power_if}") + needed


def _percent(share: float) -> str:
    """Whole per cent, never rounded to certainty or to none."""
    return "over 99 %" if share > 0.99 else "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _size(reading: Reading) -> tuple[str, ...]:
    persons, seizing = (reading.counts.get(name) for name in ("persons", "seizing_persons"))
    return () if persons is None else (f"This cohort has {persons} patients, {seizing} of them with seizures.",)


def _plan(gates: Sequence[Gate]) -> tuple[str, ...]:
    plans = sorted({g.plan for g in gates if g.plan})
    return (f"Change plan (SHA-256): {', '.join(plans)}.",) if plans else ()


def _figures(reading: Reading) -> tuple[str, ...]:
    return (
        f"With patients apart: AUC {reading.auc.written()} in the {reading.coverage} of the time that it assessed, "
        f"{reading.auc_all_seconds.written()} with its silence counted as not knowing; "
        f"{reading.sensitivity.percent()} % of all seizures found at {reading.alarms_per_24h.rate()} false alarms per 24 h.",
    )


def _many(persons: int) -> str:
    """Beyond ten thousand the estimate says no more than that nobody has them."""
    return f"{persons:,}" if persons <= 10_000 else "more than 10,000"


def _counted(gates: Sequence[Gate]) -> str:
    failed = sum(g.outcome == "fail" for g in gates)
    lacking = sum(g.outcome not in ("pass", "fail") and g.applies for g in gates)
    lack = f"{lacking} {'lacks' if lacking == 1 else 'lack'} evidence"
    away = sum(not g.applies for g in gates)
    alone = f"{away} {'does' if away == 1 else 'do'} not apply"
    return " and ".join(text for n, text in ((failed, f"{failed} failed"), (lacking, lack), (away, alone)) if n)


def _reason(gate: Gate) -> str:
    told = f"{gate.name}: {gate.outcome.replace('_', ' ')}. {as_sentence(gate.reason)}"
    return f"{told} {power_sentence(gate)}".strip()
