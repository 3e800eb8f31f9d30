"""A patient takes consent back: nobody learns from them any more, and their bytes are nowhere, however often it was stopped."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from flows import audit, backup, withdraw
from flows.audit_impact import impact
from flows.audit_receipt import check_receipt
from flows.consent import withdrawn
from flows.dvc_stores import Stores
from flows.stages.check import _permitted
from flows.stages.files import cohort_of, development, read_json, write_json
from flows.taking_out import keep_out
from flows.workspace import Workspace, dvc, git
from lineage.digest import Manifest, sha256_file
from lineage.ledger import Actor, Ledger
from lineage.refused import Refused
from lineage.store import open_store, session
from serving.facts import FactRow, subject_of
from tests.commands import ictal
from tests.patients import ASKER, MODEL, PEOPLE, PERSON, THEIRS, UNSEEN, copied_here, edf_of, made_once, name_of  # noqa: F401

REASON = "letter of the guardian, 2026-11-20"


@pytest.fixture(scope="module")
def done(made: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Workspace, dict[str, Any]]:
    """The workspace before and after, and what was said."""
    after = tmp_path_factory.mktemp("after") / "home"
    shutil.copytree(made.root, after)
    _answered_by_a_service(Workspace(after), [sha256_file(edf_of(made, patient)) for patient in PEOPLE])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(after))
        return made, Workspace(after), withdraw.withdraw(PERSON, REASON, {})


def _answered_by_a_service(workspace: Workspace, recordings: list[str]) -> None:
    """A row of facts about each recording, named in the ledger, and the table that monitoring made of them."""
    engine, ledger = open_store(workspace.ledger, FactRow), Ledger(workspace.ledger)
    kept = dict.fromkeys(("site", "question", "model", "outcome", "code"), "") | {
        "at": "2026-11-01",
        "acquisition": "{}",
    }
    for digest in recordings:
        row = FactRow(prediction_id=digest[:8], recording=digest, duration_s=4.0, **kept)
        ledger.append(
            "prediction.not_evaluable",
            actor=Actor("a site"),
            subjects=[subject_of(row)],
            also=lambda w, row=row: w.add(row),
        )
    ledger.engine.dispose()
    engine.dispose()
    folder = workspace.reports / "drift"
    folder.mkdir(parents=True)
    pd.DataFrame({"recording": recordings}).to_parquet(folder / "served.parquet")
    for name, patients in (
        ("patients", [*THEIRS, "sub-03"]),
        ("served_patients", [PERSON, "p-two"]),
        ("others", ["p-two"]),
    ):
        pd.DataFrame({"site": "north", "patient": patients}).to_parquet(folder / f"{name}.parquet")
    (folder / "index.html").write_text("<p>sites</p>")


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def contents(folder: Path) -> set[str]:
    return {sha256_file(p) for p in folder.rglob("*") if p.is_file()}


def test_one_person_at_two_sites_is_found_by_key_and_by_either_id(here: Workspace) -> None:
    found = [impact(name) for name in (PERSON, "sub-01", "tiny/sub-02")]
    assert found[0] == found[1] == found[2]
    assert found[0]["patients"] == ["tiny/sub-01", "tiny/sub-02"] and found[0]["sites"] == ["north", "south"]


def test_trained_on_and_only_tested_on_are_told_apart(here: Workspace) -> None:
    roles = {m["digest"]: (m["role"], m["predictions"]) for m in impact(PERSON)["models"]}
    assert roles == {MODEL: ("trained on", 1), UNSEEN: ("tested on only", 0)}
    tuned = {m["digest"]: m["role"] for m in impact("p-two")["models"]}
    assert tuned == {MODEL: "tuned on only", UNSEEN: "trained on"}


def test_somebody_unknown_is_refused(here: Workspace) -> None:
    with pytest.raises(Refused, match="nobody is called so here"):
        impact("nobody")


def test_without_withdraw_it_is_only_said_what_would_go(here: Workspace) -> None:
    before = Manifest.of(here.root, exclude=()).files
    said = ictal("audit", "impact", "--patient", PERSON, "--json")
    after = Manifest.of(here.root, exclude=()).files
    assert said.code == 0 and said.json["would_go"]["files"] >= 4 and said.json["would_go"]["payloads"] == 1
    unchanged = [name for name in before if not name.startswith(("ledger/", ".git/"))]
    assert unchanged and all(after[name] == before[name] for name in unchanged)
    assert not Ledger(here.ledger).entries("consent.withdrawn")


def test_what_would_go_is_as_much_as_goes_also_of_pages_that_name_them_beside_a_table_of_theirs(
    here: Workspace,
) -> None:
    folder = here.reports / "drift"
    folder.mkdir(parents=True)
    pd.DataFrame({"recording": [name_of("sub-01")]}).to_parquet(folder / "served.parquet")
    (folder / "index.html").write_text("<p>sub-01</p>")
    would = ictal("audit", "impact", "--patient", PERSON, "--json").json["would_go"]
    gone = withdraw.withdraw(PERSON, REASON, {})["gone"]
    assert {name: gone[name] for name in ("files", "bytes", "lists")} == {
        n: would[n] for n in ("files", "bytes", "lists")
    }
    assert not list(folder.iterdir())


def test_the_bytes_are_gone_from_tree_cache_and_remote_and_nobody_elses(done: Any) -> None:
    before, after, said = done
    assert said["ok"], said["text"]
    left = contents(after.root)
    theirs = {sha256_file(edf_of(before, patient)) for patient in THEIRS}
    others = {sha256_file(edf_of(before, patient)) for patient in PEOPLE if patient not in THEIRS}
    assert not left & theirs and others <= left
    for store in (after.root / ".dvc" / "cache", after.root / "remote"):
        held = contents(store)
        assert not held & theirs and others <= held
        assert not any(
            md5_of(edf_of(before, p)) in f.read_text(errors="ignore") for p in THEIRS for f in store.rglob("*.dir")
        )


def test_earlier_versions_that_dvc_keeps_name_them_no_more(done: Any) -> None:
    before, after, _ = done
    objects = [[p.read_bytes() for p in (w.root / ".dvc" / "cache").rglob("*") if p.is_file()] for w in (before, after)]
    assert [sum(b"p-one" in content for content in kept) for kept in objects] == [2, 0]
    assert [sum(b"p-4" in content for content in kept) for kept in objects] == [1, 1]


def test_a_sidecar_that_another_patient_shares_stays_an_object(done: Any) -> None:
    before, after, _ = done
    shared = md5_of(edf_of(before, "sub-03").with_name(f"{name_of('sub-03')}_events.tsv"))
    assert shared == md5_of(edf_of(before, "sub-01").with_name(f"{name_of('sub-01')}_events.tsv"))
    assert len(list(Stores.of(after).paths(shared))) == 2


def test_dvc_finds_the_cohort_unchanged_and_brings_nothing_back(done: Any) -> None:
    _, after, _ = done
    assert "data/raw/tiny" not in dvc(after, "status", "data/raw/tiny.dvc")
    shutil.rmtree(after.cohort)
    dvc(after, "pull", "-q", "data/raw/tiny.dvc")
    assert sorted(p.name for p in after.cohort.glob("sub-*")) == ["sub-03", "sub-04"]
    assert git(after, "status", "--porcelain") == ""


def test_rows_features_pages_and_answers_go_as_well(done: Any) -> None:
    _, after, _ = done
    assert "p-one" not in (after.cohort / "participants.tsv").read_text()
    assert read_json(after.interim / "checks" / "accepted.json") == [name_of("sub-03"), name_of("sub-04")]
    assert [v["recording"] for v in read_json(after.interim / "checks" / "verdicts.json")] == [
        name_of("sub-03"), name_of("sub-04"),
    ]  # fmt: skip
    assert {p.stem for p in (after.interim / "fingerprints").iterdir()} == {name_of("sub-03"), name_of("sub-04")}
    for gone in (
        "store/training/line_length/patient/features.npz",
        "reports/evaluation/line_length.html",
        "reports/answers/one.json",
    ):
        assert not (after.root / gone).exists()


def test_what_a_service_kept_of_answers_about_them_goes_and_nothing_about_others(done: Any) -> None:
    before, after, said = done
    others = {sha256_file(edf_of(before, patient)) for patient in PEOPLE if patient not in THEIRS}
    engine = open_store(after.ledger, FactRow)
    with session(engine, write=False) as reading:
        assert set(reading.scalars(select(FactRow.recording))) == others
    engine.dispose()
    assert said["gone"]["facts"] == len(THEIRS) and "2 rows of facts about answers" in said["text"]
    left = [path.name for path in (after.reports / "drift").iterdir()]
    assert left == ["others.parquet"], "their tables, by recording or by patient, and the page that was drawn from them"


def test_the_payload_is_erased_the_line_stays_and_the_ledger_verifies(
    done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, after, _ = done
    ledger = Ledger(after.ledger)
    (line,) = ledger.entries("prediction.issued")
    assert ledger.payload(line.payload_digest) is None
    monkeypatch.setenv("ICTAL_HOME", str(after.root))
    assert audit.verify_ledger()["ok"]
    (entry,) = ledger.entries("consent.withdrawn")
    assert entry.reason == REASON and {s.kind for s in entry.subjects} == {"withdrawal", "person", "recording"}


def test_every_model_is_decided_on_and_retraining_is_asked_for(done: Any) -> None:
    _, after, said = done
    assert {d["digest"]: d["decision"] for d in said["decisions"]} == {MODEL: "retrain", UNSEEN: "keep"}
    assert len(Ledger(after.ledger).entries("retrain.triggered")) == 1


def test_the_report_is_signed_and_says_when_it_was_changed(done: Any, tmp_path: Path) -> None:
    _, after, said = done
    key = after.keys / "platform.pub"
    assert check_receipt(Path(said["report"]), key)["ok"]
    forged = json.loads(Path(said["report"]).read_text())
    forged["payload"] = forged["payload"][:-8] + "AAAAAAA="
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    assert not check_receipt(tmp_path / "forged.json", key)["ok"]


def test_running_it_again_changes_nothing(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, after, said = done
    monkeypatch.setenv("ICTAL_HOME", str(after.root))
    lines = len(Ledger(after.ledger).entries())
    again = withdraw.withdraw(PERSON, "", {})
    assert again["again"] and again["ok"] and again["report"] == said["report"]
    assert len(Ledger(after.ledger).entries()) == lines


@pytest.mark.parametrize("step", ["rewrite_locks", "delete", "search"])
def test_a_withdrawal_that_was_stopped_is_finished_by_the_next(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    removed = []

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def half_done(self: Stores, md5: str) -> int:
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(md5)
        return whole(self, md5)

    whole = Stores.delete
    with monkeypatch.context() as patch:
        patch.setattr(Stores, "delete", half_done) if step == "delete" else patch.setattr(withdraw, step, stopped)
        with pytest.raises(KeyboardInterrupt):
            withdraw.withdraw(PERSON, REASON, {})
    assert withdrawn(here).persons == {PERSON} and not {e.person for e in cohort_of(here).entries} & {PERSON}
    said = withdraw.withdraw(PERSON, "", {})
    assert said["ok"] and not said["again"], said["text"]
    assert said["search"]["pieces"] and not list((here.root / "reports" / "withdrawals").glob(".unfinished*"))
    assert len(Ledger(here.ledger).entries("consent.withdrawn")) == 1


def test_bytes_hidden_in_another_file_are_found_and_exit_code_1_says_so(here: Workspace) -> None:
    (here.root / "log" / "dump.bin").write_bytes(b"before" + edf_of(here, "sub-02").read_bytes() + b"after")
    said = ictal("audit", "impact", "--patient", "sub-02", "--withdraw", "--reason", REASON, "--json")
    assert said.code == 1 and [Path(p).name for p in said.json["search"]["holding"]] == ["dump.bin"]


def test_a_table_that_cannot_be_read_is_named_in_the_report(here: Workspace) -> None:
    cut = here.root / "log" / "cut.parquet"
    cut.write_bytes(b"PAR1 and no more")
    said = withdraw.withdraw(PERSON, REASON, {})
    assert said["ok"] and said["search"]["unread"] == [str(cut)]
    assert f"its bytes were searched, its rows were not; look at {cut}" in said["text"]


def test_a_copy_under_another_name_goes_too(here: Workspace) -> None:
    copy = here.root / "jobs" / "uploads" / "left-over"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(edf_of(here, "sub-01"), copy)
    assert withdraw.withdraw(PERSON, REASON, {})["ok"] and not copy.exists()


def test_fault_an_empty_recording_of_theirs_takes_no_other_empty_file_with_it(here: Workspace) -> None:
    edf_of(here, "sub-01").write_bytes(b"")
    others = [here.root / "jobs" / "lock", here.root / "data" / "raw" / ".keep"]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.touch()
    theirs = edf_of(here, "sub-01")
    said = withdraw.withdraw(PERSON, REASON, {})
    assert said["ok"] and not theirs.exists() and all(other.exists() for other in others)


def test_from_the_line_in_the_ledger_on_nobody_learns_from_them(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(here.root))
    assert {e.person for e in development(here)} >= {PERSON}
    subjects = (
        withdraw.person_subject(PERSON),
        *(withdraw.Subject("recording", name_of(p), sha256_file(edf_of(here, p))) for p in THEIRS),
    )
    ledger = Ledger(here.ledger)
    ledger.append("consent.withdrawn", actor=Actor("operator"), subjects=subjects, reason=REASON)
    assert {e.patient for e in development(here)} == {"sub-03", "sub-04"}
    shutil.copyfile(edf_of(here, "sub-01"), edf_of(here, "sub-04"))  # their bytes under somebody else's name
    assert {e.patient for e in _permitted(here).entries} == {"sub-03"}
    assert ictal("audit", "consent-again", "nobody", "--reason", "x").code == 2
    assert ictal("audit", "consent-again", PERSON, "--reason", " ").code == 2
    assert PERSON not in {e.person for e in development(here)}
    assert ictal("audit", "consent-again", PERSON, "--reason", "new form signed").code == 0
    assert {e.person for e in development(here)} >= {PERSON}
    assert ictal("audit", "consent-again", PERSON, "--reason", "twice").code == 2


def test_a_cohort_that_comes_in_again_comes_without_them(done: Any, made: Workspace) -> None:
    _, after, _ = done
    shutil.copytree(made.cohort, after.raw / "again")
    assert keep_out(after, after.raw / "again") == 2
    assert sorted(p.name for p in (after.raw / "again").glob("sub-*")) == ["sub-03", "sub-04"]
    assert "p-one" not in (after.raw / "again" / "participants.tsv").read_text()
    shutil.rmtree(after.raw / "again")


def test_what_cannot_be_decided_or_signed_is_refused_before_anything_is_written() -> None:
    proposed = {"digest": MODEL, "label": "line_length fold 0", "role": "trained on", "state": "deployed"}
    with pytest.raises(Refused, match="needs a decision"):
        withdraw.decide([proposed], {}, None)
    with pytest.raises(Refused, match="a decision is keep, retrain, withdraw"):
        withdraw.decide([proposed], {"all": "burn"}, None)
    with pytest.raises(Refused, match="in force nowhere"):
        withdraw.decide([{**proposed, "state": "never proposed"}], {"all": "withdraw"}, None)
    named = withdraw.decide([proposed], {"all": "keep", "line_length": "retrain", MODEL[:12]: "withdraw"}, None)
    assert named[0]["decision"] == "withdraw"
    assert withdraw.decide([proposed], {}, lambda model: "keep")[0]["decision"] == "keep"


def test_a_model_that_cannot_be_revoked_holds_up_nothing_else(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = {"digest": MODEL, "label": "line_length fold 0", "role": "trained on", "state": "deployed"}
    monkeypatch.setattr(withdraw, "decide", lambda *_: [{**decided, "decision": "withdraw"}])
    said = withdraw.withdraw(PERSON, REASON, {}, signer="nobody-1", components=lambda _: ("a wrong phrase", "000000"))
    assert (
        not said["ok"]
        and "could not be revoked" in said["still_to_be_revoked"][0]
        and "nothing was found" in said["text"]
    )
    again = withdraw.withdraw(PERSON, "", {})
    assert not again["ok"] and "say who with --as" in again["still_to_be_revoked"][0]


def test_a_withdrawal_without_a_reason_is_refused(here: Workspace) -> None:
    said = ictal("audit", "impact", "--patient", PERSON, "--withdraw")
    assert said.code == 2 and "needs a reason" in said.err and not withdrawn(here).persons


def test_backups_made_while_a_payload_was_there_are_named_and_later_ones_are_not(
    here: Workspace, tmp_path: Path
) -> None:
    said = ictal("audit", "backup", tmp_path / "january.jsonl", "--json").json
    assert "stays in this file" in ictal("audit", "backup", tmp_path / "february.jsonl").out
    assert "backup january.jsonl" in ictal("audit", "impact", "--patient", PERSON, "--withdraw", "--dry-run").out
    report = withdraw.withdraw(PERSON, REASON, {})
    assert [b["backup"] for b in report["backups_that_hold_payloads"]] == ["january.jsonl", "february.jsonl"]
    assert (
        report["backups_that_hold_payloads"][0]["digest"] == said["digest"] == sha256_file(tmp_path / "january.jsonl")
    )
    assert (
        f"backup january.jsonl {said['digest'][:12]}" in report["text"] and "still holds the payload" in report["text"]
    )
    assert b"onset_s" in (tmp_path / "january.jsonl").read_bytes()

    ictal("audit", "backup", tmp_path / "after.jsonl")
    assert b"onset_s" not in (tmp_path / "after.jsonl").read_bytes()
    told = ictal("audit", "impact", "--patient", PERSON, "--json").json["would_go"]["backups_that_hold_payloads"]
    assert [b["backup"] for b in told] == ["january.jsonl", "february.jsonl"]


def test_a_checkpoint_that_can_lie_nowhere_is_not_signed(here: Workspace, tmp_path: Path) -> None:
    before = len(Ledger(here.ledger).checkpoints())
    for out in (tmp_path, tmp_path / "none" / "checkpoint.json"):
        said = ictal("audit", "checkpoint", out)
        assert said.code == 2 and "a folder that is there" in said.err
    assert len(Ledger(here.ledger).checkpoints()) == before


@pytest.mark.parametrize("is_written", [False, True], ids=["before the copy", "after the copy"])
def test_a_backup_whose_destruction_was_said_and_cut_off_is_said_again(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    digest = ictal("audit", "backup", tmp_path / "january.jsonl", "--json").json["digest"]
    (tmp_path / "january.jsonl").rename(tmp_path / "a copy")

    def cut_off(path: Path, value: Any) -> None:
        if is_written:
            write_json(path, value)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(backup, "write_json", cut_off)
        backup.destroy_backup("january.jsonl", "consent was withdrawn")
    assert not Ledger(here.ledger).entries("ledger.backup_destroyed")
    backup.destroy_backup("january.jsonl", "consent was withdrawn")
    assert [e.subjects[0].digest for e in Ledger(here.ledger).entries("ledger.backup_destroyed")] == [digest]
    here.ledger.rename(tmp_path / "lost.db")
    with pytest.raises(Refused, match="said here that it was destroyed"):
        backup.restore_ledger(tmp_path / "a copy")


def test_a_backup_that_was_destroyed_is_named_no_more_and_nothing_is_restored_from_it(
    here: Workspace, tmp_path: Path
) -> None:
    names = ("january.jsonl", "february.jsonl")
    january, february = (ictal("audit", "backup", tmp_path / name, "--json").json["digest"] for name in names)
    kept = (tmp_path / names[0]).read_bytes()

    def named() -> list[str]:
        told = ictal("audit", "impact", "--patient", PERSON, "--json").json
        return [b["backup"] for b in told["would_go"]["backups_that_hold_payloads"]]

    def destroyed(which: Any, *reason: str) -> tuple[int, str]:
        said = ictal("audit", "backup-destroyed", which, "--reason", *(reason or ("consent was withdrawn",)))
        return said.code, said.err

    for which, why in (
        (tmp_path / names[0], "still there: destroy it first"),
        ("march.jsonl", "knows of no backup"),
        (january[:5], "knows of no backup"),
    ):
        code, err = destroyed(which)
        assert code == 2 and why in err
    assert destroyed(january[:8], "")[0] == 2, "without a reason"
    assert named() == list(names)
    (tmp_path / names[0]).unlink()
    assert destroyed(tmp_path / names[0]) == (0, "")
    code, err = destroyed(january[:8])
    assert code == 2 and "said already" in err
    assert named() == [names[1]]
    [line] = Ledger(here.ledger).entries("ledger.backup_destroyed")
    assert (line.subjects[0].digest, line.actor.role, line.reason) == (january, "operator", "consent was withdrawn")

    (tmp_path / "a copy").write_bytes(kept)
    here.ledger.rename(tmp_path / "lost.db")  # with what it says of backups
    said = ictal("audit", "restore", tmp_path / "a copy")
    assert said.code == 2 and "it was said here that it was destroyed" in said.err
    assert ictal("audit", "restore", tmp_path / names[1]).code == 0 and february


def test_a_payload_that_was_erased_and_said_again_stands_in_later_backups(here: Workspace, tmp_path: Path) -> None:
    ledger = Ledger(here.ledger)
    (first,) = ledger.entries("prediction.issued")
    said = ledger.payload(first.payload_digest)

    def named() -> list[str]:
        told = ictal("audit", "impact", "--patient", PERSON, "--withdraw", "--dry-run", "--json").json
        return [b["backup"] for b in told["would_go"]["backups_that_hold_payloads"]]

    ledger.erase(first.payload_digest, actor=Actor("operator"), reason="by mistake")
    ictal("audit", "backup", tmp_path / "without.jsonl")
    assert named() == []
    ledger.append("prediction.issued", actor=ASKER, subjects=first.subjects, payload=said)
    ictal("audit", "backup", tmp_path / "with.jsonl")
    held = {path.name for path in tmp_path.glob("*.jsonl") if b"onset_s" in path.read_bytes()}
    assert named() == ["with.jsonl"] and held == {"with.jsonl"}
