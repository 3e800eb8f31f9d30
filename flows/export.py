"""What leaves the house: blurred films, or normalised poses and features of them with what they still give away."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.bids import Entry
from data.kinematics import kinematics
from data.outcomes import Refusal
from data.pose import PoseTrack
from data.pose_quality import ordered
from data.privacy import TIERS, blur_video, normalised
from data.readers.opening import Estimate, open_entry
from data.readers.pose import write_parquet
from data.readers.video import read_film
from flows import records
from flows.parallel import over
from flows.progress import Show, on_terminal
from flows.stages.files import accepted, cohort_of, dataset_digest, refuse_unchecked, write_json
from flows.workspace import Workspace, open_workspace
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from lineage.whole import whole_folder
from serving.naming import estimator_of
from validation.reidentification import Reidentification, proportions, reidentification

EXPORTED = {
    "pose": TIERS["pose"],
    "features": "how fast groups of joints moved over the whole recording; no picture and no joint",
}
"""The tiers of `data.privacy` that poses can be exported as, and what they hold; films stay at the site."""

PERIODS = ("development", "external")
SUMMARY = "export.json"


def export_poses(folder: Path, tier: str) -> dict[str, Any]:
    """`ictal export pose`: write the accepted recordings of the spasms cohort into a new folder, under numbers instead
    of names, with the summary beside; say how well the export tells persons apart. The folder appears whole or not at
    all; a line in the ledger says what left.

    Refused for a tier that is not of `EXPORTED`, a cohort that was not checked, a folder that is not empty, and where
    no recording could be exported.
    """
    if tier not in EXPORTED:
        raise Refused(f"--tier is {' or '.join(EXPORTED)}, got {tier[:20]!r}: films stay at the site")
    workspace = open_workspace().of("spasms")
    refuse_unchecked(workspace)
    entries = [e for period in PERIODS for e in accepted(workspace, period)]
    names = _numbers(entries, workspace.params.evaluate.seed)
    with whole_folder(folder) as partial:
        with on_terminal() as show:
            written, left_out = _write(workspace, entries, names, partial, tier, show)
        told, how = _told_apart(workspace, written)
        document = _summary(workspace, tier, [names[e.name] for e, _ in written], left_out, told, how)
        write_json(partial / SUMMARY, document)
        _record(workspace, partial, document, {e.name: names[e.name] for e, _ in written})
    left = f"; left out: {', '.join(f'{n} {code}' for code, n in left_out.items())}" if left_out else ""
    text = (
        f"exported {len(written)} recordings of {told.persons} persons as {tier}: {EXPORTED[tier]}{left}\n"
        f"{document['sentence']}\nNo tier is anonymous: treat the export as personal health data.\n"
        f"summary: {folder / SUMMARY}"
    )
    return {**document, "text": text}


def export_films(folder: Path, task: str) -> dict[str, Any]:
    """`ictal export film`: the blurred tier of a task's accepted films, into a new folder, under numbers instead of
    names. The folder appears whole or not at all; a line in the ledger says what left.

    Refused for a task that looks at no films, a cohort that was not checked, and a folder that is not empty.
    """
    workspace = open_workspace().of(task)
    if workspace.modality != "video":
        raise Refused(f"the recordings of {task[:20]!r} are no films: --for is semiology or forecasting")
    refuse_unchecked(workspace)
    entries = [e for period in PERIODS for e in accepted(workspace, period)]
    names = _numbers(entries, workspace.params.evaluate.seed)
    home = workspace.root if estimator_of(workspace.root) else None
    how = (
        "in the circle of the head, views beside the first everywhere"
        if home
        else "in the whole picture: no pose estimator says where heads are"
    )
    document = {
        "schema": "ictal.export/1",
        "tier": "blurred",
        "holds": TIERS["blurred"],
        "blurred": how,
        "simulated": (workspace.cohort / "sourcedata" / "draws.json").exists(),
        "recordings": sorted(names.values()),
    }
    with whole_folder(folder) as partial:
        work = [(entry, home, partial / names[entry.name]) for entry in entries]
        with on_terminal() as show:
            over(_blur, work, "recordings blurred", show, ["data.privacy"])
        write_json(partial / SUMMARY, document)
        _record(workspace, partial, document, names)
    text = (
        f"exported {len(entries)} films, blurred {how}\nNo tier is anonymous: treat the export as personal health data.\n"
        f"summary: {folder / SUMMARY}"
    )
    return {**document, "text": text}


def _blur(work: tuple[Entry, Path | None, Path]) -> None:
    """Every view of a recording. The estimator looks at the first; heads of the others are not known: all is blurred."""
    entry, home, target = work
    estimate = _estimate(home)
    for number, view in enumerate(entry.views):
        head = estimate(read_film([view])) if estimate and number == 0 else None
        blur_video(view, target.with_name(f"{target.name}_view-{number + 1}.mp4"), head=head)


def _estimate(home: Path | None) -> Estimate | None:
    estimator = estimator_of(home) if home else None
    return estimator.estimate if estimator else None


Seen = np.ndarray
"""What the attack sees of an exported recording, (3, feature): of the whole, of its first half, of its second."""

RECORDINGS, HALVES = "recordings", "halves of recordings"


def _write(
    workspace: Workspace, entries: Sequence[Entry], names: dict[str, str], folder: Path, tier: str, show: Show
) -> tuple[list[tuple[Entry, Seen]], dict[str, int]]:
    """Each exported recording with what the attack sees of it; and how many were left out, by code."""
    home = workspace.root if estimator_of(workspace.root) else None
    work = [(entry, home, folder / names[entry.name], tier) for entry in entries]
    done = over(_export, work, f"recordings exported as {tier}", show, ["data.privacy"])
    written = [(e, seen) for e, seen in zip(entries, done, strict=True) if not isinstance(seen, str)]
    if not written:
        raise Refused("no recording could be exported: `ictal check` says what is wrong with them")
    return written, dict(Counter(code for code in done if isinstance(code, str)))


def _numbers(entries: Sequence[Entry], seed: int) -> dict[str, str]:
    """Recording → what it is called outside: numbers in a drawn order, so that nobody's place tells who they are."""
    order = np.random.default_rng(seed).permutation(len(entries))
    return {entry.name: f"recording-{order[at] + 1:04d}" for at, entry in enumerate(entries)}


