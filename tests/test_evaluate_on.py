"""A detector on windows that it is not meant for: refused, or looked at by a named override that stands in the ledger first."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flows.evaluate_on
from data.montage import NEONATAL_18
from flows.records import open_ledger
from flows.workspace import Workspace
from lineage.digest import sha256_file
from models.beyond import broken_terms
from models.bundle import Bundle, save_bundle
from models.calibration import Calibration
from models.decisions import Decision
from models.detector import InputContract
from models.detectors.line_length import LineLength
from models.ood import Ood
from tests import SHARED, needs_shared
from tests.commands import Said, ictal
from tests.served import HAS_SEEN_ALL, HONEST, SURE, WEIGHTS
from validation.few_windows import plain_line_length

CHBMIT = SHARED / "chbmit"
WHY = "does it order real windows"
STRANGE_TO_ALL = Ood(HAS_SEEN_ALL.centre, HAS_SEEN_ALL.precision, 0.0, 0.0, 9)


def fold(root: Path, number: int, ood: Ood, **origin: Any) -> str:
    detector = LineLength({"window_s": 2.0, "hop_s": 1.0, "half_life_s": 120.0, "top": 3})
    detector.coefficients = np.array(WEIGHTS) * (number + 1)
    made = Bundle(detector, Calibration(1.0, 0.0), Decision(), SURE, ood, {**HONEST, **origin})
    return save_bundle(made, root / f"fold-{number}").digest


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Two folds of line length, trained nowhere: the first finds nothing strange, the second everything."""
    made = Workspace(tmp_path / "home")
    trained = made.store / "training" / "line_length" / "patient"
    trained.mkdir(parents=True)
    (made.root / "ledger").mkdir()
    (made.root / "workspace.json").write_text('{"kind": "real"}')
    (made.root / "params.yaml").write_text("")
    for number, ood in enumerate((HAS_SEEN_ALL, STRANGE_TO_ALL)):
        fold(trained, number, ood)
    (trained / "log.json").write_text(json.dumps({"runs": [{"fold": 0}, {"fold": 1}]}))
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    return made


def windows(root: Path, age: str | None = "11y", seconds: float = 10) -> Path:
    """Two windows of growing noise against two of fading noise."""
    rng = np.random.default_rng(3)
    for name in ("in/a", "in/b", "out/a", "out/b"):
        path = root / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        growth = np.linspace(1, 5, int(seconds * 128))
        np.save(path, 10 * rng.normal(size=(18, len(growth))) * (growth if "in" in name else growth[::-1]))
    said = {"title": "made here", "source": "numpy", "rate_hz": 128, "unit": "µV", "channels": list(NEONATAL_18)}
    said |= {"persons": 1, "seizure": ["in"], "other": ["out"]} | ({"age": age} if age else {})
    (root / "windows.json").write_text(json.dumps(said))
    return root


def ask(*arguments: object) -> Said:
    return ictal("evaluate", "line_length", *arguments)


def kept(workspace: Workspace) -> dict[str, str]:
    """Every file of the store by its digest: what must not change."""
    return {str(p): sha256_file(p) for p in sorted(workspace.store.rglob("*")) if p.is_file()}


def test_without_an_override_the_command_refuses_with_value_limit_and_next_step(workspace, tmp_path):
    said = ask("--on", windows(tmp_path / "w"))
    assert said.code == 2 and "Traceback" not in said.err
    for part in ("10.0 s were recorded, needed are 30 s", "0 to 28 days", "11 years", "--research-override"):
        assert part in said.err
    assert not (workspace.reports / "on").exists() and open_ledger(workspace).entries() == []
    assert ask("--on", tmp_path / "w", "--research-override", "  ").code == 2


def test_an_override_and_then_the_result_are_lines_in_the_ledger(workspace, tmp_path):
    before = kept(workspace)
    said = ask("--on", windows(tmp_path / "w"), "--research-override", WHY, "--json")
    assert said.code == 0, said.err
    ledger = open_ledger(workspace)
    override, result = ledger.entries()
    assert (override.type, result.type) == ("research.overridden", "research.recorded")
    told = ledger.payload(override.payload_digest)
    assert override.reason == told["reason"] == WHY and told["who"] == override.actor.id and told["who"]
    assert told["codes"] == ["age_out_of_scope", "too_short"] and told["detector"] == "line_length"
    assert told["bytes"] == sorted(sha256_file(p) for p in (tmp_path / "w").glob("*/*.npy"))
    assert told["bundles"] == [e.parent for e in override.edges] and len(told["bundles"]) == 2
    page = Path(said.json["page"])
    assert result.subjects[0].digest == sha256_file(page.with_suffix(".json"))
    assert kept(workspace) == before, "no bundle and no threshold changes"
    assert "a.npy" not in json.dumps([override.envelope(), result.envelope(), told])
    assert ledger.verify().ok


