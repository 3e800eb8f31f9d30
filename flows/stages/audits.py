"""What the leakage guards look at, gathered from the recordings and from the training, and the audit itself."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.bids import Entry
from data.courses import RATE_HZ, film_courses, pose_courses
from data.events import Annotations
from data.film import Film
from data.frontend import FrontEnd
from data.pose import PoseTrack
from data.readers.opening import open_entry
from data.recording import Recording
from flows.parallel import over
from flows.progress import reporter
from flows.stages.files import cohort_of, development, digest_of_entry, read_json, split_of, training_of
from flows.workspace import Workspace
from models.bundle import read_description
from validation.leakage import (
    FITTED,
    BrokenPromise,
    Disclosure,
    Features,
    Fingerprints,
    FittedOn,
    GuardOutcome,
    HoldoutUse,
    LeakageAudit,
    Opening,
    Pretraining,
    audit,
    fingerprint,
    identity_embedding,
    inspect,
)
from validation.splits import Member


def members(workspace: Workspace, recordings: list[Entry] | None = None) -> list[Member]:
    """Recordings (the development ones unless given) as splits and guards see them, with what was really marked."""
    cohort = cohort_of(workspace)
    return [
        _member(workspace.task, e, cohort.annotations(e))
        for e in (development(workspace) if recordings is None else recordings)
    ]


def _member(task: str, entry: Entry, marked: Annotations) -> Member:
    """Where types are told apart, persons are spread over the folds by the type that they have most."""
    types = Counter(event.type for event in marked.events)
    stratum = min(types, key=lambda name: (-types[name], name)) if task in ("typing", "semiology") and types else ""
    digest = digest_of_entry(entry)
    return Member(entry.name, entry.patient, entry.person, entry.site, bool(marked.events), digest, stratum)


def audited(workspace: Workspace, detector: str, regime: str = "patient") -> LeakageAudit:
    """The audit of one detector's folds. Raises `Leak` where a guard finds one, except of a control, which must leak."""
    from flows.records import leaks_recorded

    split = split_of(workspace, regime)
    look = audit if split.reportable else inspect
    fitted_on = _fitted_on(workspace, detector, regime)
    with leaks_recorded(workspace, f"{detector}, {regime}"):
        return look(split, members(workspace), fitted_on, disclosed=disclosure(workspace, detector, regime))


def audit_of(stated: Mapping[str, Any], split: str) -> LeakageAudit:
    """The audit of this split that an evaluation made and kept with its digest; BrokenPromise where it is another's, or
    was changed."""
    kept = LeakageAudit(stated["split_digest"], tuple(GuardOutcome(**outcome) for outcome in stated["outcomes"]))
    if (kept.digest, kept.split_digest) != (stated["digest"], split):
        raise BrokenPromise("a leakage audit is not the one that was made: run `ictal evaluate` again")
    return kept


def disclosure(workspace: Workspace, detector: str, regime: str) -> Disclosure:
    """Everything that a study discloses beyond its split; what was not gathered stays None, hence unknown."""
    folder = training_of(workspace, detector, regime)
    log = read_json(folder / "log.json")
    stated = pretrainings(log["pretrained_on"])
    earlier = {p.stem for p in _prints(workspace).glob("*.npz")} & {name for one in stated for name in one.recordings}
    prints, pieces = _signals(workspace, [*(e.name for e in development(workspace)), *sorted(earlier)])
    return Disclosure(stated, holdout_use(workspace), prints, read_features(folder / "features.npz"), pieces)


def pretrainings(stated: Iterable[Mapping[str, Any]]) -> tuple[Pretraining, ...]:
    """As `learnt_from` states them; logs that were written before they named digests name persons only."""
    return tuple(
        Pretraining(
            p["what"],
            frozenset(p["persons"]),
            frozenset(p.get("digests", ())),
            recordings=frozenset(p.get("recordings", ())),
        )
        for p in stated
    )


def of_signals(workspace: Workspace, names: list[str]) -> Disclosure:
    """What the recordings themselves disclose, whoever learned from them."""
    prints, pieces = _signals(workspace, names)
    return Disclosure(pretrained_on=(), fingerprints=prints, embeddings=pieces)


def holdout_use(workspace: Workspace) -> HoldoutUse:
    """The hold-out's budget, and every opening that the ledger knows of."""
    if not workspace.has_ledger:
        return HoldoutUse(workspace.params.holdout.budget)
    from flows.records import holdout_budget, open_ledger, openings

    ledger = open_ledger(workspace)
    made = tuple(Opening(e.actor.id, e.recorded_at.isoformat(timespec="seconds"), e.reason) for e in openings(ledger))
    return HoldoutUse(holdout_budget(workspace, ledger), made)


def write_signals(workspace: Workspace, entries: list[Entry], out: Path) -> None:
    """Fingerprints and embeddings of every recording, whatever detector will look at it; 120 kB for 10 minutes."""
    over(_write_signal, [(e, out) for e in entries], "fingerprints of recordings", reporter())


def _write_signal(work: tuple[Entry, Path]) -> None:
    entry, out = work
    prints, pieces = _prints_of(open_entry(entry))
    np.savez_compressed(
        out / f"{entry.name}.npz", at_s=prints.at_s, prints=prints.prints, channels=prints.channels, pieces=pieces
    )


def _prints_of(source: Recording | Film | PoseTrack) -> tuple[Fingerprints, np.ndarray]:
    """Fingerprints of a recording, and what is its patient's own in it."""
    if isinstance(source, Recording):
        prepared = FrontEnd().prepare(source)
        rate_hz = prepared.rate_hz
        prints = Fingerprints.join([fingerprint(s.signal, rate_hz, s.onset_s) for s in prepared.segments])
        return prints, np.concatenate([identity_embedding(s.signal, rate_hz) for s in prepared.segments])
    courses, pieces = film_courses(source) if isinstance(source, Film) else pose_courses(source)
    return fingerprint(courses, RATE_HZ), pieces


def _signals(workspace: Workspace, names: list[str]) -> tuple[dict[str, Fingerprints], dict[str, np.ndarray]]:
    prints, pieces = {}, {}
    for name in names:
        with np.load(_prints(workspace) / f"{name}.npz") as kept:
            prints[name] = Fingerprints(kept["at_s"], kept["prints"], int(kept["channels"]))
            pieces[name] = kept["pieces"]
    return prints, pieces


def _prints(workspace: Workspace) -> Path:
    return workspace.interim / "fingerprints"


def write_features(path: Path, features: Features) -> None:
    """A sample of labelled examples as the detector read them; read back by `read_features`."""
    np.savez(path, recording=features.recording, x=features.x, label=features.label)


def read_features(path: Path) -> Features | None:
    """The sample, or None where a leaky control kept none."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        return Features(kept["recording"], kept["x"], kept["label"])


def _fitted_on(workspace: Workspace, detector: str, regime: str) -> list[FittedOn]:
    """Which recordings each fitted part of each fold has seen, as its bundle states it; a control has no bundle."""
    split = split_of(workspace, regime)
    stated = []
    for fold in range(len(split.folds)) if split.reportable else ():
        description, _ = read_description(training_of(workspace, detector, regime) / f"fold-{fold}")
        stated += [FittedOn(fold, what, tuple(description["origin"]["fitted_on"][what])) for what in FITTED]
    return stated
