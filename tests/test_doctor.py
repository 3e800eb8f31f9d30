"""What the doctor finds: each kind of fault on a machine or in a workspace, made here and named with its next step."""

import http.server
import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from flows import doctor
from flows.doctor import machine, packages, places, workspace
from flows.doctor.finding import Check, Finding, Outcome
from flows.workspace import Workspace, make_workspace
from lineage.belonging import bind
from lineage.keys import create_platform_key, platform_key
from lineage.ledger import Actor, Ledger
from lineage.store import open_store, reach, session
from serving.auth import SiteKeyRow
from tests.commands import ictal
from tests.databases import NewPlace


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    return make_workspace(tmp_path / "home", "real")


def found(check: Check) -> dict[str, Finding]:
    return {finding.name: finding for finding in check()}


def test_the_doctor_answers_with_every_outcome_typed_and_ends_by_what_is_needed() -> None:
    said = ictal("doctor", "--json")
    needed = [f for f in said.json["findings"] if f["needed"] and f["outcome"] in ("missing", "wrong")]
    assert said.code == int(bool(needed)) and said.json["ok"] == (not needed)
    assert {f["outcome"] for f in said.json["findings"]} <= {o.value for o in Outcome}
    assert all(f["needed_for"] and f["found"] for f in said.json["findings"])
    assert all(f["next"] for f in said.json["findings"] if f["outcome"] in ("missing", "wrong"))


def test_what_was_found_stands_in_one_column_however_long_a_name_is() -> None:
    named = [Finding(name, Outcome.OK, "FOUND", "for all") for name in ("git", "place for a much longer workspace")]
    first, second, _ = doctor._in_words(named, True).splitlines()
    assert first.index("FOUND") == second.index("FOUND")


def test_what_only_tests_need_does_not_make_a_machine_unfit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "CHROMIUM", tmp_path / "none")
    monkeypatch.setattr(doctor, "CHECKS", (machine.programs,))
    said = ictal("doctor")
    assert said.code == 0 and "missing chromium" in said.out and "only needed by tests" in said.out


def test_what_is_needed_and_missing_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (machine.programs,))
    monkeypatch.setenv("PATH", str(tmp_path))
    said = ictal("doctor")
    assert said.code == 1 and "missing git" in said.out and "apt install git" in said.out and said.err == ""
    assert said.out.splitlines()[-1].startswith("to be put right: git; to know of: make (missing)")


def test_the_last_line_does_not_pass_over_what_is_wrong_or_unknown_and_not_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = [
        Finding("clock", Outcome.UNKNOWN, "nothing says so", "to sign"),
        Finding("code", Outcome.WRONG, "changed", "to go on", "commit", needed=False),
        Finding("git", Outcome.OK, "2.39", "to make workspaces"),
    ]
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter(looked),))
    for check in doctor.CHECKS:
        check.__name__ = "look"
    assert ictal("doctor").out.splitlines()[-1] == (
        "all that is needed here is there; to know of: clock (unknown), code (wrong)"
    )


def test_the_port_of_prefects_server_is_looked_at_unless_a_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert found(machine.ports).keys() == {"port 8000", "port 8010", "port 4200"}
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert found(machine.ports).keys() == {"port 8000", "port 8010"}


def test_another_python_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(machine.python)["python"].outcome == "ok"
    monkeypatch.setattr(machine, "PYTHON", (3, 10))
    assert found(machine.python)["python"].outcome == "wrong"


def test_too_little_room_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_DISK_GB", 1e9)
    disk = found(machine.room)["disk"]
    assert disk.outcome == "wrong" and "make room" in disk.next


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(machine, "PORTS", {"ictal serve": port})
            finding = found(machine.ports)[f"port {port}"]
    assert (finding.outcome, finding.needed) == ("wrong", False)


@pytest.mark.parametrize(("state", "outcome"), [(0, "ok"), (5, "unknown"), (-1, "unknown")])
def test_a_clock_that_nobody_vouches_for_is_unknown(monkeypatch: pytest.MonkeyPatch, state: int, outcome: str) -> None:
    class Kernel:
        @staticmethod
        def adjtimex(_: object) -> int:
            return state

    monkeypatch.setattr(machine.ctypes, "CDLL", lambda _: Kernel)
    assert found(machine.clock)["clock"].outcome == outcome


