"""The report stage: gates, and the page with honest figures beside the leaky ones."""

from typing import Any

import numpy as np

from data.cohorts.bids import Entry, read_cohort
from data.events import Annotations
from data.frontend import FrontEnd
from data.readers.edf import read_edf
from flows.stages.evaluate import audited, read_predictions, to_events
from flows.stages.files import development, fresh, inner_auc, read_json, splits, truths, write_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from models import detectors
from validation.evaluation import evidence
from validation.gates import Evidence, Gate, GateSettings, run_gates
from validation.pages import write_page
from validation.report import evaluation_page
from validation.traces import Excerpt

FLOOR = "line_length"
EXCERPT_S = 60.0
EXCERPTS = 3


def run(workspace: Workspace) -> None:
    """Write `reports/evaluation`: the page, the gates of every detector, and all results as one JSON file."""
    out = fresh(workspace.reports / "evaluation")
    names = [n for n in detectors.names() if (workspace.interim / "evaluation" / n / "result.json").exists()]
    results = {n: read_json(workspace.interim / "evaluation" / n / "result.json")["regimes"] for n in names}
    gates = _gates(workspace, names)
    write_json(out / "gates.json", {n: [g.to_json() for g in gates[n]] for n in names})
    write_json(out / "evaluation.json", results)
    best = max(names, key=lambda n: inner_auc(workspace, n) or 0.0)
    page = evaluation_page(
        results,
        gates[best],
        splits(workspace)["patient"].to_json(),
        _provenance(workspace, names),
        simulated=(workspace.cohort / "sourcedata" / "draws.json").exists(),
        excerpts=_worst(workspace, best, results[best]["patient"]),
        candidate=best,
        champion=FLOOR,
    )
    write_page(out / "index.html", page)


def _gates(workspace: Workspace, names: list[str]) -> dict[str, list[Gate]]:
    """Each detector against the floor: with no champion yet, the floor detector stands in."""
    settings = GateSettings(**workspace.params.gates.model_dump())
    found = {name: _evidence(workspace, name) for name in names}
    return {name: run_gates(found[name], None, settings, floor=found.get(FLOOR)) for name in names}


def _evidence(workspace: Workspace, name: str) -> Evidence:
    folder = workspace.interim / "evaluation" / name
    table, hypotheses = read_predictions(folder / "patient")
    cost = read_json(folder / "patient-cost.json")["s_per_eeg_hour"]
    truth = truths(workspace, development(workspace))
    return evidence(
        table, hypotheses, truth, to_events=to_events, audit=audited(workspace, name), cost_s_per_eeg_hour=cost
    )


def _provenance(workspace: Workspace, names: list[str]) -> dict[str, str]:
    interim = workspace.interim
    digests = {f"result of {n}": sha256_file(interim / "evaluation" / n / "result.json") for n in names}
    return {
        **digests,
        "split (patient)": splits(workspace)["patient"].digest,
        "checks": sha256_file(interim / "checks" / "gx.json"),
        "code of the evaluation": (workspace.root / "code" / "evaluate.txt").read_text().strip(),
    }


def _worst(workspace: Workspace, name: str, result: dict[str, Any]) -> list[Excerpt]:
    """The patients the detector does worst in, with a minute of their EEG."""
    worst = [
        p for measure in ("auc", "sensitivity", "false_per_hour") for p in result["worst_decile"][measure]["persons"]
    ]
    entries = {e.person: e for e in development(workspace)}
    table, hypotheses = read_predictions(workspace.interim / "evaluation" / name / "patient")
    made = []
    for person in list(dict.fromkeys(worst))[:EXCERPTS]:
        entry = entries[person]
        trend = table[table["recording"] == entry.name].sort_values("second")["probability"].to_numpy()
        made.append(_excerpt(workspace, entry, trend, hypotheses[entry.name]))
    return made


def _excerpt(workspace: Workspace, entry: Entry, trend: np.ndarray, found: Annotations) -> Excerpt:
    """A minute around the first seizure that was missed, else around the first false detection, else the beginning."""
    truth = read_cohort(workspace.cohort).annotations(entry)
    missed = [e for e in truth.events if not any(e.overlaps(f) for f in found.events)]
    false = [f for f in found.events if not any(f.overlaps(e) for e in truth.events)]
    shown = [*missed, *false, *truth.events]
    what = "a missed seizure" if missed else "a false detection" if false else "nothing missed, nothing false"
    onset_s = max(0.0, shown[0].onset_s - 15) if shown else 0.0
    onset_s = float(np.floor(min(onset_s, max(0.0, truth.duration_s - EXCERPT_S))))
    end_s = min(onset_s + EXCERPT_S, truth.duration_s)
    prepared = FrontEnd().prepare(read_edf(entry.path, age_days=entry.age_days, name=entry.name))
    start, stop = (round(t * prepared.rate_hz) for t in (onset_s, end_s))
    return Excerpt(
        title=f"{entry.name} ({entry.site}): {what}",
        channels=prepared.channels,
        signal=prepared.segments[0].signal[:, start:stop],
        rate_hz=prepared.rate_hz,
        onset_s=onset_s,
        trend=trend[int(onset_s) : int(end_s)],
        reference=tuple((e.onset_s, e.end_s) for e in truth.events),
        hypothesis=tuple((e.onset_s, e.end_s) for e in found.events),
    )
