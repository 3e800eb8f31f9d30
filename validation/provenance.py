"""One block of figures beside the earlier statement of it: what stands, what moved, and because of what.

A figure that moved although scorer, policy, predictions, references and seed are what they were is a broken promise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

EXACT = 1e-12
SHOWN = 5

Verdict = Literal["same", "changed", "new"]
Leaf = float | int | bool | str | None


@dataclass(frozen=True)
class Change:
    """A figure that moved: its place in the block, before, after, and the difference of numbers."""

    figure: str
    old: Leaf
    new: Leaf
    by: float | None


@dataclass(frozen=True)
class Cause:
    """Something that stands behind a figure and is not what it was."""

    what: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Score:
    """One block of figures as made now, and how it compares with the earlier block; `earlier` is that one's scorer."""

    name: str
    scorer: dict[str, Any]
    figures: dict[str, Any]
    earlier: dict[str, Any] | None = None
    because: tuple[Cause, ...] = ()
    same: int = 0
    changed: tuple[Change, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """`new` without an earlier block, `changed` where a figure moved, came or went, else `same`."""
        if self.earlier is None:
            return "new"
        return "changed" if self.changed or self.new or self.gone else "same"

    @property
    def is_broken_promise(self) -> bool:
        """Figures moved, and nothing that stands behind them did."""
        return self.verdict == "changed" and not self.because

    def to_json(self) -> dict[str, Any]:
        """The fields, `verdict`, and whether it is a broken promise."""
        return asdict(self) | {"verdict": self.verdict, "broken_promise": self.is_broken_promise}


def compared(
    name: str, block: Mapping[str, Any], before: Mapping[str, Any] | None, behind: tuple[Cause, ...] = ()
) -> Score:
    """`block` (figures with their `scorer`) beside the block stated `before`, figure by figure to 1e-12.

    `behind`: what else differs between the two (predictions, references, seed). Nothing before: all figures are new.
    """
    scorer, figures = block["scorer"], _figures(block)
    if before is None:
        return Score(name, scorer, figures)
    old, new = dict(_leaves(_figures(before))), dict(_leaves(figures))
    both = [key for key in new if key in old]
    changed = tuple(Change(k, old[k], new[k], _by(old[k], new[k])) for k in both if not _is_same(old[k], new[k]))
    return Score(
        name,
        scorer,
        figures,
        before["scorer"],
        (*_causes(before["scorer"], scorer), *behind),
        len(both) - len(changed),
        changed,
        tuple(key for key in new if key not in old),
        tuple(key for key in old if key not in new),
    )


def lines_of(score: Score) -> list[str]:
    """For the terminal: what became of the block in one line, and below it what moved most."""
    who = f"{score.name} ({score.scorer['name']} {score.scorer['version']}, code {score.scorer['code_digest'][:12]})"
    if score.verdict == "new":
        return [f"{who}: new, {sum(1 for _ in _leaves(score.figures))} figures"]
    if score.verdict == "same":
        moved = f", although {_listed(score.because)} changed" if score.because else ""
        return [f"{who}: same, {score.same} figures{moved}"]
    why = f"because of {_listed(score.because)}" if score.because else "BROKEN PROMISE: nothing behind it changed"
    counted = [
        (len(score.changed), "changed"),
        (len(score.new), "new"),
        (len(score.gone), "gone"),
        (score.same, "same"),
    ]
    head = f"{who}: {', '.join(f'{n} {what}' for n, what in counted if n)}; {why}"
    return [head, *(f"  {_written(change)}" for change in _most_telling(score.changed))]


def _figures(block: Mapping[str, Any]) -> dict[str, Any]:
    # What a block rests on follows from the predictions, whose digest is compared; it is no figure of the scorer.
    return {key: value for key, value in block.items() if key not in ("scorer", "rests_on")}


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Leaf]]:
    """Every number and text of nested JSON with its place, as in `event.f1.estimate` or `curve[3].seen`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for n, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{n}]")
    else:
        yield place, value


def _is_same(old: Leaf, new: Leaf) -> bool:
    by = _by(old, new)
    return old == new if by is None else abs(by) <= EXACT * max(1.0, abs(float(old or 0)))


def _by(old: Leaf, new: Leaf) -> float | None:
    numbers = [v for v in (old, new) if isinstance(v, int | float) and not isinstance(v, bool)]
    return float(numbers[1] - numbers[0]) if len(numbers) == 2 else None


CAUSES = {"name": "scorer", "version": "version", "code_digest": "code", "policy_digest": "policy"}


def _causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Cause]:
    for key, what in CAUSES.items():
        if old.get(key) != new.get(key):
            shown = "policy" if key == "policy_digest" else key
            yield Cause(what, old.get(shown), new.get(shown))


def _listed(causes: Sequence[Cause]) -> str:
    return ", ".join(_reason(cause) for cause in causes)


def _reason(cause: Cause) -> str:
    if cause.what == "policy" and isinstance(cause.old, Mapping) and isinstance(cause.new, Mapping):
        moved = [k for k in {**cause.old, **cause.new} if cause.old.get(k) != cause.new.get(k)]
        return "policy (" + "; ".join(f"{k} {cause.old.get(k)} → {cause.new.get(k)}" for k in moved) + ")"
    return f"{cause.what} ({str(cause.old)[:12]} → {str(cause.new)[:12]})"


def _most_telling(changed: Sequence[Change]) -> list[Change]:
    """Estimates before bounds, shares and rates that moved most first."""
    return sorted(changed, key=lambda c: (not c.figure.endswith("estimate"), -abs(c.by or 0.0)))[:SHOWN]


def _written(change: Change) -> str:
    by = "" if change.by is None else f" ({change.by:+.3g})".replace("-", "−")
    return f"{change.figure.removesuffix('.estimate')} {_shown(change.old)} → {_shown(change.new)}{by}"


def _shown(value: Leaf) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
