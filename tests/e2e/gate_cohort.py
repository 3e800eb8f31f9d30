"""A challenger from the drift that called for it to the sites that it answers, and a bad one that is stopped, on a gate
cohort: 154 simulated newborns, with whom every gate can be passed. For once in a while, not for every commit.

    python -m tests.e2e.gate_cohort FOLDER [--database sqlite|postgresql|URL] [--small]

A real Prefect server and a worker on the loopback, a service, and commands as people type them. The workspace is made anew
each time; what its stages made is kept in FOLDER and taken from there again, so that a run that was stopped goes on. Exit
code 1 where something does not hold.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.ages import DAYS
from flows import waiting
from flows.params import set_params
from flows.promote import read_candidate
from flows.records import open_ledger
from flows.stages.champions import champion
from flows.stages.files import accepted, read_json, training_of, write_json
from flows.workspace import DVC_CONFIG, Workspace, dvc, keep, make_workspace
from lineage.refused import Refused
from models.bundle import Bundle, load_bundle, save_bundle
from models.detector import State
from serving.client import Client
from serving.store import read_pointer
from tests.commands import ICTAL, Said, ictal_process
from tests.databases import temporary_server
from tests.e2e.conftest import SIGNERS, components, register_signers
from tests.e2e.scheduling import PREFECT, Scheduler, free_port, running, scheduler
from tests.e2e.verbs import AUTHOR, NO_ADULTS, NO_FILMS

PER_WEEK = 8
"""Later newborns of each site in each of two weeks: an alarm of one week alone is not confirmed, and starts nothing."""
GATES = {
    "simulation.patients_per_site": 58,
    "simulation.minutes": 18.0,
    "simulation.transferred": 20,
    "simulation.surveillance_per_site": 2 * PER_WEEK,
    "simulation.surveillance_minutes": 2.0,
    "simulation.broken": 0,
    "split.folds": 2,
    "split.leaky_folds": 2,
    "lab.regimes": ["patient"],
    **NO_FILMS,
    **NO_ADULTS,
}
SMALL = {"simulation.patients_per_site": 4, "simulation.minutes": 3.0, "simulation.transferred": 1}
"""Too few for any gate: the way alone is gone, and what gates leave open is signed by deviation."""

FIRST_SEED, NEXT_SEED = {"train.seed": 8}, {"train.seed": 7}
EAGER = 0.3
"""By this the first model's thresholds are lowered: a champion that raises too many alarms, so that there is something to be
better in. The gate of false alarms lets nobody replace a champion that is as good."""

NAME = "da_stnet"
CHANGED = "demo-east"
FIRST, SECOND = SIGNERS
RUN_S, ASK_S = 7200.0, 600.0
WHY = "the gate cohort: what would it say?"


class DoesNotHold(Exception):
    """What was claimed is not so."""


@dataclass
class Case:
    """One run: its workspace, the server that schedules, what was found and how long each step took."""

    workspace: Workspace
    kept: Path
    server: Scheduler
    small: bool
    began: float = field(default_factory=time.monotonic)
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def short(self) -> str:
        return self.workspace.id[:8]

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"{minutes:3d}:{seconds:02d}  {text}", flush=True)

    def claim(self, holds: object, what: str) -> None:
        if not holds:
            raise DoesNotHold(what)
        self.say(f"  holds: {what}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.say(name)
        yield
        seconds = time.monotonic() - started
        self.found.setdefault("seconds", {})[name] = round(seconds, 1)
        self.say(f"  done in {seconds:.0f} s")

    def ictal(self, *typed: object, person: str = "") -> Said:
        """A command in a process of its own, as somebody types it who knows of the server; `person` signs it."""
        secrets = "".join(f"{part}\n" for part in components(self.workspace, person, lasting_s=30)) if person else ""
        return ictal_process(*typed, environment=self.server.environment, typed=secrets, within_s=RUN_S)

    def done(self, *typed: object, person: str = "") -> str:
        said = self.ictal(*typed, person=person)
        if said.code:
            raise DoesNotHold(f"`ictal {' '.join(map(str, typed))}` ends well: {said.err[-1500:]}")
        return said.out

    def start(self, deployment: str) -> None:
        command = [*PREFECT, "deployment", "run", f"{deployment}-{self.short}"]
        subprocess.run(command, env=self.server.environment, check=True, capture_output=True)

    def ended(self, name: str, count: int = 1) -> dict[str, Any]:
        """The last of so many runs of a deployment, once it has ended."""

        def last() -> dict[str, Any] | None:
            ended = self.server.runs(name, "COMPLETED", "FAILED", "CRASHED")
            return ended[-1] if len(ended) >= count else None

        return self.server.until(last, RUN_S, f"the end of run {count} of {name}")

    def candidate(self, digest: str) -> dict[str, Any]:
        return read_candidate(self.workspace, digest)

    def proposed(self) -> str:
        """The model that was proposed last."""
        line = open_ledger(self.workspace).entries("candidate.proposed")[-1]
        return next(edge.parent for edge in line.edges if edge.relation == "proposes")

    def tell_gates(self, what: str, digest: str) -> list[dict[str, Any]]:
        gates: list[dict[str, Any]] = self.candidate(digest)["gates"]
        self.say(f"  gates of {what} {digest[:12]}")
        for gate in gates:
            self.say(f"    {gate['name']:28} {gate['outcome']:22} {gate['reason']}")
        self.found[what] = {"candidate": digest, "gates": gates}
        return gates

    def sign(self, digest: str, *options: str) -> None:
        """Both people, each by their own command; what gates left open is named by the first."""
        undecided = [g["name"] for g in self.candidate(digest)["gates"] if g["outcome"] != "pass"]
        named = [
            part for gate in undecided for part in ("--deviation", f"{gate}=a simulated cohort, and nobody served")
        ]
        for person, meaning in SIGNERS.items():
            deviations = named if meaning == "review" else []
            typed = ("approve", digest, "--as", person, "--meaning", meaning, *options, *deviations)
            self.done(*typed, person=person)


def main(arguments: list[str] | None = None) -> int:
    """0 where everything holds; 1 with what does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.gate_cohort", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where stages' results are kept; about 10 GB")
    parser.add_argument("--database", default="sqlite", help="Prefect's: sqlite, postgresql (one is started), or a URL")
    parser.add_argument("--small", action="store_true", help="twelve newborns: the way alone, in a few minutes")
    asked = parser.parse_args(arguments)
    folder = asked.folder.resolve() / ("small" if asked.small else "whole")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended as well
    try:
        with _database(asked.database) as place:
            _in_workspace(folder, asked.database.split(":")[0], place, asked.small)
    except (DoesNotHold, AssertionError, Refused) as broken:
        print(f"does not hold: {broken}", file=sys.stderr)
        return 1
    except pytest.skip.Exception as missing:
        print(f"cannot be tried here: {missing}", file=sys.stderr)
        return 2
    return 0


