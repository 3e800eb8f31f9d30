"""Who declines to answer is not taken to know: neither in ranks nor as superior."""

from dataclasses import replace

import numpy as np
import pytest

from tests.gated import CHAMPION, SETTINGS, N, gate
from validation.gates import silence
from validation.reliability import Calibration
from validation.uncertainty import PairWins, pooled_auc


def test_a_second_that_one_detector_left_unanswered_ranks_neither_above_nor_below():
    """One seizure second at 0.9, others at 0.1 and 0.95: one pair of two is won. Silent on the third it won one of
    one; with the silence as half a win it is 1.5 of 2."""
    labels, stated = [np.array([1, 0, 0])], np.array([0.9, 0.1, 0.95])
    every, silent = PairWins.of(labels, [stated]), PairWins.of(labels, [np.where(stated > 0.92, np.nan, stated)])
    once = np.ones((1, 1), int)
    assert [pooled_auc(once, p)[0] for p in (every, silent)] == [0.5, 1.0]
    assert pooled_auc(once, silence.pairs(silent, every))[0] == 0.75
    assert pooled_auc(once, silence.pairs(every, silent))[0] == 0.5


def test_a_seizure_second_left_unanswered_wins_half_of_its_pairs():
    """Seizure seconds at 0.9 and 0.2, others at 0.1 and 0.5: three pairs of four are won. Silent on the second, two of two
    are won; with the silence as half, 2 + 2 / 2 = 3 of 4."""
    labels, stated = [np.array([1, 1, 0, 0])], np.array([0.9, 0.2, 0.1, 0.5])
    every, silent = PairWins.of(labels, [stated]), PairWins.of(labels, [np.where(stated == 0.2, np.nan, stated)])
    once = np.ones((1, 1), int)
    asked = [silence.pairs(*both) for both in ((every, silent), (silent, every))]
    assert [pooled_auc(once, p)[0] for p in asked] == [0.75, 0.75]
    assert all((p.positives.tolist(), p.negatives.tolist()) == ([2.0], [2.0]) for p in asked)


def test_an_unanswered_second_is_an_error_of_a_quarter_over_what_either_detector_answered():
    """Four seconds stated at 0.6, of which two are seizures: 2 · 0.4² + 2 · 0.6² = 1.04. Silent on both seizures, 0.72 are
    left, and 2 · 0.25 are added."""
    labels, stated = [np.array([1, 1, 0, 0])], np.full(4, 0.6)
    every = Calibration.of([stated], labels)
    silent = Calibration.of([np.where(labels[0], np.nan, stated)], labels)
    assert silence.squared_errors(every, silent) == pytest.approx(np.array([[1.04, 4.0]]))
    assert silence.squared_errors(silent, every) == pytest.approx(np.array([[1.22, 4.0]]))


def test_a_champion_silenced_where_it_errs_is_not_superior_to_itself():
    """The hardest tenth of the seconds is not answered: what is left ranks better, and nothing was learnt."""
    rng = np.random.default_rng(4)
    labels = [np.repeat([0, 1], 20) for _ in range(N)]
    trends = [np.clip(0.5 + 0.3 * (y - 0.5) + 0.15 * rng.normal(size=40), 0.01, 0.99) for y in labels]
    hard = [np.where(np.abs(t - 0.5) < 0.05, np.nan, t) for t in trends]
    before, after = (
        replace(CHAMPION, pairs=PairWins.of(labels, t), calibration=Calibration.of(t, labels)) for t in (trends, hard)
    )
    blind = replace(SETTINGS, endpoints=("auc", "brier"))
    assert np.nanmean([np.isnan(t).mean() for t in hard]) > 0.1
    assert gate("superior", after, before, blind).outcome != "pass"
