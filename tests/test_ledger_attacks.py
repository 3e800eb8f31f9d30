"""Nine ways to change what the ledger says, each by somebody who owns its database, and each found."""

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lineage import appending, merkle, ranges
from lineage.entries import Entry
from lineage.graph import EdgeRow, NodeRow, UnknownNode, upstream
from lineage.ledger import TABLES, Checkpoint, Edge, Ledger, LedgerBroken, Verification
from lineage.rows import CheckpointRow, EntryRow, SubjectRow, TreeRow
from lineage.store import session
from tests.databases import NewPlace, Place
from tests.ledgers import KEY, LATER, NOW, PERSON, STRANGER, recording, small_ledger


@pytest.fixture
def ledger(place: Place) -> Ledger:
    return small_ledger(place)


@dataclass
class Scene:
    """A ledger with two checkpoints kept elsewhere, and the attacker's own way into the database."""

    ledger: Ledger
    kept: list[Checkpoint]
    new_place: NewPlace

    @property
    def place(self) -> str:
        return self.ledger.engine.url.render_as_string(hide_password=False)

    @property
    def is_sqlite(self) -> bool:
        return self.ledger.engine.dialect.name == "sqlite"

    def tamper(self, *statements: str, rebuild: bool = False) -> None:
        """Run SQL as somebody who owns the database; with `rebuild`, hash everything again so that it fits."""
        with session(self.ledger.engine) as owner:
            self._take_the_triggers_away(owner)
            for statement in statements:
                owner.connection().exec_driver_sql(statement)
            if rebuild:
                self._hash_again(owner)

    def _take_the_triggers_away(self, owner: Session) -> None:
        if self.is_sqlite:
            names = owner.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
            statements = [f"DROP TRIGGER {name}" for name in names]
        else:
            statements = [f"ALTER TABLE {table.__tablename__} DISABLE TRIGGER ALL" for table in TABLES]
        for statement in statements:
            owner.execute(text(statement))

    @staticmethod
    def _hash_again(owner: Session) -> None:
        """With the ledger's own code."""
        for table in (TreeRow, CheckpointRow, SubjectRow, NodeRow, EdgeRow):
            owner.execute(text(f"DELETE FROM {table.__tablename__}"))
        envelopes = owner.scalars(select(EntryRow.envelope).order_by(EntryRow.seq)).all()
        entries = [Entry.from_envelope(json.loads(envelope)) for envelope in envelopes]
        appending.write_copies(owner, merkle.Frontier(), entries, envelopes)

    def edited(self, old: str, new: str, seq: int) -> str:
        """The statement that replaces words in the envelope of an entry."""
        if self.is_sqlite:
            changed = f"CAST(replace(CAST(envelope AS TEXT), '{old}', '{new}') AS BLOB)"
        else:
            changed = f"convert_to(replace(convert_from(envelope, 'UTF8'), '{old}', '{new}'), 'UTF8')"
        return f"UPDATE entry SET envelope = {changed} WHERE seq = {seq}"

    def blob(self, words: str) -> str:
        return f"CAST('{words}' AS BLOB)" if self.is_sqlite else f"convert_to('{words}', 'UTF8')"


@pytest.fixture
def scene(ledger: Ledger, new_place: NewPlace) -> Scene:
    """Five more entries after the first checkpoint; recording 8 was cut out of recording 0."""
    first = ledger.checkpoint(KEY, LATER)
    more = [recording(i) for i in range(7, 12)]
    cut = Edge(more[1].subjects[0].digest, "cut_from", recording(0).subjects[0].digest)
    more[1] = replace(more[1], edges=(cut,))
    ledger.append_many(more, now=LATER + timedelta(minutes=10))
    return Scene(ledger, [first, ledger.checkpoint(KEY, LATER + timedelta(hours=1))], new_place)


SWAP = (
    "UPDATE entry SET seq = 100, id = id || 'x' WHERE seq = 2",
    "UPDATE entry SET seq = 2 WHERE seq = 3",
    "UPDATE entry SET seq = 3, id = substr(id, 1, 36) WHERE seq = 100",
)


def edit(scene: Scene) -> None:
    scene.tamper(scene.edited("first seen", "never seen", 3))


