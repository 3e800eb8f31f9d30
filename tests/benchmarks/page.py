"""Benchmarks as one page that needs no network: verdict, machine, and of each case a drawing, its times and its limits."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.measuring import missed
from tests.benchmarks.plots import chart, overview, steps_chart
from validation.pages import Cell, Figure, Headline, Section, Table, column_figure, render_page, short

SCHEMA = "ictal.benchmarks/2"
JUDGED = {True: "met", False: "not met", None: "not judged"}
MARKS = {True: "pass", False: "fail", None: ""}
CLOCKS = {"cpu_seconds": "processor time", "seconds": "wall time"}
TARGETS = {
    "ratio": "times faster", "ratio_p99": "p99, times shorter", "p99_over_p50": "p99 over median", "seconds": "s",
    "cpu_seconds": "s of processor time", "peak_mib": "MiB at the peak", "mib_per_unit": "MiB per unit",
    "excess_over_n": "above n in the exponent", "excess_over_n_log_n": "above n·log n in the exponent",
    "outside_s": "s outside training and serving",
    "fixed_seconds": "s more, whatever is trained", "beyond_share": "of the training's own time more around it, beyond those seconds",
}  # fmt: skip
"""What a target's limit is of; what begins with `ratio` is at least, all else at most."""


class NoResult(Exception):
    """A file that holds no benchmarks of today's form."""


def read_result(path: Path) -> dict[str, Any]:
    """What `python -m tests.benchmarks` wrote; refuses anything else."""
    try:
        result: dict[str, Any] = json.loads(path.read_text())
        schema = result.get("schema")
    except (OSError, ValueError, AttributeError) as error:
        raise NoResult(
            f"{path} cannot be read as benchmarks ({type(error).__name__}): give a benchmarks.json"
        ) from None
    if schema != SCHEMA:
        raise NoResult(f"{path} is {schema!r}, and {SCHEMA} is wanted: measure again with `python -m tests.benchmarks`")
    return result


def bench_page(result: dict[str, Any]) -> str:
    """HTML of a result."""
    return render_page(
        "bench",
        templates="tests.benchmarks",
        kind="Benchmarks",
        title="Speed and scale, measured side by side",
        lead="Each case does the same work with Ictal and in the obvious way, in turn on the same data, and both must give "
        "the same answer before a time is stated. Times are of the machine named here.",
        headline=_headline(result),
        facts=_facts(result),
        sections=(_glance(result), *map(_section, result["cases"]), *_left_out(result)),
        provenance=versions(result),
        made_at=when(result),
    )


def when(result: dict[str, Any]) -> str:
    return result["made"].replace("T", " ").replace("+00:00", " UTC")


def commit(result: dict[str, Any]) -> str:
    return short(result["commit"]) + (" and changes" if result["dirty"] else "")


def versions(result: dict[str, Any]) -> dict[str, str]:
    names = [name for name in result["machine"] if name not in MACHINE]
    return {name: str(result["machine"][name]) for name in names}


MACHINE = ("system", "processor", "cores", "memory_mib", "load", "niceness")


def counted(result: dict[str, Any]) -> dict[bool | None, int]:
    """How many cases met what they aim at, missed it, or were not judged."""
    verdicts = [case["met"] for case in result["cases"]]
    return {verdict: verdicts.count(verdict) for verdict in JUDGED}


def target_of(case: dict[str, Any]) -> str:
    """`at least 5 times faster; at most 250 MiB at the peak`, or nothing."""
    least = ("at least" if name.startswith("ratio") else "at most" for name in case["target"])
    return "; ".join(
        f"{how} {_of(name, limit)}" for how, (name, limit) in zip(least, case["target"].items(), strict=True)
    )


def _limit(name: str, limit: float) -> str:
    return f"{'at least' if name.startswith('ratio') else 'at most'} {limit:.3g}"


def _of(name: str, value: float) -> str:
    """`0.93 times faster (at 1)`."""
    what, _, size = name.partition("@")
    return f"{value:.3g} {TARGETS[what]}" + (f" (at {size})" if size else "")


def judged(case: dict[str, Any]) -> str:
    """`met`, or `not met: 0.93 times faster (at 1), at least 2 wanted`; a dash where nothing was aimed at."""
    if not case["target"]:
        return "–"
    return "; ".join([JUDGED[case["met"]], *_missed(case)]) if case["met"] is False else JUDGED[case["met"]]


