"""A backup holds all that was written; what is restored is the same ledger, in either database."""

import errno
import fcntl
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.workspace import MARKER
from lineage import backup, graph
from lineage.backup import BackupRefused, read_backup, write_backup
from lineage.checkpoints import TreeHead
from lineage.keys import create_platform_key, platform_key
from lineage.ledger import Edge, Ledger, Subject
from lineage.place import ledger_place
from lineage.receipts import issue
from tests.commands import ictal
from tests.databases import NewPlace, Place, Server
from tests.ledgers import DIGESTS, KEY, LATER, NOW, PERSON, recording, small_ledger


@pytest.fixture
def ledger(place: Place) -> Ledger:
    return lived_in(place)


def lived_in(place: Place) -> Ledger:
    """Seven recordings, a model of one of them, a checkpoint, an erased payload."""
    ledger = small_ledger(place)
    model = Subject("model", "m\u00e4dchen \U0001f9e0", DIGESTS[0])
    edge = Edge(DIGESTS[0], "trained_on", recording(3).subjects[0].digest)
    ledger.append(
        "run.finished", actor=PERSON, subjects=(model,), payload={"\u00fc": "\ud7ff"}, edges=(edge,), now=LATER
    )
    ledger.checkpoint(KEY, LATER)
    ledger.erase(ledger.entry(2).payload_digest, actor=PERSON, reason="consent withdrawn", now=LATER)
    return ledger


def same(one: Ledger, two: Ledger) -> None:
    assert one.head() == two.head() and one.entries() == two.entries()
    assert one.checkpoints() == two.checkpoints()
    for entry in one.entries():
        assert one.payload(entry.payload_digest) == two.payload(entry.payload_digest)
    about = recording(3).subjects[0].digest
    assert graph.downstream(one, about) == graph.downstream(two, about) != []
    assert two.verify(one.checkpoints(), KEY.public_key()).problems == []


def test_a_restored_ledger_is_the_ledger_that_was_backed_up(
    ledger: Ledger, new_place: NewPlace, tmp_path: Path
) -> None:
    assert write_backup(ledger, tmp_path / "b.jsonl") == ledger.head()
    restored = Ledger(new_place(), ledger.software)
    assert read_backup(restored, tmp_path / "b.jsonl") == ledger.head()
    same(ledger, restored)
    assert restored.append("run.finished", actor=PERSON, now=LATER).seq == ledger.head().size


def test_a_ledger_moves_from_sqlite_to_postgresql_and_back(server: Server, tmp_path: Path) -> None:
    ledger, moved, back = lived_in(tmp_path), Ledger(server.new_database()), Ledger(tmp_path / "back.db")
    write_backup(ledger, tmp_path / "one")
    read_backup(moved, tmp_path / "one")
    same(ledger, moved)
    write_backup(moved, tmp_path / "two")
    read_backup(back, tmp_path / "two")
    same(ledger, back)


def test_a_backup_is_of_one_moment_while_others_append(ledger: Ledger, new_place: NewPlace, tmp_path: Path) -> None:
    stop = threading.Event()

    def append() -> None:
        for number in range(100, 10_000):
            ledger.append_many([recording(number)])
            if stop.is_set():
                return

    writer = threading.Thread(target=append)
    writer.start()
    try:
        heads = []
        for i in range(3):
            heads.append(write_backup(ledger, tmp_path / f"{i}"))
            until_s = time.monotonic() + 60
            while ledger.head().size == heads[-1].size and time.monotonic() < until_s:
                time.sleep(0.01)  # on a busy machine the other has not had its turn yet
    finally:
        stop.set()
        writer.join()
    assert ledger.head().size > heads[-1].size > heads[0].size
    restored = Ledger(new_place())
    assert read_backup(restored, tmp_path / "2") == heads[-1] == restored.head()
    assert restored.verify().problems == []


def test_nothing_is_restored_over_a_ledger_that_holds_something(ledger: Ledger, tmp_path: Path) -> None:
    write_backup(ledger, tmp_path / "b")
    before = ledger.head()
    with pytest.raises(BackupRefused, match="not empty"):
        read_backup(ledger, tmp_path / "b")
    assert ledger.head() == before


