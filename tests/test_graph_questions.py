"""What rests on what, asked backwards: all that a model answered, and all that rests on a recording."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import graph
from lineage.browsing import Wanted, page
from lineage.ledger import Actor, Draft, Edge, Ledger, Subject
from lineage.store import session
from tests.databases import NewPlace, Place
from tests.ledgers import DIGESTS, LATER, PERSON, small_ledger

RECORDING, OTHER, DATASET, MODEL, RIVAL = DIGESTS[:5]
PREDICTIONS = DIGESTS[10:22]


@pytest.fixture
def ledger(place: Place) -> Ledger:
    """One dataset with one recording, two models of it, twelve predictions about another, by turns, at two sites."""
    ledger = small_ledger(place)
    things = [("recording", "sub-100", RECORDING), ("recording", "sub-101", OTHER), ("dataset", "d", DATASET)]
    things += [("model", "first", MODEL), ("model", "second", RIVAL)]
    edges = [
        Edge(DATASET, "contains", RECORDING),
        Edge(MODEL, "trained_on", DATASET),
        Edge(RIVAL, "trained_on", DATASET),
    ]
    ledger.append("run.finished", actor=PERSON, subjects=[Subject(*t) for t in things], edges=edges, now=LATER)
    for i, digest in enumerate(PREDICTIONS):
        model, site = (MODEL, RIVAL)[i % 2], ("demo-north", "demo-south")[i // 2 % 2]
        subjects = (Subject("prediction", f"p-{i}", digest), Subject("model", "m", model))
        made = (Edge(digest, "made_by", model), Edge(digest, "analyses", OTHER))
        at = LATER + timedelta(minutes=i)
        ledger.append_many([Draft("prediction.issued", Actor("desk", site=site), subjects, edges=made)], now=at)
    return ledger


def labels(issued: list[graph.Issued]) -> list[str]:
    return [one.node.label for one in issued]


@pytest.mark.parametrize("name", ["p-1\0", "\0", "p-\udcff1", "a" * 100_000])
def test_by_a_name_that_no_store_can_hold_nothing_is_found(ledger: Ledger, name: str) -> None:
    assert graph.find(ledger, name) == []
    assert graph.prediction_at(ledger, name, "demo-north") is None
    assert page(ledger, Wanted(subject=name)).entries == []


def test_predictions_of_a_model_come_newest_first(ledger: Ledger) -> None:
    assert labels(graph.predictions_of(ledger, [MODEL])) == ["p-10", "p-8", "p-6", "p-4", "p-2", "p-0"]
    newest = graph.predictions_of(ledger, [MODEL])[0]
    assert (newest.type, newest.site, newest.node.kind) == ("prediction.issued", "demo-south", "prediction")
    assert ledger.entry(newest.seq).subjects[0].digest == newest.node.digest == PREDICTIONS[10]
    assert newest.recorded_at == "2026-03-01T13:10:00.000000Z"


def test_they_can_be_asked_of_a_site_since_a_time_and_a_few_at_a_time(ledger: Ledger) -> None:
    since = LATER + timedelta(minutes=4)
    assert labels(graph.predictions_of(ledger, [MODEL], site="demo-north")) == ["p-8", "p-4", "p-0"]
    assert labels(graph.predictions_of(ledger, [MODEL], since=since)) == ["p-10", "p-8", "p-6", "p-4"]
    assert labels(graph.predictions_of(ledger, None, site="demo-south", limit=2)) == ["p-11", "p-10"]
    assert len(graph.predictions_of(ledger, None)) == 12
    assert graph.predictions_of(ledger, [MODEL], since=LATER + timedelta(days=1)) == []
    assert graph.predictions_of(ledger, [MODEL], site="demo-east") == []


def test_of_no_things_there_are_no_predictions(ledger: Ledger) -> None:
    """Somebody of whom the ledger knows no recording is not told of everybody's."""
    assert graph.predictions_of(ledger, []) == [] and graph.count_predictions(ledger, []) == 0
    assert list(graph.each_prediction_of(ledger, [])) == []
    assert graph.count_predictions(ledger, None) == 12


