"""How much more people would help: the same split with only a share of its training people, each share in the next."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from validation.splits import Fold, Member


def scaled(fold: Fold, members: Iterable[Member], share: float, seed: int) -> Fold:
    """`fold` with a share (above 0, up to 1: else ValueError) of its training persons; who tunes, who is tested stays.

    Laws: a smaller share is part of every larger one; all of them at 1; at least one person with seizures and one
    without, where there are such. `seed` and the fold's own persons draw the order, whatever the order of `members`.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of the training people lies above 0 and up to 1, got {share}")
    seizing: dict[str, bool] = {}
    recordings: dict[str, list[str]] = {}
    for member in sorted(members, key=lambda m: m.recording):
        if member.recording in fold.train:
            seizing[member.person] = seizing.get(member.person, False) or member.has_seizure
            recordings.setdefault(member.person, []).append(member.recording)
    order = _order(seizing, np.random.default_rng(seed))
    kept = order[: max(round(share * len(order)), len(set(seizing.values())))]
    return replace(fold, train=tuple(sorted(name for person in kept for name in recordings[person])))


def _order(seizing: dict[str, bool], rng: np.random.Generator) -> list[str]:
    """Persons at random, with the first of either kind at the head."""
    names = sorted(seizing)
    shuffled = [names[i] for i in rng.permutation(len(names))]
    head = [next(n for n in shuffled if seizing[n] is kind) for kind in dict.fromkeys(seizing[n] for n in shuffled)]
    return head + [n for n in shuffled if n not in head]
