"""Better in anything? By a declared endpoint, adjusted for all of them, and by more than chance."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from tests.gated import BETTER, CHAMPION, SETTINGS, N, evidence, gate, with_table
from validation.gates import ENDPOINTS
from validation.gates.study import Study
from validation.gates.superiority import Endpoint, gain, superior
from validation.uncertainty import ratio_of_sums


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_superiority_may_come_from_any_declared_endpoint_and_from_no_other(endpoint):
    better = {
        "sensitivity": evidence(sensitivity=0.9),
        "alarms_per_24h": evidence(alarms=0.0),
        "auc": evidence(separation=3.0),
        "brier": evidence(separation=3.0),
    }[endpoint]
    # False alarms fall, and the sweep with them, so that sensitivity is compared at the champion's rate.
    assert gate("superior", better, CHAMPION, replace(SETTINGS, endpoints=(endpoint,))).outcome == "pass"
    other = "alarms_per_24h" if endpoint != "alarms_per_24h" else "auc"
    assert gate("superior", better, CHAMPION, replace(SETTINGS, endpoints=(other,))).outcome == "fail"


def test_more_endpoints_make_superiority_harder():
    one = gate("superior", BETTER, CHAMPION, replace(SETTINGS, endpoints=("sensitivity",)))
    four = gate("superior", BETTER, CHAMPION, replace(SETTINGS, endpoints=ENDPOINTS))
    assert four.value == pytest.approx(4 * one.value)


def test_three_patients_who_all_improve_do_not_show_that_a_detector_is_better():
    """A bootstrap of three cannot leave the three; a sign test shows (1/2)³ = 0.125, for four endpoints 0.5."""
    made = gate("superior", evidence(sensitivity=1.0, n=3), evidence(sensitivity=0.2, n=3))
    assert made.outcome == "insufficient_evidence" and made.value >= 0.125


def test_a_gain_that_could_be_chance_is_insufficient_evidence():
    """One seizure more in 12 patients and one less in 8: a gain of 4 in 1,600, and nothing else differs."""
    found = np.minimum(CHAMPION.sweep.detected[0], 9)
    turned = found + np.repeat([1, -1, 0], [12, 8, N - 20])
    champion, candidate = (
        replace(CHAMPION, sweep=replace(CHAMPION.sweep, detected=np.stack([f, 0 * f]))) for f in (found, turned)
    )
    made = gate("superior", candidate, champion, replace(SETTINGS, endpoints=("sensitivity",)))
    assert made.outcome == "insufficient_evidence" and 0.05 < made.value < 0.5


def test_who_is_no_better_on_average_has_a_p_of_one_whatever_was_drawn():
    """Drawn was only the first patient, who improved by 1; the second got worse by 2."""
    found, known = np.array([[1.0, 4.0], [0.0, 4.0]]), np.array([[0.0, 4.0], [2.0, 4.0]])
    study = Study(None, None, np.array(["A", "A"]), np.tile([2, 0], (2000, 1)), SETTINGS)
    assert gain(study, Endpoint(found, known, ratio_of_sums, 1, 20)).p == 1.0
    assert gain(study, Endpoint(found, known * [[1], [0]], ratio_of_sums, 1, 20)).p < 0.001


def drawn(*rows: list[int]) -> Study:
    """A study of the persons in `rows`, each row one draw."""
    weights = np.array(rows)
    return Study(None, None, np.full(weights.shape[1], "A"), weights, SETTINGS)


def of_four(ours: list[float], theirs: list[float], better: int = 20) -> Endpoint:
    """Seizures found of four in each person, by both."""
    four = np.full(len(ours), 4.0)
    return Endpoint(np.stack([ours, four], 1), np.stack([theirs, four], 1), ratio_of_sums, 1, better)


def test_the_p_value_counts_what_was_seen_among_the_draws():
    """The first person improved by 2, the second got worse by 1. Of 39 draws one is not better and one is as good: with
    what was seen itself (1 + 2) / (1 + 39); of 39 that are all better (1 + 0) / 40."""
    better, worse, alike = [2, 0], [0, 2], [1, 2]
    assert gain(drawn(*[better] * 37, worse, alike), of_four([3, 0], [1, 1])).p == 3 / 40
    assert gain(drawn(*[better] * 39), of_four([3, 0], [1, 1])).p == 1 / 40
    assert gain(drawn(*[better] * 39), of_four([3, 0], [1, 1], better=4)).p == 1 / 16, "as of a sign test of four"


@pytest.mark.parametrize(
    ("study", "of"),
    [
        (drawn([1], [1]), of_four([3], [1])),  # one person
        (drawn([2, 0], [2, 0]), of_four([3, float("nan")], [1, 1])),  # no figure of all
        (drawn([0, 0], [0, 0]), of_four([3, 3], [1, 1])),  # no figure in any draw
    ],
)
def test_what_cannot_be_compared_or_drawn_again_has_no_p_and_shows_nothing(study, of):
    assert np.isnan(gain(study, of).p)
    made = superior(study, {"sensitivity": of}, "sensitivity", 2, "so")
    assert (made.outcome, made.value) == ("unknown", None)


def test_an_endpoint_that_cannot_be_compared_is_still_adjusted_for_and_hides_no_other():
    blank = with_table(CHAMPION, assessed_s=float("nan"))
    alone = gate("superior", BETTER, CHAMPION, replace(SETTINGS, endpoints=("sensitivity",)))
    made = replace(BETTER, table=blank.table)
    two = gate("superior", made, CHAMPION, replace(SETTINGS, endpoints=("alarms_per_24h", "sensitivity")))
    assert two.value == 2 * alone.value and two.outcome == "pass"


def test_no_p_value_is_above_one():
    assert gate("superior", CHAMPION, CHAMPION).value == 1.0


@pytest.mark.parametrize(("endpoints", "least"), [(("sensitivity",), 6), (ENDPOINTS, 8)])
def test_power_is_that_of_the_level_left_to_each_endpoint(endpoints, least):
    """0.025 for one endpoint, a quarter of it for each of four. All of 6 patients better show 1/64 = 0.016 ≤ 0.025, all of
    8 show 4/256 = 0.016, of 7 4/128 = 0.031: fewer cannot be enough."""
    plan = replace(SETTINGS, endpoints=endpoints, power_alternative=0.05)
    other = np.stack([np.random.default_rng(1).binomial(10, 0.8, N), np.zeros(N, int)])
    made = gate("superior", replace(CHAMPION, sweep=replace(CHAMPION.sweep, detected=other)), CHAMPION, plan)
    error = (other[0] / 10 - CHAMPION.sweep.detected[0] / 10).std() / np.sqrt(N)
    beyond = NormalDist().inv_cdf(1 - 0.025 / len(endpoints))
    assert made.power == pytest.approx(NormalDist().cdf(0.05 / error - beyond), abs=0.03)
    assert made.persons_needed == pytest.approx(N * ((beyond + 0.8416) * error / 0.05) ** 2, rel=0.1)
    sure = [evidence(sensitivity=x, n=4) for x in (1.0, 0.0)]
    assert gate("superior", *sure, plan).persons_needed == least
