"""The pretrain stage: what a task's detectors learn from other people, or rodents, before any patient is seen."""

from collections.abc import Iterator, Mapping

from data.readers.opening import open_entry
from flows.progress import reporter
from flows.stages.files import accepted, digest_of_entry, fresh, pretrained_of, pretraining_log, write_json
from flows.workspace import Workspace
from models import detectors
from models.detector import Detector, Lesson, Pretrained, State
from models.pretrained import load_pretrained, save_pretrained

PERIOD = "pretraining"


def run(workspace: Workspace) -> None:
    """Write `store/pretrained/TASK/NAME` of every detector of the task that learns so: weights, and the log with whom."""
    out, learners = fresh(workspace.store / "pretrained" / workspace.task), list(_learners(workspace))
    for detector in learners:
        learn(workspace, detector)
    write_json(out / "detectors.json", [detector.name for detector in learners])


def learn(workspace: Workspace, detector: Detector) -> None:
    """Let one detector learn, and keep what it learnt with the log of whom it learnt from."""
    assert isinstance(detector, Pretrained)
    show, entries = reporter(), accepted(workspace, PERIOD)

    def progress(epoch: int, epochs: int, _: float) -> None:
        show(f"{detector.name}: learning from {len(entries)} other recordings", epoch, epochs)

    lessons = [Lesson(detector.prepare(open_entry(e)), e.content, e.name, e.person) for e in entries]
    log = detector.pretrain(lessons, seed=workspace.params.train.seed, progress=progress)
    seen = {lesson.recording for lesson in detector.wanted(lessons)}
    recordings = {e.name: digest_of_entry(e) for e in entries if e.name in seen}
    about = {
        "detector": detector.name,
        "params": detector.params,
        "recordings": recordings,
        "pretrained_on": _stated(detector.published, {e.person for e in entries if e.name in seen}, recordings),
        "log": log,
    }
    save_pretrained(pretrained_of(workspace, detector.name), detector.pretrained(), about)


def read_pretrained(workspace: Workspace, name: str) -> State | None:
    """What a detector learnt beforehand; None of one that does not."""
    return load_pretrained(pretrained_of(workspace, name))


def learnt_from(workspace: Workspace, name: str) -> list[dict[str, object]]:
    """Whom a detector learnt from beforehand, as the leakage guard asks: `persons`, `digests` and `recordings` that each part has seen."""
    log = pretraining_log(workspace, name)
    return list(log["pretrained_on"]) if log else []


def _learners(workspace: Workspace) -> Iterator[Detector]:
    for name in detectors.names(workspace.task):
        detector = detectors.build(name, preset=workspace.params.train.preset)
        if isinstance(detector, Pretrained):
            yield detector


def _stated(published: str, persons: set[str], recordings: Mapping[str, str]) -> list[dict[str, object]]:
    """Whom each part has seen; nobody is named of published weights, so that the guard cannot know."""
    stated: list[dict[str, object]] = []
    if recordings:
        about = {"digests": sorted(recordings.values()), "recordings": sorted(recordings)}
        stated.append({"what": "network", "persons": sorted(persons), **about})
    if published:
        stated.append({"what": f"published weights {published}", "persons": [], "digests": [], "recordings": []})
    return stated
