"""One gate and its outcome. A gate passes on the bound of an interval, never on a point.

Unknown (something is missing) and insufficient evidence (the cohort is too small to tell) count as fail.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from lineage.digest import Digest
from validation.gates.power import Power, power, standard_error
from validation.uncertainty import Interval, finite

Outcome = Literal["pass", "fail", "unknown", "insufficient_evidence"]

EQUAL = "both were equal"

NOT_APPLICABLE = "not applicable: "

NEAR = {"fail": ", and not even the estimate is", "insufficient_evidence": ", and only the estimate is"}
"""What tells a claim that failed from one that lacks evidence."""

NOBODY = "neither a champion nor the floor detector to compare with"

NOT_COMPARABLE = "the model in force was not scored on these recordings and labels, or its predictions are gone"


@dataclass(frozen=True)
class Gate:
    """One gate's outcome: the bound that was judged, its limit, and why, in a sentence.

    `power` (0–1) is how often the gate would pass in cohorts like this one if `power_if`, `persons_needed` how many
    who count towards it would make that 80 %; None where chance has no part in it, and where several gates are judged as
    one. `plan`: digest of the change plan.
    """

    name: str
    outcome: Outcome
    value: float | None
    limit: float | None
    reason: str
    power: float | None = None
    power_if: str = ""
    persons_needed: int | None = None
    plan: Digest = ""

    @property
    def applies(self) -> bool:
        """Whether there is anything to judge: nobody is compared with itself."""
        return not self.reason.startswith(NOT_APPLICABLE)

    def to_json(self) -> dict[str, Any]:
        """The fields, as the decision's record holds them."""
        return asdict(self)


@dataclass(frozen=True)
class Claim:
    """That a figure is at least (or at most) `limit`, as declared; `strict`: that it lies beyond.

    `persons` count towards it, `minimum` of them are needed, `who` they are. For its power the true figure is taken to
    be `truth`, which `assumed` puts in words. `enough`: see `power.power`; `short` says what of it is missing.
    """

    name: str
    what: str
    limit: float
    persons: int
    minimum: int
    at_least: bool = True
    strict: bool = False
    who: str = "patients"
    truth: float = 0.0
    assumed: str = EQUAL
    enough: float = 1.0
    short: str = ""

    @property
    def sign(self) -> int:
        """1 where more is better, −1 where less is: `sign` · (figure − `limit`) is not below 0 if the claim holds."""
        return 1 if self.at_least else -1


def passed(gates: Sequence[Gate]) -> bool:
    """All gates passed: unknown and insufficient evidence count as fail, and so does having no gate at all."""
    return bool(gates) and all(gate.outcome == "pass" for gate in gates)


def judge(claim: Claim, value: Interval) -> Gate:
    """Pass if the bound keeps the limit, fail if not even the estimate does, else insufficient evidence.

    Law: a fail stays a fail with any number of draws and any seed, since the estimate does not depend on them.
    """
    bound = value.low if claim.at_least else value.high
    outcome = _outcome(claim, value.estimate, bound)
    reason = _reason(claim, value) + NEAR.get(outcome, "")
    if claim.persons < claim.minimum:
        outcome = "insufficient_evidence"
        who = claim.who.replace("patients", "patient", 1) if claim.persons == 1 else claim.who
        reason = f"{claim.persons} {who}, {claim.minimum} are needed"
    elif outcome == "pass" and claim.enough < 1:
        outcome, reason = "insufficient_evidence", claim.short
    return with_power(Gate(claim.name, outcome, finite(bound), claim.limit, reason), _power(claim, value))


def with_power(gate: Gate, known: Power) -> Gate:
    """The gate with what the cohort could have shown."""
    fields = asdict(gate) | {
        "power": known.share,
        "power_if": known.assumed,
        "persons_needed": known.persons_needed,
    }
    return Gate(**fields)


def unpaired(name: str, why: str) -> Gate:
    """A gate that compares, where there is nobody to compare with, and why."""
    return Gate(name, "unknown", None, None, why)


def _outcome(claim: Claim, estimate: float, bound: float) -> Outcome:
    if not np.isfinite(bound) or not np.isfinite(estimate):
        return "unknown"
    least = 1e-12 if claim.strict else -1e-12
    if claim.sign * (estimate - claim.limit) < least:
        return "fail"
    return "pass" if claim.sign * (bound - claim.limit) >= least else "insufficient_evidence"


def _reason(claim: Claim, value: Interval) -> str:
    side, relation = ("lower", ">" if claim.strict else "≥") if claim.at_least else ("upper", "≤")
    return f"{claim.what} {_written(value)}, {side} bound must be {relation} {claim.limit:g}"


def _written(value: Interval) -> str:
    patients = f"{value.n} {'patient' if value.n == 1 else 'patients'}"
    if not np.isfinite([value.estimate, value.low, value.high]).all():
        return f"could not be given an interval ({patients})"
    between = f"{100 * value.level:.3g} % {value.low:.3f} to {value.high:.3f}"
    return f"{value.estimate:.3f} ({between}, {patients})"


def _power(claim: Claim, value: Interval) -> Power:
    margin, confidence = claim.sign * (claim.truth - claim.limit), (1 + value.level) / 2
    spread = standard_error(value)
    return power(margin, spread, claim.persons, confidence, claim.assumed, claim.minimum, claim.enough)
