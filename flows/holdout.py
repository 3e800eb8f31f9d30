"""The locked hold-out: asked a few times, ever, and each time a line in the ledger before anything is looked at."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.cohorts.bids import Entry
from flows import records
from flows.engine import flow, run_flow
from flows.progress import shown
from flows.stages import audits, files
from flows.stages.evaluate import analysed, score
from flows.workspace import Workspace, open_workspace
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Draft, Edge, Ledger, Subject
from lineage.ledger import Entry as Line
from lineage.refused import Refused
from models.bundle import Bundle, load_bundle, refuse_leaky
from validation.leakage import FITTED, FittedOn, LeakageAudit, audit
from validation.splits import Fold, Split


class BudgetSpent(Refused):
    """The hold-out was opened as often as was declared: what it says next would be chosen for."""


@flow(name="holdout")
def open_holdout(home: str, name: str, reason: str) -> dict[str, Any]:
    """Score one detector on the locked persons. The opening counts as soon as it is written, whatever comes after.

    Before that it is Refused where nobody is locked, the detector was not trained, or its model is not of today's
    split; BudgetSpent where the budget is used up; Leak, which is no Refused, where a guard finds that the model knows one of
    the locked.
    """
    workspace = open_workspace(Path(home))
    locked = _locked(workspace)
    if name not in files.trained(workspace):
        raise Refused(f"{name} has not been trained here: run `ictal train {name}` first")
    folder = files.training_of(workspace, name, "patient") / f"fold-{workspace.params.promote.fold}"
    bundle = load_bundle(folder)
    refuse_leaky(bundle)
    looked = _audited(workspace, bundle, locked)
    number = _count_opening(workspace, name, bundle.digest, reason)
    predictions = analysed(name, [(e, folder) for e in locked], f"{name}: locked persons analysed", shown())
    out = files.fresh(workspace.reports / "holdout" / f"{number}-{name}")
    about = {"detector": name, "regime": "holdout", "reportable": True, "bundle": bundle.digest, "opening": number}
    result = score(workspace, locked, predictions, about, out)
    result["leakage"] = looked.to_json()
    files.write_json(out / "result.json", result)
    subject = Subject("evaluation", f"{name} on the hold-out", sha256_file(out / "result.json"))
    edges = (Edge(subject.digest, "evaluates", bundle.digest),)
    ledger = records.open_ledger(workspace)
    ledger.append_many([Draft("evaluation.recorded", records.PIPELINE, (subject,), payload=about, edges=edges)])
    return result


def _audited(workspace: Workspace, bundle: Bundle, locked: list[Entry]) -> LeakageAudit:
    """The guards on one fold, what this model has seen against who is locked away. Raises `Leak`, and refuses a model
    of another split than today's, which may have seen them."""
    split = files.splits(workspace)["patient"]
    divided = {name for f in split.folds for name in (*f.train, *f.inner_valid, *f.test)}
    late = divided & {e.name for e in locked}
    if late or bundle.origin.get("split") != split.digest or bundle.origin.get("shuffled_labels"):
        raise Refused(
            "the model was not trained under today's split, so it may know the locked: run `ictal train` first"
        )
    seen = bundle.origin["fitted_on"]
    asked = tuple(e.name for e in locked)
    fold = Fold(tuple(seen["network"]), tuple(seen["threshold"]), asked)
    stated = [FittedOn(0, what, tuple(seen[what])) for what in FITTED]
    known = audits.members(workspace, [*files.development(workspace), *locked])
    one = Split("patient", split.seed, split.inner_share, (fold,))
    disclosed = audits.of_signals(workspace, [*fold.train, *fold.inner_valid, *asked])
    with records.leaks_recorded(workspace, f"{bundle.digest[:12]}, hold-out"):
        return audit(one, known, stated, disclosed=disclosed)


def ask_holdout(name: str | None, reason: str | None) -> dict[str, Any]:
    """`ictal holdout`: how often it was opened and may be, and with a detector and a reason, the next opening. Refused
    where a detector is named without a reason, and as by `open_holdout`."""
    workspace = open_workspace()
    result = None
    if name:
        if not (reason or "").strip():
            raise Refused("an opening of the hold-out needs a reason that stands in the ledger: --reason 'why now'")
        result = run_flow(open_holdout, home=str(workspace.root), name=name, reason=reason)
    return {**status(workspace), "result": result, "text": "\n".join(_lines(workspace, result))}


def status(workspace: Workspace) -> dict[str, Any]:
    """Who is locked (how many), and every opening so far."""
    ledger = records.open_ledger(workspace)
    return {
        "persons": len({e.person for e in files.holdout(workspace)}),
        "recordings": len(files.holdout(workspace)),
        "budget": records.holdout_budget(workspace, ledger),
        "openings": [{"at": _when(e), "reason": e.reason} for e in records.openings(ledger)],
    }


def _locked(workspace: Workspace) -> list[Entry]:
    locked = files.holdout(workspace)
    if not locked:
        raise Refused("no person is locked: set holdout.share in params.yaml (0.2 locks about a fifth) before training")
    return locked


def _count_opening(workspace: Workspace, name: str, bundle: str, reason: str) -> int:
    ledger = records.open_ledger(workspace)
    (line,) = ledger.append_many(_next_opening(workspace, ledger, name, bundle, reason), now=datetime.now(UTC))
    return [opened.seq for opened in records.openings(ledger)].index(line.seq) + 1


def _next_opening(workspace: Workspace, ledger: Ledger, name: str, bundle: str, reason: str) -> Iterator[Draft]:
    """The line of the next opening, or BudgetSpent. Counted while nobody else can write, so that of two at once the
    second sees the first."""
    done, budget = records.openings(ledger), records.holdout_budget(workspace, ledger)
    if len(done) >= budget:
        before = "; ".join(f"{_when(e)} for {e.subjects[0].id} ({e.reason})" for e in done)
        raise BudgetSpent(
            f"the hold-out was opened {len(done)} times of {budget}: {before}: further questions need patients whom nobody has asked yet"
        )
    recordings = sorted(e.name for e in files.holdout(workspace))
    opened = Subject(
        "holdout", f"{name}, opening {len(done) + 1} of {budget}", digest_of([recordings, bundle, len(done)])
    )
    edges = (Edge(opened.digest, "opened_for", bundle),)
    yield Draft("holdout.opened", records.PIPELINE, (opened,), reason, {"recordings": recordings}, edges)


def _lines(workspace: Workspace, result: dict[str, Any] | None) -> list[str]:
    now = status(workspace)
    lines = [
        f"locked: {now['persons']} persons, {now['recordings']} recordings; opened {len(now['openings'])} of {now['budget']} times"
    ]
    lines += [f"  {o['at']}: {o['reason']}" for o in now["openings"]]
    if result:
        auc, found = result["clinical"]["auc_pooled"], result["clinical"]["event_sensitivity"]
        lines.append(f"AUC {_written(auc)}, share of seizures found {_written(found)}")
    return lines


def _written(interval: dict[str, Any]) -> str:
    if interval["estimate"] is None:
        return "not evaluable"
    if interval["low"] is None:
        return f"{interval['estimate']:.3f} (too few persons for an interval)"
    return f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _when(entry: Line) -> str:
    return entry.recorded_at.isoformat(timespec="seconds")
