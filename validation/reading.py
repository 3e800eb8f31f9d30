"""The figures of one evaluation as a page needs them: the one place that knows how a result is laid out.

A figure that is not in a result reads as missing, so that results kept from earlier versions can still be shown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validation.pages import interval, short

Result = Mapping[str, Any]
"""What `validation.evaluation.evaluate` gives, or the same read back from JSON."""

Block = Mapping[str, Any]
"""A part of a result: figures with the scorer that made them and what they rest on; empty where it is missing."""

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval over patients; None where it does not exist."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    def written(self, digits: int = 2, sign: bool = False) -> str:
        """“0.83 (0.71 to 0.90)”, or “not evaluable”; with `sign`, a plus before what is above 0."""
        if self.value is None:
            return "not evaluable"
        between = interval(self.low, self.high, digits)
        return minus(f"{self.value:{'+' if sign else ''}z.{digits}f}" + (f" ({between})" if between else ""))

    def percent(self, sign: bool = False) -> str:
        """A share of 0–1 in per cent, without the per cent sign: “83 (71 to 90)”."""
        return Estimate(*(None if x is None else 100 * x for x in (self.value, self.low, self.high))).written(0, sign)

    def rate(self) -> str:
        """A rate with one digit, without digits from 20 on."""
        return self.written(1 if self.value is None or self.value < 20 else 0)


@dataclass(frozen=True)
class Reading:
    """One detector under one regime, ready to be shown. Units: shares 0–1, seconds, alarms per 24 h.

    `clinical` and the fields from `calibration` on are blocks as they stand in the result.
    """

    counts: Block
    clinical: Block
    auc: Estimate
    auc_all_seconds: Estimate
    sensitivity: Estimate
    alarms_per_24h: Estimate
    mcc: Estimate
    f1: Estimate
    patients: Sequence[Mapping[str, Any]]
    subgroups: Sequence[Block]
    worst: Mapping[str, Block]
    oracle: Block
    lookup: Block
    calibration: Block
    operating: Block
    szcore: Mapping[str, Block]
    agreement: Block
    burden: Block
    abstention: Block
    ood: Block
    digests: Mapping[str, str]
    scorers: tuple[str, ...]
    draws: int | None

    @property
    def coverage(self) -> str:
        """“99.4 %” of the recorded time could be assessed."""
        return share(self.clinical.get("rests_on", self.counts).get("coverage"))


def read(result: Result) -> Reading:
    """Read one result; see `Reading`."""
    clinical, szcore = result.get("clinical", {}), result.get("szcore", {})
    baselines = result.get("baselines", {})
    return Reading(
        counts=result.get("counts", {}),
        clinical=clinical,
        auc=estimate(clinical, "auc_pooled"),
        auc_all_seconds=estimate(clinical, "auc_all_seconds"),
        sensitivity=estimate(clinical, "event_sensitivity"),
        alarms_per_24h=estimate(clinical, "false_alarms_per_24h"),
        mcc=estimate(clinical, "mcc_pooled"),
        f1=estimate(szcore.get("patient_mean", {}).get("event", {}), "f1"),
        patients=result.get("per_patient", ()),
        subgroups=result.get("subgroups", ()),
        worst=result.get("worst_decile", {}),
        oracle=baselines.get("label_oracle", {}),
        lookup=baselines.get("id_lookup", {}),
        calibration=result.get("calibration", {}),
        operating=result.get("operating_curve", {}),
        szcore=szcore,
        agreement=result.get("agreement", {}),
        burden=result.get("burden", {}),
        abstention=result.get("abstention", {}),
        ood=result.get("ood", {}),
        digests=result.get("digests", {}),
        scorers=tuple(sorted(_scorers(result))),
        draws=result.get("uncertainty", {}).get("draws"),
    )


def estimate(part: Block, name: str) -> Estimate:
    """The figure `name` of a part of a result, such as a subgroup; empty where it is missing."""
    return as_estimate(part.get(name) or {})


def as_estimate(found: Mapping[str, Any]) -> Estimate:
    """A figure as it stands in a result; empty where it does not exist."""
    return Estimate(found.get("estimate"), found.get("low"), found.get("high"))


def minus(text: str) -> str:
    """Negative numbers with a minus sign instead of a hyphen, at which a line could break."""
    return re.sub(r"-(?=\d)", "−", text)


def share(value: float | None) -> str:
    """A share of 0–1 in per cent with one digit."""
    return "not evaluable" if value is None else f"{100 * value:.1f} %"


def missing(block: Block) -> str:
    """Why a block of figures is not there: its own reason, or that nobody measured it; empty where it is there."""
    if not block:
        return NOT_MEASURED
    return str(block.get("not_evaluable", ""))


def basis(block: Block) -> str:
    """What stands below every table: of how many patients and of how much of their time it is, and who scored it."""
    return " ".join(text for text in (_rests_on(block.get("rests_on")), _scored_by(block.get("scorer"))) if text)


def _rests_on(stated: Mapping[str, Any] | None) -> str:
    if not stated:
        return ""
    hours = stated.get("assessed_hours")
    of = "" if hours is None else f" ({hours:.1f} h)"
    patients = f"{stated['persons']} patient{'' if stated['persons'] == 1 else 's'}"
    return f"{patients}, {share(stated.get('coverage'))} of their time assessed{of}."


def _scored_by(scorer: Mapping[str, Any] | None) -> str:
    if not scorer:
        return ""
    policy = f", policy {short(scorer['policy_digest'])}" if "policy_digest" in scorer else ""
    return f"Scored by {scorer['name']} {scorer['version']} (code {short(scorer['code_digest'])}{policy})."


def _scorers(part: Any) -> set[str]:
    """Name, version and code digest of every scorer anywhere in a result."""
    if isinstance(part, Mapping):
        own = part.get("scorer")
        mine = {f"{own['name']} {own['version']} {own['code_digest']}"} if isinstance(own, Mapping) else set()
        return mine.union(*(_scorers(v) for v in part.values()))
    if isinstance(part, Sequence) and not isinstance(part, str):
        return set().union(*(_scorers(v) for v in part))
    return set()
