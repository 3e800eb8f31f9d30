"""Which models answer which sites on trial follows from the ledger's lines, the last of which counts."""

from pathlib import Path

import pytest

from lineage.deployments import Trial, deployments, edges, of_line, what
from lineage.digest import sha256_bytes
from lineage.entries import Actor, Draft, Subject
from lineage.ledger import Ledger
from tests.ledgers import NOW

BUNDLE, OTHER, RECORD = "a" * 64, "b" * 64, "c" * 64
OPERATOR = Actor("operator")
NORTH = Trial(BUNDLE, RECORD, sites=("demo-north", "demo-south"))
SHADOW = Trial(OTHER, RECORD, share=0.25)


def deployed(type: str, trial: Trial, task: str = "detection") -> Draft:
    """A line as `flows.place` writes it."""
    digest = sha256_bytes(repr((type, trial, task)).encode())
    said = what(task, sites=trial.sites, share=trial.share or None)
    return Draft(
        type, OPERATOR, (Subject("deployment", task, digest), *said), edges=edges(digest, trial.bundle, trial.record)
    )


def ended(task: str) -> Draft:
    return Draft("deployment.ended", OPERATOR, what(task))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """With a canary and a shadow for detection, and a canary for typing."""
    made = Ledger(tmp_path / "ledger.db")
    things = [Subject("model", "one", BUNDLE), Subject("model", "two", OTHER), Subject("approval", "one", RECORD)]
    made.append_many([Draft("research.recorded", OPERATOR, tuple(things))], now=NOW)
    begun = [deployed("deployment.canary", NORTH), deployed("deployment.shadow", SHADOW)]
    made.append_many([*begun, deployed("deployment.canary", NORTH, "typing")], now=NOW)
    return made


def test_a_canary_has_its_sites_and_a_shadow_its_share_each_for_its_task(ledger: Ledger) -> None:
    assert deployments(ledger).trials == {
        ("canary", "detection"): NORTH,
        ("shadow", "detection"): SHADOW,
        ("canary", "typing"): NORTH,
    }
    assert of_line(ledger.entries("deployment.shadow")[0]) == (OTHER, RECORD)


@pytest.mark.parametrize("type", ["deployment.promoted", "deployment.rolled_back", "deployment.ended"])
def test_another_model_in_force_or_an_end_ends_the_trials_of_its_task_alone(ledger: Ledger, type: str) -> None:
    line = ended("detection") if type == "deployment.ended" else deployed(type, Trial(OTHER, RECORD))
    ledger.append_many([line], now=NOW)
    assert deployments(ledger).trials == {("canary", "typing"): NORTH}


def test_a_later_canary_takes_the_place_of_the_one_before(ledger: Ledger) -> None:
    other = Trial(OTHER, RECORD, sites=("demo-east",))
    ledger.append_many([deployed("deployment.canary", other)], now=NOW)
    assert deployments(ledger).trials[("canary", "detection")] == other


def test_sites_are_stopped_and_resumed_each_for_itself(ledger: Ledger) -> None:
    def order(type: str, *sites: str, why: str = "") -> None:
        ledger.append_many([Draft(type, OPERATOR, tuple(Subject("site", site) for site in sites), why)], now=NOW)

    order("deployment.stopped", "north", "south", "east", why="electrodes")
    order("deployment.resumed", "north", "east")
    order("deployment.stopped", "west", why="alarms")
    assert deployments(ledger).stopped == {"south": "electrodes", "west": "alarms"}