@contextmanager
def _database(named: str) -> Iterator[str]:
    """The URL of an empty database; empty for a file."""
    if named != "postgresql":
        yield "" if named == "sqlite" else named
        return
    with temporary_server() as server:
        yield server.new_database()


def _in_workspace(folder: Path, name: str, place: str, small: bool) -> None:
    own = folder / name
    shutil.rmtree(own, ignore_errors=True)
    workspace = made_workspace(own / "workspace", folder, GATES | (SMALL if small else {}))
    with scheduler(workspace, own / "server", place) as server:
        case = Case(workspace, folder / "cache", server, small)
        try:
            rehearse(case)
        finally:
            write_json(own / "found.json", case.found)
    case.say(f"all of it holds; {own / 'found.json'}")


def made_workspace(root: Path, kept: Path, settings: Mapping[str, Any]) -> Workspace:
    """A demo workspace that shares DVC's cache and remote with those before it: what a stage made once is not made again."""
    made = make_workspace(root, "demo")
    set_params(root / "params.yaml", dict(settings))
    shared = DVC_CONFIG.replace("../remote", str(kept / "remote")).replace(
        "[cache]", f"[cache]\n    dir = {kept / 'cache'}"
    )
    (root / ".dvc" / "config").write_text(shared)
    keep(made, "Share cache and remote")
    return made


def rehearse(case: Case) -> None:
    """From an empty workspace to a bad challenger that was stopped."""
    with case.step("the cohort, of which a part came last week"):
        case.server.came_last_week(PER_WEEK, RUN_S)  # before anything else is told to the ledger, which never goes back
    register_signers(case.workspace)
    case.done("schedule", "register")
    with case.server.worker():
        with case.step("the night's checks, by a run of the server"):
            case.start("nightly/nightly")
            case.claim(case.ended("nightly")["state"]["type"] == "COMPLETED", "the cohort was checked")
        with case.step("a first model, which alarms too readily"):
            first = put_first_in_force(case)
        with service(case) as site:
            site.claim_answers(first, "the first model answers at every site")
            with case.step("drift, and the retraining that it starts"):
                challenger = drift_to_challenger(case)
            with case.step("two signatures"):
                sign_challenger(case, challenger)
            with case.step("shadow, and promotion"):
                shadow_and_promote(case, site, first, challenger)
            with case.step("a bad challenger"):
                stop_planted(case, challenger)
            site.claim_answers(challenger, "the champion goes on answering at every site")
    case.claim('"ok": true' in case.done("audit", "verify", "--json"), "the ledger verifies")


