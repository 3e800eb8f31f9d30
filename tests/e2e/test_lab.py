"""The Leakage Lab, the locked hold-out and scoring again, as commands on a whole workspace."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows.params import set_params
from flows.stages.files import evaluation_of, read_json, training_of, write_json
from flows.workspace import Workspace
from lineage.refused import Refused
from models import detectors
from models.bundle import load_bundle, save_bundle
from tests.commands import ictal, ictal_process
from tests.e2e.conftest import SIGNERS, Pipeline, copy_of, register_signers, sign
from tests.e2e.test_pipeline import LAID_OUT, STAGED
from validation.predictions import read_predictions, write_predictions
from validation.splits import REGIMES

NAME = "line_length"


@pytest.fixture(scope="module")
def lab(proposed: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the workspace, in which the tests below follow each other."""
    made = copy_of(proposed.workspace, tmp_path_factory.mktemp("lab") / "home", (*STAGED, "ledger", "keys"))
    (made.root / "log").mkdir()
    return made


@pytest.fixture
def at_lab(lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ICTAL_HOME", str(lab.root))
    return lab


def test_one_command_shows_a_detector_under_all_five_regimes_with_what_they_flatter_it_by(at_lab: Workspace) -> None:
    said = ictal("evaluate", NAME, "--regimes", "all", "--json")
    assert said.code == 0, said.err
    own = said.json["detectors"][NAME]
    assert list(own["regimes"]) == list(REGIMES)
    assert [r for r, f in own["regimes"].items() if f["reportable"]] == ["patient", "site"]
    for first, second in (("window", "patient"), ("patient", "site")):
        change = own["inflation"][f"{first}_to_{second}"]["auc"]
        difference = own["regimes"][first]["auc"] - own["regimes"][second]["auc"]
        # only seconds assessed under both are compared, so the two need not be equal
        assert change["estimate"] == pytest.approx(difference, abs=0.05)
        assert change["low"] <= change["estimate"] <= change["high"] and change["unit"] == "patient"
    assert own["baselines"]["label_oracle"] > 0.99 > own["baselines"]["id_lookup"] > 0.5


def test_the_same_regimes_again_train_nothing_again(at_lab: Workspace) -> None:
    before = {r: read_json(training_of(at_lab, NAME, r) / "log.json") for r in REGIMES}
    said = ictal("evaluate", NAME, "--regimes", "all")
    assert said.code == 0, said.err
    assert "leaky control, non-reportable" in said.out
    assert {r: read_json(training_of(at_lab, NAME, r) / "log.json") for r in REGIMES} == before


@pytest.mark.parametrize("wish", ["patients", "window,weeks"])
def test_an_unknown_regime_is_answered_with_the_known_ones(at_lab: Workspace, wish: str) -> None:
    said = ictal("evaluate", NAME, "--regimes", wish)
    assert said.code == 2 and "patient, site, recording, gap, window" in said.err


def test_of_a_leaky_regime_nothing_is_kept_that_could_be_registered(at_lab: Workspace) -> None:
    for regime in ("recording", "gap", "window"):
        assert not list(training_of(at_lab, NAME, regime).rglob("*.safetensors"))
    for fold in sorted(training_of(at_lab, NAME, "site").glob("fold-*")):
        assert load_bundle(fold).origin["reportable"] is True


def _as_leaky(workspace: Workspace, target: Path) -> str:
    """A bundle as a leaky regime would have left it, had it left one."""
    honest = load_bundle(training_of(workspace, NAME, "patient") / "fold-0")
    origin = {**honest.origin, "regime": "window", "reportable": False}
    shutil.rmtree(target, ignore_errors=True)
    return save_bundle(replace(honest, origin=origin), target).digest


def _propose_it(workspace: Workspace) -> None:
    from flows.promote import propose_candidate

    for name in ("da_stnet", NAME):
        _as_leaky(workspace, training_of(workspace, name, "patient") / "fold-0")
    propose_candidate("demo-author")


def _write_it_as_a_candidate(workspace: Workspace) -> None:
    candidate = read_json(next((workspace.store / "candidates").glob("*.json")))
    digest = _as_leaky(workspace, workspace.store / "bundles" / "leaky")
    (workspace.store / "bundles" / "leaky").rename(workspace.store / "bundles" / digest)
    write_json(workspace.store / "candidates" / f"{digest}.json", {**candidate, "candidate": digest})
    deviations = [f"{g['name']}=none" for g in candidate["gates"] if g["outcome"] != "pass"]
    sign(digest, next(iter(SIGNERS)), "review", deviations)


def _open_the_hold_out_with_it(workspace: Workspace) -> None:
    from flows.holdout import ask_holdout

    set_params(workspace.root / "params.yaml", {"holdout.share": 0.4})
    _as_leaky(workspace, training_of(workspace, NAME, "patient") / "fold-0")
    ask_holdout(NAME, "to see")


@pytest.mark.parametrize("register", [_propose_it, _write_it_as_a_candidate, _open_the_hold_out_with_it])
def test_a_model_of_a_leaky_regime_cannot_be_registered_by_any_path(
    proposed: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, register: Callable[[Workspace], None]
) -> None:
    made = copy_of(proposed.workspace, tmp_path / "home", (*LAID_OUT, "ledger"))
    shutil.copytree(proposed.unsigned / "keys", made.root / "keys")
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    register_signers(made)
    with pytest.raises(Refused, match=r"non-reportable|not what was proposed"):
        register(made)


def _train_again_with_another_seed(workspace: Workspace) -> None:
    set_params(workspace.root / "params.yaml", {"train.seed": 99})
    assert ictal("train", *detectors.names("detection")).code == 0


def _pass_every_gate_by_hand(workspace: Workspace) -> None:
    path = workspace.reports / "evaluation" / "gates.json"
    write_json(path, {name: gates[-1:] for name, gates in read_json(path).items()})


def _turn_the_labels(workspace: Workspace) -> None:
    set_params(workspace.root / "params.yaml", {"train.shuffle_labels": True})


@pytest.mark.parametrize("meddle", [_train_again_with_another_seed, _pass_every_gate_by_hand, _turn_the_labels])
def test_nothing_is_proposed_on_evidence_of_something_else(
    proposed: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meddle: Callable[[Workspace], None]
) -> None:
    from flows.promote import propose_candidate

    made = copy_of(proposed.workspace, tmp_path / "home", (*STAGED, "ledger", "keys"))
    (made.root / "log").mkdir()
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    meddle(made)
    with pytest.raises(Refused, match="run `ictal evaluate` again"):
        propose_candidate("demo-author")


def test_predictions_exchanged_for_better_ones_give_no_gates_and_no_page(
    proposed: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = copy_of(proposed.workspace, tmp_path / "home", LAID_OUT)
    folder = evaluation_of(made, NAME, "patient")
    kept = read_predictions(folder)
    better = kept.predictions.assign(probability=kept.predictions["label"].astype(float))
    for path in folder.iterdir():
        path.chmod(0o644)
    write_predictions(folder, better, kept.hypotheses, kept.about)
    said = ictal_process("stage", "report", environment=made.environment())
    assert said.code == 2 and "not those that were scored" in said.err


def test_nobody_is_asked_as_hold_out_whom_the_model_may_have_seen(
    proposed: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = copy_of(proposed.workspace, tmp_path / "home", (*LAID_OUT, "ledger", "keys"))
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    set_params(made.root / "params.yaml", {"holdout.share": 0.4})
    said = ictal("holdout", NAME, "--reason", "locked only after training")
    assert said.code == 2 and "run `ictal train` first" in said.err
    assert json.loads(ictal("holdout", "--json").out)["openings"] == []


def test_scoring_again_comes_to_the_same_and_leaves_a_line_in_the_ledger(at_lab: Workspace) -> None:
    from flows.records import open_ledger

    said = ictal("rescore", NAME, "--json")
    assert said.code == 0, said.err
    assert {s["verdict"] for s in said.json["scores"]} == {"same"} and len(said.json["scores"]) >= 10
    (entry,) = open_ledger(at_lab).entries("evaluation.rescored")
    scored = (open_ledger(at_lab).payload(entry.payload_digest) or {})["scores"]
    assert all(len(s["scorer"]["code_digest"]) == 64 for s in scored)


def test_another_merge_gap_is_another_scorer_and_is_never_called_szcore(at_lab: Workspace) -> None:
    said = ictal("rescore", NAME, "--scorer", "szcore", "--set", "szcore.merge_gap_s=0", "--json")
    assert said.code == 0, said.err
    assert {s["scorer"]["name"] for s in said.json["scores"]} & {"szcore"} == set()
    assert ictal("rescore", NAME, "--set", "merge").code == 2
    assert ictal("rescore", "nobody").code == 2


def test_predictions_that_were_changed_are_not_scored_again(at_lab: Workspace) -> None:
    path = evaluation_of(at_lab, NAME, "gap") / "seconds.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    said = ictal("rescore", NAME, "--regime", "gap")
    assert said.code == 2 and "seconds.parquet was changed" in said.err


def test_a_hold_out_is_opened_within_its_budget_and_each_opening_stands_in_the_ledger(at_lab: Workspace) -> None:
    assert ictal("holdout", NAME, "--reason", "x").code == 2, "nobody is locked yet"
    set_params(at_lab.root / "params.yaml", {"holdout.share": 0.3, "lab.regimes": ["patient"]})
    assert ictal("train", NAME).code == 0
    locked = json.loads(ictal("holdout", "--json").out)
    assert 0 < locked["persons"] < 11 and locked["openings"] == []
    assert ictal("holdout", NAME).code == 2, "an opening needs a reason"
    said = ictal("holdout", NAME, "--reason", "before the first deployment", "--json")
    assert said.code == 0, said.err
    assert said.json["result"]["counts"]["persons"] == locked["persons"]
    assert [o["reason"] for o in said.json["openings"]] == ["before the first deployment"]
    assert {o["outcome"] for o in said.json["result"]["leakage"]["outcomes"]} <= {"pass", "unknown"}
    set_params(at_lab.root / "params.yaml", {"holdout.budget": 5})
    again = ictal("holdout", NAME, "--reason", "once more")
    assert again.code == 2 and "opened 1 times of 1" in again.err and "Traceback" not in again.err


def test_somebody_who_was_locked_away_is_never_learned_from_later(at_lab: Workspace) -> None:
    set_params(at_lab.root / "params.yaml", {"holdout.share": 0.0})
    said = ictal("train", NAME)
    assert said.code == 2 and "locked hold-out would be learned from" in said.err
    with pytest.raises(Refused, match=r"holdout\.share"):
        set_params(at_lab.root / "params.yaml", {"holdout.share": 0.9})