def _export(work: tuple[Entry, Path | None, Path, str]) -> Seen | str:
    entry, home, target, tier = work
    try:
        opened = open_entry(entry, _estimate(home), "pose")
        assert isinstance(opened, PoseTrack)
        track = replace(normalised(opened), age_days=None)
    except Refusal as refusal:
        return refusal.code
    middle = len(track.time_s) // 2
    parts = (track, _cut(track, slice(None, middle)), _cut(track, slice(middle, None)))
    if tier == "features":
        seen = np.stack([features_of(part) for part in parts])
        np.savez_compressed(target.with_suffix(".npz"), features=seen[0])
        return seen
    write_parquet(track, target.with_suffix(".parquet"))
    return np.stack([proportions(part) for part in parts])


def _cut(track: PoseTrack, part: slice) -> PoseTrack:
    return replace(track, time_s=track.time_s[part], xy=track.xy[part], confidence=track.confidence[part])


def features_of(track: PoseTrack) -> np.ndarray:
    """(24,) what is left of a whole recording: middle and 95th percentile of speed and acceleration of groups of joints.

    In trunk lengths per second (per second²); no position and no length of a limb is among them.
    """
    moved = np.abs(kinematics(ordered(track)[1], track.rate_hz))
    kinds = (np.hypot(moved[2], moved[3]), np.hypot(moved[4], moved[5]))
    return np.array([_quantile(kind[:, own], q) for kind in kinds for own in GROUPS for q in (0.5, 0.95)])


GROUPS = ((*range(5), 17), (5, 6, 11, 12), (7, 8), (9, 10), (13, 14), (15, 16))
"""Head and neck, trunk, elbows, wrists, knees, ankles: places in `data.pose.JOINTS`."""


def _quantile(values: np.ndarray, share: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if len(known) else float("nan")


def _told_apart(workspace: Workspace, written: Sequence[tuple[Entry, Seen]]) -> tuple[Reidentification, str]:
    """The attack on whole recordings; where nobody was recorded twice, on the halves of each."""
    settings, persons = workspace.params.evaluate, [entry.person for entry, _ in written]
    rng = np.random.default_rng(settings.seed)
    if len(set(persons)) < len(persons):
        return reidentification(np.stack([seen[0] for _, seen in written]), persons, rng, settings.draws), RECORDINGS
    halves = np.concatenate([seen[1:] for _, seen in written])
    return reidentification(halves, [p for p in persons for _ in (0, 1)], rng, settings.draws), HALVES


def _summary(
    workspace: Workspace, tier: str, names: list[str], left_out: dict[str, int], told: Reidentification, how: str
) -> dict[str, Any]:
    """What lies beside the export: how much of whom it is and what it gives away; no name of a recording or a person."""
    sentence = told.sentence if tier == "pose" else told.sentence.replace("by their proportions", "by their features")
    if how == HALVES:
        sentence += (
            " Nobody was recorded twice: pairs are halves of recordings, which share the camera and the day too."
        )
    return {
        "schema": "ictal.export/1",
        "tier": tier,
        "holds": EXPORTED[tier],
        "simulated": (workspace.cohort / "sourcedata" / "draws.json").exists(),
        "recordings": sorted(names),
        "left_out": left_out,
        "attack": {"on": how, **told.to_json()},
        "sentence": sentence,
    }


def _record(workspace: Workspace, folder: Path, document: dict[str, Any], names: dict[str, str]) -> None:
    """Which recordings left the house, as what; what each was called outside stands in the ledger alone."""
    subject = Subject("export", f"{document['tier']} of {workspace.cohort_name}", sha256_file(folder / SUMMARY))
    dataset = digest_of(dataset_digest(cohort_of(workspace), sorted(names)))
    payload: dict[str, Any] = {"dataset": dataset, "names": names}
    if "attack" in document:
        payload["auc"] = document["attack"]["auc"]["estimate"]
    records.record_once(workspace, Draft("data.exported", records.PIPELINE, (subject,), payload=payload))
