"""What watching rats and other people first is worth to the forecaster: few shots, compositions, and the controls of the cue."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data.cohorts.bids import Cohort
from flows import forecast_study, records
from flows.engine import flow, run_flow
from flows.forecast_study import Clips, StudySettings, clips_of, composition_study, dose_study, few_shot_study, tasks_of
from flows.progress import Show, shown
from flows.stages.files import (
    accepted,
    code_of,
    cohort_of,
    dataset_digest,
    development,
    null_for_nan,
    read_json,
    refuse_unchecked,
    scratch_of,
    write_json,
)
from flows.stages.pretrain import PERIOD
from flows.workspace import Workspace, keep, open_workspace, refresh_code
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from models import detectors
from validation.reading import as_estimate

OF = "forecaster"
"""The detector that is studied."""

PARTS = ("few_shot", "compositions", "controls")
"""What is measured; each is a file of `store/studies/forecaster`, which the page of the evaluation shows."""

CUES = (0.0, 0.5, 1.0)
"""Strengths of the sign before a seizure: none, half, all that the simulator can do."""

QUICK, FULL = StudySettings(tuned_tasks=5, mask_ratios=(0.3, 0.9)), StudySettings()
QUICK_PATIENTS, QUICK_RATS, QUICK_OTHERS = 6, 6, 4
"""Per site, and to learn from, in the small cohorts with a weaker cue."""


@dataclass(frozen=True)
class Plan:
    """A study in a workspace: whom it looks at, by which numbers, and the patients per site of its small cohorts."""

    workspace: Workspace
    cohort: Cohort
    params: dict[str, Any]
    settings: StudySettings
    small: dict[str, Any]

    @property
    def depends_on(self) -> dict[str, Any]:
        """All that the figures rest on."""
        names = [e.name for e in self.cohort.entries]
        return {
            "dataset": digest_of(dataset_digest(self.cohort, names)),
            "preset": self.workspace.params.train.preset,
            "params": self.params,
            "settings": asdict(self.settings),
            "small_cohorts": self.small,
            "code": {
                "models": code_of(self.workspace, "train"),
                "figures": code_of(self.workspace, "evaluate"),
                "study": sha256_file(Path(forecast_study.__file__)),
            },
        }


@flow(name="study")
def study(home: str, settings: dict[str, Any], only: list[str], full: bool) -> dict[str, Any]:
    """Measure the parts whose inputs changed, keep each as it is done, and write it into the ledger."""
    workspace, started = open_workspace(Path(home)).of(detectors.task_of(OF)), time.monotonic()
    refresh_code(workspace)
    records.refuse_freed(workspace)
    plan = _plan(workspace, StudySettings(**settings), full)
    inputs = digest_of(plan.depends_on)
    why_not = _no_controls(workspace) if "controls" in only else ""
    skipped = {"controls": why_not} if why_not else {}
    made = [part for part in only if part not in skipped and not _is_kept(workspace, part, inputs)]
    clips = _once(lambda: clips_of(plan.cohort, plan.params))
    for number, part in enumerate(made):
        shown()(f"{OF}: {part.replace('_', ' ')}", number, len(made))
        found = null_for_nan(MEASURES[part](plan, clips, shown()))
        path = path_of(workspace, part)
        write_json(path, {**found, "of": {"inputs": inputs, **plan.depends_on}})
        subject = Subject("study", f"{OF}: {part}", sha256_file(path))
        draft = Draft("evaluation.recorded", records.PIPELINE, (subject,), payload={"figures": figures_of(part, found)})
        records.record_once(workspace, draft)
    keep(workspace, f"Study {OF}")
    parts = {p: read_json(path_of(workspace, p)) for p in PARTS if p not in skipped and path_of(workspace, p).exists()}
    older = [part for part in parts if not _is_kept(workspace, part, inputs)]
    return {
        "parts": parts,
        "made": made,
        "older": older,
        "skipped": skipped,
        "seconds": round(time.monotonic() - started, 1),
    }


def study_detector(name: str, tasks: int | None, only: Sequence[str], full: bool) -> dict[str, Any]:
    """`ictal study`: refuses at once a detector that is not studied, an unknown part, a cohort that is not there.
    `tasks` None leaves their number to the study, `only` empty is every part; `full` asks more tasks in larger
    cohorts."""
    detectors.params_of(name, "demo")
    if name != OF:
        raise Refused(f"there is no study of {name}: what others' films are worth is asked of {OF}")
    for part in only:
        if part not in PARTS:
            raise Refused(f"no part {part[:30]!r}; parts are {', '.join(PARTS)}")
    workspace = open_workspace().of(detectors.task_of(name))
    refuse_unchecked(workspace)
    chosen = FULL if full else QUICK
    if tasks is not None:
        chosen = replace(chosen, tasks=tasks, tuned_tasks=min(tasks, chosen.tuned_tasks))
    wanted = [part for part in PARTS if part in (only or PARTS)]
    found = run_flow(study, home=str(workspace.root), settings=asdict(chosen), only=wanted, full=full)
    return {**found, "text": "\n".join(lines(found, workspace))}


def lines(found: dict[str, Any], workspace: Workspace) -> list[str]:
    """What the terminal shows: every part that is kept, what was passed over, and what comes next."""
    told = [line for part, own in found["parts"].items() for line in _said(part, own)]
    told += [f"{part}: left out: {why}" for part, why in found["skipped"].items()]
    told += [
        f"{part}: measured earlier, in other circumstances: --only {part} measures it again" for part in found["older"]
    ]
    how = f"measured now: {', '.join(found['made'])}" if found["made"] else "nothing had changed: all of it was kept"
    told.append(f"{how}; {found['seconds']:.0f} s; kept in {path_of(workspace, PARTS[0]).parent}")
    return [*told, f"run `ictal evaluate {OF}` to put it on the page"]


def path_of(workspace: Workspace, part: str) -> Path:
    """Where a part is kept."""
    return workspace.store / "studies" / OF / f"{part}.json"


def figures_of(part: str, found: dict[str, Any]) -> dict[str, float | None]:
    """The estimates of a part, by what they are of."""
    return {what: own["estimate"] for what, own in _rows(part, found)}


def _plan(workspace: Workspace, settings: StudySettings, full: bool) -> Plan:
    """`settings` with the workspace's own seed and draws; only what was accepted and is not locked away is looked at."""
    seen = {e.name for e in [*development(workspace), *accepted(workspace, PERIOD)]}
    cohort = cohort_of(workspace)
    params = detectors.params_of(OF, workspace.params.train.preset)
    own = replace(settings, seed=workspace.params.train.seed, draws=workspace.params.evaluate.draws)
    own = replace(own, shots=tuple(own.shots), mask_ratios=tuple(own.mask_ratios))
    stated = workspace.params.forecasts
    small: dict[str, Any] = {"seed": stated.seed, "patients_per_site": stated.patients_per_site}
    if not full:
        few = min(stated.patients_per_site, QUICK_PATIENTS)
        small |= {"patients_per_site": few, "rats": QUICK_RATS, "others": QUICK_OTHERS}
    return Plan(
        workspace, replace(cohort, entries=tuple(e for e in cohort.entries if e.name in seen)), params, own, small
    )


