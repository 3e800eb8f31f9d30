"""The papers' own protocol: folds over windows, every window by itself, all windows pooled. Never evidence.

The rest of the house scores a trend second by second and event by event; studies with folds over windows report the
AUC and the F1 of single windows. The same detector is shown here as they would show it, beside what the labels of
neighbouring windows and of the same patient give without any EEG, on the very same windows and folds.
"""

from typing import Any

import numpy as np
import pandas as pd

from validation.baselines import of_windows
from validation.scoring import Scorer, code_digest, resting
from validation.uncertainty import MIN_DRAWS, PairWins, interval_of, patient_draws, pooled_auc, ratio_of_sums

CUT = 0.5


def single_windows(
    windows: pd.DataFrame, window_s: float, recorded_s: float, seed: int, draws: int = MIN_DRAWS
) -> dict[str, Any]:
    """AUC and F1 of windows as each was predicted by the fold that did not train on it.

    `windows`: a row per window with recording, person, site, fold, onset_s, probability (0–1) and label (0, 1).
    Intervals redraw persons inside their sites, as everywhere.
    """
    table = windows.sort_values(["recording", "onset_s"])
    persons = [own for _, own in table.groupby("person", sort=True)]
    labels, scores = ([own[name].to_numpy() for own in persons] for name in ("label", "probability"))
    weights = patient_draws([own["site"].iloc[0] for own in persons], np.random.default_rng(seed), draws)
    hits = np.array([_hits(y, p >= CUT) for y, p in zip(labels, scores, strict=True)], dtype=float)
    folds = int(table["fold"].max()) + 1
    hop_s = float(np.median(np.diff(table["onset_s"])))
    policy = {"regime": "window", "folds": folds, "window_s": window_s, "hop_s": hop_s, "cut": CUT, "seed": seed}
    covered_s = min(recorded_s, len(table) * hop_s)
    return {
        "scorer": Scorer("single_windows", "1", code_digest([__file__]), policy | {"draws": draws}).to_json(),
        "rests_on": resting(len(persons), covered_s, recorded_s),
        "reportable": False,
        "windows": len(table),
        "folds": folds,
        "window_s": window_s,
        "hop_s": hop_s,
        "auc": interval_of(PairWins.of(labels, scores), pooled_auc, weights).to_json(),
        "f1": interval_of(hits, ratio_of_sums, weights).to_json(),
        **of_windows(*(table[name].to_numpy() for name in ("label", "recording", "person", "fold"))),
    }


def _hits(labels: np.ndarray, called: np.ndarray) -> tuple[int, int]:
    """Numerator and denominator of F1: twice the windows found, and all that were marked or called."""
    truth = labels.astype(bool)
    return 2 * int((truth & called).sum()), int(truth.sum() + called.sum())
