"""What was gained by watching rats and other people first: few shots, compositions, and the controls of the cue.

Plain functions for a command to call. Everything is measured on clips of the development period; what is learnt from
beforehand are films of the period `pretraining`. Nothing fitted here is kept as a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.cohorts.bids import Cohort
from data.outcomes import Refusal
from data.readers.video import read_film
from models import detectors
from models.detector import Examples, Lesson, State
from models.detectors.forecaster import Forecaster
from models.detectors.forecaster.lessons import clips_of_lessons
from models.detectors.forecaster.probe import Probe
from models.detectors.recent_motion import RecentMotion
from models.typing import stretch_examples
from validation.forecasting.composition import COMPOSITIONS, controls, table_of_compositions
from validation.forecasting.fewshot import few_shot_figures
from validation.forecasting.tasks import Foretold, Task, draw_tasks, right_of

BOTH, PEOPLE, NOTHING = "both species", "people alone", "scratch"
STARTS = {BOTH: COMPOSITIONS["+R(Y/N)+H"], PEOPLE: COMPOSITIONS["+H"], NOTHING: ()}
FLOOR = "recent motion (floor)"
PROBED = "A linear probe on the frozen encoder, on few-shot tasks with support and query of different persons."

Said = Callable[[Task], np.ndarray]
"""Learns from a task's support and says of each clip of its query whether a seizure is foretold."""


@dataclass(frozen=True)
class StudySettings:
    """`tasks` are answered by frozen encoders and the floor, the first `tuned_tasks` of them by fine-tuning too."""

    tasks: int = 100
    tuned_tasks: int = 10
    shots: tuple[int, ...] = (2, 3, 4)
    steps: int = 20
    learning_rate: float = 0.0005
    ridge: float = 0.1
    mask_ratios: tuple[float, ...] = (0.1, 0.3, 0.5, 0.75, 0.9)
    folds: int = 3
    seed: int = 7
    draws: int = 2000


@dataclass(frozen=True)
class Clips:
    """Every labelled clip of a cohort as forecaster and floor see it, the films watched beforehand, and whose is what.

    `watched` (clips, …) and `content` (clips,); `site` is by person.
    """

    forecaster: Examples
    floor: Examples
    watched: np.ndarray
    content: np.ndarray
    site: dict[str, str]

    @property
    def label(self) -> np.ndarray:
        """(clips,) int, an index into the forecaster's classes."""
        assert self.forecaster.label is not None
        return self.forecaster.label

    @property
    def person(self) -> np.ndarray:
        """(clips,) str, whose clip it is: as long as the clips, not as `persons`."""
        return self.forecaster.patient

    @property
    def persons(self) -> list[str]:
        """Everybody of whom there is a clip, each once, in alphabetical order."""
        return sorted(self.site)

    @property
    def sites(self) -> list[str]:
        """Where each of `persons` was recorded, in their order."""
        return [self.site[p] for p in self.persons]


def clips_of(cohort: Cohort, params: dict[str, Any]) -> Clips:
    """Read a cohort of films once. Films that cannot be read are left out: the checks have named them."""
    ours, floor = Forecaster(params), RecentMotion(_floor_params(params))
    parts, lessons, site = list[tuple[Examples, Examples]](), list[Lesson](), dict[str, str]()
    for entry in cohort.entries:
        try:
            film = read_film(entry.views, age_days=entry.age_days, name=entry.name)
        except Refusal:
            continue
        prepared = ours.front_end.prepare(film)
        if entry.period == "pretraining":
            lessons.append(Lesson(prepared, entry.content, entry.name, entry.person))
        elif entry.period in ("", "development"):
            truth = cohort.annotations(entry)
            pair = [stretch_examples(one, prepared, truth, entry.name, entry.person) for one in (ours, floor)]
            if pair[0] is not None and pair[1] is not None:
                parts.append((pair[0], pair[1]))
                site[entry.person] = entry.site
    watched, content = clips_of_lessons(lessons, params, params["pretraining"]["clips_per_lesson"])
    seen, moved = (Examples.join([pair[which] for pair in parts]) for which in (0, 1))
    return Clips(seen, moved, watched, content, site)


def starts_of(
    clips: Clips, params: dict[str, Any], contents: Sequence[str], mask_ratio: float, seed: int
) -> State | None:
    """An encoder that watched these contents; None for one that watched nothing."""
    wanted = np.isin(clips.content, contents)
    if not wanted.any():
        return None
    detector = Forecaster({**params, "pretraining": {**params["pretraining"], "mask_ratio": mask_ratio}})
    detector.pretrain_on(clips.watched[wanted], clips.content[wanted], seed=seed)
    return detector.pretrained()


def few_shot_study(clips: Clips, params: dict[str, Any], settings: StudySettings) -> dict[str, Any]:
    """2, 3, 4 shots: both species, people alone and scratch, fine-tuned and frozen, and the motion floor."""
    tasks = tasks_of(clips, settings)
    ratio = params["pretraining"]["mask_ratio"]
    begun = {
        name: begin(clips, params, starts_of(clips, params, c, ratio, settings.seed), settings)
        for name, c in STARTS.items()
    }
    right = {
        f"frozen, {name}": answered(clips, tasks, probing(clips, one.embed(clips.forecaster.x), settings))
        for name, one in begun.items()
    }
    right[FLOOR] = answered(clips, tasks, probing(clips, clips.floor.x.astype(float), settings))
    first = {k: own[: settings.tuned_tasks] for k, own in tasks.items()}
    right |= {
        f"fine-tuned, {name}": answered(clips, first, tuning(clips, one, settings)) for name, one in begun.items()
    }
    pairs = [
        (f"{how}, {a}", f"{how}, {b}")
        for how in ("frozen", "fine-tuned")
        for a, b in ((BOTH, NOTHING), (PEOPLE, NOTHING), (BOTH, PEOPLE))
    ]
    pairs.append((f"frozen, {BOTH}", FLOOR))
    return few_shot_figures(right, clips.sites, settings.seed, settings.draws, pairs=pairs)


