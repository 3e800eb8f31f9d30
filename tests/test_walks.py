"""What a walk through the lineage shows is what the lines behind it say, or it is told that it is not."""

import re
from pathlib import Path

import pytest

from lineage import walks
from lineage.graph import node, upstream
from lineage.ledger import Actor, Edge, Ledger, Subject
from tests.ledgers import DIGESTS, LATER, PERSON, alter, recording, small_ledger

DATASET, MODEL, ANSWER = DIGESTS[:3]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Recordings 1 and 2 → dataset → model → answer, beside recordings on which none of these rests."""
    ledger = small_ledger(tmp_path)
    contains = tuple(Edge(DATASET, "contains", recording(n).subjects[0].digest) for n in (1, 2))
    for kind, digest, edges in (
        ("dataset", DATASET, contains),
        ("model", MODEL, (Edge(MODEL, "trained_on", DATASET),)),
        ("prediction", ANSWER, (Edge(ANSWER, "made_by", MODEL),)),
    ):
        said = {"outcome": "completed", "of": kind}
        ledger.append(
            "run.finished", actor=PERSON, subjects=(Subject(kind, kind, digest),), edges=edges, payload=said, now=LATER
        )
    return ledger


def problems(ledger: Ledger, *beside: int) -> list[str]:
    return walks.problems(ledger, node(ledger, ANSWER), upstream(ledger, ANSWER), beside)


def test_of_an_untouched_ledger_nothing_is_told_also_where_a_payload_was_erased(ledger: Ledger) -> None:
    assert problems(ledger) == []
    ledger.erase(ledger.entry(9).payload_digest, actor=Actor("operator"), reason="consent withdrawn")
    assert problems(ledger) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE payload SET content = CAST(replace(content, 'completed', 'Completed') AS BLOB)", "payload .* has been changed"),
        ("UPDATE entry SET envelope = CAST(replace(envelope, 'Reviewer', 'Somebody') AS BLOB) WHERE seq = 9", "entry 9 has been changed"),
        ("UPDATE entry SET envelope = '{' WHERE seq = 8", "entry 8 cannot be read"),
        ("DELETE FROM entry WHERE seq = 8", "entry 8 is gone"),
        ("DELETE FROM payload", "payload of entry 1 is gone"),
        ("UPDATE tree SET hash = zeroblob(32) WHERE level = 0 AND position = 8", "entry 8 has been changed"),
        ("DELETE FROM tree WHERE level = 1", "the tree has no node 1/"),
        ("UPDATE lineage_node SET label = 'another' WHERE kind = 'model'", f"no line names the model {MODEL[:12]} so"),
        ("UPDATE lineage_edge SET relation = 'tested_on' WHERE relation = 'trained_on'", "tested_on .* is said by no line"),
        ("DELETE FROM lineage_edge WHERE relation = 'contains' AND child_no + parent_no = (SELECT min(child_no + parent_no) FROM lineage_edge)", "contains .* is left out"),
    ],
)  # fmt: skip
def test_whatever_of_it_is_not_what_was_written_is_told(
    ledger: Ledger, tmp_path: Path, statement: str, said: str
) -> None:
    alter(tmp_path / "ledger.db", statement)
    found = problems(ledger)
    assert any(re.search(said, problem) for problem in found), found


def test_a_line_on_which_the_walk_does_not_rest_is_looked_at_where_it_is_shown_beside_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    alter(
        tmp_path / "ledger.db",
        "UPDATE entry SET envelope = CAST(replace(envelope, 'seen', 'SEEN') AS BLOB) WHERE seq = 6",
    )
    assert problems(ledger) == [] and problems(ledger, 6) == ["entry 6 has been changed"]
