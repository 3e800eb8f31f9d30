"""The schema of params.yaml: every number a run may change, typed, with unknown keys answered by "did you mean"."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from data.settings import read_yaml
from flows.change_plan import Block, GateParams
from flows.rewriting import in_words, with_setting
from lineage.refused import Refused
from lineage.whole import whole_file


class BadParams(Refused):
    """params.yaml says something that Ictal does not know or cannot use."""


FOLDER = r"^[a-z0-9][a-z0-9_-]*$"


class CohortParams(Block):
    """Folders below data/raw: whom the detectors of each task look at; `name` is of those that find seizures in EEG."""

    name: str = Field("simulated", pattern=FOLDER, description="whose seizures are found in EEG")
    typing: str = Field("simulated-adults", pattern=FOLDER, description="whose seizures in EEG get a type")
    spasms: str = Field("simulated-infants", pattern=FOLDER, description="in whose poses spasms are found")
    semiology: str = Field("simulated-semiology", pattern=FOLDER, description="whose seizures on film get a type")
    forecasting: str = Field(
        "simulated-forecasting", pattern=FOLDER, description="on whose films seizures are foreseen"
    )


SIMULATED = "draws who is simulated"
AT_EACH = "simulated patients of each site"


class SimulationParams(Block):
    """The simulated newborns, in whose EEG seizures are found; all that follows is of a demo's workspace."""

    seed: int = Field(2026, description=SIMULATED)
    patients_per_site: int = Field(8, ge=2, le=500, description=AT_EACH)
    minutes: float = Field(6.0, ge=2, le=24 * 60, description="length of a development recording")
    surveillance_per_site: int = Field(12, ge=0, le=500, description="later patients, only ever watched for drift")
    surveillance_minutes: float = Field(3.0, ge=2, le=24 * 60, description="length of a later recording")
    changed_site: str = Field("demo-east", description="whose amplifier is changed before the surveillance period")
    broken: int = Field(2, ge=0, le=2, description="recordings broken on purpose")
    transferred: int = Field(
        1, ge=0, le=500, description="newborns of the first site who are recorded at the second as well"
    )

    @model_validator(mode="after")
    def _nobody_is_transferred_who_is_not_there(self) -> "SimulationParams":
        if self.transferred > self.patients_per_site:
            raise ValueError(
                f"transferred must be at most patients_per_site ({self.patients_per_site}), got {self.transferred}"
            )
        return self


class AdultParams(Block):
    """The simulated adults, in whom types of seizures are told apart."""

    seed: int = Field(2027, description=SIMULATED)
    patients_per_site: int = Field(12, ge=4, le=500, description=AT_EACH)


class InfantParams(Block):
    """The simulated infants, in whose poses spasms are found."""

    seed: int = Field(2028, description=SIMULATED)
    patients_per_site: int = Field(9, ge=2, le=500, description=AT_EACH)


class FilmParams(Block):
    """The simulated adults on film, of whose seizures the type is named."""

    seed: int = Field(2029, description=SIMULATED)
    patients_per_site: int = Field(10, ge=2, le=500, description=AT_EACH)


class ForecastParams(Block):
    """The simulated people on film before seizures and at rest, and rodents to learn from."""

    seed: int = Field(2030, description=SIMULATED)
    patients_per_site: int = Field(10, ge=2, le=500, description=AT_EACH)
    cue: float = Field(1.0, ge=0, le=1, description="strength of the pre-ictal cue; 0 is the null control")


class CheckParams(Block):
    """What the checks ask of a cohort besides what no setting changes."""

    min_duration_s: float = Field(60.0, gt=0, description="a shorter recording is put aside")


class SplitParams(Block):
    """Who is learnt from, tuned on and tested on."""

    folds: int = Field(3, ge=2, le=20, description="folds over patients")
    leaky_folds: int = Field(
        3,
        ge=2,
        le=20,
        description="folds over windows and over stretches; the papers of the leaky controls use 5 or 10",
    )
    inner_share: float = Field(0.25, gt=0, lt=1, description="share of training patients kept for tuning")
    seed: int = Field(7, description="draws the folds")


class HoldoutParams(Block):
    """Persons locked away from training, tuning and choice; each opening is a line in the ledger."""

    share: float = Field(0.0, ge=0, lt=0.5, description="expected share of persons; 0 locks nobody")
    seed: int = Field(3, description="draws who is locked away")
    budget: int = Field(1, ge=1, le=5, description="how often it may be opened, ever")


class TrainParams(Block):
    """How detectors are fitted; their own numbers stand in their folders."""

    preset: str = Field("demo", description="which numbers of a detector are used: demo or paper")
    seed: int = Field(7, description="draws first weights and the order of examples")
    shuffle_labels: bool = Field(False, description="null control: each recording gets another patient's labels")


def _with_patients_apart(regimes: list[str]) -> list[str]:
    if "patient" not in regimes:
        raise ValueError("must hold patient: every figure that counts is made with patients apart")
    return regimes


