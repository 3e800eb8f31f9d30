"""The ledger only grows, and what it holds comes back as it was written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from lineage import graph, merkle, store
from lineage.belonging import bind
from lineage.digest import Digest, canonical, digest_of, sha256_bytes
from lineage.entries import uuid7
from lineage.ledger import Actor, Checkpoint, Draft, Edge, Entry, EntryType, Ledger, Software, Subject
from lineage.receipts import issue
from lineage.store import session
from lineage.times import read_utc, utc_text
from tests.databases import NewPlace, Place, Server
from tests.ledgers import DIGESTS, KEY, LATER, NOW, PERSON, STRANGER, alter, recording, small_ledger


@pytest.fixture
def ledger(place: Place) -> Ledger:
    return small_ledger(place)


def test_an_entry_comes_back_as_it_was_written(ledger: Ledger) -> None:
    edge = Edge(DIGESTS[0], "trained_on", DIGESTS[1])
    subjects = (Subject("model", "m", DIGESTS[0]), Subject("dataset", "d", DIGESTS[1]))
    written = ledger.append(
        "run.finished", actor=PERSON, subjects=subjects, reason="why", payload={"loss": 0.5}, edges=(edge,), now=LATER
    )
    assert ledger.entry(written.seq) == ledger.entries()[-1] == written
    assert Entry.from_envelope(written.envelope()) == written
    assert (written.seq, written.type, written.recorded_at) == (7, EntryType.RUN_FINISHED, LATER)
    assert written.software == Software("abc", "def", dirty=False)
    assert ledger.payload(written.payload_digest) == {"loss": 0.5}
    assert written.payload_digest == digest_of({"loss": 0.5})


def test_two_entries_may_say_the_same_and_share_one_payload(ledger: Ledger) -> None:
    one, two = (ledger.append("label.arrived", actor=PERSON, payload={"label": "sz"}) for _ in range(2))
    assert one.payload_digest == two.payload_digest
    assert ledger.payload(two.payload_digest) == {"label": "sz"}
    assert ledger.verify().problems == []


def test_an_entry_that_says_no_more_has_no_payload(ledger: Ledger) -> None:
    entry = ledger.append("run.finished", actor=PERSON, now=LATER)
    assert (entry.payload_digest, ledger.payload(entry.payload_digest)) == ("", None)


def test_there_is_no_entry_before_the_first_or_after_the_last(ledger: Ledger) -> None:
    for seq in (-1, 7):
        with pytest.raises(IndexError, match="no entry"):
            ledger.entry(seq)


def test_entries_are_found_by_type_and_by_what_they_are_about(ledger: Ledger) -> None:
    about = ledger.entries()[2].subjects[0]
    later = ledger.append("recording.quarantined", actor=PERSON, subjects=(about,), now=LATER)
    assert [e.seq for e in ledger.entries(subject_digest=about.digest)] == [2, 7]
    assert ledger.entries("recording.quarantined") == [later]
    assert ledger.entries("recording.registered", about.digest) == [ledger.entry(2)]
    assert ledger.entries(subject_digest=DIGESTS[0]) == []
    both = ("recording.quarantined", "recording.registered")
    assert ledger.entries(both) == ledger.entries() and ledger.entries([]) == []
    assert [ledger.last_of(types) for types in (both, *both, "drift.alarm", [])] == [7, 7, 6, None, None]
    for ask in (ledger.entries, ledger.last_of):
        with pytest.raises(ValueError, match=r"gate\.overridden"):
            ask(["recording.registered", "gate.overridden"])


@given(
    st.text(max_size=20),
    st.dictionaries(
        st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9), max_size=3
    ),
)
@settings(max_examples=15, deadline=None)
def test_any_words_come_back_and_verify(new_place: NewPlace, reason: str, payload: dict) -> None:
    ledger = Ledger(new_place())
    entry = ledger.append("run.finished", actor=Actor("a", reason), reason=reason, payload=payload)
    assert ledger.entries() == [entry]
    assert ledger.payload(entry.payload_digest) == payload
    assert digest_of(ledger.payload(entry.payload_digest)) == entry.payload_digest
    assert ledger.verify().problems == []


REFUSED: dict[str, tuple[dict, str]] = {
    "an unknown type": ({"type": "gate.overridden"}, "gate.overridden"),
    "a time without zone": ({"now": datetime(2030, 1, 1)}, "needs its zone"),
    "what has not happened yet": ({"now": LATER, "occurred_at": LATER + timedelta(seconds=1)}, "not happened yet"),
    "an edge to something unknown": ({"edges": (Edge(DIGESTS[0], "from", DIGESTS[1]),)}, "not in the lineage"),
    "a payload that is no JSON": ({"payload": {"x": float("nan")}}, "nan"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_entry_leaves_nothing_behind(ledger: Ledger, case: str) -> None:
    fault, reason = REFUSED[case]
    before = ledger.head()
    subject = Subject("model", "m", DIGESTS[5])
    with pytest.raises((ValueError, TypeError), match=reason):
        ledger.append(**{"type": "run.finished", "actor": PERSON, "subjects": (subject,), **fault})
    assert ledger.head() == before
    assert ledger.entries(subject_digest=DIGESTS[5]) == []
    assert ledger.verify().problems == []
    ledger.append("run.finished", actor=PERSON, subjects=(subject,), now=LATER)


def test_several_entries_are_written_all_or_none(ledger: Ledger) -> None:
    bad = Draft("run.finished", PERSON, edges=(Edge(DIGESTS[0], "from", DIGESTS[1]),))
    with pytest.raises(graph.UnknownNode):
        ledger.append_many([recording(100), recording(101), bad], now=LATER)
    assert ledger.head().size == 7
    assert ledger.verify().ok


@pytest.mark.parametrize("digest", ["abc", "A" * 64, "d41d8cd98f00b204e9800998ecf8427e", "g" * 64])
def test_only_a_sha_256_is_let_in_as_a_digest(digest: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hexadecimal"):
        Subject("recording", "sub-001", digest)
    with pytest.raises(ValueError, match="64 lower-case hexadecimal"):
        Edge(digest, "from", DIGESTS[0])


def test_time_in_the_ledger_never_runs_backwards(ledger: Ledger) -> None:
    """A clock that was set back is visible as the time of the event, not as the time of recording."""
    entry = ledger.append("run.finished", actor=PERSON, now=NOW - timedelta(days=1))
    assert entry.recorded_at == NOW + timedelta(minutes=6)
    assert entry.occurred_at == NOW - timedelta(days=1)
    early, checkpoint = ledger.checkpoint(KEY, NOW), ledger.checkpoint(KEY, LATER)
    assert early.at == entry.recorded_at
    assert ledger.append("run.finished", actor=PERSON, now=NOW).recorded_at == LATER
    assert ledger.verify([early, checkpoint], KEY.public_key()).problems == []


def test_ids_begin_with_the_time_and_differ() -> None:
    """RFC 9562, appendix A.6: the example's time stands in the first 48 bits."""
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    ids = {uuid7(moment) for _ in range(100)}
    assert len(ids) == 100
    assert all(i.startswith("017f22e2-79b0-7") and i[19] in "89ab" for i in ids)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-12, 14))