def _missed(case: dict[str, Any]) -> list[str]:
    """What was reached where something else was aimed at; nothing of results from before, which did not keep it."""
    reached = case.get("reached", {})
    return [
        f"{_of(name, reached[name])}, {_limit(name, case['target'][name])} wanted"
        for name in (missed(case["target"], reached) if reached else ())
    ]


def ratio_of(case: dict[str, Any]) -> str:
    """`5.1 (4.8 to 5.3)`: the median over rounds and its spread; nothing where there is no alternative."""
    if case["ratio"] is None:
        return ""
    return spread_of(case["ratio"], *case["spread"])


def spread_of(middle: float, low: float, high: float) -> str:
    return f"{_number(middle)} ({_number(low)} to {_number(high)})"


def _number(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def time_of(seconds: float) -> str:
    return f"{seconds:.3g}\u00a0s" if seconds >= 1 else f"{1000 * seconds:.3g}\u00a0ms"


def _headline(result: dict[str, Any]) -> Headline:
    if result["quick"]:
        return Headline(
            "unsure", "A quick run: tiny sizes and one round, so that no target is judged.", (), "Not judged"
        )
    found = counted(result)
    sentence = f"{found[True]} of {found[True] + found[False]} cases meet their targets; {found[None]} aim at nothing."
    fell_short = [case for case in result["cases"] if case["met"] is False]
    reasons = tuple(f"{case['name']}: {'; '.join(_missed(case)) or measured(case)}" for case in fell_short)
    return Headline("fail" if fell_short else "pass", sentence, reasons, "Not all met" if fell_short else "All met")


def measured(case: dict[str, Any]) -> str:
    """The one figure that says most of a case, in words."""
    if case["ratio"] is None:
        return f"{case['outside_s']:.0f} s outside training and serving"
    largest = case["sizes"][-1]
    taken = time_of(largest["ours"][case["clock"]])
    return f"{ratio_of(case)} times faster at {case['at']:,g} {case['unit']}; {taken} at {largest['size']:,g}"


def _facts(result: dict[str, Any]) -> dict[str, Cell]:
    machine = result["machine"]
    return {
        "Measured": when(result),
        "Commit": commit(result),
        "Processor": machine["processor"],
        "Cores": machine["cores"],
        "Memory": f"{machine['memory_mib'] / 1024:.1f} GiB",
        "Load at the start": f"{machine['load']:.1f}"
        + (f" (niceness {machine['niceness']})" if machine["niceness"] else ""),
        "System": machine["system"],
    }


def _glance(result: dict[str, Any]) -> Section:
    columns = ("Case", "Times faster (over rounds)", "Of", "Target", "")
    rows = [
        (
            case["name"],
            ratio_of(case) or measured(case),
            CLOCKS[case["clock"]],
            target_of(case) or "none",
            judged(case),
        )
        for case in result["cases"]
    ]
    table = Table("All cases", columns, rows, marks=tuple(MARKS[case["met"]] for case in result["cases"]))
    compared = [case for case in result["cases"] if case["sizes"]]
    said = "How many times faster Ictal is than the obvious way; 1 is as fast"
    caption = f"{said}. Bars: the rounds' spread. Ticks: what is aimed at. Below 1, ours takes longer."
    drawn = [column_figure(overview(compared), said, caption)] if compared else []
    return Section("At a glance", (*drawn, table))


def _section(case: dict[str, Any]) -> Section:
    if not case["sizes"]:
        return Section(case["name"], tuple(_demo_parts(case)))
    return Section(case["name"], tuple(_case_parts(case)))


def _case_parts(case: dict[str, Any]) -> Iterator[str | Figure | Table]:
    verdict = f"Target: {target_of(case)}: {judged(case)}." if case["target"] else "It aims at nothing."
    yield f"Ictal: {case['claim']}. The obvious way: {case['alternative']}. {verdict}"
    said = f"{case['name']}: {CLOCKS[shown_clock(case)]} by {case['unit']}"
    yield column_figure(chart(case), said, _grows(case))
    yield _times(case)
    yield from _figures(case)


def shown_clock(case: dict[str, Any]) -> str:
    """What is drawn: that by which it grows where there are sizes, and otherwise that of the ratio."""
    return str(case["growth"]["clock"] if case["growth"] else case["clock"])


def _grows(case: dict[str, Any]) -> str:
    what = f"{CLOCKS[shown_clock(case)].capitalize()}, rounds: {case['rounds']}, threads: {case['threads']}."
    if not case["growth"]:
        return what
    grows = case["growth"]
    return f"{what} Grows as n^{grows['exponent']:.2f} between the last two sizes; n·log n would be n^{grows['n_log_n']:.2f}."


def _times(case: dict[str, Any]) -> Table:
    columns = (
        f"{case['unit'].capitalize()}", "Ours, wall", "Theirs, wall", "Ours, processor", "Theirs, processor", "Times faster",
        "Peak memory, MiB", "Theirs", "At least", "Share of ours",
    )  # fmt: skip
    rows = [_row(found) for found in case["sizes"]]
    return Table("Medians over the rounds", columns, rows, note=_about_limit(case))


def _row(found: dict[str, Any]) -> tuple[Cell, ...]:
    ours, theirs, least = found["ours"], found["theirs"], found["limit"]
    ratios = sorted(found["ratios"])
    return (
        f"{found['size']:,g}",
        *(time_of(side[clock]) if side else "–" for clock in ("seconds", "cpu_seconds") for side in (ours, theirs)),
        spread_of(median(ratios), ratios[0], ratios[-1]) if ratios else "–",
        f"{ours['peak_mib']:.0f}",
        f"{theirs['peak_mib']:.0f}" if theirs else "–",
        time_of(least["seconds"]) if least else "–",
        f"{100 * least['share']:.2g} %" if least else "–",
    )


def _about_limit(case: dict[str, Any]) -> str:
    shares = {found["theirs"]["share_run"] for found in case["sizes"] if found["theirs"]} - {1.0}
    part = f"Theirs did {100 * max(shares):.2g} % of the work, and its time is divided by that. " if shares else ""
    if not case["rates"]:
        return f"{part}No limit is estimated: what it does is neither bytes nor products."
    rate, last = case["rates"], case["sizes"][-1]["limit"]
    return (
        f"{part}“At least” is the larger of {last['bytes'] / 1e6:,.3g} MB over {rate['gb_per_s']:.3g} GB/s through memory and "
        f"{last['flop'] / 1e9:,.3g} GFLOP over {rate['gflop_per_s']:.3g} GFLOP/s of float32 products, both measured here with "
        f"{rate['threads']} thread(s); at the largest size {last['set_by']} sets it."
    )


def _figures(case: dict[str, Any]) -> Iterator[Table]:
    names = list(dict.fromkeys(name for found in case["sizes"] for name in found["figures"]))
    if names:
        rows = [(f"{found['size']:,g}", *(found["figures"].get(name) for name in names)) for found in case["sizes"]]
        columns = (case["unit"].capitalize(), *(name.replace("_", " ") for name in names))
        yield Table("Further figures", columns, rows)


def _demo_parts(case: dict[str, Any]) -> Iterator[str | Figure | Table]:
    yield (
        f"{case['claim']}: {case['outside_s']:.0f} s. Target: {target_of(case)}: {judged(case)}. Made "
        f"{case['made'][:10]} at commit {short(case['commit'])}"
        + (f", {case['whole_s']:.0f} s in all." if case["whole_s"] else ".")
    )
    said = "Seconds of each step of the demo"
    yield column_figure(
        steps_chart(case), said, f"{said}. `watch` goes on beside `promote` and `serve`.".replace("`", "")
    )
    yield Table("By step", ("Step", "Seconds"), [(step, f"{seconds:.1f}") for step, seconds in case["steps"].items()])


def _left_out(result: dict[str, Any]) -> list[Section]:
    rows = [(", ".join(names), reason) for reason, names in left_out(result).items()]
    return [Section("Not measured", (Table("Left out", ("Cases", "Why"), rows),))] if rows else []


def left_out(result: dict[str, Any]) -> dict[str, list[str]]:
    """The cases that are not there, by the reason."""
    found: dict[str, list[str]] = {}
    for skipped in result["skipped"]:
        found.setdefault(skipped["reason"], []).append(skipped["name"])
    return found
