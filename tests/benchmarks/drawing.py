"""Benchmarks for people: a table in the terminal, and a picture of what grows how."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from validation.drawing import BLUE, GREY, ORANGE, QUIET, canvas

MET = {True: "met", False: "NOT MET", None: "–"}


def table(cases: Sequence[dict[str, Any]]) -> str:
    """One paragraph per case: how many times faster at which size, and each size's time and memory."""
    return "\n\n".join("\n".join(_lines(case)) for case in cases)


def draw(cases: Sequence[dict[str, Any]], path: Path) -> None:
    """CPU time of both ways over the size, one panel per case, both axes logarithmic."""
    with canvas(4.2 * len(cases), 3.4, ncols=len(cases), squeeze=False) as (figure, axes):
        for place, case in zip(axes[0], cases, strict=True):
            _panel(place, case)
        figure.savefig(path)


def _lines(case: dict[str, Any]) -> list[str]:
    return _compared(case) if case["sizes"] else _steps(case)


def _steps(case: dict[str, Any]) -> list[str]:
    told = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in case["steps"].items())
    limit = case["target"]["outside_s"]
    return [
        f"{case['name']}: {case['claim']}",
        f"  {told}",
        f"  outside training and serving {case['outside_s']:.1f} s; target: {limit:g} s: {MET[case['met']]}",
    ]


def _compared(case: dict[str, Any]) -> list[str]:
    low, high = case["spread"]
    clock = f"{'CPU' if case['clock'] == 'cpu_seconds' else 'wall'}, {case['threads']} thread(s)"
    target = ", ".join(f"{name} {limit:g}" for name, limit in case["target"].items()) or "none"
    lines = [
        f"{case['name']}: {case['claim']}",
        f"  {_times(case['ratio'])} times faster ({_times(low)} to {_times(high)}, {case['rounds']} rounds, {clock}) "
        f"at {case['at']} {case['unit']} than: {case['alternative']}",
        f"  target: {target}: {MET[case['met']]}",
    ]
    for found in case["sizes"]:
        sides = [f"{who} {_side(found[who])}" for who in ("ours", "theirs") if found[who]]
        lines.append(f"  {found['size']:>6} {case['unit']}: {'; '.join(sides)}")
        if found["figures"]:
            lines.append(f"         {', '.join(f'{name} {value:.3g}' for name, value in found['figures'].items())}")
        if found["limit"]:
            least = found["limit"]
            lines.append(
                f"         at least {least['seconds']:.2g} s by {least['set_by']}, {100 * least['share']:.2g} % of ours"
            )
    if case["growth"]:
        grows = case["growth"]
        lines.append(f"  grows as n^{grows['exponent']:.2f} (n·log n would be n^{grows['n_log_n']:.2f})")
    return lines


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}"


def _side(run: dict[str, float]) -> str:
    part = f" (from {100 * run['share_run']:g} % of the work)" if run.get("share_run", 1) < 1 else ""
    memory = f"peak {run['peak_mib']:.0f} MiB, {run['added_mib']:.0f} of them the work's"
    return f"{run['seconds']:.3g} s, {run['cpu_seconds']:.3g} s of CPU{part}, {memory}"


def _panel(axes: Any, case: dict[str, Any]) -> None:
    for who, color, label in (("ours", BLUE, "Ictal"), ("theirs", ORANGE, "the obvious way")):
        points = [(s["size"], s[who]["cpu_seconds"]) for s in case["sizes"] if s[who]]
        axes.plot(*zip(*points, strict=True), "o-", color=color, label=label)
    if "cpu_seconds" in case["target"]:
        axes.axhline(case["target"]["cpu_seconds"], color=GREY, ls=":", label="target")
    axes.set(xscale="log", yscale="log", xlabel=case["unit"], ylabel="seconds of CPU")
    axes.set_title(f"{case['name']}: {case['ratio']:.3g} times faster at {case['at']}")
    sizes = [s["size"] for s in case["sizes"]]
    axes.set_xticks(sizes, [f"{n:g}" for n in sizes], color=QUIET)
    axes.xaxis.minorticks_off()
    axes.legend()
