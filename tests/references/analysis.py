"""`analyse` in one go over the whole prepared recording, step after step: what hearing it chunk by chunk must equal."""

import numpy as np

from data.events import Annotations
from data.recording import Recording
from models.analysis import assess
from models.bundle import Bundle
from models.decisions import raw_trend
from models.look import WINDOW_S, look


def trend_and_events(recording: Recording, bundle: Bundle) -> tuple[np.ndarray, np.ndarray, Annotations]:
    """Trend, out-of-distribution trend and events, of a recording that is not refused."""
    prepared = bundle.front_end.prepare(recording)
    seen = look(prepared)
    ood_trend = raw_trend(seen.onset_s, bundle.ood.scores(seen.x), WINDOW_S, recording.duration_s)
    trend = bundle.decision.smoothed(assess(prepared, bundle), ood_trend > bundle.ood.window_limit)
    return trend, ood_trend, bundle.decision.events(trend, recording.duration_s)