def put_first_in_force(case: Case) -> str:
    set_params(case.workspace.root / "params.yaml", FIRST_SEED)
    case.done("train", NAME)
    altered(case, NAME, eager)
    case.done("train", NAME)  # nothing is trained: what DVC now takes for the training is told to the ledger
    case.done("evaluate", NAME)
    case.done("candidates", "--propose", "--author", AUTHOR)
    first = case.proposed()
    case.tell_gates("the first model", first)
    case.sign(first)
    case.claim(read_pointer(case.workspace.root).bundle == first, "with two signatures it is in force")
    case.claim(champion(case.workspace), "its evaluation is kept for the next to be held against")
    return first


def drift_to_challenger(case: Case) -> str:
    set_params(case.workspace.root / "params.yaml", NEXT_SEED)
    case.start("watch/weekly")
    case.claim(case.ended("weekly")["state"]["type"] == "COMPLETED", "the week's comparison of sites has ended")
    ledger = open_ledger(case.workspace)
    doubtful = {line.subjects[0].digest for line in ledger.entries("retrain.skipped")}
    alarms = [line.subjects[0] for line in ledger.entries("drift.alarm")]
    confirmed = [alarm.id for alarm in alarms if alarm.digest not in doubtful]
    case.claim(confirmed == [CHANGED], f"of {len(alarms)} alarms one is confirmed, at {CHANGED} in the second week")
    run = case.ended("monthly")
    case.claim(run["parameters"]["reason"] == f"drift at {CHANGED}", "its event started a retraining")
    challenger = case.proposed()
    open_gates = [g["name"] for g in case.tell_gates("the challenger", challenger) if g["outcome"] != "pass"]
    if not case.small:
        case.claim(
            not open_gates, f"the challenger passes every gate{': not ' * bool(open_gates)}{', '.join(open_gates)}"
        )
        case.claim(run["state"]["type"] == "COMPLETED", f"the retraining ended well: {run['state']['message']}")
    lines = [e.type.value for e in open_ledger(case.workspace).entries()]
    order = [
        lines.index("drift.alarm"),
        lines.index("retrain.triggered"),
        len(lines) - lines[::-1].index("candidate.proposed"),
    ]
    case.claim(order == sorted(order), "alarm, retraining, proposal, in this order in the ledger")
    case.claim(case.candidate(challenger)["state"] == "evaluated", "nobody has signed it, and it waits")
    return challenger


def sign_challenger(case: Case, challenger: str) -> None:
    if not case.small:
        waits = case.server.until(lambda: case.server.runs("signatures", "PAUSED"), ASK_S, "a run that waits")
        case.claim(
            [run["parameters"]["candidate"] for run in waits] == [challenger], "a suspended run waits for signatures"
        )
    case.sign(challenger, "--hold")
    if not case.small:
        case.claim(case.ended("signatures")["state"]["type"] == "COMPLETED", "the run that waited saw both signatures")
    case.claim(not waiting.missing(case.workspace, challenger)["missing"], "nothing is missing")
    by = [e.actor.id for e in open_ledger(case.workspace).entries("approval.signed")]
    case.claim(by == [FIRST, SECOND] * 2, "two people signed each model, and nobody else")


def shadow_and_promote(case: Case, site: "Site", first: str, challenger: str) -> None:
    case.done("deploy", "shadow", challenger, "--reason", WHY)
    site.claim_answers(first, "beside a shadow the model in force answers", settle=False)
    asked = len(site.recordings)
    compared = case.server.until(lambda: _compared(case, challenger, asked), ASK_S, f"{asked} answers of the shadow")
    case.found["shadow"] = {key: compared[key] for key in ("compared", "agree", "differ", "seconds_of_seizure")}
    case.say(f"  {compared['agree']} of {asked} answers agree; {compared['seconds_of_seizure']} s of seizure")
    case.claim(compared["compared"] == asked, f"the shadow was asked about all {asked} recordings")
    case.done("deploy", "promote", challenger)
    case.claim(read_pointer(case.workspace.root).bundle == challenger, "the challenger is in force")
    site.claim_answers(challenger, "and answers at every site, by the service that has run all along")


def _compared(case: Case, challenger: str, asked: int) -> dict[str, Any] | None:
    said = case.ictal("deploy", "compare", challenger, "--json")
    if said.code:
        return None
    found: dict[str, Any] = said.json
    return found if found["compared"] >= asked else None