def composition_study(clips: Clips, params: dict[str, Any], settings: StudySettings) -> dict[str, Any]:
    """Every composition at every mask ratio, by a frozen probe on the same tasks."""
    tasks = tasks_of(clips, settings)

    def measured(start: State | None) -> np.ndarray:
        encoder = begin(clips, params, start, settings)
        said = probing(clips, encoder.embed(clips.forecaster.x), settings)
        return np.concatenate([*answered(clips, tasks, said).values()])

    cells = {
        (name, ratio): measured(starts_of(clips, params, contents, ratio, settings.seed))
        for name, contents in COMPOSITIONS.items()
        for ratio in settings.mask_ratios
    }
    sites = clips.sites
    return table_of_compositions(cells, measured(None), sites, settings.seed, settings.draws, measured=PROBED)


def dose_study(doses: dict[float, Clips], params: dict[str, Any], settings: StudySettings) -> dict[str, Any]:
    """Forecaster and floor with patients apart on the same persons whose cue is weaker or stronger; 0 is the null
    control. ValueError where the cohorts of `doses` hold different persons."""
    persons, sites = _same_people(doses)
    ratio = params["pretraining"]["mask_ratio"]
    measured = {}
    for cue, clips in doses.items():
        start = starts_of(clips, params, params["pretraining"]["contents"], ratio, settings.seed)
        measured[cue] = {
            "forecaster": _apart(clips, clips.forecaster, "forecaster", params, start, settings, persons),
            FLOOR: _apart(clips, clips.floor, "recent_motion", _floor_params(params), None, settings, persons),
        }
    return controls(measured, sites, settings.seed, settings.draws)


def tasks_of(clips: Clips, settings: StudySettings) -> dict[int, list[Task]]:
    """Shots → tasks, drawn from the seed and the shots alone."""
    return {
        k: draw_tasks(clips.label, clips.person, k, settings.tasks, np.random.default_rng([settings.seed, k]))
        for k in settings.shots
    }


def begin(clips: Clips, params: dict[str, Any], start: State | None, settings: StudySettings) -> Forecaster:
    """A forecaster before its first labelled clip, with the encoder of `start`, or for None one drawn from the seed."""
    detector = Forecaster(params)
    if start is not None:
        detector.load_pretrained(start)
    detector.begin(settings.seed)
    return detector


def answered(clips: Clips, tasks: dict[int, list[Task]], said: Said) -> dict[int, np.ndarray]:
    """Shots → (tasks, persons, 4), each task's counts of `validation.forecasting.tasks.right_of`."""
    return {
        k: np.stack([right_of(t.query, said(t), clips.label, clips.person, clips.persons) for t in own])
        for k, own in tasks.items()
    }


def probing(clips: Clips, features: np.ndarray, settings: StudySettings) -> Said:
    """A logistic on features (clips, width) that stay as they are; it says (query,) bool of each task."""

    def said(task: Task) -> np.ndarray:
        probe = Probe(features.shape[1], settings.ridge)
        probe.fit(features[task.support], clips.label[task.support], clips.person[task.support])
        return probe.logits(features[task.query]) > 0

    return said


def tuning(clips: Clips, begun: Forecaster, settings: StudySettings) -> Said:
    """The whole network, a few steps on the support, from where it was begun; it says (query,) bool of each task.
    `begun` is changed by every task and set back before the next: for one thread."""
    start = begun.state()

    def said(task: Task) -> np.ndarray:
        begun.load_state(start)
        x, label = clips.forecaster.x[task.support], clips.label[task.support]
        begun.fine_tune(x, label, steps=settings.steps, learning_rate=settings.learning_rate)
        return begun.score(clips.forecaster.take(task.query))[:, 1] > 0

    return said


def _apart(
    clips: Clips,
    examples: Examples,
    name: str,
    params: dict[str, Any],
    start: State | None,
    settings: StudySettings,
    persons: list[str],
) -> Foretold:
    """With patients apart: each fold's training people give a quarter to stop it and to set its threshold."""
    fold = {p: number % settings.folds for number, p in enumerate(sorted(persons, key=lambda p: (clips.site[p], p)))}
    where = np.array([fold[p] for p in examples.patient])
    score = np.zeros(len(examples))
    for number in range(settings.folds):
        inner = np.isin(examples.patient, [p for p in persons if fold[p] != number][::4])
        detector = detectors.build(name, params)
        if start is not None and isinstance(detector, Forecaster):
            detector.load_pretrained(start)
        train, valid = (examples.take(np.flatnonzero((where != number) & own)) for own in (~inner, inner))
        detector.fit(train, valid, seed=settings.seed + number)
        test = np.flatnonzero(where == number)
        said = detector.score(examples.take(test))
        score[test] = said[:, 1] - said[:, 0]
    return Foretold.of(score, where, clips.label, clips.person, persons)


def _same_people(doses: dict[float, Clips]) -> tuple[list[str], list[str]]:
    first, *others = doses.values()
    if any(own.persons != first.persons or own.sites != first.sites for own in others):
        raise ValueError("cues are compared in the same persons, and these cohorts hold others")
    return first.persons, first.sites


def _floor_params(params: dict[str, Any]) -> dict[str, Any]:
    """The floor's own numbers, asked about the forecaster's clips."""
    asked = {key: params[key] for key in ("clip_s", "hop_s", "horizon_s", "apart_s", "after_s")}
    return {**detectors.params_of("recent_motion", "demo"), **asked}