@pytest.mark.parametrize("site", [None, "demo-north", "demo-east"])
@pytest.mark.parametrize("since", [None, LATER + timedelta(minutes=5), LATER + timedelta(days=1)])
def test_counts_are_of_what_would_be_told(ledger: Ledger, site: str | None, since: datetime | None) -> None:
    for models in ([MODEL], [RIVAL], [MODEL, RIVAL], [], None):
        told = graph.predictions_of(ledger, models, site=site, since=since)
        assert graph.count_predictions(ledger, models, site=site, since=since) == len(told)
        assert list(graph.each_prediction_of(ledger, models, site=site, since=since)) == told
    for thing in (RECORDING, OTHER, MODEL):
        told = graph.predictions_below(ledger, thing, site=site, since=since)
        assert graph.count_below(ledger, thing, site=site, since=since) == len(told)
        assert list(graph.each_prediction_below(ledger, thing, site=site, since=since)) == told


def test_predictions_rest_on_what_their_model_learnt_from_and_on_what_they_look_at(ledger: Ledger) -> None:
    for thing in (RECORDING, DATASET, OTHER):
        assert len(graph.predictions_below(ledger, thing)) == 12
    assert labels(graph.predictions_below(ledger, RIVAL, limit=2)) == ["p-11", "p-9"]
    assert graph.predictions_below(ledger, PREDICTIONS[0]) == []


def test_a_walk_can_end_before_predictions_and_tell_of_some_kinds_only(ledger: Ledger) -> None:
    whole = graph.downstream(ledger, RECORDING)
    short = graph.downstream(ledger, RECORDING, short_of=("prediction",))
    assert [s.node.label for s in short] == ["d", "first", "second"]
    assert short == whole[:3] and len(whole) == 15
    assert graph.downstream(ledger, RECORDING, kinds=("prediction",)) == whole[3:]
    assert [s.node.label for s in graph.downstream(ledger, RECORDING, kinds=("model",))] == ["first", "second"]


def test_answered_windows_are_counted_by_site_and_label_each_line_once(ledger: Ledger) -> None:
    """Of both models at the first site, of one at the second; every line hangs on the model by two ways."""
    answered = [(MODEL, "demo-north", 5), (RIVAL, "demo-north", 5), (MODEL, "demo-south", 5), (MODEL, "demo-north", 7)]
    for i, ((model, site, many), digest) in enumerate(zip(answered, DIGESTS[22:], strict=False)):
        about = Subject("windows", f"{many} in 1 answer", digest)
        made = (Edge(digest, "made_by", model), Edge(digest, "permitted_by", model))
        at = LATER + timedelta(minutes=20 + i)
        ledger.append_many([Draft("windows.answered", Actor("desk", site=site), (about,), edges=made)], now=at)
    at = [f"2026-03-01T13:{20 + i}:00.000000Z" for i in range(4)]
    assert graph.windows_below(ledger, RECORDING) == graph.windows_below(ledger, MODEL, RIVAL) == [
        graph.Alike("demo-north", "5 in 1 answer", 2, at[0], at[1]),
        graph.Alike("demo-north", "7 in 1 answer", 1, at[3], at[3]),
        graph.Alike("demo-south", "5 in 1 answer", 1, at[2], at[2]),
    ]  # fmt: skip
    assert graph.windows_below(ledger, RIVAL) == [graph.Alike("demo-north", "5 in 1 answer", 1, at[1], at[1])]
    assert graph.windows_below(ledger, OTHER) == [] and graph.count_below(ledger, RECORDING) == 12
    assert graph.windows_of(ledger, [MODEL, RIVAL]) == graph.windows_below(ledger, MODEL, RIVAL)
    assert graph.windows_of(ledger, [RECORDING]) == [], "they hang on the models"
    south = [graph.Alike("demo-south", "5 in 1 answer", 1, at[2], at[2])]
    assert graph.windows_of(ledger, [MODEL, RIVAL], site="demo-south") == south
    late = LATER + timedelta(minutes=22)
    assert [a.lines for a in graph.windows_of(ledger, [MODEL, RIVAL], since=late)] == [1, 1], "the last two"


def test_a_prediction_is_found_by_its_id_at_the_site_that_it_was_issued_to_and_nothing_else_is(ledger: Ledger) -> None:
    found = graph.prediction_at(ledger, "p-2", "demo-south")
    assert found is not None and (found.node.digest, found.site) == (PREDICTIONS[2], "demo-south")
    assert graph.prediction_at(ledger, "p-2", PERSON.site) is None
    assert graph.node(ledger, MODEL).label == "first" and graph.prediction_at(ledger, "first", PERSON.site) is None