def stop_planted(case: Case, in_force: str) -> None:
    """A training whose weights were mixed up afterwards, which DVC and all that follows take for a training."""
    signed = len(open_ledger(case.workspace).entries("approval.signed"))
    waited = len(case.server.runs("signatures"))
    altered(case, case.candidate(in_force)["detector"], mixed_up)
    case.start("retrain/monthly")
    run = case.ended("monthly", 2)
    planted = case.proposed()
    case.claim(planted != in_force, f"the planted model {planted[:12]} was evaluated and proposed")
    failed = [g["name"] for g in case.tell_gates("the planted model", planted) if g["outcome"] == "fail"]
    case.claim(failed, f"it fails {len(failed)} gates: {', '.join(failed)}")
    stopped = run["state"]["type"] == "COMPLETED" and "is stopped by its gates" in run["state"]["message"]
    case.claim(stopped, "the run ends there, and says by which gates")
    case.claim(len(case.server.runs("signatures")) == waited, "nobody is asked to sign")
    refused = case.ictal("approve", planted, "--as", FIRST, "--meaning", "review", person=FIRST)
    named = refused.code == 2 and all(gate in refused.err for gate in failed)
    case.claim(named, f"who would sign all the same is refused: {refused.err.strip()[:200]}")
    case.claim(case.ictal("deploy", "promote", planted).code == 2, "and it cannot be put in force")
    case.claim(len(open_ledger(case.workspace).entries("approval.signed")) == signed, "nothing was signed")
    case.claim(read_pointer(case.workspace.root).bundle == in_force, "what is in force is the challenger")


def altered(case: Case, detector: str, change: Callable[[Bundle], Bundle]) -> None:
    """Change the detector's model of every fold, and have DVC keep that as what the stage made here."""
    folder = training_of(case.workspace, detector, "patient")
    log = read_json(folder / "log.json")
    for run in log["runs"]:
        place = folder / f"fold-{run['fold']}"
        bundle = change(load_bundle(place))
        shutil.rmtree(place)
        run["bundle"] = save_bundle(bundle, place).digest
    write_json(folder / "log.json", log)
    before = set(case.kept.glob("runs/*/*/*"))
    dvc(case.workspace, "commit", "-f", f"train@{detector}-patient")
    for entry in set(case.kept.glob("runs/*/*/*")) - before:
        entry.unlink()  # else the next workspace would take it for a training


def eager(bundle: Bundle) -> Bundle:
    return replace(bundle, decision=bundle.decision.at(EAGER * bundle.decision.threshold))


def mixed_up(bundle: Bundle) -> Bundle:
    """Every weight in another place of its tensor."""
    rng, state = np.random.default_rng(0), bundle.detector.state()
    tensors = {name: rng.permuted(tensor.ravel()).reshape(tensor.shape) for name, tensor in state.tensors.items()}
    bundle.detector.load_state(State(tensors, state.settings))
    return bundle


@dataclass
class Site:
    """What sites send to the running service: a later recording of each, and the key of each."""

    case: Case
    url: str
    recordings: list[tuple[Path, str, str]]

    def claim_answers(self, model: str, what: str, settle: bool = True) -> None:
        """Each site's recording is answered by this model; where one was just put in force, within seconds."""

        def by_model() -> bool:
            return self._ask(self.recordings[0])["model"]["digest"] == model

        if settle:
            self.case.server.until(by_model, 30, f"an answer of {model[:12]}")
        answers = [self._ask(recording) for recording in self.recordings]
        by = [answer["model"]["digest"] for answer in answers]
        ended = ", ".join(f"{answer['outcome']}{' (ood)' * (answer['code'] == 'ood')}" for answer in answers)
        self.case.claim(by == [model] * len(by) and "completed" in ended, f"{what}: {ended}")

    def _ask(self, recording: tuple[Path, str, str]) -> dict[str, Any]:
        path, age, key = recording
        with Client(self.url, key) as client:
            return client.detect(path, age)


@contextmanager
def service(case: Case) -> Iterator[Site]:
    """`ictal serve`, with a key for each site and one later recording of it, which no model has seen."""
    port = free_port()
    log = case.server.logs / "service.log"
    with running([str(ICTAL), "serve", "--port", str(port)], case.server.environment, log):
        url = f"http://127.0.0.1:{port}"
        with Client(url) as client:
            case.server.until(client.ready, ASK_S, "the service")
        later = {entry.site: entry for entry in accepted(case.workspace, "surveillance")}
        keys = {site: json.loads(case.done("key", "issue", "--site", site, "--json"))["key"] for site in later}
        recordings = [(e.path, f"{(e.age_days or 0) / DAYS['d']:g}d", keys[site]) for site, e in sorted(later.items())]
        yield Site(case, url, recordings)


if __name__ == "__main__":
    sys.exit(main())
