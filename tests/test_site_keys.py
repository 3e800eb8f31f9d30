"""A site's key is given, listed by its id and taken back; the ledger keeps who did it, and no key stands anywhere."""

import json
import shutil
from pathlib import Path

import pytest

from flows import site_keys
from flows.backup import backup_ledger, restore_ledger
from flows.records import open_ledger
from flows.site_keys import issue_site_key, list_site_keys, revoke_site_key
from flows.workspace import Workspace
from lineage.refused import Refused
from serving.auth import key_id
from tests.proposals import evaluated_office

REASON = "a laptop was stolen"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    office = evaluated_office(tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(office.home))
    return office.workspace


def states() -> dict[str, str]:
    return {row["key_id"]: row["state"] for row in list_site_keys()["keys"]}


def test_keys_are_listed_by_id_and_never_shown(workspace: Workspace) -> None:
    assert list_site_keys()["text"].startswith("no site has a key yet")
    keys = [issue_site_key(site, days) for site, days in (("ward-3", 90), ("ward-2", 90), ("ward-2", 1e-9))]
    said = list_site_keys()
    assert [row["site"] for row in said["keys"]] == ["ward-2", "ward-2", "ward-3"]
    assert states() == dict(zip(map(key_id, keys), ("in force", "in force", "expired"), strict=True))
    assert not any(key.split("_")[2] in json.dumps(said) for key in keys)


def test_sites_whose_keys_are_not_here_after_a_restore_are_named_until_each_has_a_new_one(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for site in ("ward-2", "ward-3"):
        issue_site_key(site, 90)
    assert list_site_keys()["sites_without"] == []
    backup_ledger(tmp_path / "b.jsonl")
    home = tmp_path / "restored"
    shutil.copytree(workspace.root, home, ignore=shutil.ignore_patterns("jobs", "ledger"))
    monkeypatch.setenv("ICTAL_HOME", str(home))
    said = restore_ledger(tmp_path / "b.jsonl")
    assert said["sites_without"] == ["ward-2", "ward-3"] and "ward-2, ward-3 had one and have none here" in said["text"]
    issue_site_key("ward-2", 90)
    assert "ward-3 had one and has none here" in list_site_keys()["text"]
    issue_site_key("ward-3", 90)
    assert list_site_keys()["sites_without"] == []


def test_a_revoked_key_has_one_line_in_the_ledger_that_says_by_whom_and_why(workspace: Workspace) -> None:
    kept, lost = issue_site_key("ward-3", 90), issue_site_key("ward-3", 90)
    said = revoke_site_key(key_id(lost)[:8], REASON)
    assert said["site"] == "ward-3" and lost.split("_")[2] not in json.dumps(said)
    assert states() == {key_id(kept): "in force", key_id(lost): "revoked"}
    assert revoke_site_key(key_id(lost), "once more")["reason"] == REASON
    (line,) = open_ledger(workspace).entries("site.key.revoked")
    assert (line.subjects[0].id, line.reason, line.actor.role) == (key_id(lost), REASON, "operator")


def test_what_was_stopped_before_its_line_is_finished_by_the_same_command(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = issue_site_key("ward-3", 90)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(site_keys, "_line_of", stop)
        revoke_site_key(key_id(key), REASON)
    assert states() == {key_id(key): "revoked"} and not open_ledger(workspace).entries("site.key.revoked")
    revoke_site_key(key_id(key), REASON)
    assert len(open_ledger(workspace).entries("site.key.revoked")) == 1


def test_a_revocation_names_one_key_and_says_why(workspace: Workspace) -> None:
    key = issue_site_key("ward-3", 90)
    for named in (key_id(key)[:5], "0" * 16, ""):
        with pytest.raises(Refused, match="0 keys of sites begin with"):
            revoke_site_key(named, REASON)
    with pytest.raises(Refused, match="says why"):
        revoke_site_key(key_id(key), "  ")
    assert states() == {key_id(key): "in force"}
