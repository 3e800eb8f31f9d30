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
    """Where classes are told apart: types of seizures, spasms, seizures on film."""

    macro_f1_margin: float = Field(
        0.03, gt=0, le=0.03, description="how much macro-F1 may lie below that of the champion"
    )
    floor_f1: float = Field(0.50, ge=0.50, lt=1, description="least F1 of every type that is evaluable")
    min_patients_per_class: int = Field(5, ge=5, description="a type that fewer patients had is not evaluable")


class ForecastingGateParams(Block):
    """Warnings ahead of seizures."""

    balanced_accuracy_margin: float = Field(
        0.03, gt=0, le=0.03, description="how much balanced accuracy may lie below that of the champion"
    )
    warnings_margin_per_h: float = Field(0.05, gt=0, le=0.05, description="how many more false warnings are allowed")
    time_in_warning_margin: float = Field(
        0.05, gt=0, le=0.05, description="how much larger the share of time in warning may be"
    )
    brier_margin: float = Field(0.01, gt=0, le=0.01, description="how much larger the Brier score may be")
    endpoints: Annotated[list[str], _all_of(FORECASTING_ENDPOINTS)] = Field(
        FORECASTING_ENDPOINTS, description="what is adjusted for together; neither fewer nor others"
    )
    floor_balanced_accuracy: float = Field(0.50, ge=0.50, lt=1, description="has to be exceeded; 0.5 is chance")
    baseline_margin: float = Field(
        0.0, ge=0, lt=0.5, description="by how much the best of what looks at no film has to be exceeded"
    )
    min_patients: int = Field(24, ge=24, description="fewest patients for any interval")


class EnvelopeParams(Block):
    """Which changes the plan is about at all: beyond it a new plan is needed, not a better score."""

    tasks: Annotated[list[str], _some_of(["detection"])] = Field(["detection"], description="what is answered")
    modalities: Annotated[list[str], _some_of(["eeg"])] = Field(["eeg"], description="what is looked at")
    montages: Annotated[list[str], _some_of(["neonatal_18"])] = Field(["neonatal_18"], description="derivations")
    rates_hz: Annotated[list[float], _some_of([128.0])] = Field([128.0], description="rate that a detector reads at")
    age_days: Annotated[list[float], _within(0, 28)] = Field([0.0, 28.0], description="youngest and oldest")
    classes: Annotated[list[str], _some_of(["background", "seizure"])] = Field(
        ["background", "seizure"], description="what is told apart"
    )
    intended_use: Annotated[list[str], _some_of(USES)] = Field(USES, description="as the detector's card states it")


class GateParams(Block):
    """The predetermined change plan; its meaning is that of `validation.gates.GateSettings`.

    Stricter is allowed, looser is not, and no gate can be left out. The seed is fixed: another throw of the dice is
    not stricter.
    """

    sensitivity_margin: float = Field(
        0.05, gt=0, le=0.05, description="how much smaller the share of seizures found may be, at equal false alarms"
    )
    alarms_margin_per_24h: float = Field(0.5, gt=0, le=0.5, description="how many more false alarms are allowed")
    endpoints: Annotated[list[str], _all_of(ENDPOINTS)] = Field(
        ENDPOINTS, description="what is adjusted for together; neither fewer nor others"
    )
    floor_sensitivity: float = Field(
        0.70, ge=0.70, lt=1, description="least share of seizures found in every stratum of age"
    )
    min_patients_per_stratum: int = Field(
        60, ge=60, description="patients with seizures of a stratum; with fewer there is no evidence"
    )
    site_margin: float = Field(
        0.10, gt=0, le=0.10, description="how much smaller the share of seizures found may be at any one site"
    )
    ece_margin: float = Field(
        0.02, gt=0, le=0.02, description="how much larger the expected calibration error within sites may be"
    )
    abstention_margin: float = Field(
        0.02, gt=0, le=0.02, description="how much larger the share of time may be that is not assessed"
    )
    max_cost_s_per_eeg_hour: float = Field(360.0, gt=0, le=360, description="computing; a tenth of real time")
    min_patients: int = Field(5, ge=5, description="fewest patients for any interval")
    one_sided_confidence: float = Field(
        0.975, ge=0.975, le=0.999, description="of every bound; 1 minus it is the level of superiority"
    )
    power_alternative: float = Field(0.10, gt=0, le=0.10, description="the true advantage for which power is stated")
    draws: int = Field(2000, ge=2000, le=100_000, description="bootstrap draws of patients")
    seed: Literal[0] = Field(0, description="fixed: another throw of the dice is not stricter")
    typing: TypingGateParams = TypingGateParams()
    forecasting: ForecastingGateParams = ForecastingGateParams()
    envelope: EnvelopeParams = EnvelopeParams()
