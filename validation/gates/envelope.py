"""Is this the kind of change that was planned for? Other inputs, ages, classes or uses need a new plan, not a score.

The shape follows the FDA's predetermined change control plan: what lies outside of the described changes is refused,
however good its figures are.
"""

from dataclasses import dataclass

from validation.gates.gate import Gate
from validation.gates.plan import FURTHER, KINDS, Envelope


@dataclass(frozen=True)
class Declared:
    """What a detector states about itself: what it looks at, in whom, what it tells apart, and what for.

    `montage` names the input channels; `rate_hz` is the rate at which it reads them, None where it is not stated;
    `age_days` from and to.
    """

    task: str
    modality: str
    montage: str
    age_days: tuple[float, float]
    classes: tuple[str, ...]
    intended_use: str
    rate_hz: float | None = None


def envelope_gate(
    task: str, candidate: Declared | None, champion: Declared | None, envelope: Envelope, replaces: bool
) -> Gate:
    """Fail with what differs from the envelope or, if it `replaces` a champion, from the champion's own contract.

    `task` is that of the evidence. What is not declared is unknown.
    """
    if candidate is not None and KINDS.get(candidate.task) == task and task not in envelope.tasks:
        envelope = FURTHER.get(candidate.task, envelope)
    differing = [] if candidate is None else [*_outside(candidate, envelope), *_other_task(task, candidate)]
    if candidate is not None and champion is not None:
        differing += _beyond(candidate, champion)
    if differing:
        return Gate("envelope", "fail", None, None, f"outside the plan: {'; '.join(differing)}")
    unstated = _unstated(candidate, "candidate") + (_unstated(champion, "champion") if replaces else [])
    if unstated:
        return Gate("envelope", "unknown", None, None, f"not declared: {', '.join(unstated)}")
    return Gate("envelope", "pass", None, None, "same inputs, ages, classes and use as planned")


def _unstated(declared: Declared | None, whose: str) -> list[str]:
    if declared is None:
        return [f"the {whose}'s inputs and use"]
    return [f"the {whose}'s rate"] if declared.rate_hz is None else []


def _outside(candidate: Declared, envelope: Envelope) -> list[str]:
    named = {
        "task": ((candidate.task,), envelope.tasks),
        "modality": ((candidate.modality,), envelope.modalities),
        "montage": ((candidate.montage,), envelope.montages),
        "rate": (() if candidate.rate_hz is None else (candidate.rate_hz,), envelope.rates_hz),
        "class": (candidate.classes or ("none",), envelope.classes),
        "intended use": ((_plain(candidate.intended_use),), tuple(map(_plain, envelope.intended_use))),
    }
    strange = [_named(what, x, known) for what, (mine, known) in named.items() for x in mine if x not in known]
    return strange + _ages(candidate.age_days, envelope.age_days, "the plan's")


def _beyond(candidate: Declared, champion: Declared) -> list[str]:
    """Inside the envelope a challenger still may not do something else than the champion that it replaces."""
    pairs: dict[str, tuple[object, object]] = {
        "task": (candidate.task, champion.task),
        "modality": (candidate.modality, champion.modality),
        "montage": (candidate.montage, champion.montage),
        "rate": (candidate.rate_hz, champion.rate_hz),
        "classes": (sorted(candidate.classes), sorted(champion.classes)),
        "intended use": (_plain(candidate.intended_use), _plain(champion.intended_use)),
    }
    if candidate.rate_hz is None or champion.rate_hz is None:
        del pairs["rate"]
    changed = [f"another {what} than the champion's" for what, (ours, theirs) in pairs.items() if ours != theirs]
    return changed + _ages(candidate.age_days, champion.age_days, "the champion's")


def _ages(ours: tuple[float, float], allowed: tuple[float, float], whose: str) -> list[str]:
    if allowed[0] <= ours[0] <= ours[1] <= allowed[1]:
        return []
    return [f"ages {ours[0]:g}–{ours[1]:g} days, {whose} are {allowed[0]:g}–{allowed[1]:g}"]


def _other_task(task: str, candidate: Declared) -> list[str]:
    return (
        []
        if task in (candidate.task, KINDS.get(candidate.task))
        else [f"it is declared for {candidate.task} and was scored for {task}"]
    )


def _named(what: str, value: object, known: tuple[object, ...]) -> str:
    if what == "intended use":
        return "an intended use that the plan does not name"
    return f"{what} {value}, planned are {', '.join(map(str, known))}"


def _plain(text: str) -> str:
    """Line breaks of a file are not part of what a sentence says."""
    return " ".join(text.split())
