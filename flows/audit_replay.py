"""Would the same bytes get the same answer again? The same bundle is asked the same, and nothing is written down."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import books
from flows.audit_diff import flat
from flows.patients import cohorts_of
from flows.progress import on_terminal
from flows.stages.files import digest_of_entry
from flows.workspace import Workspace, open_workspace
from lineage.approvals import recorded
from lineage.digest import Digest, sha256_file
from lineage.keys import every_platform_key
from lineage.ledger import Entry, Ledger
from lineage.people import People
from lineage.refused import Refused
from lineage.signing import verify_bundle
from models.bundle import BrokenBundle
from models.typing import load_model
from serving.asking import answering_code, machine
from serving.loader import Loaded
from serving.naming import estimator_of, said_of
from serving.schema import Answered, Asked
from serving.store import Pointer, stored_bundle
from serving.terms import Terms

TOLERANCE = 1e-4
"""How far a number may lie from the issued one on another kind of machine, or by other code. Chosen, not measured: single
precision has seven digits, and sums that are taken in another order may lose some of the last."""

UNLIKE = ("prediction_id", "asked", "receipt")
"""What of an answer is no part of what was found: its name, and who worked it out where."""


def replay(prediction: str, files: Sequence[Path] = (), other_code: bool = False) -> dict[str, Any]:
    """Ask again what a prediction answered, and compare.

    `files` are the bytes; left out, they are looked for among the workspace's recordings. Refused where the bytes are not
    there or differ, where the answer was erased, where the bundle is gone, and where the code differs, unless
    `other_code` says to compare across code.
    """
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    entry, issued = _issued(ledger, prediction)
    asked = Asked(**issued["asked"])
    same_code, same_machine = asked.code == answering_code(), asked.machine == machine()
    if not same_code and not other_code:
        raise Refused(
            f"the code that answers here ({answering_code()[:12]}) is not the code that answered ({asked.code[:12]}, "
            f"commit {entry.software.git_commit[:12]}{', with changes' * entry.software.dirty}): check that commit out, or "
            "compare across code with --other-code"
        )
    found = files or _found(workspace, issued["recording_digest"])
    _refuse_other_bytes(found, asked)
    loaded = _loaded(workspace, ledger, issued, asked.engine)
    with on_terminal() as show, _named(found, asked) as paths:
        show("the model is asked again", 0, 0)
        said = _again(workspace, paths, asked, loaded).statement()
    return _compared(entry, issued, said, same_code, same_machine)


def _issued(ledger: Ledger, prediction: str) -> tuple[Entry, dict[str, Any]]:
    """The entry of a prediction and the answer that was given; refuses one that cannot be asked again."""
    node = books.thing(ledger, prediction, ("prediction",))
    entry = next(e for e in ledger.entries(subject_digest=node.digest) if e.type.startswith("prediction."))
    issued = ledger.payload(entry.payload_digest)
    if issued is None:
        raise Refused(
            "the answer was erased, as its patient's consent was withdrawn: only the line in the ledger stays"
        )
    if issued["model"] is None:
        raise Refused(f"no model answered ({issued['code']}): there is nothing to ask again")
    if not issued.get("asked"):
        raise Refused("the answer is from before answers said what was asked of them: it cannot be asked again")
    return entry, issued


def _found(workspace: Workspace, recording: Digest) -> Sequence[Path]:
    """The files of the workspace's recording with this digest."""
    for _, cohort in cohorts_of(workspace):
        for entry in cohort.entries:
            if digest_of_entry(entry) == recording:
                return entry.views or (entry.path,)
    raise Refused(
        f"the bytes are not here: no recording of this workspace has the digest {recording[:12]} (erased, or an upload, which "
        "a service does not keep); give them with --file"
    )


def _refuse_other_bytes(files: Sequence[Path], asked: Asked) -> None:
    if not all(file.is_file() for file in files):
        raise Refused("there is no such file to ask about")
    digests = tuple(sha256_file(file) for file in files)
    if digests != asked.files:
        given, wanted = (" + ".join(d[:12] for d in several) for several in (digests, asked.files))
        raise Refused(f"these are not the bytes that were asked about: SHA-256 {given}, not {wanted}")


