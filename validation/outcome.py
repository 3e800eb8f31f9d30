"""What the gates decided about a candidate, in sentences: the first thing that a reader of its page sees."""

from collections.abc import Sequence

from validation.gates import Gate, passed, power_statement
from validation.pages import Cell, Headline, Section, Table
from validation.reading import Reading


def headline(name: str, champion: str, gates: Sequence[Gate], reading: Reading) -> Headline:
    """The outcome of the gates in one sentence, then the main figures and every gate that did not pass."""
    rival, figures = champion or "what is in force", _figures(reading)
    if not gates:
        sentence = f"No gates were run: this page decides nothing about {name}."
        return Headline("unsure", sentence, figures, "Not decided")
    if passed(gates):
        return Headline("pass", f"All {len(gates)} gates passed: {name} may be proposed to replace {rival}.", figures)
    failed = any(g.outcome == "fail" for g in gates)
    sentence = f"{name} may not replace {rival}: of {len(gates)} gates {_counted(gates)}."
    reasons = tuple(_reason(g) for g in gates if g.outcome != "pass")
    label = "Not passed" if failed else "Not passed: too little evidence"
    return Headline("fail" if failed else "unsure", sentence, figures + reasons, label)


def gates_section(gates: Sequence[Gate], reading: Reading) -> Section:
    """Every gate with its bound, limit and reason, and what a cohort of this size can show at all."""
    power = power_statement(int(reading.counts.get("persons", 0)))
    if not gates:
        return Section("Gates", ("No gates were run.", power))
    rows = [
        (g.name, g.outcome.replace("_", " "), _bound(g.value), _bound(g.limit), as_sentence(g.reason)) for g in gates
    ]
    shades = tuple({"pass": "pass", "fail": "fail"}.get(g.outcome, "unsure") for g in gates)
    columns = ("Gate", "Outcome", "Bound", "Limit", "Why")
    table = Table("Gates declared before the evaluation", columns, rows, marks=shades)
    rule = "Unknown and insufficient evidence count as not passed; nobody loosens a gate for that."
    return Section("Gates", (rule, power, table))


def as_sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _bound(value: float | None) -> Cell:
    return "–" if value is None else value


def _figures(reading: Reading) -> tuple[str, ...]:
    return (
        f"With patients apart: AUC {reading.auc.written()}, {reading.sensitivity.percent()} % of seizures found "
        f"at {reading.alarms_per_24h.rate()} false alarms per 24 h.",
    )


def _counted(gates: Sequence[Gate]) -> str:
    failed = sum(g.outcome == "fail" for g in gates)
    lacking = sum(g.outcome not in ("pass", "fail") for g in gates)
    lack = f"{lacking} {'lacks' if lacking == 1 else 'lack'} evidence"
    return " and ".join(text for n, text in ((failed, f"{failed} failed"), (lacking, lack)) if n)


def _reason(gate: Gate) -> str:
    return f"{gate.name}: {gate.outcome.replace('_', ' ')}. {as_sentence(gate.reason)}"