def test_a_backup_is_never_written_over_a_file_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    ledger, out = small_ledger(tmp_path), tmp_path / "b"
    write_backup(ledger, out)
    assert out.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BackupRefused, match="is there already"):
        write_backup(ledger, out)
    for folder in (tmp_path / "nowhere", out):
        with pytest.raises(BackupRefused, match="cannot be written"):
            write_backup(ledger, folder / "b")
    assert sorted(p.name for p in tmp_path.iterdir() if "b." in p.name and "ledger" not in p.name) == []


def test_a_backup_is_noted_whole_before_it_has_its_name(tmp_path: Path) -> None:
    ledger, out, restored = small_ledger(tmp_path), tmp_path / "b", Ledger(tmp_path / "restored.db")
    noted = []

    def note(head: TreeHead, whole: Path) -> None:
        noted.append((head, read_backup(restored, whole), out.exists()))

    head = write_backup(ledger, out, note)
    assert noted == [(head, head, False)] and out.exists()


@pytest.mark.parametrize("full", [OSError(errno.ENOSPC, "No space left on device"), BackupRefused("not to be noted")])
def test_of_a_backup_that_cannot_be_finished_nothing_is_left(tmp_path: Path, full: Exception) -> None:
    def note(head: TreeHead, whole: Path) -> None:
        raise full

    (tmp_path / "to").mkdir()
    with pytest.raises(BackupRefused, match=r"b cannot be written: No space left|not to be noted"):
        write_backup(small_ledger(tmp_path), tmp_path / "to" / "b", note)
    assert list((tmp_path / "to").iterdir()) == []


def test_a_name_that_the_file_system_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="cannot be written: File name too long"):
        write_backup(small_ledger(tmp_path), tmp_path / ("b" * 250))


def test_what_a_killed_program_left_of_a_backup_goes_and_what_another_is_writing_stays(tmp_path: Path) -> None:
    ledger, out = small_ledger(tmp_path), tmp_path / "b"
    for name in ("b.1.new", "b.2.new", "bb.1.new"):
        (tmp_path / name).write_text("payloads")

    def note(head: TreeHead, whole: Path) -> None:
        whole.read_bytes()
        with pytest.raises(BackupRefused, match="File exists"):
            write_backup(ledger, out)

    with (tmp_path / "b.2.new").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        write_backup(ledger, out, note)
    assert sorted(p.name for p in tmp_path.glob("b*")) == ["b", "b.2.new", "bb.1.new"]


def test_a_file_that_is_not_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="nowhere cannot be read: No such file"):
        read_backup(Ledger(tmp_path / "ledger.db"), tmp_path / "nowhere")


def test_who_writes_and_who_restores_many_entries_hears_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "AT_ONCE", 5)
    ledger, restored = lived_in(tmp_path), Ledger(tmp_path / "restored.db")
    written: list[tuple[int, int]] = []
    read: list[tuple[int, int]] = []
    write_backup(ledger, tmp_path / "b", progress=lambda done, of: written.append((done, of)))
    read_backup(restored, tmp_path / "b", lambda done, of: read.append((done, of)))
    assert written == [(5, 9), (9, 9)] == read[:2] and set(read[2:]) <= {(9, 9)}
    same(ledger, restored)


def sealed_again(lines: list[bytes]) -> list[bytes]:
    """With the digest that belongs to these lines."""
    digest = backup.hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    return [*lines[:-1], json.dumps({"sha256": digest}).encode() + b"\n"]


def with_line(lines: list[bytes], values: dict[str, object]) -> list[bytes]:
    return sealed_again([*lines[:2], json.dumps(values).encode() + b"\n", *lines[2:]])


