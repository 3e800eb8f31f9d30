"""Nine ways to change what the ledger says, each by somebody who owns its file, and each found."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from lineage import merkle
from lineage.entries import Entry
from lineage.ledger import Checkpoint, Edge, Ledger, LedgerBroken
from lineage.rows import EntryRow
from lineage.store import session
from tests.ledgers import KEY, LATER, NOW, PERSON, STRANGER, recording, small_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return small_ledger(tmp_path)


@dataclass
class Scene:
    """A ledger with two checkpoints kept elsewhere, and the attacker's own way into the file."""

    ledger: Ledger
    kept: list[Checkpoint]

    @property
    def path(self) -> str:
        return str(self.ledger.engine.url.database)

    def tamper(self, *statements: str, rebuild: bool = False) -> None:
        """Run SQL as somebody who owns the file; with `rebuild`, hash everything again so that it fits."""
        self.ledger.engine.dispose()
        raw = sqlite3.connect(self.path)
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        if rebuild:
            self._hash_again(raw)
        raw.commit()
        raw.close()

    @staticmethod
    def _hash_again(raw: sqlite3.Connection) -> None:
        raw.execute("DELETE FROM tree")
        raw.execute("DELETE FROM checkpoint")
        frontier = merkle.Frontier()
        for (envelope,) in raw.execute("SELECT envelope FROM entry ORDER BY seq").fetchall():
            raw.executemany("INSERT INTO tree VALUES (?, ?, ?)", frontier.add(merkle.leaf_hash(envelope)))
        known = [Entry.from_envelope(json.loads(e)) for (e,) in raw.execute("SELECT envelope FROM entry").fetchall()]
        raw.execute("DELETE FROM subject")
        rows = [(e.seq, i, s.kind, s.id, s.digest) for e in known for i, s in enumerate(e.subjects)]
        raw.executemany("INSERT INTO subject VALUES (?, ?, ?, ?, ?)", rows)
        raw.execute("DELETE FROM node WHERE digest NOT IN (SELECT digest FROM subject)")


@pytest.fixture
def scene(ledger: Ledger) -> Scene:
    """Five more entries after the first checkpoint; recording 8 was cut out of recording 0."""
    first = ledger.checkpoint(KEY, LATER)
    more = [recording(i) for i in range(7, 12)]
    cut = Edge(more[1].subjects[0].digest, "cut_from", recording(0).subjects[0].digest)
    more[1] = replace(more[1], edges=(cut,))
    ledger.append_many(more, now=LATER + timedelta(minutes=10))
    return Scene(ledger, [first, ledger.checkpoint(KEY, LATER + timedelta(hours=1))])


EDITED = "UPDATE entry SET envelope = CAST(replace(CAST(envelope AS TEXT), '{}', '{}') AS BLOB) WHERE seq = {}"
SWAP = (
    "UPDATE entry SET seq = 100, id = id || 'x' WHERE seq = 2",
    "UPDATE entry SET seq = 2 WHERE seq = 3",
    "UPDATE entry SET seq = 3, id = substr(id, 1, 36) WHERE seq = 100",
)


def edit(scene: Scene) -> None:
    scene.tamper(EDITED.format("first seen", "never seen", 3))


def edit_and_hash_again(scene: Scene) -> None:
    scene.tamper(EDITED.format("first seen", "never seen", 3), rebuild=True)


def edit_the_lineage(scene: Scene) -> None:
    scene.tamper("UPDATE node SET kind = 'dataset' WHERE label = 'sub-003'")


def edit_an_edge(scene: Scene) -> None:
    scene.tamper("UPDATE edge SET relation = 'unrelated_to'")


def add_an_edge(scene: Scene) -> None:
    scene.tamper("INSERT INTO edge SELECT parent, relation, child FROM edge")


def post_date(scene: Scene) -> None:
    """The event is moved to after its own recording, and everything is hashed again."""
    scene.tamper(EDITED.format('occurred_at":"2026', 'occurred_at":"2027', 11), rebuild=True)
    scene.kept = scene.kept[:1]


def certify_what_came_later(scene: Scene) -> None:
    """A checkpoint that claims to be older than an entry that it covers, signed with the platform's stolen key."""
    scene.kept = [Checkpoint.signed(scene.ledger.head(), KEY, LATER)]


def edit_a_payload(scene: Scene) -> None:
    scene.tamper("UPDATE payload SET content = CAST('{}' AS BLOB)")


def edit_the_type_column(scene: Scene) -> None:
    scene.tamper("UPDATE entry SET type = 'recording.quarantined' WHERE seq = 3")


