"""The part of the ledger about one model: all that it came from and was decided, none of its answers, each line proven."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lineage.entries import Draft, Edge, Subject
from lineage.evidence import entries_about, lineage_of, missing_edges, payloads_of, prove
from lineage.ledger import Actor, Ledger
from lineage.merkle import includes, leaf_hash
from lineage.refused import Refused
from tests.ledgers import KEY, NOW, STRANGER

DATA, MODEL, OTHER, SEEN, APPROVED, ASKED = (Subject(*named, digest * 64) for named, digest in zip(
    (("dataset", "helsinki"), ("model", "fold 0"), ("model", "fold 1"), ("evaluation", "da_stnet"),
     ("approval", "fold 0"), ("prediction", "p-1")), "abcdef", strict=True))  # fmt: skip
WINDOWS = Subject("windows", "3 in 1 answer", "9" * 64)
PIPELINE = Actor("pipeline")


def line(type: str, subject: Subject, *edges: tuple[str, Subject], also: tuple[Subject, ...] = ()) -> Draft:
    drawn = tuple(Edge(subject.digest, relation, parent.digest) for relation, parent in edges)
    return Draft(type, PIPELINE, (subject, *also), payload={"about": subject.id}, edges=drawn)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.db")
    made.append_many(
        [
            line("dataset.frozen", DATA),
            line("run.finished", MODEL, ("made_by", DATA)),
            line("run.finished", OTHER, ("made_by", DATA)),
            line("evaluation.recorded", SEEN, ("evaluates", MODEL), ("evaluates", OTHER)),
            line("approval.signed", APPROVED, ("approves", MODEL), ("supported_by", SEEN)),
            line("prediction.issued", ASKED, ("made_by", MODEL), ("permitted_by", APPROVED), also=(MODEL, APPROVED)),
            line("windows.answered", WINDOWS, ("made_by", MODEL), ("permitted_by", APPROVED), also=(MODEL, APPROVED)),
        ],
        now=NOW,
    )
    return made


def test_a_model_s_lineage_holds_its_past_and_the_decisions_about_it(ledger: Ledger) -> None:
    found = lineage_of(ledger, MODEL.digest)
    assert {n.digest for n in found.nodes} == {DATA.digest, MODEL.digest, SEEN.digest, APPROVED.digest}
    assert {(e.relation, e.parent) for e in found.edges} == {
        ("made_by", DATA.digest),
        ("evaluates", MODEL.digest),
        ("approves", MODEL.digest),
        ("supported_by", SEEN.digest),
    }


def test_what_was_decided_about_a_model_that_came_from_another_is_no_decision_about_the_other(ledger: Ledger) -> None:
    tuned, seen = Subject("model", "tuned", "1" * 64), Subject("evaluation", "of the tuned", "2" * 64)
    before = lineage_of(ledger, MODEL.digest)
    ledger.append_many(
        [line("run.finished", tuned, ("made_by", MODEL)), line("evaluation.recorded", seen, ("evaluates", tuned))],
        now=NOW,
    )
    assert lineage_of(ledger, MODEL.digest) == before


def test_of_the_edges_that_entries_state_every_one_of_a_model_s_past_is_missed_and_none_of_others(
    ledger: Ledger,
) -> None:
    film = Subject("recording", "sub-1", "3" * 64)
    named = line("recording.registered", film)
    for_others = line("dataset.frozen", Subject("dataset", "other", "4" * 64), ("made_by", film))
    ledger.append_many([named, for_others, line("dataset.frozen", DATA, ("made_by", film))], now=NOW)
    found, stated = lineage_of(ledger, MODEL.digest), ledger.entries()
    past = {Edge(MODEL.digest, "made_by", DATA.digest), Edge(DATA.digest, "made_by", film.digest)}
    assert missing_edges(found, stated) == []
    for edge in past:
        known = replace(found, edges=(*(e for e in found.edges if e != edge), Edge(edge.child, "seen", edge.parent)))
        assert missing_edges(known, stated) == [edge]
    circle = replace(found, edges=(*found.edges, Edge(film.digest, "made_by", MODEL.digest)))
    assert missing_edges(circle, stated) == []


def test_an_entry_that_a_checkpoint_did_not_see_is_not_proven_by_it(ledger: Ledger) -> None:
    (entry,) = entries_about(ledger, [MODEL.digest])
    ledger.checkpoint(KEY, NOW + timedelta(hours=1))
    with pytest.raises(Refused, match="entry 1 is not what a checkpoint saw"):
        prove(ledger, [replace(entry, reason="another")], KEY.public_key())


def test_answers_are_not_among_the_entries_about_a_model(ledger: Ledger) -> None:
    about = entries_about(ledger, [MODEL.digest, APPROVED.digest])
    assert [entry.type for entry in about] == ["run.finished", "approval.signed"]


def test_entries_have_the_same_proof_however_long_the_ledger_becomes(ledger: Ledger) -> None:
    entries = entries_about(ledger, [MODEL.digest])
    key = KEY.public_key()
    assert prove(ledger, entries, key) is None
    ledger.checkpoint(KEY, NOW + timedelta(hours=1))
    before = prove(ledger, entries, key)
    ledger.append_many([line("prediction.issued", ASKED)], now=NOW + timedelta(hours=2))
    ledger.checkpoint(KEY, NOW + timedelta(hours=3))
    assert before is not None and prove(ledger, entries, key) == before
    root = bytes.fromhex(before.checkpoint.root)
    for entry, path in zip(before.entries, before.paths, strict=True):
        assert includes(root, before.checkpoint.size, entry.seq, leaf_hash(entry.leaf()), path)


def test_entries_are_proven_by_the_first_checkpoint_that_covers_the_last_of_them(ledger: Ledger) -> None:
    ledger.checkpoint(KEY, NOW + timedelta(hours=1))
    (last,) = ledger.append_many([line("label.arrived", MODEL)], now=NOW + timedelta(hours=2))
    entries = [*entries_about(ledger, [MODEL.digest]), last]
    assert prove(ledger, entries, KEY.public_key()) is None
    ledger.checkpoint(KEY, NOW + timedelta(hours=3))
    proven = prove(ledger, entries, KEY.public_key())
    assert proven is not None and proven.checkpoint.size == last.seq + 1


def test_a_checkpoint_of_another_key_proves_nothing(ledger: Ledger) -> None:
    ledger.checkpoint(STRANGER, NOW + timedelta(hours=1))
    assert prove(ledger, entries_about(ledger, [MODEL.digest]), KEY.public_key()) is None


def test_what_was_erased_is_told_apart_from_what_is_gone(ledger: Ledger) -> None:
    (entry,) = ledger.entries("dataset.frozen")
    found, erased = payloads_of(ledger, [entry])
    assert list(found) == [entry.payload_digest] and erased == []
    ledger.erase(entry.payload_digest, actor=PIPELINE, reason="consent withdrawn", now=NOW)
    assert payloads_of(ledger, [entry]) == ({}, [entry.payload_digest])


def test_a_payload_that_is_gone_without_a_word_is_refused(ledger: Ledger) -> None:
    (entry,) = ledger.entries("dataset.frozen")
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM payload")
    with pytest.raises(Refused, match="is gone and no entry says that it was erased"):
        payloads_of(ledger, [entry])
