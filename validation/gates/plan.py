"""The predetermined change plan: what a challenger must show, declared before anybody has seen its scores.

It stands in `params.yaml` under `gates`, where a number may be made stricter and never looser (`flows.params`), and
its digest is stated with every gate. Margins of detection are those of the design. Those of typing's floor, of
forecasting, of cost and of superiority's power were proposed here, before there was anything to judge with them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lineage.digest import Digest, digest_of
from validation.uncertainty import MIN_DRAWS

ENDPOINTS = ("sensitivity", "alarms_per_24h", "auc", "brier")
FORECASTING_ENDPOINTS = ("balanced_accuracy", "warnings_per_h", "brier")


@dataclass(frozen=True)
class TypingPlan:
    """Seizure types. A class that fewer than `min_patients_per_class` patients had is not evaluable."""

    macro_f1_margin: float = 0.03
    floor_f1: float = 0.50
    min_patients_per_class: int = 5


@dataclass(frozen=True)
class ForecastingPlan:
    """Warnings ahead of seizures. The floor of balanced accuracy is chance and has to be exceeded, not reached; so does the
    best of what looks at no film, by `baseline_margin`.

    24 patients are the fewest for which percentile intervals held about what they say (`validation.uncertainty`).
    """

    balanced_accuracy_margin: float = 0.03
    warnings_margin_per_h: float = 0.05
    time_in_warning_margin: float = 0.05
    brier_margin: float = 0.01
    endpoints: tuple[str, ...] = FORECASTING_ENDPOINTS
    floor_balanced_accuracy: float = 0.50
    baseline_margin: float = 0.0
    min_patients: int = 24

    def __post_init__(self) -> None:
        _refuse_endpoints(self.endpoints, FORECASTING_ENDPOINTS)
        object.__setattr__(self, "endpoints", tuple(self.endpoints))


@dataclass(frozen=True)
class Envelope:
    """Which changes this plan is about at all: anything beyond needs a new plan, not a better score."""

    tasks: tuple[str, ...] = ("detection",)
    modalities: tuple[str, ...] = ("eeg",)
    montages: tuple[str, ...] = ("neonatal_18",)
    rates_hz: tuple[float, ...] = (128.0,)
    age_days: tuple[float, float] = (0.0, 28.0)
    classes: tuple[str, ...] = ("background", "seizure")
    intended_use: tuple[str, ...] = (
        "A yardstick for neonatal seizure detectors. Not for clinical use.",
        "Research on neonatal seizure detection in full-montage EEG; every detection is to be reviewed.",
    )

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, tuple(value))


KINDS = {"typing": "typing", "spasms": "typing", "semiology": "typing", "forecasting": "forecasting"}
"""By which gates a task is judged that is no detection: all but forecasting call stretches by a class."""

FURTHER: Mapping[str, Envelope] = {
    "typing": Envelope(
        ("typing",),
        ("eeg",),
        ("tcp_20",),
        (250.0,),
        (365.0, 43830.0),
        ("FNSZ", "GNSZ", "CPSZ", "ABSZ", "TNSZ", "TCSZ", "SPSZ"),
        (
            "A yardstick for detectors that name the type of a marked seizure. Not for clinical use.",
            "Research on naming the type of a seizure that has been marked in full-montage EEG; every answer is to be "
            "reviewed.",
        ),
    ),
    "spasms": Envelope(
        ("spasms",),
        ("pose",),
        ("coco_17_neck",),
        (25.0, 41.0),
        (0.0, 1096.0),
        ("other", "spasm"),
        (
            "A yardstick for detectors of infantile spasms. Not for clinical use.",
            "Research on infantile spasms in pose tracks of filmed infants; every detection is to be reviewed.",
        ),
    ),
    "semiology": Envelope(
        ("semiology",),
        ("video",),
        ("film",),
        (15.0,),
        (365.0, 43830.0),
        ("FOS", "FBTCS"),
        (
            "A yardstick for detectors that name a filmed seizure. Not for clinical use.",
            "Research on naming a filmed seizure that has been marked, focal or becoming bilateral tonic-clonic; every "
            "answer is to be reviewed.",
        ),
    ),
    "forecasting": Envelope(
        ("forecasting",),
        ("video",),
        ("film",),
        (5.0, 8.0, 15.0),
        (365.0, 43830.0),
        ("interictal", "preictal"),
        (
            "A yardstick for detectors that say whether a seizure is about to begin. Not for clinical use.",
            "Research on warning of seizures from film; every warning is to be reviewed, and nobody is to rely on its "
            "silence.",
        ),
    ),
}
"""The envelopes of the other tasks. They belong to the plan and are no settings: nothing in params.yaml widens them."""


@dataclass(frozen=True)
class GateSettings:
    """The whole plan; detection stands at the top, the other tasks and the envelope in blocks of their own.

    Shares are 0–1 (0.05 is 5 points). `min_patients_per_stratum` counts patients with seizures; `min_patients` is
    needed for any interval at all. `one_sided_confidence` holds for every bound, and 1 − it for superiority.
    `power_alternative` is the true advantage (over the floor, over the champion) for which power is stated. Blocks
    may be given as mappings, as read from `params.yaml`. Law: the digest is that of the block in `params.yaml`.
    """

    sensitivity_margin: float = 0.05
    alarms_margin_per_24h: float = 0.5
    endpoints: tuple[str, ...] = ENDPOINTS
    floor_sensitivity: float = 0.70
    min_patients_per_stratum: int = 60
    site_margin: float = 0.10
    ece_margin: float = 0.02
    abstention_margin: float = 0.02
    max_cost_s_per_eeg_hour: float = 360.0
    min_patients: int = 5
    one_sided_confidence: float = 0.975
    power_alternative: float = 0.10
    draws: int = MIN_DRAWS
    seed: int = 0
    typing: TypingPlan = field(default_factory=TypingPlan)
    forecasting: ForecastingPlan = field(default_factory=ForecastingPlan)
    envelope: Envelope = field(default_factory=Envelope)

    def __post_init__(self) -> None:
        _refuse_endpoints(self.endpoints, ENDPOINTS)
        object.__setattr__(self, "endpoints", tuple(self.endpoints))
        for name, kind in BLOCKS.items():
            given: Any = getattr(self, name)
            if isinstance(given, Mapping):
                object.__setattr__(self, name, kind(**given))

    @property
    def digest(self) -> Digest:
        """Names the plan: every limit, block, seed and number of draws is in it."""
        return digest_of(asdict(self))

    @property
    def level(self) -> float:
        """The two-sided level whose bounds have `one_sided_confidence` each."""
        return 2 * self.one_sided_confidence - 1


BLOCKS: dict[str, Any] = {"typing": TypingPlan, "forecasting": ForecastingPlan, "envelope": Envelope}


def _refuse_endpoints(given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if set(given) - set(known) or not given:
        raise ValueError(f"endpoints must be some of {', '.join(known)}, got {', '.join(given) or 'none'}")
