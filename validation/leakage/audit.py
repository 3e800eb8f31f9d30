"""All guards over one study: every outcome is kept for the ledger, then the first leak blocks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lineage.digest import Digest, digest_of
from validation.leakage.duplicates import duplicates_apart
from validation.leakage.fitting import fitted_inside, holdout_within_budget
from validation.leakage.identity import identities_apart
from validation.leakage.labels import labels_not_read
from validation.leakage.leak import Leak, Unknown
from validation.leakage.membership import bytes_apart, inner_validation_apart, persons_apart, pretraining_apart
from validation.leakage.study import Disclosure, FittedOn, Study, Windows
from validation.leakage.windows import windows_apart
from validation.splits import Member, Split

Outcome = Literal["pass", "leak", "unknown"]


@dataclass(frozen=True)
class Guard:
    """A promise and its check, which raises `Leak` naming the pair, or `Unknown` without enough to look at."""

    name: str
    check: Callable[[Study], None]


GUARDS = (
    Guard("same_person", persons_apart),
    Guard("same_bytes", bytes_apart),
    Guard("overlapping_windows", windows_apart),
    Guard("inner_validation", inner_validation_apart),
    Guard("fitted_on", fitted_inside),
    Guard("pretraining", pretraining_apart),
    Guard("near_duplicates", duplicates_apart),
    Guard("label_derived", labels_not_read),
    Guard("identity_probe", identities_apart),
    Guard("holdout_budget", holdout_within_budget),
)
"""Every guard that is declared. An audit with fewer is never clean: what did not look is unknown."""


@dataclass(frozen=True)
class GuardOutcome:
    """What one guard found. `reason` names the pair of a leak, or says why it is unknown; it is empty for a pass."""

    guard: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class LeakageAudit:
    """Every guard's outcome on one split, bound to the split by its digest."""

    split_digest: Digest
    outcomes: tuple[GuardOutcome, ...]

    @property
    def clean(self) -> bool:
        """True only if every declared guard looked and found nothing."""
        looked = {o.guard for o in self.outcomes if o.outcome == "pass"}
        return not self.leaking and looked == {guard.name for guard in GUARDS} == {o.guard for o in self.outcomes}

    @property
    def leaking(self) -> bool:
        """Whether any guard found a leak; one that does not leak may still not be `clean`."""
        return any(o.outcome == "leak" for o in self.outcomes)

    @property
    def digest(self) -> Digest:
        """Of the split's digest and of all outcomes, with their reasons."""
        return digest_of({"split": self.split_digest, "outcomes": [asdict(o) for o in self.outcomes]})

    def to_json(self) -> dict[str, Any]:
        """The fields, whether it is clean, and its digest."""
        return {
            "split_digest": self.split_digest,
            "clean": self.clean,
            "outcomes": [asdict(o) for o in self.outcomes],
            "digest": self.digest,
        }


def inspect(
    split: Split,
    entries: Iterable[Member],
    provenance: Sequence[FittedOn] = (),
    windows: Sequence[Windows] = (),
    disclosed: Disclosure | None = None,
    guards: Sequence[Guard] = GUARDS,
) -> LeakageAudit:
    """Run the guards and keep what each found; raises nothing (for leaky controls, which are expected to leak).

    `guards` is fewer than `GUARDS` only to show what a guard is worth: one left out stays in the audit as unknown.
    """
    study = Study(
        split, {m.recording: m for m in entries}, tuple(provenance), tuple(windows), disclosed or Disclosure()
    )
    found = [_outcome(guard, study) if guard in guards else _not_run(guard) for guard in GUARDS]
    return LeakageAudit(split.digest, tuple(found))


def audit(
    split: Split,
    entries: Iterable[Member],
    provenance: Sequence[FittedOn] = (),
    windows: Sequence[Windows] = (),
    disclosed: Disclosure | None = None,
    guards: Sequence[Guard] = GUARDS,
) -> LeakageAudit:
    """As `inspect`, and blocks: raises the first `Leak`, with the whole audit on it for the ledger."""
    found = inspect(split, entries, provenance, windows, disclosed, guards)
    for outcome in found.outcomes:
        if outcome.outcome == "leak":
            leak = Leak(outcome.guard, outcome.reason)
            leak.audit = found
            raise leak
    return found


def _outcome(guard: Guard, study: Study) -> GuardOutcome:
    try:
        guard.check(study)
    except Leak as leak:
        return GuardOutcome(guard.name, "leak", leak.reason)
    except Unknown as unknown:
        return GuardOutcome(guard.name, "unknown", str(unknown))
    return GuardOutcome(guard.name, "pass", "")


def _not_run(guard: Guard) -> GuardOutcome:
    return GuardOutcome(guard.name, "unknown", "this guard was left out")
