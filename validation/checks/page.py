"""The page about data checks: who was put aside and why stands first, by name; then what was asked of everybody."""

from collections import Counter
from collections.abc import Mapping

from validation.checks.suites import Expectation, SuiteResult
from validation.checks.verdicts import CheckRun, Reason, Verdict
from validation.pages import Cell, Headline, Section, Table, render_page


def checks_page(
    checked: CheckRun,
    sites: Mapping[str, str] | None = None,
    *,
    title: str = "Data checks",
    simulated: bool = False,
    provenance: Mapping[str, str] | None = None,
    made_at: str = "",
) -> str:
    """HTML of one run of checks; `sites` gives the site of each recording, `made_at` the time as text."""
    digests = {f"suite “{r.suite.name}” (SHA-256 of the result)": r.digest for r in checked.results}
    return render_page(
        "report",
        kind="Data checks",
        title=title,
        lead="What was asked of every recording before anybody learns from it.",
        simulated=simulated,
        headline=_headline(checked),
        facts=_facts(checked),
        sections=tuple(s for s in (_aside(checked), _warnings(checked), _asked(checked), _sites(checked, sites)) if s),
        provenance={**(provenance or {}), **digests},
        made_at=made_at,
    )


def _headline(checked: CheckRun) -> Headline:
    total, aside = len(checked.verdicts), len(checked.quarantined)
    blocked = tuple(r.sentence for r in checked.blocked)
    if blocked:
        return Headline("fail", "This cohort cannot be used as it is.", blocked)
    if not checked.accepted:
        return Headline("fail", f"None of {_count(total, 'recording')} can be used.")
    if not aside:
        return Headline("pass", f"All {_count(total, 'recording')} may be used.", _left_out(checked))
    names = ", ".join(v.recording for v in checked.quarantined[:8]) + (", …" if aside > 8 else "")
    sentence = f"{_count(total - aside, 'recording')} may be used; {aside} {_were(aside)} put aside."
    return Headline("unsure", sentence, (f"Put aside: {names}.", *_left_out(checked)), "Passed in part")


def _left_out(checked: CheckRun) -> tuple[str, ...]:
    return (f"Not checked, for want of a table: {', '.join(checked.left_out)}.",) if checked.left_out else ()


def _facts(checked: CheckRun) -> dict[str, Cell]:
    warned = sum(any(r.severity == "warning" for r in v.reasons) for v in checked.verdicts)
    return {
        "Recordings": len(checked.verdicts),
        "May be used": len(checked.accepted),
        "Put aside": len(checked.quarantined),
        "With warnings": warned,
        "Things checked": sum(len(r.suite.expectations) for r in checked.results),
    }


def _aside(checked: CheckRun) -> Section:
    rows = [row for v in checked.quarantined for row in _reason_rows(v)]
    table = Table(
        "Recordings put aside, with every reason", ("Recording", "Code", "Where", "What was found"), rows,
        "Recordings put aside are kept, not deleted; they come back when the cause is mended and the checks pass.",
    )  # fmt: skip
    return Section("Put aside", (table,) if rows else ("No recording was put aside.",))


def _reason_rows(verdict: Verdict) -> list[tuple[Cell, ...]]:
    """One row per expectation; where many channels fail the same one, the first is told and the others are named."""
    critical = [r for r in verdict.reasons if r.severity == "critical"]
    groups: dict[str, list[Reason]] = {}
    for reason in critical:
        groups.setdefault(reason.expectation, []).append(reason)
    return [
        (verdict.recording if n == 0 else "″", group[0].code, _where(group), group[0].sentence)
        for n, group in enumerate(groups.values())
    ]


def _where(group: list[Reason]) -> str:
    channels = [r.channel for r in group if r.channel]
    return ", ".join(channels[:4]) + (f" and {len(channels) - 4} more" if len(channels) > 4 else "") or "recording"


def _warnings(checked: CheckRun) -> Section | None:
    groups: dict[str, list[tuple[str, Reason]]] = {}
    for verdict in checked.verdicts:
        for reason in verdict.reasons:
            if reason.severity == "warning":
                groups.setdefault(reason.expectation, []).append((verdict.recording, reason))
    rows = [_warning_row(group) for group in groups.values()]
    remarks = tuple(r.sentence for r in checked.remarks)
    if not rows and not remarks:
        return None
    columns = ("Requirement", "Recordings", "Times", "For example")
    table = Table("Warnings, by what was asked", columns, rows, "Warnings put nothing aside.")
    return Section("Worth a look", ((table,) if rows else ()) + remarks)


def _warning_row(group: list[tuple[str, Reason]]) -> tuple[Cell, ...]:
    recording, reason = group[0]
    return reason.expectation, len({name for name, _ in group}), len(group), f"{recording}: {reason.sentence}"


def _asked(checked: CheckRun) -> Section:
    rows = [(r, e) for r in checked.results for e in r.suite.expectations]
    table = Table(
        "Every expectation, how many rows were judged and how many did not meet it",
        ("Id", "What must be true", "If not", "Judged", "Failing"),
        [_asked_row(result, rule) for result, rule in rows],
        marks=tuple(_mark(result, rule) for result, rule in rows),
    )
    return Section("What was checked", (table,))


def _asked_row(result: SuiteResult, rule: Expectation) -> tuple[Cell, ...]:
    stops = "put aside" if "recording" in result.suite.index else "stops all"
    consequence = stops if rule.severity == "critical" else "warning"
    return rule.requirement, rule.sentence, consequence, result.rows, result.counts[rule.key]


def _mark(result: SuiteResult, rule: Expectation) -> str:
    if not result.counts[rule.key]:
        return ""
    return "fail" if rule.severity == "critical" else "unsure"


def _sites(checked: CheckRun, sites: Mapping[str, str] | None) -> Section | None:
    if not sites:
        return None
    of = [(sites.get(v.recording, "not known"), v) for v in checked.verdicts]
    total, aside = Counter(s for s, _ in of), Counter(s for s, v in of if v.outcome == "quarantined")
    warned = Counter(s for s, v in of if any(r.severity == "warning" for r in v.reasons))
    rows = [(s, total[s], total[s] - aside[s], aside[s], warned[s]) for s in sorted(total)]
    columns = ("Site", "Recordings", "May be used", "Put aside", "With warnings")
    return Section("By site", (Table("Recordings of each site", columns, rows),))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