def _no_controls(workspace: Workspace) -> str:
    """Why the strength of the cue cannot be varied; empty where it can."""
    if (workspace.cohort / "sourcedata" / "draws.json").exists():
        return ""
    return "the cohort is no simulated one, and nobody can make the sign before a real seizure weaker"


def _is_kept(workspace: Workspace, part: str, inputs: str) -> bool:
    path = path_of(workspace, part)
    return path.exists() and read_json(path).get("of", {}).get("inputs") == inputs


def _few_shot(plan: Plan, clips: Callable[[], Clips], show: Show) -> dict[str, Any]:
    return few_shot_study(_enough(clips(), plan.settings), plan.params, plan.settings)


def _compositions(plan: Plan, clips: Callable[[], Clips], show: Show) -> dict[str, Any]:
    return composition_study(_enough(clips(), plan.settings), plan.params, plan.settings)


def _enough(clips: Clips, settings: StudySettings) -> Clips:
    """Refuses a cohort in which nobody would be left to be asked about."""
    try:
        tasks_of(clips, settings)
    except ValueError as why:
        raise Refused(f"{why}; bring in a larger cohort with `ictal cohort import PATH --for forecasting`") from why
    return clips


def _controls(plan: Plan, clips: Callable[[], Clips], show: Show) -> dict[str, Any]:
    """The same few people simulated anew with each strength of the cue."""
    from data.cohorts.synthetic_forecasting import ForecastSettings, simulate_forecasting

    doses = {}
    with tempfile.TemporaryDirectory(dir=scratch_of(plan.workspace)) as scratch:
        for cue in CUES:
            told = f"{OF}: people with a cue of {cue:g} simulated"
            drawn = ForecastSettings(cue=cue, broken=0, **plan.small)
            made = simulate_forecasting(Path(scratch) / f"cue-{cue:g}", drawn, lambda d, t, told=told: show(told, d, t))  # type: ignore[misc]
            doses[cue] = clips_of(made, plan.params)
    return dose_study(doses, plan.params, plan.settings)


MEASURES = {"few_shot": _few_shot, "compositions": _compositions, "controls": _controls}


def _once(make: Callable[[], Clips]) -> Callable[[], Clips]:
    """Films are read when a part first asks for them, and then no more."""
    made: list[Clips] = []

    def clips() -> Clips:
        if not made:
            made.append(make())
        return made[0]

    return clips


def _said(part: str, found: dict[str, Any]) -> list[str]:
    """A part as rows of a table: balanced accuracy with its interval."""
    rows = [(what, as_estimate(own).written()) for what, own in _rows(part, found)]
    width = max((len(what) for what, _ in rows), default=0)
    head = f"{part.replace('_', ' ')}: balanced accuracy, {found['persons']} people"
    return [head, *(f"  {what:{width}}  {figure}" for what, figure in rows)]


def _rows(part: str, found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if part == "few_shot":
        return [
            (f"{method}, {shots} shots", own["balanced_accuracy"])
            for method, by_shots in found["methods"].items()
            for shots, own in by_shots.items()
        ]
    if part == "compositions":
        cells = [
            (f"{c['composition']}, {100 * c['mask_ratio']:.0f} % hidden", c["balanced_accuracy"])
            for c in found["cells"]
        ]
        return [("nothing watched", found["scratch"]), *cells]
    return [(f"cue {p['cue']:g}, {name}", own) for p in found["points"] for name, own in p["methods"].items()]
