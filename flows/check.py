"""May we believe it? One recording at the door, or a whole cohort through Great Expectations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.door import door
from data.outcomes import Refusal
from data.readers.edf import read_edf
from data.readers.opening import modality_of
from flows import records
from flows.engine import flow, refusals_of, run_flow
from flows.stages.files import null_for_nan, read_json
from flows.workspace import TASKS, Workspace, keep, open_workspace, refresh_code
from lineage.refused import Refused


@flow(name="check")
def check(home: str, task: str = "detection") -> dict[str, Any]:
    """Judge the cohort of a task; write what was quarantined into the ledger, and that the cohort was blocked where it was."""
    return _all_judged(open_workspace(Path(home)), [task])[task]


@flow(name="check all")
def check_all(home: str) -> dict[str, dict[str, Any]]:
    """Judge the cohorts of all tasks. Refused where some cannot be used, with all that cannot: the others are judged too."""
    root = open_workspace(Path(home))
    return _all_judged(root, root.tasks)


def _all_judged(root: Workspace, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
    refresh_code(root)
    refused = refusals_of(str(root.root), [f"check@{task}" for task in tasks])
    found = {task: _judged(root.of(task)) for task in tasks if f"check@{task}" not in refused}
    blocked = {task: refused[f"check@{task}"] for task in tasks if task not in found}
    for task in blocked:
        _record_blocked(root.of(task))
    if blocked:
        named = (f"{root.of(task).cohort_name} ({task}): {str(why).rstrip('.')}" for task, why in blocked.items())
        raise Refused("; ".join(named))
    return found


def _record_blocked(workspace: Workspace) -> None:
    """What the checks found of a cohort of which they let nothing through; nothing of one that they could not look at."""
    accepted = workspace.interim / "checks" / "accepted.json"
    if accepted.exists() and not read_json(accepted):
        records.record_checks(workspace)


def _judged(workspace: Workspace) -> dict[str, Any]:
    records.record_checks(workspace)
    keep(workspace, f"Check the cohort {workspace.cohort_name}")
    verdicts = read_json(workspace.interim / "checks" / "verdicts.json")
    aside = [v for v in verdicts if v["outcome"] == "quarantined"]
    return {"recordings": len(verdicts), "accepted": len(verdicts) - len(aside), "quarantined": aside}


def check_target(target: str, rate_hz: float | None = None) -> dict[str, Any]:
    """`ictal check`: a file is judged at the door; anything else is the name of a cohort of the workspace."""
    path = Path(target)
    if path.exists() and path.is_file():
        return check_file(path, rate_hz)
    return check_cohort(target)


def check_file(path: Path, rate_hz: float | None = None) -> dict[str, Any]:
    """Whether the file can be read and used at all: `completed` with its facts, or `not_evaluable` with the reason.

    It is taken for what its first bytes say: EEG, a film, or poses. `rate_hz` are the frames per second of a pose format
    that keeps no times.
    """
    modality = modality_of(path)
    try:
        if modality == "video":
            return {"modality": modality, **_checked_film(path)}
        if modality == "pose":
            return {"modality": modality, **_checked_pose(path, rate_hz)}
        return {"modality": modality, **_checked_eeg(path)}
    except Refusal as refusal:
        said = {"outcome": "not_evaluable", "code": refusal.code, "reason": refusal.reason}
        return {"modality": modality, **said, "text": f"not evaluable: {refusal}"}


def _checked_eeg(path: Path) -> dict[str, Any]:
    recording = read_edf(path)
    weak = door(recording)
    facts = {
        "channels": len(recording.channels),
        "rate_hz": recording.rate_hz,
        "duration_s": recording.duration_s,
        "recorded_s": recording.recorded_s,
        "gaps": len(recording.gaps),
        "age_days": recording.age_days,
        "weak_derivations": list(weak),
    }
    gaps = f", {len(recording.gaps)} gaps" if recording.gaps else ""
    doubt = f"; flat or clipped: {', '.join(weak)}" if weak else ""
    text = f"can be used: {len(recording.channels)} channels, {recording.rate_hz:g} Hz, {recording.recorded_s:g} s{gaps}{doubt}"
    return {"outcome": "completed", "sha256": recording.digest, "facts": facts, "text": text}


def _checked_film(path: Path) -> dict[str, Any]:
    from data.film_door import film_door
    from data.film_quality import view_facts
    from data.readers.video import read_film
    from validation.checks.video import VideoLimits

    limits, film = VideoLimits(), read_film([path])
    film_door(film, min_duration_s=limits.min_duration_s, min_rate_hz=limits.min_rate_hz)
    row = _plain(view_facts(film).iloc[0].to_dict())
    facts = {"views": len(film.views), **{name: row[name] for name in FILM_FACTS}}
    limit = {
        "lost_share": limits.max_lost_share, "after_lost_share": limits.warn_after_lost_share,
        "dropped_share": limits.warn_dropped_share,
        "black_share": limits.black_share, "blank_share": limits.blank_share, "frozen_share": limits.frozen_share,
    }  # fmt: skip
    doubts = [f"{_share(row[name])} {SHOWS[name]}" for name, most in limit.items() if (row[name] or 0) > most]
    size = f"{facts['width']} x {facts['height']} points, {facts['rate_hz']:.4g} frames per second, {film.duration_s:.4g} s"
    if not facts["length_stated"]:
        size += ", whose file does not state its length: that it was cut off would not be seen"
    return _readable(film.digest, facts, f"a film of {size}", doubts)


def _checked_pose(path: Path, rate_hz: float | None) -> dict[str, Any]:
    from data.film_door import pose_door
    from data.pose_quality import pose_facts
    from data.readers.pose import read_pose
    from validation.checks.pose import PoseLimits

    limits, track = PoseLimits(), read_pose(path, rate_hz=rate_hz)
    pose_door(track, min_duration_s=limits.min_duration_s, min_rate_hz=limits.min_rate_hz)
    row = _plain(pose_facts(track).iloc[0].to_dict())
    facts = {"joints": len(track.joints), **{name: row[name] for name in POSE_FACTS}}
    limit = {
        "missing_share": limits.warn_missing_share, "fast_share": limits.max_fast_share,
        "swapped_share": limits.max_swapped_share,
    }  # fmt: skip
    doubts = [f"{_share(row[name])} {SHOWS[name]}" for name, most in limit.items() if (row[name] or 0) > most]
    size = f"{len(track.joints)} joints, {track.rate_hz:.4g} poses per second, {track.duration_s:.4g} s"
    return _readable(track.digest, facts, size, doubts)


FILM_FACTS = (
    "width", "height", "rate_hz", "duration_s", "codec", "rotation_deg", "variable_rate", "interlaced", "length_stated",
    "lost_share", "after_lost_share", "dropped_share", "black_share", "blank_share", "frozen_share", "still_share",
    "infrared_share",
)  # fmt: skip
POSE_FACTS = (
    "rate_hz", "duration_s", "frames", "missing_share", "absent_share", "confidence", "unsure_share", "fast_share",
    "swapped_share", "several_share",
)  # fmt: skip
SHOWS = {
    "lost_share": "of the frames cannot be decoded",
    "after_lost_share": "of the frames come after one that cannot be decoded, and may show traces of it",
    "dropped_share": "of the frames are missing between the others",
    "black_share": "of the pictures are black",
    "blank_share": "of the pictures show nothing",
    "frozen_share": "of the time the picture is frozen",
    "missing_share": "of the joints are not seen",
    "fast_share": "of the steps are faster than anybody moves",
    "swapped_share": "of the frames have left and right exchanged",
}


def _readable(digest: str, facts: dict[str, Any], size: str, doubts: list[str]) -> dict[str, Any]:
    text = f"can be read: {size}" + (f"; doubtful: {', '.join(doubts)}" if doubts else "")
    return {"outcome": "completed", "sha256": digest, "facts": facts, "doubts": doubts, "text": text}


def _share(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share:.0%}"


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Values of a table as JSON has them; what could not be computed is null."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
    found: dict[str, Any] = null_for_nan(plain)
    return found


def check_cohort(name: str) -> dict[str, Any]:
    """Check the cohort of this name, which some task uses; Refused where none does."""
    workspace = open_workspace()
    in_use = {workspace.of(task).cohort_name: task for task in TASKS}
    if name not in in_use:
        raise Refused(
            f"{name!r} is neither a file nor a cohort in use ({', '.join(in_use)}); import one with `ictal cohort import`"
        )
    workspace = workspace.of(in_use[name])
    found = run_flow(check, home=str(workspace.root), task=workspace.task)
    lines = [f"{found['accepted']} of {found['recordings']} recordings accepted"]
    lines += [f"quarantined {v['recording']}: {v['reasons'][0]['sentence']}" for v in found["quarantined"]]
    return {**found, "text": "\n".join([*lines, f"page: {workspace.reports / 'checks.html'}"])}
