"""By which model a site is answered, if by any: `/v1/models`, readiness, and a model that is taken back."""

import time
from itertools import count
from pathlib import Path

from lineage.approvals import revoke
from serving.answering import answer
from serving.auth import issue_key, open_keys
from serving.journal import Journal
from serving.loader import Loader, revocations_folder
from serving.service import create_app
from tests.authenticator import code
from tests.served import NOW, PASSPHRASE, REVIEWER
from tests.services import Served, TestClient, problem, said, serving

pytest_plugins = ["tests.one_service"]


def test_a_site_can_read_what_the_model_is_for(served: Served) -> None:
    [card] = served.client.get("/v1/models", headers=served.headers).json()["models"]
    assert card["intended_use"] == "A yardstick for neonatal seizure detectors. Not for clinical use."
    assert "**Limits.**" in card["card"]
    assert (card["ages"], card["min_duration_s"]) == ("0 to 28 days", 30.0)


def test_a_site_outside_the_scope_is_told_that_no_model_is_approved(served: Served) -> None:
    engine = open_keys(served.home)
    key = issue_key(engine, "south", ("detect", "models"), NOW, 1)
    engine.dispose()
    south = Served(served.home, served.client, key, served.recording)
    body = said(south.detect())
    assert (body["outcome"], body["code"], body["model"]) == ("not_evaluable", "no_approved_model", None)
    assert "not among those that the approval is for" in body["reason"]
    listed = served.client.get("/v1/models", headers=south.headers).json()
    assert (listed["models"], "not among those that the approval is for" in listed["reason"]) == ([], True)


def test_a_revoked_model_stops_answering_within_five_seconds(other_home: Path, recording: bytes) -> None:
    with serving(other_home, recording) as service:
        assert service.client.get("/readyz").status_code == 200
        body = said(service.detect())
        assert body["outcome"] == "completed"
        digest = body["model"]["digest"]
        folder, keys = revocations_folder(other_home), other_home / "keys"
        two = PASSPHRASE, code(keys, REVIEWER, NOW)
        revoke(folder, keys, REVIEWER, *two, digest=digest, reason="recall", now=NOW)
        start_s = time.monotonic()
        while service.client.get("/readyz").status_code == 200:
            assert time.monotonic() - start_s < 5
            time.sleep(0.1)
        assert "recall" in problem(service.client.get("/readyz"), 503)
        assert said(service.detect())["code"] == "no_approved_model"
        assert service.client.get("/livez").status_code == 200
        assert service.client.get("/v1/models", headers=service.headers).json()["models"] == []


def test_a_normal_service_does_not_accept_demo_signers(other_home: Path) -> None:
    with TestClient(create_app(other_home, clock=lambda: NOW)) as client:
        assert "demo signer" in problem(client.get("/readyz"), 503)


def test_fault_a_model_that_is_taken_back_while_it_looks_says_nothing(other_home: Path, recording: bytes) -> None:
    """A long recording may take minutes; a revocation counts within seconds."""
    loader, journal, keys = (
        Loader(other_home, allow_demo=True, clock=count().__next__),
        Journal(other_home),
        other_home / "keys",
    )
    two = PASSPHRASE, code(keys, REVIEWER, NOW)
    digest = loader.for_site("demo-north", NOW).bundle.digest

    def told(stage: str, share: float) -> None:
        if stage == "reading":
            revoke(revocations_folder(other_home), keys, REVIEWER, *two, digest=digest, reason="recall", now=NOW)

    said = answer(recording, site="demo-north", age_days=3.0, loader=loader, journal=journal, now=NOW, told=told)
    assert (said.outcome, said.code) == ("not_evaluable", "no_approved_model") and "recall" in (said.reason or "")
    assert said.model is None and said.events is None and said.trend_1hz is None
    journal.ledger.engine.dispose()
