"""Types of seizures on a whole workspace: a cohort, checks, splits, training and a report of their own."""

import json

import pandas as pd
import pytest

from data.cohorts.bids import read_cohort
from flows.stages.audits import members
from flows.stages.files import development, evaluation_of, read_json, splits, training_of
from flows.workspace import Workspace
from lineage.refused import Refused
from models import detectors
from models.typing import ANSWER, load_typing
from tests.commands import ictal
from tests.e2e.conftest import Pipeline, copy_of
from tests.e2e.test_pipeline import STAGED

NAMES = detectors.names("typing")


@pytest.fixture
def typing(proposed: Pipeline) -> Workspace:
    return proposed.workspace.of("typing")


def test_adults_are_a_cohort_of_their_own(proposed: Pipeline, typing: Workspace) -> None:
    assert proposed.workspace.tasks == ["detection", "typing"]
    assert proposed.said["check"]["typing"]["accepted"] == 12
    assert (typing.reports / "checks.html").exists()
    newborns, adults = ({e.path for e in read_cohort(w.cohort).entries} for w in (proposed.workspace, typing))
    assert newborns and adults and not newborns & adults


@pytest.mark.parametrize("name", NAMES)
def test_every_seizure_is_named_once_by_a_model_that_has_not_seen_its_patient(typing: Workspace, name: str) -> None:
    cohort = read_cohort(typing.cohort)
    person = {m.recording: m.person for m in members(typing)}
    table = pd.read_parquet(evaluation_of(typing, name, "patient") / "answers.parquet")
    own = table[table["variant"] == ANSWER]
    marked = {(e.name, n) for e in development(typing) for n in range(len(cohort.annotations(e).events))}
    assert sorted(zip(own["recording"], own["event"], strict=True)) == sorted(marked)
    for number, fold in enumerate(splits(typing)["patient"].folds):
        bundle = load_typing(training_of(typing, name, "patient") / f"fold-{number}")
        seen = {person[r] for recordings in bundle.origin["fitted_on"].values() for r in recordings}
        assert seen and not seen & {person[r] for r in fold.test}
        assert set(own[own["fold"] == number]["recording"]) <= set(fold.test)


def test_folds_over_seizures_flatter_and_leave_no_bundle_and_no_evidence(
    proposed: Pipeline, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = copy_of(proposed.workspace, tmp_path_factory.mktemp("seizures") / "home", (*STAGED, "ledger", "keys"))
    (made.root / "log").mkdir()
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    said = ictal("evaluate", "band_power", "--regimes", "patient,seizure", "--json")
    assert said.code == 0, said.err
    own = said.json["detectors"]["band_power"]
    assert [own["regimes"][r]["reportable"] for r in ("patient", "seizure")] == [True, False]
    assert own["inflation"]["weighted_f1"]["unit"] == "patient"
    typing = made.of("typing")
    assert {p.suffix for p in training_of(typing, "band_power", "seizure").rglob("*")} == {".parquet", ".json"}
    result = read_json(evaluation_of(typing, "band_power", "seizure") / "result.json")
    outcomes = {o["guard"]: o["outcome"] for o in result["leakage"]["outcomes"]}
    assert outcomes["same_person"] == "leak"
    assert "leaky control" in (typing.reports / "evaluation" / "band_power.html").read_text()


def test_the_guards_looked_at_the_honest_split(typing: Workspace) -> None:
    result = read_json(evaluation_of(typing, NAMES[-1], "patient") / "result.json")
    outcomes = {o["guard"]: o["outcome"] for o in result["leakage"]["outcomes"]}
    assert "leak" not in outcomes.values() and outcomes["fitted_on"] == outcomes["near_duplicates"] == "pass"


def test_the_report_shows_the_types_that_too_few_patients_had_as_not_evaluable(typing: Workspace) -> None:
    folder = typing.reports / "evaluation"
    for name in NAMES:
        document = json.loads((folder / f"{name}.json").read_text())
        assert document["simulated"] is True
        few = [row["type"] for row in document["regimes"]["patient"]["classes"] if row["patients"] < 5]
        assert few
        page = (folder / f"{name}.html").read_text()
        assert "Simulated data" in page and "cannot" not in page.split("<title>")[1][:50]
        for kind in few:
            own = document["regimes"]["patient"]["answer"]["per_class"][kind]
            assert "f1" not in own and "5 are needed" in own["not_evaluable"]
    assert (folder / "index.html").exists()


def test_a_typing_is_judged_by_an_envelope_of_its_own_and_proposed_apart_from_detection(
    proposed: Pipeline, typing: Workspace
) -> None:
    gates = {g["name"]: g for g in read_json(typing.reports / "evaluation" / "gates.json")[NAMES[-1]]}
    assert gates["envelope"]["outcome"] == "pass"
    assert proposed.proposed["detector"] in detectors.names("detection")


def test_without_a_cohort_of_typed_seizures_a_typing_is_refused(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.train import train_detectors
    from flows.workspace import make_workspace

    made = make_workspace(tmp_path_factory.mktemp("none") / "home", "real")
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    with pytest.raises(Refused, match=r"there is no cohort for band_power here: bring in one .* --for typing"):
        train_detectors(["band_power"], None, None)