def _loaded(workspace: Workspace, ledger: Ledger, issued: dict[str, Any], engine: str) -> Loaded:
    """The bundle that answered, its signature checked, run by what ran it, on the terms on which it answered then."""
    digest, record = issued["model"]["digest"], issued["model"]["approval"]
    folder = _bundle_folder(workspace, issued["model"]["name"], digest)
    try:
        bundle = load_model(folder, engine)
    except BrokenBundle as error:
        raise Refused(f"the bundle that answered is not whole any more: {error}") from error
    if bundle.digest != digest:
        raise Refused(f"the bundle that answered ({digest[:12]}) is gone: another one lies in its place")
    pointer = Pointer(digest, "", "", "", "")
    terms = Terms(pointer, recorded(ledger, record), People.read(workspace.keys), ())
    return Loaded(bundle, (folder / "card.md").read_text(), terms)


def _bundle_folder(workspace: Workspace, name: str, digest: Digest) -> Path:
    folder = workspace.store / "bundles" / digest
    if not folder.is_dir():
        try:
            folder = stored_bundle(workspace.root, f"{name}:{digest[:40]}")
        except Exception as error:
            raise Refused(
                f"the bundle that answered ({digest[:12]}) is gone: it is in no store of this workspace"
            ) from error
    verify_bundle(folder, *every_platform_key(workspace.keys))
    return folder


@contextmanager
def _named(files: Sequence[Path], asked: Asked) -> Iterator[list[Path]]:
    """The files under names that say no more than was known of them when they were asked about."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (file, view) in enumerate(zip(files, asked.views, strict=True)):
            path = Path(folder) / f"again-{number}{f'_view-{view}' if view else ''}_asked"
            path.symlink_to(file.resolve())
            paths.append(path)
        yield paths


def _again(workspace: Workspace, paths: list[Path], asked: Asked, loaded: Loaded) -> Answered:
    estimator = estimator_of(workspace.root) if asked.pose_estimator else None
    if asked.pose_estimator and (estimator is None or estimator.digest != asked.pose_estimator):
        raise Refused("the pose estimator that was used is not in this workspace any more: put it back first")
    marked = [(span.onset_s, span.duration_s) for span in asked.stretches]
    return said_of(paths, asked.age_days, marked, loaded, datetime.now(UTC), estimator)


def _compared(
    entry: Entry, issued: dict[str, Any], said: dict[str, Any], same_code: bool, same_machine: bool
) -> dict[str, Any]:
    before = {k: v for k, v in issued.items() if k not in UNLIKE}
    after = {k: said.get(k) for k in before}  # what answers did not say then is nothing that could differ
    apart = _apart(before, after)
    worst = max((d for d in apart.values() if d is not None), default=0.0)
    within = all(d is not None and d <= TOLERANCE for d in apart.values())
    alike = same_code and same_machine  # then nothing but the very same bits will do
    verdict = "bit-equal" if not apart else "within tolerance" if within and not alike else "different"
    where = f"{'the same' if same_code else 'other'} code, {'the same' if same_machine else 'another'} kind of machine"
    text = f"{verdict}: prediction {issued['prediction_id']} asked again ({where})"
    if verdict == "within tolerance":
        text += f"; numbers differ by {worst:.1e} at most, {TOLERANCE:.0e} are allowed"
    if verdict == "different":
        text += f"; {len(apart)} places differ, first {', '.join(list(apart)[:3])}"
    return {
        "ok": verdict != "different",
        "verdict": verdict,
        "same_code": same_code,
        "same_machine": same_machine,
        "tolerance": TOLERANCE,
        "largest_difference": worst,
        "differs": list(apart),
        "prediction": issued["prediction_id"],
        "issued": {"at": entry.recorded_at.isoformat(timespec="seconds"), "commit": entry.software.git_commit},
        "text": text,
    }


def _apart(before: Any, after: Any) -> dict[str, float | None]:
    """Where two answers differ: by how much, or None where it is no matter of a number."""
    one, two = (flat(_by_place(value)) for value in (before, after))
    places = [place for place in {**one, **two} if place not in one or place not in two or one[place] != two[place]]
    return {place: _distance(one.get(place), two.get(place)) for place in places}


def _by_place(value: Any) -> Any:
    """Lists as objects by position, so that every number has a place of its own."""
    if isinstance(value, dict):
        return {name: _by_place(own) for name, own in value.items()}
    if isinstance(value, list):
        return {str(at): _by_place(own) for at, own in enumerate(value)} | {"length": len(value)}
    return value


def _distance(one: Any, two: Any) -> float | None:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (one, two))
    return abs(float(one) - float(two)) if numbers else None
