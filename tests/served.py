"""A small workspace whose model two demo people have approved, for the tests of the service."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.montage import ELECTRODES
from data.readers.edf import write_edf
from lineage.approvals import EVIDENCE, Approval, ApprovalRecord, Scope, sign, signed_line
from lineage.digest import digest_of
from lineage.keys import create_platform_key, platform_key
from lineage.ledger import Actor, Draft, Edge, EntryType, Ledger, Subject
from lineage.place import ledger_place
from lineage.registry import of_person, of_platform_key
from lineage.signing import sign_bundle
from models import detectors
from models.bundle import Bundle, save_bundle
from models.calibration import Calibration
from models.conformal import Conformal
from models.decisions import Decision
from models.detectors.line_length import LineLength
from models.look import FEATURES
from models.ood import CEILING, Ood
from serving.loader import import_bundle, write_pointer
from tests.authenticator import code, enrol
from tests.commands import CHECKOUT

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
REVIEWER, APPROVER = "demo-reviewer-1", "demo-reviewer-2"
PASSPHRASE = "two components"
OPERATOR = Actor("operator", role="operator")
RATE_HZ = 256.0
WEIGHTS = (-2.4, 3.0, 3.0)
"""Intercept and slopes of a line-length detector: probability 0.5 where windows are about 1.5 times as long as usual."""
SURE = Conformal(0.9, 0.5, 0.500001, 9, 9)
"""Commits itself in every second."""
HAS_SEEN_ALL = Ood((0.0,) * len(FEATURES), tuple(map(tuple, np.eye(len(FEATURES)).tolist())), CEILING, CEILING, 9)
"""Finds nothing strange."""
HONEST = {"seed": 0, "regime": "patient", "reportable": True}
"""How the bundle says that it was made."""


def people_and_keys(home: Path, now: datetime = NOW) -> None:
    """A platform key and two demo people, as the ledger knows them."""
    keys = home / "keys"
    create_platform_key(keys)
    lines = [of_platform_key(EntryType.PLATFORM_KEY_REGISTERED, platform_key(keys).public_key(), OPERATOR)]
    for id, role in ((REVIEWER, "neurologist"), (APPROVER, "engineer")):
        made = enrol(keys, id, f"Demo {id[-1]}", role, PASSPHRASE, demo=True, now=now)
        lines.append(of_person(EntryType.PERSON_REGISTERED, made, OPERATOR))
    write(home, lines, now)


def write(home: Path, lines: Sequence[Draft], now: datetime = NOW) -> None:
    """Append to the workspace's ledger."""
    ledger = Ledger(ledger_place(home))
    ledger.append_many(lines, now=now)
    ledger.engine.dispose()


def bundle_folder(home: Path, threshold: float = 0.5) -> Path:
    return home / "store" / "bundles" / f"threshold-{threshold}"


def saved_bundle(
    folder: Path,
    threshold: float = 0.5,
    weights: tuple[float, ...] = WEIGHTS,
    conformal: Conformal = SURE,
    ood: Ood = HAS_SEEN_ALL,
    origin: Mapping[str, Any] = HONEST,
) -> Bundle:
    detector = detectors.build("line_length")
    assert isinstance(detector, LineLength)
    detector.coefficients = np.array(weights)
    unsaved = Bundle(detector, Calibration(1.0, 0.0), Decision(threshold), conformal, ood, origin)
    return save_bundle(unsaved, folder)


def signed_bundle(home: Path, threshold: float = 0.5, **made: Any) -> Bundle:
    bundle = saved_bundle(bundle_folder(home, threshold), threshold, **made)
    sign_bundle(bundle_folder(home, threshold), home / "keys" / "platform.pem")
    return bundle


def record_for(
    bundle: Bundle, *, montages: tuple[str, ...] = ("neonatal_18",), hours: float = 12.0, now: datetime = NOW
) -> ApprovalRecord:
    evidence = {name: f"{i:x}" * 64 for i, name in enumerate(EVIDENCE)}
    scope = Scope(("demo-*",), (0.0, 20.0), montages)
    until = now + timedelta(hours=hours)
    return ApprovalRecord(bundle.digest, bundle.name, "1", evidence, {"leakage": "passed"}, scope, now, until, "author")


