"""The report stage: gates, and of every detector its page, the same as data, and its model card."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from data.events import Annotations
from data.frontend import FrontEnd, Prepared
from data.readers.edf import read_edf
from flows.records import development_data
from flows.stages.audits import audit_of
from flows.stages.champions import champion, is_comparable
from flows.stages.evaluate import to_events
from flows.stages.files import (
    circumstances,
    cohort_of,
    development,
    evaluation_of,
    fresh,
    inner_auc,
    read_json,
    results,
    splits,
    training_of,
    truths,
    undivided,
    write_json,
)
from flows.workspace import Workspace, lock_digest
from lineage.digest import sha256_file
from lineage.refused import Refused
from models import detectors
from validation.cards import fill_card
from validation.evaluation import evidence, gather
from validation.gates import Declared, Evidence, Gate, GateSettings, run_gates
from validation.inflation import Published
from validation.lab import STEPS, inflation
from validation.labels_alone import HERE, NOT_HERE, recorded
from validation.pages import write_page
from validation.peers import Yardsticks, read_peers, yardsticks
from validation.predictions import Kept, read_predictions
from validation.report import Dossier, WorstCase, cut_excerpt, evaluation_page, report_document, worst_cases
from validation.scoring import Case
from validation.subgroups import age_band
from validation.traces import Excerpt

FLOOR = "line_length"

Prepare = Callable[[str], Prepared]
Truths = Mapping[str, Annotations]


def run(workspace: Workspace) -> None:
    """Write `reports/evaluation`: of every detector `NAME.html`, `NAME.json` and `NAME.card.md`; `index.html`, the page
    of the one that did best on inner patients; the gates and the lab's figures as JSON.

    Refused where no detector was evaluated with patients apart in the circumstances of now, and where predictions that
    were kept are not those that were scored.
    """
    out = fresh(workspace.reports / "evaluation")
    evaluated = {n: own for n in detectors.names("detection") if "patient" in (own := results(workspace, n))}
    if not evaluated:
        raise Refused("no detector has been evaluated with patients apart: run `ictal evaluate` first")
    truth = truths(workspace, development(workspace))
    gates = _gates(workspace, {n: _evidence(workspace, n, truth) for n in evaluated}, truth)
    lab = {n: _lab(workspace, n, truth, own) for n, own in evaluated.items()}
    write_json(out / "gates.json", {n: [g.to_json() for g in own] for n, own in gates.items()})
    write_json(out / "lab.json", lab)
    prepare, provenance = _preparing(workspace), _provenance(workspace, list(evaluated))
    best = max(evaluated, key=lambda n: inner_auc(workspace, n) or 0.0)
    for name in evaluated:
        worst, excerpts = _worst(evaluation_of(workspace, name, "patient"), truth, prepare)
        dossier = Dossier(
            name,
            evaluated,
            splits(workspace)["patient"].to_json(),
            provenance,
            simulated=(workspace.cohort / "sourcedata" / "draws.json").exists(),
            gates=gates[name],
            champion=_rival(workspace, name),
            in_force=reigns(workspace, name),
            inflation=lab[name]["inflation"],
            undivided=undivided(workspace),
            worst=worst,
            excerpts=excerpts,
            published=_published(name),
            labels_alone=_labels_alone(workspace, name),
            peers=_peers(workspace),
            beside=beside(name, evaluated),
        )
        _write(out, dossier, ("index", name) if name == best else (name,))


def _write(out: Path, dossier: Dossier, pages: tuple[str, ...]) -> None:
    document, page = report_document(dossier), evaluation_page(dossier)
    write_json(out / f"{dossier.name}.json", document)
    write_page(out / f"{dossier.name}.card.md", fill_card(detectors.card_of(dossier.name), document))
    for name in pages:
        write_page(out / f"{name}.html", page)


def _published(name: str) -> Published | None:
    """What the detector's own paper states, as its card does."""
    stated = detectors.facts(name).get("published")
    return Published(**stated) if stated else None