Regime = Literal["patient", "site", "recording", "gap", "window"]
TypingRegime = Literal["patient", "site", "seizure"]


class LabParams(Block):
    """The Leakage Lab: the splits under which every detector is trained and scored; two of them may be registered."""

    regimes: Annotated[list[Regime], AfterValidator(_with_patients_apart)] = Field(
        ["patient", "window"], description="of detection; patient is always among them"
    )
    typing: Annotated[list[TypingRegime], AfterValidator(_with_patients_apart)] = Field(
        ["patient"], description="of typing"
    )
    spasms: Annotated[list[TypingRegime], AfterValidator(_with_patients_apart)] = Field(
        ["patient"], description="of spasms"
    )
    semiology: Annotated[list[TypingRegime], AfterValidator(_with_patients_apart)] = Field(
        ["patient"], description="of semiology"
    )
    forecasting: Annotated[list[TypingRegime], AfterValidator(_with_patients_apart)] = Field(
        ["patient"], description="of forecasting"
    )
    controls: list[str] = Field(
        ["da_stnet"],
        description="detectors that are run under the leaky regimes too; all of them where nobody is named",
    )


class EvaluateParams(Block):
    """How intervals of figures are made."""

    draws: int = Field(2000, ge=2000, le=100_000, description="bootstrap draws of patients")
    seed: int = Field(11, description="draws them")


class PromoteParams(Block):
    """What a candidate is proposed for."""

    fold: int = Field(0, ge=0, description="the fold whose bundle is proposed; declared before any score is seen")
    sites: list[str] = Field(["demo-*"], description="sites for which this candidate is to be approved")
    hours: float = Field(24.0, gt=0, description="how long an approval of this candidate is to hold")


class DriftParams(Block):
    """How a site's later recordings are compared with its earlier ones."""

    draws: int = Field(
        1999, ge=199, description="exchanges of patients between the two periods, by which chance is judged"
    )
    seed: int = Field(13, description="draws them")


class Params(Block):
    """All of params.yaml, block by block; what it leaves out has the value that stands here."""

    cohort: CohortParams = CohortParams()
    simulation: SimulationParams = SimulationParams()
    adults: AdultParams = AdultParams()
    infants: InfantParams = InfantParams()
    films: FilmParams = FilmParams()
    forecasts: ForecastParams = ForecastParams()
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
    """Read and check params.yaml: BadParams names the key, its value and what is allowed, or the line that is no
    YAML."""
    return _validated(_document(path.read_text()))


def refuse_cohort_name(name: str) -> None:
    """BadParams where a cohort cannot be called so: its name is a folder below data/raw."""
    _validated({"cohort": {"name": name}})


def _document(text: str) -> Any:
    try:
        return read_yaml(text) or {}
    except yaml.YAMLError as error:
        raise BadParams(f"params.yaml is not YAML: {str(error).splitlines()[0]}") from error


def _validated(document: Any) -> Params:
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        raise BadParams("; ".join(_sentence(e) for e in error.errors())) from error


def set_params(path: Path, changes: dict[str, Any]) -> Params:
    """Write `changes` (dotted keys) into params.yaml, where each has its place; all else stays as it was, to the character.

    BadParams, and the file as it was, where the changed settings are refused, or where it is written in a way that only a
    person can change (by aliases, say).
    """
    text = path.read_bytes().decode()
    wanted = _document(text)
    for key, value in changes.items():
        block, name = key.split(".")
        if isinstance(wanted, dict) and isinstance(wanted.setdefault(block, {}), dict):
            wanted[block][name] = value
    _validated(wanted)
    written = _rewritten(text, changes)
    if written is None or read_yaml(written) != wanted:
        said = ", ".join(f"{key}: {in_words(value)}" for key, value in changes.items())
        raise BadParams(
            f"params.yaml is not written so that one setting can be changed in it: write {said} there yourself"
        )
    with whole_file(path) as partial:
        partial.write_bytes(written.encode())
    return read_params(path)


def _rewritten(text: str, changes: dict[str, Any]) -> str | None:
    try:
        for key, value in changes.items():
            block, name = key.split(".")
            now = read_yaml(text) or {}
            if block not in now or name not in now[block] or now[block][name] != value:
                text = with_setting(text, block, name, value)
        read_yaml(text)
    except yaml.YAMLError:
        return None
    return text


def changed_in_words(before: Params, after: Params) -> list[str]:
    """A sentence for each setting in which the two differ: what a command wrote into params.yaml holds for later ones too."""
    one, two = before.model_dump(), after.model_dump()
    changed = [(f"{block}.{name}", one[block][name], two[block][name]) for block in two for name in two[block]]
    return [
        f"params.yaml now says {key}: {in_words(now)} (before: {in_words(then)}); later commands follow it too"
        for key, then, now in changed
        if then != now
    ]


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