def test_versions_are_held_to_the_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found(packages.versions)["packages"].outcome == "ok"
    lock = (packages.ROOT / "constraints.txt").read_text()
    typer = next(line for line in lock.split() if line.startswith("typer=="))
    (tmp_path / "constraints.txt").write_text(lock.replace(typer, "typer==0.0.1"))
    monkeypatch.setattr(packages, "ROOT", tmp_path)
    finding = found(packages.versions)["packages"]
    assert finding.outcome == "wrong" and "typer" in finding.found and "0.0.1" in finding.found
    (tmp_path / "constraints.txt").write_text(lock.replace(typer, ""))
    assert found(packages.versions)["packages"].outcome == "missing"


def test_films_and_networks_work_here() -> None:
    assert found(packages.films)["films"].outcome == found(packages.networks)["networks"].outcome == "ok"


def test_without_its_encoder_films_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    from data.readers import codecs

    def none(*_: object, **__: object) -> None:
        raise av.codec.codec.UnknownCodecError("libx264")

    monkeypatch.setattr(codecs, "write_video", none)
    assert found(packages.films)["films"].outcome == "wrong"


def test_a_ledger_database_that_does_not_answer_is_missing_and_its_password_is_not_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ICTAL_LEDGER", "postgresql://ictal:s3cret-w0rd@127.0.0.1:9/ledger")
    finding = found(places.ledger_database)["ledger database"]
    assert finding.outcome == "missing" and "ICTAL_LEDGER" in finding.next and "s3cret" not in str(finding)


def test_looking_at_a_database_makes_nothing_in_it(monkeypatch: pytest.MonkeyPatch, new_place: NewPlace) -> None:
    place = new_place()
    if isinstance(place, Path):
        pytest.skip("a file needs no server")
    monkeypatch.setenv("ICTAL_LEDGER", place)
    for _ in range(2):
        assert found(places.ledger_database)["ledger database"].found == "it answers, with 0 tables"


@pytest.mark.parametrize(("status", "outcome"), [(200, "ok"), (404, "wrong"), (None, "missing")])
def test_prefects_server_is_asked_where_one_is_named(
    monkeypatch: pytest.MonkeyPatch, status: int | None, outcome: str
) -> None:
    assert found(places.prefect_server) == {}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/health" and status else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://user:w0rd@127.0.0.1:{port if status else 9}/api")
        try:
            finding = found(places.prefect_server)["prefect server"]
        finally:
            server.shutdown()
    assert finding.outcome == outcome and "w0rd" not in str(finding)


def test_a_new_machine_has_no_workspace_and_is_well() -> None:
    finding = found(workspace.workspace)["workspace"]
    assert (finding.outcome, finding.needed) == ("missing", False) and "ictal init" in finding.next


def test_a_new_workspace_is_well(home: Workspace) -> None:
    said = found(workspace.workspace)
    assert {name: f.outcome for name, f in said.items() if name != "code"} == {
        "workspace": "ok", "ledger": "missing", "keys": "ok", "dvc remote local": "ok",
    }  # fmt: skip
    assert not said["ledger"].needed


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "real"}', '{"kind": "odd", "made": "2026-11-01"}'])
def test_a_marker_that_says_nothing_is_wrong(home: Workspace, text: str) -> None:
    (home.root / "workspace.json").write_text(text)
    said = found(workspace.workspace)
    assert said.keys() == {"workspace"} and said["workspace"].outcome == "wrong"


def test_code_that_is_another_is_told_and_not_written_down(home: Workspace) -> None:
    kept = home.root / "code" / "split.txt"
    kept.write_text("0" * 64 + "\n")
    code = found(workspace.workspace)["code"]
    assert (code.outcome, code.needed) == ("wrong", False) and "another for split" in code.found
    assert kept.read_text() == "0" * 64 + "\n"


def a_ledger(home: Workspace) -> Ledger:
    create_platform_key(home.keys)
    ledger = Ledger(home.ledger)
    for number in range(3):
        ledger.append("run.finished", actor=Actor("pipeline"), payload={"number": number})
    ledger.checkpoint(platform_key(home.keys), datetime.now(UTC))
    ledger.append("run.finished", actor=Actor("pipeline"), payload={"number": 3})
    return ledger