def _labels_alone(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """What the labels of the paper's data set score without any EEG: as computed here, else as recorded with Ictal."""
    stated = _published(name)
    if stated is None or not stated.labels:
        return None
    path = workspace.store / "oracles" / f"{stated.labels}.json"
    if path.exists():
        return read_json(path) | {"where": HERE}
    known = recorded(stated.labels)
    return known and known | {"where": NOT_HERE}


def beside(name: str, evaluated: Iterable[str]) -> dict[str, str]:
    """What lies beside a detector's page: the others' pages, the same as data, and the card."""
    others = {f"Evaluation of {other}": f"{other}.html" for other in evaluated if other != name}
    return {**others, "This page as data (JSON)": f"{name}.json", "Model card": f"{name}.card.md"}


def _gates(workspace: Workspace, found: Mapping[str, Evidence], truth: Truths) -> dict[str, list[Gate]]:
    """Each detector against what is in force, but for the model in force itself, and against the floor detector, which
    stands in while there is no champion.

    A champion that was evaluated on other recordings, or on other labels of them (the null control), or whose predictions
    are gone, cannot be compared with: the paired gates are then unknown.
    """
    settings = GateSettings(**workspace.params.gates.model_dump())
    reigning, floor = champion(workspace), found.get(FLOOR)
    if reigning is None:
        return {name: run_gates(own, None, settings, floor) for name, own in found.items()}
    name, folder = reigning
    now = circumstances(workspace, development(workspace))
    rival = _evidence(workspace, name, truth, folder) if is_comparable(folder, now) else None
    return {
        n: run_gates(own, rival, settings, floor, in_force=reigns(workspace, n), vacant=False)
        for n, own in found.items()
    }


def reigns(workspace: Workspace, name: str) -> bool:
    """Whether the model in force is one of the detector's present training, bit for bit."""
    reigning = champion(workspace)
    runs = read_json(training_of(workspace, name, "patient") / "log.json")["runs"]
    return reigning is not None and reigning[1].name in {run["bundle"] for run in runs}


def _rival(workspace: Workspace, name: str) -> str:
    """Whom a candidate would replace, as the page says it: the model in force, or else the floor, which has no rival."""
    reigning = champion(workspace)
    if reigning is not None:
        return f"{reigning[0]} {reigning[1].name[:12]} in force"
    return "" if name == FLOOR else FLOOR


def _lab(workspace: Workspace, name: str, truth: Truths, regimes: Mapping[str, Any]) -> dict[str, Any]:
    """What the regimes do to the figures, and what scores without any EEG under random windows."""
    settings = workspace.params.evaluate
    compared = {r: _cases(evaluation_of(workspace, name, r), truth) for r in regimes if r in {*chain(*STEPS)}}
    baselines = regimes["patient"]["baselines"]
    return {
        "regimes": list(regimes),
        "inflation": inflation(compared, settings.seed, settings.draws),
        "baselines": {name: own["auc"] for name, own in baselines.items()},
    }


def _cases(folder: Path, truth: Truths) -> list[Case]:
    kept = _kept(folder)
    return gather(kept.predictions, kept.hypotheses, truth)


def _kept(folder: Path) -> Kept:
    """The predictions that the result beside them was made from, and no others."""
    kept, stated = read_predictions(folder), read_json(folder / "result.json")["digests"]
    if not kept.digests.items() <= stated.items():
        raise Refused("the predictions kept are not those that were scored: run `ictal evaluate` again")
    return kept


def _strata(workspace: Workspace) -> dict[str, str]:
    """The age band of every person: the strata in which the floor is asked for."""
    return {e.person: age_band(e.age_days) for e in development(workspace)}


def _evidence(workspace: Workspace, name: str, truth: Truths, folder: Path | None = None) -> Evidence:
    """What the gates read of a detector: its present evaluation, or the one kept in `folder`."""
    folder = folder or evaluation_of(workspace, name, "patient")
    kept, result = _kept(folder), read_json(folder / "result.json")
    made = evidence(
        kept.predictions,
        kept.hypotheses,
        truth,
        to_events=to_events,
        audit=audit_of(result["leakage"], result["of"]["split"]),
        strata=_strata(workspace),
        cost_s_per_eeg_hour=result["of"]["s_per_eeg_hour"],
    )
    return replace(made, declared=declared(name))


def declared(name: str) -> Declared:
    """What the detector states about itself, for the gate of the change plan's envelope."""
    facts, detector = detectors.facts(name), detectors.build(name)
    contract, rate_hz = detector.contract, detector.rate_hz
    return Declared(
        facts["task"], facts["modality"], contract.montage, contract.age_days, detector.classes, facts["intended_use"],
        rate_hz,
    )  # fmt: skip


def _provenance(workspace: Workspace, names: list[str]) -> dict[str, str]:
    results = {f"result of {n}": sha256_file(evaluation_of(workspace, n, "patient") / "result.json") for n in names}
    return {
        "dataset (SHA-256)": development_data(workspace).digest,
        "checks (SHA-256)": sha256_file(workspace.interim / "checks" / "gx.json"),
        "code of the evaluation (SHA-256)": (workspace.root / "code" / "evaluate.txt").read_text().strip(),
        "code of this report (SHA-256)": (workspace.root / "code" / "report.txt").read_text().strip(),
        "lock (SHA-256)": lock_digest(),
        **{f"{what} (SHA-256)": digest for what, digest in results.items()},
    }


def _peers(workspace: Workspace) -> list[Yardsticks]:
    """What other detectors reach, where their published result files lie in `data/peers`."""
    folder = workspace.root / "data" / "peers"
    if not folder.is_dir():
        return []
    table = read_peers(folder)
    return [yardsticks(table, dataset) for dataset in sorted(set(table["dataset"]))]


def _worst(folder: Path, truth: Truths, prepare: Prepare) -> tuple[list[WorstCase], list[Excerpt]]:
    """The worst misses and false alarms with patients apart, each with a minute of its EEG."""
    kept = _kept(folder)
    cases = {c.recording: c for c in gather(kept.predictions, kept.hypotheses, truth)}
    worst = worst_cases(list(cases.values()))
    shown = [(w, cases[w.recording], kept.about[w.recording].threshold, prepare(w.recording)) for w in worst]
    return worst, [cut_excerpt(*one) for one in shown]


def _preparing(workspace: Workspace) -> Prepare:
    """The prepared EEG of a recording by its name, read once however many detectors fail in it."""
    entries = {e.name: e for e in cohort_of(workspace).entries}

    @cache
    def prepare(name: str) -> Prepared:
        entry = entries[name]
        return FrontEnd().prepare(read_edf(entry.path, age_days=entry.age_days, name=entry.name))

    return prepare