def evaluated(bundle: str) -> list[Draft]:
    """The ledger's lines about a model that learnt from checked data and was evaluated."""
    data, checks, figures = (Subject(kind, kind, digest_of([kind, bundle])) for kind in KINDS)
    model = Subject("model", "line_length", bundle)
    return [
        Draft("dataset.frozen", OPERATOR, (data,)),
        Draft("validation.passed", OPERATOR, (checks,), edges=(Edge(data.digest, "checked_by", checks.digest),)),
        Draft("run.finished", OPERATOR, (model,), edges=(Edge(bundle, "made_of", data.digest),)),
        Draft("evaluation.recorded", OPERATOR, (figures,), edges=(Edge(figures.digest, "evaluates", bundle),)),
    ]


KINDS = ("dataset", "validation", "evaluation")


def approve(
    home: Path, record: ApprovalRecord, meanings: tuple[str, ...] = ("review", "approval"), now: datetime = NOW
) -> Path:
    """Have the two demo people sign, one meaning each, as the ledger knows it; returns the approval's file."""
    approval, keys = Approval(record), home / "keys"
    lines = evaluated(record.bundle_digest)
    for person, meaning in zip((REVIEWER, APPROVER), meanings, strict=False):
        approval = approval.signed(sign(record, keys, person, PASSPHRASE, code(keys, person, now), meaning, now))
        approves = Edge(record.digest, "approves", record.bundle_digest)
        lines.append(signed_line(approval, Actor(person), [approves]))
    write(home, lines, now)
    path = home / "store" / f"approval-{record.digest[:12]}.json"
    approval.write(path)
    return path


def point(home: Path, bundle: Bundle, approval: Path, threshold: float = 0.5, now: datetime = NOW) -> None:
    tag = import_bundle(home, bundle_folder(home, threshold))
    write_pointer(home, bundle=bundle.digest, tag=tag, approval=approval, now=now)


def put_in_force(
    home: Path, threshold: float = 0.5, now: datetime = NOW, conformal: Conformal = SURE, ood: Ood = HAS_SEEN_ALL
) -> Bundle:
    """Sign, approve, import and point: a workspace whose service answers."""
    bundle = signed_bundle(home, threshold, conformal=conformal, ood=ood)
    point(home, bundle, approve(home, record_for(bundle, now=now), now=now), threshold, now)
    return bundle


def put_bundle_in_force(home: Path, made: Bundle, now: datetime = NOW) -> Bundle:
    """The same with a bundle that a test has made."""
    bundle = save_bundle(replace(made, origin=HONEST), bundle_folder(home))
    sign_bundle(bundle_folder(home), home / "keys" / "platform.pem")
    point(home, bundle, approve(home, record_for(bundle, now=now), now=now), now=now)
    return bundle


def write_recording(path: Path, seconds: int = 120, seizure_s: tuple[int, int] = (60, 100), patient: str = "") -> Path:
    """19 channels of quiet noise with a stretch of four times the amplitude; `patient` goes into the header."""
    signal = np.random.default_rng(7).normal(0, 10, (19, int(seconds * RATE_HZ)))
    signal[:, int(seizure_s[0] * RATE_HZ) : int(seizure_s[1] * RATE_HZ)] *= 4
    write_edf(path, signal, ELECTRODES, RATE_HZ)
    if patient:
        content = bytearray(path.read_bytes())
        content[8:88] = patient.encode().ljust(80)
        path.write_bytes(content)
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def running(home: Path, port: int, program: Sequence[str] = ("-m", "uvicorn")) -> Iterator["subprocess.Popen[bytes]"]:
    """A service process of its own, as it is run at a site."""
    environment = {**os.environ, "ICTAL_HOME": str(home), "ICTAL_ALLOW_DEMO": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *program, "--factory", "serving.service:app_from_environment"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command += ["--http", "serving.connections:Connection"]
    with open(home / "service.log", "wb") as log:
        service = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield service
        finally:
            service.terminate()
            service.wait(20)