@settings(max_examples=50, deadline=None)
def test_time_comes_back_from_its_text_and_texts_sort_as_time(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert read_utc(utc_text(aware)) == aware
    assert (utc_text(aware) < utc_text(NOW)) == (aware < NOW)


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00.000000+01:00", "2026-03-01"])
def test_another_spelling_of_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="spelling"):
        read_utc(text)


KEPT_FOREVER = ("entry", "tree", "subject", "checkpoint", "lineage_node", "lineage_edge", "belonging")


def test_the_database_itself_refuses_update_and_delete(ledger: Ledger) -> None:
    edge = Edge(DIGESTS[0], "cut_from", ledger.entry(0).subjects[0].digest)
    ledger.append("run.finished", actor=PERSON, subjects=(Subject("clip", "c", DIGESTS[0]),), edges=(edge,), now=LATER)
    ledger.checkpoint(KEY, LATER)
    bind(ledger.engine, "a-workspace")
    statements = [f"DELETE FROM {table}" for table in KEPT_FOREVER]
    statements += [f"UPDATE {table} SET {column}" for table, column in CHANGES.items()]
    if ledger.engine.dialect.name == "postgresql":
        statements += [f"TRUNCATE {table}" for table in (*KEPT_FOREVER, "payload")]
    for statement in statements:
        with pytest.raises(IntegrityError, match="append-only"), session(ledger.engine) as writing:
            writing.execute(text(statement))
    assert ledger.verify().problems == []