def test_no_question_waits_for_who_writes(ledger: Ledger) -> None:
    with session(ledger.engine):
        assert len(graph.upstream(ledger, MODEL)) == 2 and len(graph.downstream(ledger, RECORDING)) == 15
        assert len(graph.predictions_of(ledger, [MODEL])) == len(list(graph.each_prediction_of(ledger, [MODEL]))) == 6
        assert len(graph.predictions_below(ledger, MODEL)) == len(list(graph.each_prediction_below(ledger, MODEL))) == 6
        assert graph.count_predictions(ledger, [MODEL]) == graph.count_below(ledger, MODEL) == 6
        assert graph.windows_below(ledger, MODEL) == [] and graph.hanging(ledger, MODEL, ["none"]) == []
        assert graph.prediction_at(ledger, "p-0", "demo-north") and graph.node(ledger, MODEL).label == "first"
        assert len(graph.things(ledger, "model")) == 2 and len(graph.find(ledger, MODEL)) == 1


def test_things_are_found_by_label_by_digest_and_by_its_beginning(ledger: Ledger) -> None:
    assert [n.digest for n in graph.find(ledger, "p-3")] == [PREDICTIONS[3]]
    assert [n.label for n in graph.find(ledger, MODEL)] == ["first"]
    assert len(graph.find(ledger, "0" * 50)) == len(graph.find(ledger, "0" * 6)) == 17
    assert graph.find(ledger, "0" * 5) == graph.find(ledger, "nothing") == []
    assert [n.label for n in graph.things(ledger, "model")] == ["first", "second"]


def test_what_hangs_on_a_thing_directly_is_told_by_relation(ledger: Ledger) -> None:
    assert [(r, n.label) for r, n in graph.hanging(ledger, DATASET, ["trained_on", "made_by"])] == [
        ("trained_on", "first"),
        ("trained_on", "second"),
    ]
    assert graph.hanging(ledger, DATASET, ["made_by"]) == []


@pytest.mark.parametrize(
    "ask", [graph.count_below, graph.windows_below, graph.predictions_below, graph.predictions_of, graph.node]
)
def test_questions_about_what_nobody_named_are_refused(ledger: Ledger, ask: Callable[[Ledger, str], Any]) -> None:
    with pytest.raises(graph.UnknownNode):
        ask(ledger, DIGESTS[-1])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25), st.sets(st.integers(0, 9), max_size=5))
@settings(max_examples=20, deadline=None)
def test_one_query_finds_what_a_walk_from_thing_to_thing_finds(
    new_place: NewPlace, pairs: list[tuple[int, int]], predictions: set[int]
) -> None:
    ledger = Ledger(new_place())
    kinds = ["prediction" if i in predictions else "thing" for i in range(10)]
    edges = [(c, p) for c, p in pairs if c > p]
    things = [Subject(kinds[i], f"{i}", DIGESTS[i]) for i in range(10)]
    made = [Edge(DIGESTS[c], "from", DIGESTS[p]) for c, p in edges]
    ledger.append("run.finished", actor=PERSON, subjects=things, edges=made)
    below = walked(set(edges), 0)
    assert {s.node.label for s in graph.downstream(ledger, DIGESTS[0])} == {str(i) for i in below}
    above_predictions = walked({e for e in edges if e[0] not in predictions}, 0) | {0}
    resting = {c for c, p in edges if c in predictions and p in above_predictions}
    assert {i.node.label for i in graph.predictions_below(ledger, DIGESTS[0])} == {str(i) for i in resting}


def walked(edges: set[tuple[int, int]], start: int) -> set[int]:
    below: set[int] = set()
    while more := {c for c, p in edges if p in below | {start}} - below:
        below |= more
    return below


def test_the_beginning_of_a_prediction_s_id_is_enough(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ids = (
        "01a21e68-2c45-752f-b467-fe89545cfff1",
        "01a21e68-2c46-752f-b467-fe89545cfff2",
        "01a21e69-0000-7000-8000-000000000000",
    )
    for number, id in enumerate(ids):
        subject = Subject("prediction", id, f"{number:064x}")
        ledger.append("prediction.issued", actor=Actor("serving"), subjects=[subject])
    assert [n.label for n in graph.find(ledger, "01a21e69")] == [ids[2]]
    assert [n.label for n in graph.find(ledger, "01a21e68")] == list(ids[:2])
    assert [n.label for n in graph.find(ledger, "01a21e68-2c46")] == [ids[1]]
    assert graph.find(ledger, "01a21e6") == graph.find(ledger, "01a21e68-9") == graph.find(ledger, "01a21e68x") == []