def test_a_ledger_goes_on_from_its_last_checkpoint(home: Workspace) -> None:
    a_ledger(home)
    ledger = found(workspace.workspace)["ledger"]
    assert ledger.outcome == "ok" and ledger.found.startswith("4 lines")


def test_a_ledger_that_does_not_go_on_from_its_last_checkpoint_is_wrong(home: Workspace) -> None:
    with session(a_ledger(home).engine) as writing:
        guards = text("select name from sqlite_master where type = 'trigger' and tbl_name = 'tree'")
        for name in writing.scalars(guards).all():
            writing.execute(text(f"DROP TRIGGER {name}"))
        changed = writing.execute(text("update tree set hash = zeroblob(32) where level = 0 and position = 2"))
        assert changed.rowcount == 1  # type: ignore[attr-defined]
    ledger = found(workspace.workspace)["ledger"]
    assert ledger.outcome == "wrong" and "does not go on" in ledger.found and ledger.needed


def test_a_checkpoint_that_our_key_did_not_sign_is_wrong(home: Workspace) -> None:
    a_ledger(home)
    for path in home.keys.iterdir():
        path.unlink()
    create_platform_key(home.keys)
    assert found(workspace.workspace)["ledger"].outcome == "wrong"


def test_a_database_that_holds_other_tables_gets_none_by_being_looked_at(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, new_place: NewPlace
) -> None:
    place = str(new_place())
    open_store(place, SiteKeyRow).dispose()
    monkeypatch.setenv("ICTAL_LEDGER", place)
    ledger = found(workspace.workspace)["ledger"]
    assert (ledger.outcome, ledger.needed) == ("missing", False)
    assert reach(place) == {"site_key"}


def test_a_ledger_of_another_workspace_is_wrong_and_one_of_nobody_stays_so(home: Workspace) -> None:
    ledger = a_ledger(home)
    assert found(workspace.workspace)["ledger"].outcome == "ok"
    bind(ledger.engine, "another")  # which no look has kept from being possible
    finding = found(workspace.workspace)["ledger"]
    assert finding.outcome == "wrong" and "belongs to the workspace another" in finding.found


def test_a_ledger_of_an_earlier_release_is_left_as_it_is(home: Workspace) -> None:
    with session(a_ledger(home).engine) as owner:
        owner.execute(text("CREATE TABLE node (digest VARCHAR)"))
        owner.execute(text("CREATE TABLE edge (child VARCHAR)"))
        owner.execute(text("DROP TABLE lineage_edge"))
    before = reach(str(home.ledger))
    ledger = found(workspace.workspace)["ledger"]
    assert (ledger.outcome, ledger.needed) == ("unknown", False) and "earlier release" in ledger.found
    assert reach(str(home.ledger)) == before


def test_a_key_that_others_may_read_is_wrong(home: Workspace) -> None:
    private = create_platform_key(home.keys)
    assert found(workspace.workspace)["keys"].outcome == "ok"
    private.chmod(0o640)
    keys = found(workspace.workspace)["keys"]
    assert keys.outcome == "wrong" and "chmod 600 keys/platform.pem" in keys.next


def test_a_remote_that_is_no_folder_is_not_asked_and_its_address_is_not_said(home: Workspace) -> None:
    (home.root / ".dvc" / "config.local").write_text("['remote \"far\"']\n    url = s3://user:w0rd@bucket/x\n")
    remote = found(workspace.workspace)["dvc remote far"]
    assert remote.outcome == "unknown" and "w0rd" not in str(remote)


def test_a_remote_that_is_a_file_may_not_be_written_to(home: Workspace) -> None:
    (home.root / "remote").write_text("no folder")
    assert found(workspace.workspace)["dvc remote local"].outcome == "wrong"


def test_nothing_is_changed_by_looking(home: Workspace) -> None:
    a_ledger(home).engine.dispose()
    before = {p: p.read_bytes() for p in home.root.rglob("*") if p.is_file() and ".git" not in p.parts}
    found(workspace.workspace)
    after = {p: p.read_bytes() for p in home.root.rglob("*") if p.is_file() and ".git" not in p.parts}
    beside = {p for p in after.keys() ^ before.keys() if p.name.startswith("ledger.db-")}
    assert after.keys() - beside == before.keys() - beside
    assert all(after[p] == before[p] for p in before.keys() - beside)
    assert os.environ["ICTAL_HOME"] == str(home.root)