def edit_and_hash_again(scene: Scene) -> None:
    scene.tamper(scene.edited("first seen", "never seen", 3), rebuild=True)


def edit_the_lineage(scene: Scene) -> None:
    scene.tamper("UPDATE lineage_node SET kind = 'dataset' WHERE label = 'sub-003'")


def edit_an_edge(scene: Scene) -> None:
    scene.tamper("UPDATE lineage_edge SET relation = 'unrelated_to'")


def add_an_edge(scene: Scene) -> None:
    scene.tamper("INSERT INTO lineage_edge SELECT child_no, kind, parent_no, relation, seq FROM lineage_edge")


def post_date(scene: Scene) -> None:
    """The event is moved to after its own recording, and everything is hashed again."""
    scene.tamper(scene.edited('occurred_at":"2026', 'occurred_at":"2027', 11), rebuild=True)
    scene.kept = scene.kept[:1]


def certify_what_came_later(scene: Scene) -> None:
    """A checkpoint that claims to be older than an entry that it covers, signed with the platform's stolen key."""
    scene.kept = [Checkpoint.signed(scene.ledger.head(), KEY, LATER)]


def edit_a_payload(scene: Scene) -> None:
    scene.tamper(f"UPDATE payload SET content = {scene.blob('{}')}")


def edit_the_type_column(scene: Scene) -> None:
    scene.tamper("UPDATE entry SET type = 'recording.quarantined' WHERE seq = 3")


def delete(scene: Scene) -> None:
    scene.tamper("DELETE FROM entry WHERE seq = 3")


def delete_and_close_the_gap(scene: Scene) -> None:
    renumber = [scene.edited(f'"seq":{i}', f'"seq":{i - 1}', i) for i in range(4, 12)]
    move = [f"UPDATE entry SET seq = {i - 1} WHERE seq = {i}" for i in range(4, 12)]
    scene.tamper("DELETE FROM entry WHERE seq = 3", *renumber, *move, rebuild=True)


def delete_a_payload(scene: Scene) -> None:
    scene.tamper(f"DELETE FROM payload WHERE digest = '{scene.ledger.entry(2).payload_digest}'")


def delete_from_the_index(scene: Scene) -> None:
    scene.tamper("DELETE FROM subject WHERE seq = 3")


def truncate(scene: Scene) -> None:
    scene.tamper("DELETE FROM entry WHERE seq > 8")


def truncate_and_hash_again(scene: Scene) -> None:
    scene.tamper("DELETE FROM entry WHERE seq > 8", rebuild=True)


