"""What was looked at by a research override can neither enter a registration nor change one."""

import shutil
from pathlib import Path

import pytest

from flows.promote import evidence_of, propose_candidate
from flows.records import open_ledger
from flows.stages.files import evaluation_of, read_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from lineage.refused import Refused
from tests.commands import ictal
from tests.e2e.conftest import SIGNERS, Pipeline, copy_of, register_signers, sign
from tests.e2e.test_pipeline import LAID_OUT
from tests.test_evaluate_on import WHY, windows


@pytest.fixture
def looked(proposed: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of the workspace with its candidate, in which the proposed detector was tried on windows of a child."""
    made = copy_of(proposed.workspace, tmp_path / "home", LAID_OUT)
    for part in ("ledger", "keys"):  # of before anybody signed
        shutil.copytree(proposed.unsigned / part, made.root / part)
    shutil.rmtree(made.store / "approvals", ignore_errors=True)
    for part in ("candidates", "bundles"):
        shutil.rmtree(made.store / part, ignore_errors=True)
        shutil.copytree(proposed.unsigned / "store" / part, made.store / part)
    register_signers(made)
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    before = evidence_of(made, proposed.proposed["detector"])
    told = ("--on", windows(tmp_path / "w"), "--research-override", WHY, "--json")
    said = ictal("evaluate", proposed.proposed["detector"], *told)
    assert said.code == 0, said.err
    assert said.json["served"]["refused"] == 4
    assert evidence_of(made, proposed.proposed["detector"]) == before
    return made


def research_of(workspace: Workspace) -> Path:
    return next((workspace.reports / "on").glob("*.json"))


def test_proposing_and_signing_afterwards_are_unaffected(looked: Workspace, proposed: Pipeline) -> None:
    kept = looked.store / "candidates" / f"{proposed.candidate}.json"
    before = sha256_file(kept)
    assert propose_candidate("demo-author") == proposed.candidate and sha256_file(kept) == before
    assert sign(proposed.candidate, next(iter(SIGNERS)), "review", proposed.deviations)["state"] == "reviewed"


def test_a_research_result_in_the_place_of_an_evaluation_is_refused(looked: Workspace, proposed: Pipeline) -> None:
    name = proposed.proposed["detector"]
    result = evaluation_of(looked, name, "patient") / "result.json"
    result.chmod(0o644)
    shutil.copyfile(research_of(looked), result)
    with pytest.raises(Refused, match=r"evaluated|evaluate` again"):
        propose_candidate("demo-author")
    with pytest.raises(Refused, match="not what it was when the candidate was proposed"):
        sign(proposed.candidate, next(iter(SIGNERS)), "review", proposed.deviations)


def test_the_ledger_knows_the_result_as_research_and_as_no_evaluation(looked: Workspace, proposed: Pipeline) -> None:
    ledger, digest = open_ledger(looked), sha256_file(research_of(looked))
    (entry,) = [e for e in ledger.entries() if e.subjects and e.subjects[0].digest == digest]
    assert entry.type == "research.recorded" and "evaluates" not in {e.relation for e in entry.edges}
    overridden = next(e.parent for e in entry.edges if e.relation == "overridden_by")
    (line,) = ledger.entries("research.overridden", overridden)
    assert line.seq < entry.seq and line.reason == WHY
    assert {e.parent for e in line.edges} == set(read_json(research_of(looked))["of"]["bundles"].values())
