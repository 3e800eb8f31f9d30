"""The change plan: the gates of params.yaml with what each number means; a number may be tightened, never loosened."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Block(BaseModel):
    """A block of params.yaml: an unknown key is refused, nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ENDPOINTS = ["sensitivity", "alarms_per_24h", "auc", "brier"]
FORECASTING_ENDPOINTS = ["balanced_accuracy", "warnings_per_h", "brier"]
USES = [
    "A yardstick for neonatal seizure detectors. Not for clinical use.",
    "Research on neonatal seizure detection in full-montage EEG; every detection is to be reviewed.",
]


def _all_of(declared: list[str]) -> AfterValidator:
    """Fewer endpoints would be adjusted for less, others are another plan: neither is stricter."""

    def check(given: list[str]) -> list[str]:
        if given != declared:
            raise ValueError(f"the plan declares {', '.join(declared)}; neither fewer nor others are stricter")
        return given

    return AfterValidator(check)


def _some_of(planned: Sequence[Any]) -> AfterValidator:
    """An envelope may be narrowed; what lies outside of it needs a new plan."""

    def check(given: list[Any]) -> list[Any]:
        if not given or set(given) - set(planned):
            raise ValueError(f"the plan covers {', '.join(map(str, planned))}: name some of them")
        return given

    return AfterValidator(check)


def _within(youngest: float, oldest: float) -> AfterValidator:
    def check(given: list[float]) -> list[float]:
        if len(given) != 2 or not youngest <= given[0] <= given[1] <= oldest:
            raise ValueError(f"the plan covers {youngest:g} to {oldest:g} days: give [from, to] inside of that")
        return given

    return AfterValidator(check)


class TypingGateParams(Block):
    macro_f1_margin: float = Field(0.03, gt=0, le=0.03)
    floor_f1: float = Field(0.50, ge=0.50, lt=1)
    min_patients_per_class: int = Field(5, ge=5)


class ForecastingGateParams(Block):
    balanced_accuracy_margin: float = Field(0.03, gt=0, le=0.03)
    warnings_margin_per_h: float = Field(0.05, gt=0, le=0.05)
    time_in_warning_margin: float = Field(0.05, gt=0, le=0.05)
    brier_margin: float = Field(0.01, gt=0, le=0.01)
    endpoints: Annotated[list[str], _all_of(FORECASTING_ENDPOINTS)] = FORECASTING_ENDPOINTS
    floor_balanced_accuracy: float = Field(0.50, ge=0.50, lt=1)
    min_patients: int = Field(24, ge=24)


class EnvelopeParams(Block):
    tasks: Annotated[list[str], _some_of(["detection"])] = ["detection"]
    modalities: Annotated[list[str], _some_of(["eeg"])] = ["eeg"]
    montages: Annotated[list[str], _some_of(["neonatal_18"])] = ["neonatal_18"]
    rates_hz: Annotated[list[float], _some_of([128.0])] = [128.0]
    age_days: Annotated[list[float], _within(0, 28)] = [0.0, 28.0]
    classes: Annotated[list[str], _some_of(["background", "seizure"])] = ["background", "seizure"]
    intended_use: Annotated[list[str], _some_of(USES)] = USES


class GateParams(Block):
    """The predetermined change plan; its meaning is that of `validation.gates.GateSettings`.

    Stricter is allowed, looser is not, and no gate can be left out. The seed is fixed: another throw of the dice is
    not stricter.
    """

    sensitivity_margin: float = Field(0.05, gt=0, le=0.05)
    alarms_margin_per_24h: float = Field(0.5, gt=0, le=0.5)
    endpoints: Annotated[list[str], _all_of(ENDPOINTS)] = ENDPOINTS
    floor_sensitivity: float = Field(0.70, ge=0.70, lt=1)
    min_patients_per_stratum: int = Field(60, ge=60)
    site_margin: float = Field(0.10, gt=0, le=0.10)
    ece_margin: float = Field(0.02, gt=0, le=0.02)
    abstention_margin: float = Field(0.02, gt=0, le=0.02)
    max_cost_s_per_eeg_hour: float = Field(360.0, gt=0, le=360, description="a tenth of real time")
    min_patients: int = Field(5, ge=5)
    one_sided_confidence: float = Field(0.975, ge=0.975, le=0.999)
    power_alternative: float = Field(0.10, gt=0, le=0.10)
    draws: int = Field(2000, ge=2000, le=100_000)
    seed: Literal[0] = 0
    typing: TypingGateParams = TypingGateParams()
    forecasting: ForecastingGateParams = ForecastingGateParams()
    envelope: EnvelopeParams = EnvelopeParams()
