"""The figures of one evaluation as a page needs them: the one place that knows how a result is laid out.

A figure that is not in a result reads as missing, so that results kept from earlier versions can still be shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validation.pages import interval

Result = Mapping[str, Any]
"""What `validation.evaluation.evaluate` gives, or the same read back from JSON."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval over patients; None where it does not exist."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    def written(self, digits: int = 2) -> str:
        """“0.83 (0.71 to 0.90)”, or “not evaluable”."""
        if self.value is None:
            return "not evaluable"
        between = interval(self.low, self.high, digits)
        return f"{self.value:.{digits}f}" + (f" ({between})" if between else "")

    def percent(self) -> str:
        """A share of 0–1 in per cent, without the sign: “83 (71 to 90)”."""
        return Estimate(*(None if x is None else 100 * x for x in (self.value, self.low, self.high))).written(0)

    def rate(self) -> str:
        """A rate with one digit, without digits from 20 on."""
        return self.written(1 if self.value is None or self.value < 20 else 0)


@dataclass(frozen=True)
class Reading:
    """One detector under one regime, ready to be shown. Units: shares 0–1, seconds, alarms per 24 h."""

    counts: Mapping[str, Any]
    auc: Estimate
    auc_patient_mean: Estimate
    sensitivity: Estimate
    alarms_per_24h: Estimate
    mcc: Estimate
    latency_s: Estimate
    burden_r: Estimate
    time_in_alarm: Estimate
    coverage: Estimate
    f1: Estimate
    ece: Estimate
    brier: Estimate
    curve: Sequence[Mapping[str, Any]]
    points: Sequence[Mapping[str, Any]]
    one_alarm_is_per_24h: float | None
    calibration: Sequence[Mapping[str, Any]]
    calibration_by_site: Mapping[str, Sequence[Mapping[str, Any]]]
    patients: Sequence[Mapping[str, Any]]
    subgroups: Sequence[Mapping[str, Any]]
    worst: Mapping[str, Mapping[str, Any]]
    oracle_auc: float | None
    lookup_auc: float | None
    digests: Mapping[str, str]
    scorers: tuple[str, ...]
    draws: int | None


def read(result: Result) -> Reading:
    """Read one result; see `Reading`."""
    clinical, operating = result.get("clinical", {}), result.get("operating_curve", {})
    calibration, baselines = result.get("calibration", {}), result.get("baselines", {})
    return Reading(
        counts=result.get("counts", {}),
        auc=estimate(clinical, "auc_pooled"),
        auc_patient_mean=estimate(clinical, "auc_patient_mean"),
        sensitivity=estimate(clinical, "event_sensitivity"),
        alarms_per_24h=estimate(clinical, "false_alarms_per_24h"),
        mcc=estimate(clinical, "mcc_pooled"),
        latency_s=estimate(clinical, "latency_s_patient_mean"),
        burden_r=estimate(clinical, "burden_pearson_r"),
        time_in_alarm=estimate(clinical, "time_in_alarm"),
        coverage=estimate(clinical, "coverage"),
        f1=estimate(result.get("szcore", {}).get("patient_mean", {}).get("event", {}), "f1"),
        ece=estimate(calibration, "ece"),
        brier=estimate(calibration, "brier"),
        curve=operating.get("curve", ()),
        points=operating.get("points", ()),
        one_alarm_is_per_24h=operating.get("one_alarm_is_per_24h"),
        calibration=calibration.get("curve", ()),
        calibration_by_site={site: part["curve"] for site, part in calibration.get("sites", {}).items()},
        patients=result.get("per_patient", ()),
        subgroups=result.get("subgroups", ()),
        worst=result.get("worst_decile", {}),
        oracle_auc=baselines.get("label_oracle", {}).get("auc"),
        lookup_auc=baselines.get("id_lookup", {}).get("auc"),
        digests=result.get("digests", {}),
        scorers=tuple(sorted(_scorers(result))),
        draws=result.get("uncertainty", {}).get("draws"),
    )


def estimate(part: Mapping[str, Any], name: str) -> Estimate:
    """The figure `name` of a part of a result, such as a subgroup; empty where it is missing."""
    found = part.get(name) or {}
    return Estimate(found.get("estimate"), found.get("low"), found.get("high"))


def _scorers(part: Any) -> set[str]:
    """Name, version and code digest of every scorer anywhere in a result."""
    if isinstance(part, Mapping):
        own = part.get("scorer")
        mine = {f"{own['name']} {own['version']} {own['code_digest']}"} if isinstance(own, Mapping) else set()
        return mine.union(*(_scorers(v) for v in part.values()))
    if isinstance(part, Sequence) and not isinstance(part, str):
        return set().union(*(_scorers(v) for v in part))
    return set()
