"""`ictal doctor`: what is missing or wrong on this machine, each with what it is needed for and the next step.

It looks and changes nothing: no table is made, no workspace bound, nothing put into a remote. No password, key, address
with a password, or word about a patient is among what it says.
"""

from dataclasses import asdict
from typing import Any

from flows.doctor import machine, packages, places, workspace
from flows.doctor.finding import Check, Finding, Outcome
from flows.progress import on_terminal

CHECKS: tuple[Check, ...] = (*machine.CHECKS, *packages.CHECKS, *places.CHECKS, *workspace.CHECKS)


def examine() -> dict[str, Any]:
    """All findings; `ok` unless something that is needed here is missing or wrong."""
    findings: list[Finding] = []
    with on_terminal() as show:
        for number, check in enumerate(CHECKS):
            show(check.__name__.replace("_", " "), number, len(CHECKS))
            findings += check()
    ok = not any(f.needed and f.outcome in (Outcome.MISSING, Outcome.WRONG) for f in findings)
    return {"ok": ok, "findings": [asdict(f) for f in findings], "text": _in_words(findings, ok)}


def _in_words(findings: list[Finding], ok: bool) -> str:
    lines, widest = [], max(len(f.name) for f in findings)
    for f in findings:
        lines.append(f"{f.outcome:8}{f.name:{widest}}  {f.found}")
        if f.outcome != Outcome.OK:
            need = f"needed {f.needed_for}" if f.needed else f"only needed {f.needed_for}"
            lines.append(f"{'':{widest + 10}}{need}{f'. Next: {f.next}' if f.next else ''}")
    wrong = [f.name for f in findings if f.needed and f.outcome in (Outcome.MISSING, Outcome.WRONG)]
    last = "all that is needed here is there" if ok else f"to be put right: {', '.join(wrong)}"
    other = [f"{f.name} ({f.outcome})" for f in findings if f.outcome != Outcome.OK and f.name not in wrong]
    return "\n".join([*lines, last + (f"; to know of: {', '.join(other)}" if other else "")])