CHANGES = {
    "entry": "type = 'run.finished'",
    "tree": "level = level + 1",
    "subject": "kind = 'x'",
    "checkpoint": "text = ''",
    "lineage_node": "kind = 'x'",
    "lineage_edge": "relation = 'x'",
    "payload": "digest = ''",
    "belonging": "workspace = 'x'",
}


def test_the_ledger_offers_no_way_to_change_or_delete() -> None:
    public = {name for name in vars(Ledger) if not name.startswith("_")}
    assert public == {
        "append", "append_many", "certify", "checkpoint", "checkpoints", "consistency_proof", "entries", "entry", "erase",
        "head", "head_problems", "inclusion_proof", "last_of", "payload", "verify",
    }  # fmt: skip


def test_every_entry_is_proved_by_the_ledgers_head(ledger: Ledger) -> None:
    head = ledger.head()
    for entry in ledger.entries():
        path = ledger.inclusion_proof(entry.seq)
        assert merkle.includes(bytes.fromhex(head.root), 7, entry.seq, merkle.leaf_hash(entry.leaf()), path)


def test_a_grown_ledger_is_consistent_with_its_past(ledger: Ledger) -> None:
    old = ledger.head()
    ledger.append_many([recording(i) for i in range(50, 60)], now=LATER)
    new = ledger.head()
    proof = ledger.consistency_proof(old.size, new.size)
    assert merkle.is_consistent(old.size, bytes.fromhex(old.root), new.size, bytes.fromhex(new.root), proof)


def test_an_empty_ledger_verifies_and_has_the_empty_root(tmp_path: Path) -> None:
    verification = Ledger(tmp_path / "ledger.db").verify()
    assert (verification.ok, verification.size, verification.root) == (True, 0, sha256_bytes(b""))


def test_a_checkpoint_comes_back_from_its_published_form(ledger: Ledger) -> None:
    checkpoint = ledger.checkpoint(KEY, LATER)
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint == ledger.checkpoints()[0]
    assert checkpoint.head == ledger.head()
    with pytest.raises(ValueError, match="not a checkpoint"):
        Checkpoint.from_json("{}")
    for size in ("-1", "7.0", "true", "null"):
        with pytest.raises(ValueError, match="whole number"):
            Checkpoint.from_json(checkpoint.to_json().replace('"size": 7', f'"size": {size}'))
    for root in ("latest", checkpoint.root.upper(), checkpoint.root[:-2]):
        with pytest.raises(ValueError, match="64 lower-case hexadecimal"):
            Checkpoint.from_json(checkpoint.to_json().replace(checkpoint.root, root))


def test_an_empty_ledger_has_a_checkpoint_that_every_later_one_contains(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "folder" / "ledger.db")
    checkpoint = Checkpoint.from_json(ledger.checkpoint(KEY, NOW).to_json())
    ledger.append_many([recording(1)], now=NOW)
    assert ledger.verify([checkpoint], KEY.public_key()).problems == []


def test_checkpoints_without_a_key_to_check_them_prove_nothing(ledger: Ledger) -> None:
    checkpoint = ledger.checkpoint(KEY, LATER)
    assert "no public key" in ledger.verify([checkpoint]).problems[0]


def test_the_head_goes_on_from_the_last_checkpoint_under_a_trusted_key(ledger: Ledger) -> None:
    trusted, stranger = KEY.public_key(), STRANGER.public_key()
    assert ledger.head_problems(trusted) == []
    ledger.checkpoint(KEY, LATER)
    for _ in range(2):  # at the checkpoint, and behind it
        assert ledger.head_problems(trusted) == [] == ledger.head_problems(stranger, trusted)
        assert "names another key" in ledger.head_problems(stranger)[0]
        assert "no public key" in ledger.head_problems()[0]
        ledger.append_many([recording(20), recording(21)], now=LATER)


