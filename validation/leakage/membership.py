"""Nobody is learned from and tested: by person, by raw bytes, in tuning, and before training began."""

from itertools import combinations

from validation.leakage.duplicates import copies
from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import Pretraining, Study, shared
from validation.splits import Member


def persons_apart(study: Study) -> None:
    """No person, under whatever patient id, is learned from and tested in one fold, or tested in two.

    Where sites are left out in turn, a person recorded at two may be tested at both, each recording once. Raises `Leak`
    (`same_person`) naming two recordings.
    """
    for number, learned, tested in study.sides():
        pair = shared(learned, tested, study.person)
        if pair:
            raise Leak("same_person", f"{pair[0]} and {pair[1]} are one person, on both sides of fold {number}")
    who = (lambda name: name) if study.split.regime == "site" else study.person
    for (a, first), (b, second) in combinations(enumerate(study.split.folds), 2):
        pair = shared(first.test, second.test, who)
        if pair:
            raise Leak("same_person", f"{pair[0]} and {pair[1]} are one person, tested in folds {a} and {b}")


def bytes_apart(study: Study) -> None:
    """No raw bytes stand on both sides of a fold, under whatever name.

    Raises `Leak` (`same_bytes`), or `Unknown` where a recording has no digest.
    """
    if any(not study.member(name).digest for name in study.recordings):
        raise Unknown("some recordings have no digest of their raw bytes")
    for number, learned, tested in study.sides():
        pair = shared(learned, tested, lambda name: study.member(name).digest)
        if pair:
            raise Leak("same_bytes", f"{pair[0]} and {pair[1]} are the same bytes, on both sides of fold {number}")


def inner_validation_apart(study: Study) -> None:
    """No person of the inner validation is trained on or tested in the same fold (`Leak`: `inner_validation`)."""
    for number, fold in enumerate(study.split.folds):
        for names, role in ((fold.train, "training"), (fold.test, "test")):
            pair = shared(fold.inner_valid, names, study.person)
            if pair:
                raise Leak(
                    "inner_validation",
                    f"{pair[0]} (inner validation) and {pair[1]} ({role}) are one person in fold {number}",
                )


def pretraining_apart(study: Study) -> None:
    """Nobody who is tested was in the data of a pre-trained part, by person key, by raw bytes or by a stretch of signal.

    An empty statement says that nothing was pre-trained. Pre-training data that name nobody are unknown, as is no
    statement (`Unknown`). Signals are compared where both have fingerprints; one in which nothing moves has none.
    Raises `Leak` (`pretraining`).
    """
    stated = study.disclosed.pretrained_on
    if stated is None:
        raise Unknown("nothing is stated about pre-training")
    for earlier in stated:
        copied = _copied(study, earlier)
        for number, fold in enumerate(study.split.folds):
            for name in fold.test if earlier.fold in (None, number) else ():
                if (how := _met(study.member(name), earlier) or copied.get(name)) is not None:
                    raise Leak("pretraining", f"{earlier.what} has seen {name}, tested in fold {number}, {how}")
    nameless = [e.what for e in stated if not e.persons and not e.digests]
    if nameless:
        raise Unknown(f"nobody is named in the pre-training data of {nameless[0]}")


def _met(member: Member, earlier: Pretraining) -> str | None:
    if member.person in earlier.persons:
        return "the same person"
    return "the same bytes" if member.digest and member.digest in earlier.digests else None


def _copied(study: Study, earlier: Pretraining) -> dict[str, str]:
    """Of which recordings a stretch stands in the data of a pre-trained part, in words."""
    prints = study.disclosed.fingerprints or {}
    theirs = earlier.recordings & prints.keys()
    if not theirs:
        return {}
    found = copies({name: prints[name] for name in (*study.recordings, *theirs) if name in prints})
    pairs = [(c.first, c.first_s, c.second) if c.second in theirs else (c.second, c.second_s, c.first) for c in found]
    return {
        ours: f"around {at_s:.1f} s the same signal as {other}"
        for ours, at_s, other in pairs
        if ours not in theirs and other in theirs
    }
