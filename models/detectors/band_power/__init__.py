"""The floor of seizure typing: band powers and a logistic. No deep model may be registered that does not beat it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.frontend import FrontEnd, Prepared
from data.spectra import log_band_power
from data.windows import clips_of_seizure
from models.appearance import of_eeg
from models.detector import Examples, InputContract
from models.logistic import LogisticFloor


class BandPower(LogisticFloor):
    """Log power in each band, relative to all of them, and how much it differs between derivations.

    Features per clip: the mean over derivations of the total log power; of each band the mean over derivations of its
    share (log) and the standard deviation over derivations of its log power. Multinomial logistic with ridge on top.
    """

    name, modality = "band_power", "eeg"
    classes = ("FNSZ", "GNSZ", "CPSZ", "ABSZ", "TNSZ", "TCSZ", "SPSZ")
    contract = InputContract(montage="tcp_20", age_days=(365, 43830), min_duration_s=10)

    FEATURES = 11
    """The total, and two numbers of each of five bands."""

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = params["window_s"], params["hop_s"]

    @property
    def front_end(self) -> FrontEnd:
        """That of `seizurenet`, so that both are prepared once."""
        return FrontEnd(montage=self.contract.montage, rate_hz=250.0, band_hz=(0.5, 97.0))

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """Features (clips, `FEATURES`) of a seizure; refuses one without a gapless `shortest_s` (`too_short`)."""
        p = self.params
        clips, onset_s = clips_of_seizure(
            prepared.segments, prepared.rate_hz, self.window_s, self.hop_s, p["shortest_s"]
        )
        power = log_band_power(clips, prepared.rate_hz, p["edges_hz"])
        total = np.log10((10**power).sum(axis=2, keepdims=True))
        x = np.concatenate([total.mean(axis=1), (power - total).mean(axis=1), power.std(axis=1)], axis=1)
        whose = np.full(len(x), recording), np.full(len(x), patient)
        return Examples(x, onset_s, *whose, self.window_s, seen=of_eeg(clips, prepared.rate_hz))


DETECTOR = BandPower