def test_the_override_stands_in_the_ledger_before_anything_is_scored(workspace, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("scoring began")

    monkeypatch.setattr(flows.evaluate_on, "look_beyond", fail)
    with pytest.raises(RuntimeError, match="scoring began"):
        ask("--on", windows(tmp_path / "w"), "--research-override", WHY)
    assert [e.type for e in open_ledger(workspace).entries()] == ["research.overridden"]


def test_nothing_of_the_result_calls_itself_evidence(workspace, tmp_path):
    made = ask("--on", windows(tmp_path / "w"), "--research-override", WHY, "--json").json
    assert made["of"]["regime"] == "research" and made["of"]["reportable"] is False
    assert all(score["reportable"] is False for score in made["scores"])
    page = Path(made["page"]).read_text()
    assert "Not evidence: non-reportable" in page and WHY in page
    assert "<script" not in page and 'src="http' not in page and 'href="http' not in page
    assert made["non_reportable"][0].startswith("4 windows of one person") and len(made["non_reportable"]) == 4


def test_the_headline_is_what_the_service_would_have_refused(workspace, tmp_path):
    said = ask("--on", windows(tmp_path / "w"), "--research-override", WHY)
    assert "the service would have refused 4 of 4 windows (age_out_of_scope 4)" in said.out.replace("\n", " ")
    assert "refused 0, 4 of 4 as unlike" in said.out


def test_the_score_of_a_window_is_the_mean_of_its_parts_and_of_the_folds(workspace, tmp_path):
    made = ask("--on", windows(tmp_path / "w"), "--research-override", WHY, "--json").json
    scores = {s["name"]: s for s in made["scores"]}
    folds = [scores[f"line_length, fold {n}"]["values"] for n in (0, 1)]
    assert scores["line_length, mean of folds"]["values"] == pytest.approx(np.mean(folds, axis=0).tolist())
    assert scores["line_length, mean of folds"]["auc"] == 1.0, "growing windows are longer than their own past"
    assert scores["plain line length"]["yardstick"] is True
    assert made["scores"][0]["name"] == "line_length, mean of folds"


def test_windows_that_the_detector_is_meant_for_need_no_override_and_are_no_evidence_either(workspace, tmp_path):
    said = ask("--on", windows(tmp_path / "w", age="3d", seconds=40), "--json")
    assert said.code == 0, said.err
    assert said.json["override"] is None and said.json["of"]["reportable"] is False
    assert [e.type for e in open_ledger(workspace).entries()] == ["research.recorded"]
    assert said.json["served"] == {"refused": 0, "codes": {}, "ood": [0, 4]}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["evaluate", "--on", "w"], "name one"),
        (["evaluate", "line_length", "da_stnet", "--on", "w"], "got 2"),
        (["evaluate", "line_length", "--on", "w", "--regimes", "all"], "no regimes"),
        (["evaluate", "line_length", "--research-override", "x"], "belong to --on"),
        (["evaluate", "da_stnet", "--on", "w", "--research-override", "x"], "has not been trained here"),
        (["evaluate", "nobody", "--on", "w"], "nobody"),
        (["evaluate", "line_length", "--on", "absent"], "neither a folder nor"),
    ],
)
def test_a_wrong_question_is_answered_with_the_right_one(workspace, tmp_path, monkeypatch, arguments, word):
    windows(tmp_path / "w")
    monkeypatch.chdir(tmp_path)
    said = ictal(*arguments)
    assert said.code == 2 and word in said.err and "Traceback" not in said.err
    assert open_ledger(workspace).entries() == []


@pytest.mark.parametrize("origin", [{"regime": "window", "reportable": False}, {"shuffled_labels": True}])
def test_bundles_of_a_leaky_regime_or_of_the_null_control_are_not_tried(workspace, tmp_path, origin):
    trained = workspace.store / "training" / "line_length" / "patient"
    fold(trained, 1, HAS_SEEN_ALL, **origin)
    assert ask("--on", windows(tmp_path / "w"), "--research-override", WHY).code == 2


def test_an_override_sets_aside_age_and_length_and_nothing_else(tmp_path):
    from data.outcomes import Refusal
    from data.readers.labelled import read_labelled

    contract = InputContract("neonatal_18", (0, 28), 30)
    recording = read_labelled([windows(tmp_path, age=None)]).windows[0].recording
    assert [b.code for b in broken_terms(recording, contract)] == ["age_unknown", "too_short"]
    assert broken_terms(recording, InputContract("neonatal_18", (0, 28), 5))[0].code == "age_unknown"
    flat = np.zeros((18, 1280))
    np.save(tmp_path / "in" / "a.npy", flat)
    with pytest.raises(Refusal, match="flat"):
        broken_terms(read_labelled([tmp_path]).windows[0].recording, contract)


def test_plain_line_length_is_the_mean_step():
    """Channel steps 2 and 2, 0 and 4: (2 + 2 + 0 + 4) / 4."""
    assert plain_line_length(np.array([[0.0, 2.0, 4.0], [1.0, 1.0, 5.0]])) == pytest.approx(2.0)


@needs_shared
def test_on_the_real_windows_plain_line_length_has_48_of_49_pairs_right(workspace):
    """The yardstick of the design: AUC 0.98 without any learning; p = 2 of C(14, 7)."""
    made = ask("--on", CHBMIT, "--research-override", WHY, "--json")
    assert made.code == 0, made.err
    yard = next(s for s in made.json["scores"] if s["name"] == "plain line length")
    assert yard["auc"] == pytest.approx(48 / 49) and yard["p"] == pytest.approx(2 / 3432)
    assert made.json["windows"]["age"] == "11 years" and made.json["served"]["refused"] == 14
    assert [s["reportable"] for s in made.json["scores"]] == [False] * 5