def test_a_checkpoint_of_an_empty_ledger_is_gone_on_from_by_any(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.checkpoint(KEY, NOW)
    assert ledger.head_problems(KEY.public_key()) == []
    ledger.append_many([recording(1)], now=NOW)
    assert ledger.head_problems(KEY.public_key()) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM entry WHERE seq = 6", "the last checkpoint is of 7 lines, and there are 6"),
        ("UPDATE tree SET hash = zeroblob(32) WHERE level = 2", "does not go on from the last checkpoint, of 7 lines"),
    ],
)
def test_a_ledger_that_does_not_go_on_from_its_last_checkpoint_says_so_at_once(
    tmp_path: Path, statement: str, said: str
) -> None:
    ledger = small_ledger(tmp_path)
    ledger.checkpoint(KEY, LATER)
    alter(tmp_path / "ledger.db", statement)
    assert said in ledger.head_problems(KEY.public_key())[0]


Bytes = Callable[[Ledger], bytes]


@pytest.fixture
def in_files(request: pytest.FixtureRequest, place: Place) -> Bytes:
    """All bytes of a ledger's files: SQLite's with what is written ahead, those of PostgreSQL's tables."""
    if isinstance(place, Path):
        return lambda ledger: b"".join(file.read_bytes() for file in place.parent.iterdir())
    server: Server = request.getfixturevalue("server")
    return lambda ledger: server.table_bytes()


def with_secrets(ledger: Ledger, number: int, word: str) -> list[Digest]:
    said = [Draft("consent.granted", PERSON, payload={"note": f"{word} {n}"}) for n in range(number)]
    return [entry.payload_digest for entry in ledger.append_many(said, now=LATER)]


def test_erased_payloads_are_gone_from_the_files_and_every_entry_stays(ledger: Ledger, in_files: Bytes) -> None:
    secrets = with_secrets(ledger, 3, "a-word-to-forget")
    assert b"a-word-to-forget" in in_files(ledger)
    erased = ledger.erase(*secrets, actor=PERSON, reason="consent withdrawn", now=LATER)
    assert [ledger.payload(secret) for secret in secrets] == [None, None, None]
    assert b"a-word-to-forget" not in in_files(ledger)
    assert [e.type for e in ledger.entries()[-6:]] == ["consent.granted"] * 3 + ["erase.executed"] * 3
    assert [ledger.entries(subject_digest=secret) for secret in secrets] == [[line] for line in erased]
    assert ledger.payload(ledger.entry(6).payload_digest) == {"seconds": 6}
    assert ledger.verify().problems == []


def test_a_line_that_names_a_payload_does_not_excuse_its_loss_and_its_own_erasure_does(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path)
    erased, lost = (ledger.entry(seq).payload_digest for seq in (2, 3))
    ledger.append("research.recorded", actor=PERSON, subjects=[Subject("payload", lost[:12], lost)], now=LATER)
    ledger.erase(erased, actor=PERSON, reason="consent withdrawn", now=LATER)
    assert ledger.verify().problems == []
    alter(tmp_path / "ledger.db", f"DELETE FROM payload WHERE digest = '{lost}'")
    assert ledger.verify().problems == ["payload of entry 3 is gone and no entry says that it was erased"]


