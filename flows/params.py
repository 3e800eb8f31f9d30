"""The schema of params.yaml: every number a run may change, typed, with unknown keys answered by "did you mean"."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lineage.refused import Refused


class BadParams(Refused):
    """params.yaml says something that Ictal does not know or cannot use."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CohortParams(_Block):
    name: str = Field("simulated", pattern=r"^[a-z0-9][a-z0-9_-]*$", description="folder below data/raw")


class SimulationParams(_Block):
    seed: int = 2026
    patients_per_site: int = Field(8, ge=2, le=500)
    minutes: float = Field(10.0, ge=2, le=24 * 60, description="length of a development recording")
    surveillance_per_site: int = Field(12, ge=0, le=500, description="later patients, only ever watched for drift")
    surveillance_minutes: float = Field(3.0, ge=2, le=24 * 60)
    changed_site: str = Field("demo-east", description="whose amplifier is changed before the surveillance period")
    broken: int = Field(2, ge=0, le=2, description="recordings broken on purpose")


class CheckParams(_Block):
    min_duration_s: float = Field(60.0, gt=0)


class SplitParams(_Block):
    folds: int = Field(3, ge=2, le=20)
    inner_share: float = Field(0.25, gt=0, lt=1, description="share of training patients kept for tuning")
    seed: int = 7


class HoldoutParams(_Block):
    """Persons locked away from training, tuning and choice; each opening is a line in the ledger."""

    share: float = Field(0.0, ge=0, lt=0.5, description="expected share of persons; 0 locks nobody")
    seed: int = 3
    budget: int = Field(1, ge=1, le=5, description="how often it may be opened, ever")


class TrainParams(_Block):
    preset: str = "demo"
    seed: int = 7
    shuffle_labels: bool = Field(False, description="null control: each recording gets another patient's labels")


def _with_patients_apart(regimes: list[str]) -> list[str]:
    if "patient" not in regimes:
        raise ValueError("must hold patient: every figure that counts is made with patients apart")
    return regimes


Regime = Literal["patient", "site", "recording", "gap", "window"]


class LabParams(_Block):
    """The Leakage Lab: the splits under which every detector is trained and scored; two of them may be registered."""

    regimes: Annotated[list[Regime], AfterValidator(_with_patients_apart)] = ["patient", "window"]


class EvaluateParams(_Block):
    draws: int = Field(2000, ge=2000, le=100_000, description="bootstrap draws of patients")
    seed: int = 11


class PromoteParams(_Block):
    fold: int = Field(0, ge=0, description="the fold whose bundle is proposed; declared before any score is seen")
    sites: list[str] = ["demo-*"]
    hours: float = Field(24.0, gt=0, description="how long an approval of this candidate is to hold")


class DriftParams(_Block):
    draws: int = Field(1999, ge=199)
    seed: int = 13


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


class TypingGateParams(_Block):
    macro_f1_margin: float = Field(0.03, gt=0, le=0.03)
    floor_f1: float = Field(0.50, ge=0.50, lt=1)
    min_patients_per_class: int = Field(5, ge=5)


class ForecastingGateParams(_Block):
    balanced_accuracy_margin: float = Field(0.03, gt=0, le=0.03)
    warnings_margin_per_h: float = Field(0.05, gt=0, le=0.05)
    time_in_warning_margin: float = Field(0.05, gt=0, le=0.05)
    brier_margin: float = Field(0.01, gt=0, le=0.01)
    endpoints: Annotated[list[str], _all_of(FORECASTING_ENDPOINTS)] = FORECASTING_ENDPOINTS
    floor_balanced_accuracy: float = Field(0.50, ge=0.50, lt=1)
    min_patients: int = Field(24, ge=24)


class EnvelopeParams(_Block):
    tasks: Annotated[list[str], _some_of(["detection"])] = ["detection"]
    modalities: Annotated[list[str], _some_of(["eeg"])] = ["eeg"]
    montages: Annotated[list[str], _some_of(["neonatal_18"])] = ["neonatal_18"]
    rates_hz: Annotated[list[float], _some_of([128.0])] = [128.0]
    age_days: Annotated[list[float], _within(0, 28)] = [0.0, 28.0]
    classes: Annotated[list[str], _some_of(["background", "seizure"])] = ["background", "seizure"]
    intended_use: Annotated[list[str], _some_of(USES)] = USES


class GateParams(_Block):
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


class Params(_Block):
    cohort: CohortParams = CohortParams()
    simulation: SimulationParams = SimulationParams()
    checks: CheckParams = CheckParams()
    split: SplitParams = SplitParams()
    holdout: HoldoutParams = HoldoutParams()
    train: TrainParams = TrainParams()
    lab: LabParams = LabParams()
    evaluate: EvaluateParams = EvaluateParams()
    gates: GateParams = GateParams()
    promote: PromoteParams = PromoteParams()
    drift: DriftParams = DriftParams()


def read_params(path: Path) -> Params:
    """Read and check params.yaml; the message of a refusal names the key, its value and what is allowed."""
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise BadParams(f"params.yaml is not YAML: {str(error).splitlines()[0]}") from error
    return _validated(document)


def refuse_cohort_name(name: str) -> None:
    """BadParams where a cohort cannot be called so: its name is a folder below data/raw."""
    _validated({"cohort": {"name": name}})


def _validated(document: Any) -> Params:
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        raise BadParams("; ".join(_sentence(e) for e in error.errors())) from error


def set_params(path: Path, changes: dict[str, Any]) -> Params:
    """Write `changes` (dotted keys) into params.yaml, comments kept where they stand on lines of their own."""
    document = yaml.safe_load(path.read_text()) or {}
    for key, value in changes.items():
        block, name = key.split(".")
        document.setdefault(block, {})[name] = value
    heading = [line for line in path.read_text().splitlines() if line.startswith("#")]
    _validated(document)
    path.write_text("\n".join([*heading, yaml.safe_dump(document, sort_keys=False)]))
    return read_params(path)


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']}, got {error['input']!r}"
    known = _known_keys(error["loc"][:-1])
    near = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
    return f"{where} is not a setting{hint}"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    model: Any = Params
    for part in loc:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