def empty_the_database(scene: Scene) -> None:
    place = scene.place
    if scene.is_sqlite:
        scene.ledger.engine.dispose()
        for path in Path(str(scene.ledger.engine.url.database)).parent.glob("ledger.db*"):
            path.unlink()
    else:
        scene.tamper("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    scene.ledger = Ledger(place)


def reorder(scene: Scene) -> None:
    scene.tamper(*SWAP)


def reorder_and_hash_again(scene: Scene) -> None:
    numbers = [scene.edited('"seq":3', '"seq":2', 2), scene.edited('"seq":2', '"seq":3', 3)]
    times = [scene.edited("12:03:00", "12:02:00", 2), scene.edited("12:02:00", "12:03:00", 3)]
    columns = [f"UPDATE entry SET recorded_at = '2026-03-01T12:0{i}:00.000000Z' WHERE seq = {i}" for i in (2, 3)]
    scene.tamper(*SWAP, *numbers, *times, *columns, rebuild=True)


def fork(scene: Scene) -> None:
    """Another history with the same beginning, shown to somebody who kept checkpoints of the first."""
    other = Ledger(scene.new_place(), scene.ledger.software)
    for number in range(6):
        other.append_many([recording(number)], now=NOW + timedelta(minutes=number))
    other.append_many([recording(i) for i in range(60, 66)], now=LATER)
    scene.ledger = other


def back_date(scene: Scene) -> None:
    """The last entry is given a time before the one that precedes it, and everything is hashed again."""
    early = scene.edited("2026-03-01T13:10", "2026-03-01T11:10", 11)
    scene.tamper(early, "UPDATE entry SET recorded_at = '2026-03-01T11:10:00.000000Z' WHERE seq = 11", rebuild=True)
    scene.kept = scene.kept[:1]  # it happened after the last checkpoint that anybody kept


def back_date_to_before_a_checkpoint(scene: Scene) -> None:
    """Later than the entry before it, but earlier than a checkpoint that did not see it."""
    moves = [scene.edited("2026-03-01T13:10", "2026-03-01T12:30", i) for i in range(7, 12)]
    moves.append("UPDATE entry SET recorded_at = '2026-03-01T12:30:00.000000Z' WHERE seq > 6")
    scene.tamper(*moves, rebuild=True)
    scene.kept = scene.kept[:1]


def replay(scene: Scene) -> None:
    """An old entry once more at the end, with its own id, in a table that no longer minds."""
    columns = "seq, id, type, recorded_at, envelope"
    scene.tamper(
        "CREATE TABLE copy AS SELECT * FROM entry",
        "DROP TABLE entry",
        "ALTER TABLE copy RENAME TO entry",
        f"INSERT INTO entry ({columns}) SELECT 12, id, type, recorded_at, envelope FROM entry WHERE seq = 3",
        scene.edited('"seq":3', '"seq":12', 12),
        rebuild=True,
    )
    scene.kept = scene.kept[:1]


def key_swap(scene: Scene) -> None:
    """History is rewritten and certified with the attacker's own key."""
    edit_and_hash_again(scene)
    scene.kept = [scene.ledger.checkpoint(STRANGER, LATER + timedelta(hours=2))]


def signature_moved(scene: Scene) -> None:
    """History is rewritten, and its new head bears the signature of the old one."""
    old = scene.kept[-1]
    edit_and_hash_again(scene)
    scene.kept = [Checkpoint(12, scene.ledger.head().root, old.at, old.key_id, old.signature)]


ATTACKS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "edit": (edit, "tree of hashes: "),
    "edit, hashed again": (edit_and_hash_again, "history was rewritten or forked"),
    "edit of the lineage": (edit_the_lineage, "lineage nodes: "),
    "edit of an edge": (edit_an_edge, "lineage edges: 1 of 1 that follow"),
    "an edge added": (add_an_edge, "lineage edges: 1 do not follow"),
    "edit of a payload": (edit_a_payload, "has been changed"),
    "edit of a column": (edit_the_type_column, "entry 3 stands under another number, id, type"),
    "delete": (delete, "place 3 of the ledger holds entry 4"),
    "delete, gap closed, hashed again": (delete_and_close_the_gap, "its end was cut off"),
    "delete of a payload": (delete_a_payload, "is gone and no entry says that it was erased"),
    "delete from the index": (delete_from_the_index, "index of subjects: 1 of 12"),
    "truncate": (truncate, "tree of hashes: "),
    "truncate, hashed again": (truncate_and_hash_again, "its end was cut off"),
    "truncate to nothing": (empty_the_database, "its end was cut off"),
    "reorder": (reorder, "stands under another number"),
    "reorder, hashed again": (reorder_and_hash_again, "history was rewritten or forked"),
    "fork": (fork, "history was rewritten or forked"),
    "back-date": (back_date, "entry 11 says it was recorded before the entry that precedes it"),
    "back-date before a checkpoint": (back_date_to_before_a_checkpoint, "entry 7 is back-dated"),
    "post-date": (post_date, "entry 11 was recorded before it happened"),
    "back-dated checkpoint": (certify_what_came_later, "entry 11 says it was recorded after the checkpoint"),
    "replay": (replay, "occurs more than once"),
    "key swap": (key_swap, "names another key than the trusted one"),
    "signature moved": (signature_moved, "has a signature that does not belong to it"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_the_ledger_is_found(scene: Scene, attack: str) -> None:
    assert scene.ledger.verify(scene.kept, KEY.public_key()).problems == []
    act, found = ATTACKS[attack]
    act(scene)
    problems = scene.ledger.verify(scene.kept, KEY.public_key()).problems
    assert any(found in problem for problem in problems), problems


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_a_long_ledger_is_found_by_the_range_that_it_lies_in(scene: Scene, attack: str) -> None:
    """On several cores a range of four entries only says that something is amiss; then the whole is read."""
    before = scene.ledger.verify(scene.kept, KEY.public_key())
    assert in_ranges(scene) == before and before.ok
    ATTACKS[attack][0](scene)
    assert in_ranges(scene) is None


def in_ranges(scene: Scene) -> Verification | None:
    with session(scene.ledger.engine, write=False) as reading:
        return ranges.verify_sound(reading, scene.kept, [KEY.public_key()], level=2, run=map)


@pytest.mark.parametrize("attack", [name for name in ATTACKS if name.endswith("hashed again")])
def test_an_attack_that_hashes_everything_again_is_found_only_by_checkpoints_kept_elsewhere(
    scene: Scene, attack: str
) -> None:
    """Why checkpoints are published: whoever owns the whole database can make it agree with itself."""
    ATTACKS[attack][0](scene)
    assert scene.ledger.verify().problems == []
    assert not scene.ledger.verify(scene.kept, KEY.public_key()).ok


def test_the_attack_list_holds_the_nine_of_the_design() -> None:
    nine = {"edit", "delete", "truncate", "reorder", "fork", "back-date", "replay", "key swap", "signature moved"}
    assert nine <= set(ATTACKS)


def test_a_replay_attack_is_refused_by_the_database(ledger: Ledger) -> None:
    with pytest.raises(IntegrityError), session(ledger.engine) as writing:
        row = writing.get_one(EntryRow, 3)
        writing.add(EntryRow(seq=7, id=row.id, type=row.type, recorded_at=row.recorded_at, envelope=row.envelope))
        writing.flush()


def test_an_unreadable_entry_attack_is_a_problem_and_not_a_crash(scene: Scene) -> None:
    scene.tamper(f"UPDATE entry SET envelope = {scene.blob('{')} WHERE seq = 6", "UPDATE checkpoint SET text = '{}'")
    problems = scene.ledger.verify(scene.kept, KEY.public_key()).problems
    assert any("entry 6 cannot be read" in p for p in problems)
    assert any("checkpoint 1 of the ledger cannot be read" in p for p in problems)


def test_a_changed_payload_is_not_handed_out(scene: Scene) -> None:
    digest = scene.ledger.entry(3).payload_digest
    scene.tamper(f"UPDATE payload SET content = {scene.blob('{}')}")
    with pytest.raises(LedgerBroken, match="has been changed"):
        scene.ledger.payload(digest)


def test_a_walk_past_a_thing_that_was_taken_away_is_refused_rather_than_cut_short(scene: Scene) -> None:
    cut, source = (recording(number).subjects[0].digest for number in (8, 0))
    scene.tamper(f"DELETE FROM lineage_node WHERE digest = '{source}'")
    with pytest.raises(UnknownNode, match="cut_from but not in the lineage"):
        upstream(scene.ledger, cut)


def test_nothing_is_appended_to_a_broken_tree(scene: Scene) -> None:
    scene.tamper("DELETE FROM tree WHERE level = 3")
    with pytest.raises(LedgerBroken, match="not whole"):
        scene.ledger.append("run.finished", actor=PERSON)
    with pytest.raises(LedgerBroken, match="no node 3/0"):
        scene.ledger.head()


@pytest.mark.parametrize("said", [b"sub-003", b"recording", b"reviewer-1", b"first seen", b"2026-03-01T12:03"])
def test_wherever_the_file_says_it_a_changed_byte_is_found(tmp_path: Path, said: bytes) -> None:
    """In entries, indices of subjects and lineage, and in SQLite's own indices, by which questions are answered."""
    whole = small_ledger(tmp_path)
    whole.engine.dispose()
    with sqlite3.connect(tmp_path / "ledger.db") as owner:
        owner.execute("VACUUM")
        owner.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    owner.close()
    stored = (tmp_path / "ledger.db").read_bytes()
    places = [found.start() for found in re.finditer(re.escape(said), stored)]
    assert places
    for place in places:
        copy = tmp_path / f"{place}.db"
        copy.write_bytes(stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :])
        assert not Ledger(copy).verify().ok, stored[max(0, place - 60) : place + 60]