def test_the_table_of_payloads_is_written_anew_once_however_many_are_erased(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[Any] = []
    monkeypatch.setattr("lineage.ledger.settle", lambda engine, table: settled.append(table))
    ledger.erase(*with_secrets(ledger, 5, "a-word"), actor=PERSON, reason="consent withdrawn", now=LATER)
    assert len(settled) == 1


def test_an_erasure_that_was_cut_off_before_its_bytes_were_gone_is_made_good_when_asked_again(
    ledger: Ledger, in_files: Bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = with_secrets(ledger, 2, "a-half-forgotten-word")
    with monkeypatch.context() as cut:
        cut.setattr("lineage.ledger.settle", lambda engine, table: None)
        ledger.erase(*secrets, actor=PERSON, reason="consent withdrawn", now=LATER)
    assert b"a-half-forgotten-word" in in_files(ledger)
    lines = len(ledger.entries())
    assert ledger.erase(actor=PERSON, reason="consent withdrawn", now=LATER) == []
    assert b"a-half-forgotten-word" not in in_files(ledger) and len(ledger.entries()) == lines


def test_a_receipt_writes_a_checkpoint_once_in_a_while_only(ledger: Ledger) -> None:
    """A million predictions do not leave a million checkpoints; each receipt still has a signed head of its own."""
    heads = [ledger.certify(KEY, LATER) for _ in range(3)]
    later = ledger.append("run.finished", actor=PERSON, now=LATER + timedelta(minutes=1))
    heads.append(ledger.certify(KEY, LATER + timedelta(minutes=1)))
    assert len(ledger.checkpoints()) == 1 and heads[-1].size == 8 and heads[-1].at == later.recorded_at
    heads.append(ledger.certify(KEY, LATER + timedelta(hours=1)))
    assert [c.size for c in ledger.checkpoints()] == [7, 8]
    ledger.append_many([recording(i) for i in range(50, 1050)], now=LATER + timedelta(hours=1))
    heads.append(ledger.certify(KEY, LATER + timedelta(hours=1)))
    ledger.append_many([recording(2000)], now=LATER + timedelta(hours=1))
    heads.append(ledger.certify(KEY, LATER + timedelta(hours=1)))
    assert [c.size for c in ledger.checkpoints()] == [7, 8, 1008] and heads[-1].size == 1009
    assert ledger.verify(heads, KEY.public_key()).problems == []


def test_a_line_after_a_receipt_is_never_before_it_though_a_clock_runs_late(ledger: Ledger) -> None:
    ledger.checkpoint(KEY, NOW)
    ahead = ledger.certify(KEY, LATER - timedelta(minutes=5))
    ledger.append("run.finished", actor=PERSON, now=NOW)
    assert ledger.verify([ahead], KEY.public_key()).problems == []


WITHOUT_NUL = st.characters(codec="utf-8", exclude_characters="\0")


@given(st.text(WITHOUT_NUL, max_size=30), st.text(WITHOUT_NUL, max_size=9), st.integers(0, 2**40))
@settings(max_examples=50, deadline=None)
def test_an_entry_is_hashed_in_its_canonical_form(reason: str, name: str, seq: int) -> None:
    """RFC 8785, written by the library for it."""
    subjects = (Subject(name, reason, DIGESTS[0]), Subject("model", name))
    entry = Entry(seq, name, EntryType.RUN_FINISHED, NOW, LATER, Actor(name, reason), subjects, reason)
    assert entry.leaf() == canonical(entry.envelope())


@pytest.mark.parametrize("what", [{"kind": "a\0"}, {"id": "\0"}])
def test_a_subject_with_a_nul_is_refused_since_postgresql_holds_none(what: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        Subject(**{"kind": "model", "id": "m", **what})
    with pytest.raises(ValueError, match="NUL"):
        Actor("a", site="\0")


def test_an_append_asks_the_store_no_more_in_a_long_ledger_than_in_a_short_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    driver = store._driver

    def noted(connection: Any, statement: str) -> Any:
        asked.append(statement)
        return driver(connection, statement)

    monkeypatch.setattr(store, "_driver", noted)
    event.listen(ledger.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    ledger.append_many([recording(7)])
    short = len(asked)
    ledger.append_many([recording(i) for i in range(8, 1023)])
    asked.clear()
    ledger.append_many([recording(1023)])
    assert 5 < len(asked) == short


def test_an_append_and_a_receipt_look_nothing_through_from_end_to_end(tmp_path: Path) -> None:
    """What they ask SQLite is found by an index, so that they take as long in a long ledger as in a short one."""
    ledger, asked = small_ledger(tmp_path), set[str]()

    def note(statement: str) -> None:
        if statement.startswith(("SELECT", "WITH")) and "LIMIT" not in statement:
            asked.add(statement)

    event.listen(ledger.engine, "checkout", lambda driver, *_: driver.set_trace_callback(note))
    issue(ledger, ledger.append_many([recording(i) for i in range(7, 20)])[-1], KEY, LATER)
    event.listen(ledger.engine, "checkout", lambda driver, *_: driver.set_trace_callback(None))
    with ledger.engine.connect() as asking:
        plans = [asking.exec_driver_sql(f"EXPLAIN QUERY PLAN {what}").all() for what in asked]
    steps = [step[-1] for plan in plans for step in plan]
    scanned = [
        step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step
    ]  # the values asked for
    assert len(steps) > 5 and not scanned
