"""What a demo came to, in a table, and what to open."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show_summary(console: Console, facts: dict[str, Any], root: Path) -> None:
    """Print the figures of each detector, what came of every step, why the first answer was given, and what to open."""
    console.print()
    for name, figures in facts["evaluate"].items():
        console.print("\n".join(lines_of(name, figures)), highlight=False)
    console.print("[dim]These figures are of simulated patients: they speak about the simulator.[/dim]\n")
    console.print(_table(facts), highlight=False)
    console.print(f"\n[bold]Why this answer?[/bold]\n{facts['audit']['why']}\n", highlight=False, soft_wrap=True)
    console.print(f"ledger: {facts['audit']['ledger']}", highlight=False, soft_wrap=True)
    console.print("\n[bold]Open[/bold]")
    for what, path in pages(root).items():
        console.print(f"  {what:12} {path}", highlight=False, soft_wrap=True)
    console.print(
        "  all of it    `ictal audit serve`: models, signatures, answers back to raw bytes, the ledger",
        highlight=False,
        soft_wrap=True,
    )


def lines_of(name: str, figures: dict[str, Any]) -> list[str]:
    """What is said of one detector first: a line of a detection; a typing stands beside what sees no EEG."""
    of_task = {"spasms": spasm_lines, "forecasting": forecast_lines}
    task = figures.get("task")
    return of_task.get(task, typing_lines)(name, figures) if task else [headline(name, figures)]


def headline(name: str, figures: dict[str, Any]) -> str:
    """One line a person can compare: honest first, the leaky control named as such."""
    line = (
        f"{name}: AUC {written(figures)} patient-wise in {100 * figures['coverage']:.0f} % of the time, "
        f"{three(figures['auc_all_seconds'])} with silence as not knowing, {figures['patients']} patients"
    )
    return line + (f"; leaky window control {leaky_auc(figures):.3f} (non-reportable)" if leaky_auc(figures) else "")


def written(figures: dict[str, Any]) -> str:
    """An AUC with its interval over patients; not evaluable where nobody has a seizure."""
    low, high = three(figures["auc_low"]), three(figures["auc_high"])
    return f"{three(figures['auc'])} ({low} to {high})" if figures["auc"] is not None else "not evaluable"


def three(figure: float | None, sign: str = "") -> str:
    """Three decimals, with the `sign` of format strings; None is “not evaluable”."""
    return "not evaluable" if figure is None else f"{figure:{sign}.3f}"


def leaky_auc(figures: dict[str, Any]) -> float | None:
    """The AUC under random windows, where that control was run."""
    found: float | None = figures["regimes"].get("window", {}).get("auc")
    return found


def regime_lines(figures: dict[str, Any]) -> list[str]:
    """Every regime with its AUC, what a change of regime is worth, and what scores without any EEG."""
    lines = []
    for regime, own in figures["regimes"].items():
        mark = "" if own["reportable"] else "  leaky control, non-reportable"
        lines.append(f"  {regime:10} AUC {written(own)} in {100 * own['coverage']:.0f} % of the time{mark}")
    for what, change in figures["inflation"].items():
        by, low, high = (three(change["auc"][k], "+") for k in ("estimate", "low", "high"))
        first, second = what.split("_to_")
        lines.append(f"  {first} instead of {second}: AUC {by} ({low} to {high})")
    blind = ", ".join(
        f"{n.replace('_', ' ')} {'not evaluable' if auc is None else f'{auc:.4f}'}"
        for n, auc in figures["baselines"].items()
    )
    return [*lines, f"  without any EEG, under random windows: AUC of {blind}"]


def typing_lines(name: str, figures: dict[str, Any]) -> list[str]:
    """A detector of types: macro-F1 with patients apart, the weighted F1 of the literature beside what sees no EEG."""
    own = (three(figures["macro_f1"]), three(figures["macro_f1_low"]), three(figures["macro_f1_high"]))
    lines = [
        f"{name}: macro-F1 {own[0]} ({own[1]} to {own[2]}) patient-wise over {figures['evaluable_types']} types, "
        f"{figures['answered']} of {figures['seizures']} seizures of {figures['patients']} patients answered"
    ]
    for regime, found in figures["regimes"].items():
        mark = "" if found["reportable"] else "  leaky control, non-reportable"
        lines.append(
            f"  {regime:10} weighted F1 {three(found['weighted_f1'])}; always the most common type "
            f"{three(found['weighted_f1_majority'])}{mark}"
        )
    blind = three(figures["weighted_f1_id_lookup_over_seizures"])
    seen = "film" if figures.get("task") == "semiology" else "EEG"
    lines.append(f"  without any {seen}, seizures dealt out at random: weighted F1 {blind} by looking up the patient")
    if figures["inflation"]:
        change = figures["inflation"]["weighted_f1"]
        by, low, high = (three(change[k], "+") for k in ("estimate", "low", "high"))
        lines.append(f"  seizure instead of patient: weighted F1 {by} ({low} to {high})")
    return lines


def spasm_lines(name: str, figures: dict[str, Any]) -> list[str]:
    """A detector of spasms: what it finds and what it costs, beside what looking up the patient reaches."""
    f1 = f"{three(figures['f1'])} ({three(figures['f1_low'])} to {three(figures['f1_high'])})"
    return [
        f"{name}: {percent(figures['spasms_found'])} of all spasms found at {figure(figures['false_alarms_per_hour'])} false "
        f"alarms per hour, F1 of clips {f1} patient-wise, {figures['patients_with_spasms']} of {figures['patients']} "
        "patients with spasms",
        *_of_regimes(figures, "f1", "F1 of clips"),
        f"  without any pose, clips dealt out at random: F1 {three(figures['f1_id_lookup_over_clips'])} by looking up the "
        "patient",
    ]


def forecast_lines(name: str, figures: dict[str, Any]) -> list[str]:
    """A forecaster: what it foresees never without what it costs."""
    low, high = three(figures["balanced_accuracy_low"]), three(figures["balanced_accuracy_high"])
    return [
        f"{name}: balanced accuracy {three(figures['balanced_accuracy'])} ({low} to {high}) patient-wise at "
        f"{figure(figures['false_warnings_per_h'])} false warnings per hour, sign on {percent(figures['time_in_warning'])} "
        f"of the time, {figures['patients_ahead']} of {figures['patients']} patients with a seizure to foresee",
        *_of_regimes(figures, "balanced_accuracy", "balanced accuracy"),
        f"  without a look at the film: {three(figures['balanced_accuracy_clock'])} by as many warnings at regular times, "
        f"{three(figures['balanced_accuracy_elapsed'])} by how far the film has come",
    ]


def _of_regimes(figures: dict[str, Any], name: str, called: str) -> list[str]:
    """The figure under every other split."""
    others = {regime: own for regime, own in figures["regimes"].items() if regime != "patient"}
    return [
        f"  {regime:10} {called} {three(own[name])}{'' if own['reportable'] else '  leaky control, non-reportable'}"
        for regime, own in others.items()
    ]


def percent(share: float | None) -> str:
    """A share (0–1) in whole per cent; None is “not evaluable”."""
    return "not evaluable" if share is None else f"{100 * share:.0f} %"


def figure(value: float | None) -> str:
    """One decimal; None is “not evaluable”."""
    return "not evaluable" if value is None else f"{value:.1f}"


def pages(root: Path) -> dict[str, Path]:
    """What the demo leaves to be opened."""
    return {
        "checks": root / "reports" / "checks.html",
        "evaluation": root / "reports" / "evaluation" / "index.html",
        "types": root / "reports" / "typing" / "evaluation" / "index.html",
        "spasms": root / "reports" / "spasms" / "evaluation" / "index.html",
        "semiology": root / "reports" / "semiology" / "evaluation" / "index.html",
        "forecasting": root / "reports" / "forecasting" / "evaluation" / "index.html",
        "drift": root / "reports" / "drift" / "index.html",
        "answers": root / "reports" / "answers",
    }


def _table(facts: dict[str, Any]) -> Table:
    table = Table("step", "what came of it", "seconds", title="Ictal demo")
    promoted, aside = facts["promote"], [v for c in facts["check"].values() for v in c["quarantined"]]
    said = {
        "ingest": f"{sum(c['recordings'] for c in facts['check'].values())} recordings, digests in the ledger",
        "check": "put aside: " + "; ".join(f"{v['recording']} ({v['reasons'][0]['code']})" for v in aside),
        "train": "; ".join(facts["train"]),
        "evaluate": "; ".join(_evaluated(n, f) for n, f in facts["evaluate"].items()),
        "promote": f"{', '.join(promoted['in_force'].values())} in force for demo-*, 24 h; "
        + "; ".join(_by_deviation(name, gates) for name, gates in promoted["gates"].items()),
        "serve": "; ".join(_said(a) for a in facts["serve"]["answers"]),
        "watch": facts["watch"]["headline"],
        "audit": "ledger verified",
    }
    for step, text in said.items():
        table.add_row(step, text, f"{facts['seconds'][step]:.0f}")
    table.add_row("", "all of it; sites are compared while models are signed and served", f"{facts['whole_s']:.0f}")
    return table


def _by_deviation(name: str, gates: list[dict[str, Any]]) -> str:
    """Which gates a detector was signed in spite of, those that failed first."""
    failed = ", ".join(gate["name"] for gate in gates if gate["outcome"] == "fail")
    undecided = ", ".join(gate["name"] for gate in gates if gate["outcome"] not in ("pass", "fail"))
    told = [f"{names} {how}" for names, how in ((failed, "failed"), (undecided, "not decided")) if names]
    return f"{name} by deviation: {'; '.join(told)}" if told else f"{name}: every gate passed"


def _evaluated(name: str, figures: dict[str, Any]) -> str:
    if "task" not in figures:
        leaky = f" (leaky {three(leaky_auc(figures))})" if leaky_auc(figures) else ""
        return f"{name} AUC {three(figures['auc'])}{leaky}"
    key, called = {
        "spasms": ("f1", "F1 of clips"),
        "forecasting": ("balanced_accuracy", "balanced accuracy"),
    }.get(figures["task"], ("macro_f1", "macro-F1"))
    return f"{name} {called} {three(figures[key])}"


def _said(answer: dict[str, Any]) -> str:
    what = answer["outcome"] if answer["code"] is None else f"{answer['outcome']} ({answer['code']})"
    found = "" if answer["events"] is None else f", {answer['events']} events"
    stretches = answer["stretches"]
    found += "" if stretches is None else f", {stretches} stretch{'' if stretches == 1 else 'es'}"
    return (
        f"{answer['question']} at {answer['site']}: {what}{found}, receipt {'ok' if answer['receipt_ok'] else 'NOT ok'}"
    )
