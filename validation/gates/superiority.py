"""Is it better in anything? A challenger that is only as good as the champion has no reason to replace it.

Percentile draws of few patients are a little too sure: of 300 simulated pairs of equal detectors this gate let 5.0 %
pass with 24 patients and 3.7 % with 60, where 2.5 % are meant. The floor asks for 60 in each stratum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np

from validation.gates.gate import Gate, Outcome, with_power
from validation.gates.power import Power, power
from validation.gates.study import Study
from validation.uncertainty import Statistic, difference

NOTHING = 1e-12
"""Differences below this are rounding of sums."""


@dataclass(frozen=True)
class Endpoint:
    """The figures of both, their statistic, which way is better, and in how many patients the candidate is better.

    `sign` is 1 where more is better, −1 where less is.
    """

    ours: Any
    theirs: Any
    statistic: Statistic
    sign: int
    better: int


@dataclass(frozen=True)
class Gain:
    """How much better the candidate is (larger is better), its spread over draws, and the one-sided p that it is not.

    Estimate and spread (standard deviation) in the endpoint's unit; NaN where the endpoint could not be compared.
    """

    estimate: float
    spread: float
    p: float


def superior(study: Study[Any], endpoints: Mapping[str, Endpoint], main: str, persons: int, assumed: str) -> Gate:
    """Holm's first step: the smallest p over the declared endpoints, times their number.

    Power is that of the endpoint `main`, to which `persons` count, if it were better by the plan's alternative.
    """
    alpha = round(1 - study.plan.one_sided_confidence, 9)
    gains = {name: gain(study, endpoint) for name, endpoint in endpoints.items()}
    known = {name: found for name, found in gains.items() if np.isfinite(found.p)}
    if not known:
        return Gate("superior", "unknown", None, alpha, "no declared endpoint could be compared")
    best = min(known, key=lambda name: known[name].p)
    p = min(1.0, known[best].p * len(gains))
    hopeful = any(found.estimate > NOTHING for found in known.values())
    outcome: Outcome = "pass" if p <= alpha else "insufficient_evidence" if hopeful else "fail"
    reason = f"best endpoint {best}, p {p:.2g} adjusted for {len(gains)} (Holm), must be ≤ {alpha:g}"
    return with_power(
        Gate("superior", outcome, p, alpha, reason), _power(study, gains.get(main), len(gains), persons, assumed)
    )


def gain(study: Study[Any], of: Endpoint) -> Gain:
    """The p-value by the bootstrap, but never below what a sign test could reach with the patients that were better:
    three patients who all improve show 1/8, whatever is drawn from them."""
    statistic = difference(of.statistic)
    everyone = np.ones((1, study.weights.shape[1]), dtype=np.int64)
    estimate = of.sign * float(statistic(everyone, (of.ours, of.theirs))[0])
    drawn = of.sign * statistic(study.weights, (of.ours, of.theirs))
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(estimate) or len(drawn) == 0 or study.weights.shape[1] < 2:
        return Gain(estimate, float("nan"), float("nan"))
    if estimate <= NOTHING:
        return Gain(estimate, float(drawn.std()), 1.0)
    p = float((1 + (drawn <= NOTHING).sum()) / (1 + len(drawn)))
    return Gain(estimate, float(drawn.std()), max(p, 0.5**of.better))


def _power(study: Study[Any], main: Gain | None, endpoints: int, persons: int, assumed: str) -> Power:
    if main is None:
        return Power()
    alpha = (1 - study.plan.one_sided_confidence) / endpoints
    return power(study.plan.power_alternative, main.spread, persons, 1 - alpha, assumed, ceil(-log2(alpha)))
