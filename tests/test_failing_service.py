"""The service where something of its own fails: nothing is said that is not written down, and what was is given later."""

from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from lineage.keys import platform_public_path
from lineage.ledger import Ledger
from serving import desk
from serving.journal import Journal, verify_answer
from serving.limits import Limits
from tests.served import NOW
from tests.services import MARK, Served, key_of, problem, said

pytest_plugins = ["tests.one_service"]

GONE = OperationalError("SELECT what a patient's file holds", (), OSError(MARK))


@pytest.mark.parametrize(
    "place", ["serving.journal.Journal.receipt", "serving.past.Past.answer", "serving.desk.site_of"]
)
def test_while_the_store_is_away_a_site_is_told_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise GONE

    monkeypatch.setattr(place, away)
    unseen = key_of(served.home, "demo-north") if place.endswith("site_of") else served.headers
    with caplog.at_level("INFO", logger="ictal.serving"):
        said = served.detect() if "receipt" in place else served.client.get("/v1/predictions/a", headers=unseen)
    assert "try again" in problem(said, 503) and said.headers["retry-after"] == "5"
    assert MARK not in caplog.text and "patient" not in caplog.text


def test_what_cannot_be_written_down_is_not_answered(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OSError("the ledger is away")

    monkeypatch.setattr(Ledger, "append", away)
    problem(served.detect(age="6d"), 500)


LOST = {
    "its receipt": ("serving.journal.Journal.receipt", False),
    "the word that it was written down": ("lineage.ledger.Ledger.append", True),
}


@pytest.mark.parametrize("what", LOST)
def test_an_answer_that_stands_although_something_was_lost_is_given_when_it_is_asked_for_again(
    served: Served, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The ledger goes away after the answer was written down, before the site has it."""
    place, happens = LOST[what]
    act = resolve_name(place)

    def away(*given: Any, **named: Any) -> None:
        if happens:
            act(*given, **named)
        raise OSError("the ledger is away")

    before = written(served.home)
    with monkeypatch.context() as broken:
        broken.setattr(place, away)
        problem(served.detect(age="5d"), 500)
    standing = written(served.home) - before
    again, later = said(served.detect(age="5d")), said(served.detect(age="5d"))
    assert standing == {again["prediction_id"]} and later["prediction_id"] not in standing
    assert verify_answer(again, platform_public_path(served.home / "keys").read_bytes()).ok


def test_what_another_key_is_owed_is_given_to_no_other(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OSError("the ledger is away")

    with monkeypatch.context() as broken:
        broken.setattr(Journal, "receipt", away)
        problem(served.detect(), 500)
    files, before = {"recording": ("a.edf", served.recording)}, written(served.home)
    south = key_of(served.home, "demo-south")
    other = said(served.client.post("/v1/detect", headers=south, files=files, data={"age": "3d"}))
    assert other["prediction_id"] not in before


def written(home: Path) -> set[str]:
    """Ids of the predictions in the ledger."""
    ledger = Ledger(home / "ledger" / "ledger.db")
    found = {entry.subjects[0].id for entry in ledger.entries("prediction.issued")}
    ledger.engine.dispose()
    return found


def test_a_service_that_never_began_lets_go_of_what_it_holds(finished: Path) -> None:
    held = desk.Desk(finished, True, Limits(), None, lambda: NOW)
    held.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        held.analyses.submit(print)
