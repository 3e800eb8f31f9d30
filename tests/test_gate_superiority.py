"""Better in anything? By a declared endpoint, adjusted for all of them, and by more than chance."""

from dataclasses import replace

import numpy as np
import pytest

from tests.gated import BETTER, CHAMPION, SETTINGS, N, evidence, gate
from validation.gates import ENDPOINTS
from validation.gates.study import Study
from validation.gates.superiority import Endpoint, gain
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
