"""From any prediction back to the recordings that it rests on, and forward again, without circles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import graph
from lineage.ledger import Edge, Ledger, Subject
from tests.databases import NewPlace, Place
from tests.ledgers import DIGESTS, LATER, PERSON, small_ledger


@pytest.fixture
def ledger(place: Place) -> Ledger:
    return small_ledger(place)


@pytest.fixture
def chain(ledger: Ledger) -> dict[str, str]:
    """Two recordings → dataset → model → prediction; the model also comes from a split of the dataset."""
    names = ["recording-1", "recording-2", "dataset", "split", "model", "prediction"]
    chain = dict(zip(names, DIGESTS, strict=False))
    edges = [
        ("dataset", "contains", "recording-1"),
        ("dataset", "contains", "recording-2"),
        ("split", "divides", "dataset"),
        ("model", "trained_on", "dataset"),
        ("model", "split_by", "split"),
        ("prediction", "made_by", "model"),
    ]
    for name, digest in chain.items():
        subject = Subject(name.split("-")[0], name, digest)
        own = tuple(Edge(chain[c], relation, chain[p]) for c, relation, p in edges if c == name)
        ledger.append("run.finished", actor=PERSON, subjects=(subject,), edges=own, now=LATER)
    return chain


def test_a_prediction_leads_back_to_the_raw_recordings(ledger: Ledger, chain: dict[str, str]) -> None:
    steps = [(s.depth, s.relation, s.node.label) for s in graph.upstream(ledger, chain["prediction"])]
    assert sorted(steps) == [
        (1, "made_by", "model"),
        (2, "split_by", "split"),
        (2, "trained_on", "dataset"),
        (3, "contains", "recording-1"),
        (3, "contains", "recording-2"),
        (3, "divides", "dataset"),
    ]


def test_a_recording_leads_on_to_everything_made_from_it(ledger: Ledger, chain: dict[str, str]) -> None:
    steps = [(s.depth, s.node.label) for s in graph.downstream(ledger.engine, chain["recording-1"])]
    assert steps == [(1, "dataset"), (2, "model"), (2, "split"), (3, "model"), (3, "prediction")]
    assert graph.node(ledger, chain["model"]) == graph.Node(chain["model"], "model", "model")


def test_an_unknown_digest_is_refused_rather_than_answered_with_nothing(ledger: Ledger) -> None:
    with pytest.raises(graph.UnknownNode):
        graph.upstream(ledger, DIGESTS[-1])


@pytest.mark.parametrize(("child", "parent"), [("recording-1", "prediction"), ("dataset", "split")])
def test_a_circle_is_refused_and_leaves_no_entry(
    ledger: Ledger, chain: dict[str, str], child: str, parent: str
) -> None:
    before = ledger.head()
    with pytest.raises(graph.Cycle):
        ledger.append("run.finished", actor=PERSON, edges=(Edge(chain[child], "from", chain[parent]),))
    assert ledger.head() == before
    with pytest.raises(ValueError, match="come from itself"):
        Edge(chain["model"], "from", chain["model"])


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
@settings(max_examples=15, deadline=None)
def test_the_graph_never_holds_a_circle(new_place: NewPlace, pairs: list[tuple[int, int]]) -> None:
    ledger = Ledger(new_place())
    things = tuple(Subject("thing", str(i), DIGESTS[i]) for i in range(8))
    ledger.append("run.finished", actor=PERSON, subjects=things)
    for child, parent in pairs:
        below = {DIGESTS[child]} | {s.node.digest for s in graph.downstream(ledger, DIGESTS[child])}
        if DIGESTS[parent] not in below:
            ledger.append("run.finished", actor=PERSON, edges=(Edge(DIGESTS[child], "from", DIGESTS[parent]),))
        elif child != parent:
            with pytest.raises(graph.Cycle):
                ledger.append("run.finished", actor=PERSON, edges=(Edge(DIGESTS[child], "from", DIGESTS[parent]),))
    for i in range(8):
        assert DIGESTS[i] not in {s.node.digest for s in graph.upstream(ledger, DIGESTS[i])}
    assert ledger.verify().ok