EITHER = "no whole backup|it was changed"
"""Of what SQLite does not take and PostgreSQL does."""
DAMAGED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "cut off": (lambda lines: lines[:-1], "no whole backup"),
    "cut off in a line": (lambda lines: [*lines[:3], lines[3][:20]], "no whole backup"),
    "nothing in it": (lambda lines: [], "no whole backup"),
    "another file": (lambda lines: [b"{}\n", *lines], "no whole backup"),
    "a changed byte": (
        lambda lines: [*lines[:2], lines[2].replace(b"first seen", b"never seen"), *lines[3:]],
        "no whole",
    ),
    "changed and sealed": (
        lambda lines: sealed_again([*lines[:2], lines[2].replace(b"first seen", b"never seen"), *lines[3:]]),
        "it was changed",
    ),
    "an entry left out, sealed": (lambda lines: sealed_again([*lines[:9], *lines[10:]]), "no whole|it was changed"),
    "a payload left out, sealed": (
        lambda lines: sealed_again([x for i, x in enumerate(lines) if b'"payload": ' not in x or i % 2]),
        "it was changed",
    ),
    "another form": (lambda lines: sealed_again([lines[0].replace(b"ledger/1", b"ledger/9"), *lines[1:]]), "ledger/9"),
    "more behind the end": (lambda lines: [*lines, lines[1]], "no whole backup"),
    "nothing but its end": (lambda lines: sealed_again(lines[-1:]), "no whole backup"),
    "an entry twice": (lambda lines: sealed_again([*lines[:2], *lines[1:]]), "no whole backup"),
    "a line without an end": (lambda lines: sealed_again([*lines[:2], b"[" * 100_000 + b"\n", *lines[2:]]), "no whole"),
    "a number for an entry": (lambda lines: with_line(lines, {"entry": 5}), "no whole backup"),
    "a list for a payload": (lambda lines: with_line(lines, {"payload": ["a"], "content": "{}"}), EITHER),
    "an object for a checkpoint": (lambda lines: with_line(lines, {"checkpoint": {}, "at": ""}), "no whole backup"),
    "a huge number for a time": (lambda lines: with_line(lines, {"checkpoint": "{}", "at": 2**70}), EITHER),
    "an entry about what no other names": (lambda lines: sealed_again([*lines[:4], *lines[5:]]), "no whole backup"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_backup_leaves_the_ledger_empty(tmp_path: Path, new_place: NewPlace, damage: str) -> None:
    act, reason = DAMAGED[damage]
    write_backup(lived_in(tmp_path), tmp_path / "b")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"".join(act((tmp_path / "b").read_bytes().splitlines(keepends=True))))
    empty = Ledger(new_place())
    with pytest.raises(BackupRefused, match=reason):
        read_backup(empty, damaged)
    assert empty.head().size == 0 and empty.verify().problems == []


@given(st.binary(max_size=30))
def test_any_bytes_come_back_from_a_backups_text(content: bytes) -> None:
    assert backup._bytes(json.loads(json.dumps(backup._text(content)))) == content


@pytest.fixture
def workspaces(new_place: NewPlace, tmp_path: Path) -> list[tuple[Path, dict[str, str]]]:
    """Two workspaces with one platform key, and the settings that name their ledgers."""
    made = []
    for name in ("one", "two"):
        home = tmp_path / name
        create_platform_key(home / "keys")
        if made:
            copytree(made[0][0] / "keys", home / "keys", dirs_exist_ok=True)
        (home / MARKER).write_text('{"kind": "real"}')
        place = new_place()
        made.append((home, {"ICTAL_HOME": str(home)} | ({"ICTAL_LEDGER": place} if isinstance(place, str) else {})))
    return made


def test_what_is_restored_by_command_verifies(
    workspaces: list[tuple[Path, dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home, settings), (_, others) = workspaces
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    ledger = small_ledger(ledger_place(home))
    issue(ledger, ledger.entry(3), platform_key(home / "keys"), NOW)
    written = ictal("audit", "backup", tmp_path / "b", "--json")
    assert (written.code, written.json["size"]) == (0, 7)
    assert ictal("audit", "restore", tmp_path / "b").code == 2
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    restored = ictal("audit", "restore", tmp_path / "b", "--json").json
    assert (restored["size"], restored["root"]) == (written.json["size"], written.json["root"])
    verified = ictal("audit", "verify", "--json")
    assert (verified.code, verified.json["root"], verified.json["size"]) == (0, written.json["root"], 7)