def delete(scene: Scene) -> None:
    scene.tamper("DELETE FROM entry WHERE seq = 3")


def delete_and_close_the_gap(scene: Scene) -> None:
    renumber = [EDITED.format(f'"seq":{i}', f'"seq":{i - 1}', i) for i in range(4, 12)]
    move = [f"UPDATE entry SET seq = {i - 1} WHERE seq = {i}" for i in range(4, 12)]
    scene.tamper("DELETE FROM entry WHERE seq = 3", *renumber, *move, rebuild=True)


def delete_a_payload(scene: Scene) -> None:
    scene.tamper("DELETE FROM payload WHERE rowid = 2")


def delete_from_the_index(scene: Scene) -> None:
    scene.tamper("DELETE FROM subject WHERE seq = 3")


def truncate(scene: Scene) -> None:
    scene.tamper("DELETE FROM entry WHERE seq > 8")


def truncate_and_hash_again(scene: Scene) -> None:
    scene.tamper("DELETE FROM entry WHERE seq > 8", rebuild=True)


def empty_the_file(scene: Scene) -> None:
    scene.ledger.engine.dispose()
    for path in Path(scene.path).parent.glob("ledger.db*"):
        path.unlink()
    scene.ledger = Ledger(scene.path)


def reorder(scene: Scene) -> None:
    scene.tamper(*SWAP)


def reorder_and_hash_again(scene: Scene) -> None:
    numbers = [EDITED.format('"seq":3', '"seq":2', 2), EDITED.format('"seq":2', '"seq":3', 3)]
    times = [EDITED.format("12:03:00", "12:02:00", 2), EDITED.format("12:02:00", "12:03:00", 3)]
    columns = [f"UPDATE entry SET recorded_at = '2026-03-01T12:0{i}:00.000000Z' WHERE seq = {i}" for i in (2, 3)]
    scene.tamper(*SWAP, *numbers, *times, *columns, rebuild=True)


def fork(scene: Scene) -> None:
    """Another history with the same beginning, shown to somebody who kept checkpoints of the first."""
    other = Ledger(Path(scene.path).parent / "fork.db", scene.ledger.software)
    for number in range(6):
        other.append_many([recording(number)], now=NOW + timedelta(minutes=number))
    other.append_many([recording(i) for i in range(60, 66)], now=LATER)
    scene.ledger = other


def back_date(scene: Scene) -> None:
    """The last entry is given a time before the one that precedes it, and everything is hashed again."""
    early = EDITED.format("2026-03-01T13:10", "2026-03-01T11:10", 11)
    scene.tamper(early, "UPDATE entry SET recorded_at = '2026-03-01T11:10:00.000000Z' WHERE seq = 11", rebuild=True)
    scene.kept = scene.kept[:1]  # it happened after the last checkpoint that anybody kept


def back_date_to_before_a_checkpoint(scene: Scene) -> None:
    """Later than the entry before it, but earlier than a checkpoint that did not see it."""
    moves = [EDITED.format("2026-03-01T13:10", "2026-03-01T12:30", i) for i in range(7, 12)]
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
        EDITED.format('"seq":3', '"seq":12', 12),
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
    "truncate to nothing": (empty_the_file, "its end was cut off"),
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


@pytest.mark.parametrize("attack", [name for name in ATTACKS if name.endswith("hashed again")])
def test_an_attack_that_hashes_everything_again_is_found_only_by_checkpoints_kept_elsewhere(
    scene: Scene, attack: str
) -> None:
    """Why checkpoints are published: whoever owns the whole file can make it agree with itself."""
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
    scene.tamper("UPDATE entry SET envelope = CAST('{' AS BLOB) WHERE seq = 6", "UPDATE checkpoint SET text = '{}'")
    problems = scene.ledger.verify(scene.kept, KEY.public_key()).problems
    assert any("entry 6 cannot be read" in p for p in problems)
    assert any("checkpoint 1 of the ledger cannot be read" in p for p in problems)


def test_a_changed_payload_is_not_handed_out(scene: Scene) -> None:
    digest = scene.ledger.entry(3).payload_digest
    scene.tamper("UPDATE payload SET content = CAST('{}' AS BLOB)")
    with pytest.raises(LedgerBroken, match="has been changed"):
        scene.ledger.payload(digest)


def test_nothing_is_appended_to_a_broken_tree(scene: Scene) -> None:
    scene.tamper("DELETE FROM tree WHERE level = 3")
    with pytest.raises(LedgerBroken, match="not whole"):
        scene.ledger.append("run.started", actor=PERSON)
    with pytest.raises(LedgerBroken, match="no node 3/0"):
        scene.ledger.head()
