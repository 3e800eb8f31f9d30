"""Environment and code are things of the lineage: named by digests, brought in once, with the versions that are pinned."""

from pathlib import Path

from lineage import graph
from lineage.circumstances import LOCK_FILE, circumstances, commit_digest, edges_of, made_in, normal_name, pins
from lineage.digest import sha256_file
from lineage.ledger import Ledger, Software, Subject
from tests.ledgers import DIGESTS, PERSON

COMMIT = "a" * 40


def ledger_of(folder: Path, lock: str) -> Ledger:
    return Ledger(folder / "ledger.db", Software(COMMIT, lock, dirty=False))


def test_a_run_leads_to_its_environment_with_the_pinned_versions(tmp_path: Path) -> None:
    lock = sha256_file(LOCK_FILE)
    ledger = ledger_of(tmp_path, lock)
    ledger.append(
        "run.finished", actor=PERSON, subjects=(Subject("run", "r", DIGESTS[0]),), edges=made_in(ledger, DIGESTS[0])
    )
    above = {(s.relation, s.node.digest) for s in graph.upstream(ledger, DIGESTS[0])}
    assert above == {("ran_in", lock), ("made_by_code", commit_digest(COMMIT))}
    (entry,) = ledger.entries("environment.recorded")
    payload = ledger.payload(entry.payload_digest)
    assert payload is not None and payload["pinned"]["numpy"] == pins()["numpy"]


def test_an_environment_is_brought_in_once_and_a_new_one_beside_it(tmp_path: Path) -> None:
    for lock, entries in (("1" * 64, 1), ("1" * 64, 1), ("2" * 64, 2)):
        ledger = ledger_of(tmp_path, lock)
        made_in(ledger, DIGESTS[0])
        assert len(ledger.entries("environment.recorded")) == entries


def test_of_another_lock_than_the_one_here_no_versions_are_claimed(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, "1" * 64)
    made_in(ledger, DIGESTS[0])
    (entry,) = ledger.entries("environment.recorded")
    assert ledger.payload(entry.payload_digest) == {"lock": "1" * 64, "pinned": {}}


def test_unknown_software_leads_nowhere() -> None:
    assert circumstances(Software()) == {} and edges_of(Software(), DIGESTS[0]) == ()


def test_a_package_has_one_name() -> None:
    assert normal_name("Great_Expectations") == normal_name("great.expectations") == "great-expectations"
