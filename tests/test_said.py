"""The quick reader of stored entries reads what the one that builds them reads, and refuses what that refuses."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import said
from lineage.entries import Actor, Edge, Entry, EntryType, Software, Subject
from tests.ledgers import DIGESTS, LATER, NOW

ENTRY = Entry(
    3, "id", EntryType.RUN_FINISHED, NOW, LATER, Actor("a", "A", "r", "s", "m"),
    (Subject("model", "m", DIGESTS[0]), Subject("person", "p")), "why ☃", DIGESTS[1], "payload:x",
    Software("c", "l", dirty=False), (Edge(DIGESTS[0], "from", DIGESTS[2]),),
)  # fmt: skip

ODD: tuple[Any, ...] = (
    None, True, 3, 3.0, 2**70, -1, "", "\0", "x\0", "\ud800", "é", DIGESTS[0], DIGESTS[0].upper(), DIGESTS[2], "nobody.did",
    "run.finished", "2026-03-01T12:00:00.000000Z", "2026-13-01T12:00:00.000000Z", "2026-03-01T12:00:00Z", [], {}, [{}],
    [{"kind": "k", "id": "i"}], [{"kind": "k", "id": "i", "digest": "d"}], [{"kind": "k\0", "id": "i"}], float("nan"),
    {"id": "a"}, {"id": "a", "site": "\0"}, {"id": "a", "other": 1}, {"child": DIGESTS[3], "relation": "", "parent": DIGESTS[3]},
    [{"child": DIGESTS[3], "relation": "r", "parent": DIGESTS[4]}], [{"child": DIGESTS[3], "relation": "r", "parent": DIGESTS[3]}],
)  # fmt: skip


def both(stored: bytes) -> tuple[Any, Any]:
    """What either reader makes of the bytes; None where it refuses them."""
    found: list[Any] = []
    for read in (said.read, lambda b: said.of(Entry.from_envelope(json.loads(b)))):
        try:
            found.append(read(stored))
        except (ValueError, KeyError, TypeError):
            found.append(None)
    return found[0], found[1]


def places(value: Any, above: tuple = ()) -> list[tuple]:
    """Every way to a value inside an envelope."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for name, own in inside for place in places(own, (*above, name)))]


PLACES = places(ENTRY.envelope())[1:]


def with_value(place: tuple, value: Any) -> dict[str, Any]:
    envelope: Any = ENTRY.envelope()
    at = envelope
    for name in place[:-1]:
        at = at[name]
    at[place[-1]] = value
    return envelope  # type: ignore[no-any-return]


def test_a_written_entry_is_read_as_it_is() -> None:
    quick, slow = both(ENTRY.leaf())
    assert quick == slow == said.of(ENTRY)
    assert (quick.recorded_at, quick.subjects[0].digest) == ("2026-03-01T13:00:00.000000Z", DIGESTS[0])


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_whatever_stands_in_any_place_both_read_it_or_both_refuse_it(place: tuple) -> None:
    for value in ODD:
        quick, slow = both(json.dumps(with_value(place, value)).encode())
        assert quick == slow, value


def test_both_refuse_something() -> None:
    for place, value in ((("type",), "nobody.did"), (("edges", 0, "child"), DIGESTS[2])):
        assert both(json.dumps(with_value(place, value)).encode()) == (None, None)
    named_twice = replace(ENTRY, actor=Actor("a", site="s"))
    assert both(named_twice.leaf().replace(b'"site":"s"', b'"site":"\\u0000"')) == (None, None)


@given(st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 12))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_the_midst_of_an_entry_are_read_alike(at: int, new: bytes, gone: int) -> None:
    stored = ENTRY.leaf()
    at %= len(stored)
    quick, slow = both(stored[:at] + new + stored[at + gone :])
    assert quick == slow


@given(st.dictionaries(st.sampled_from([*ENTRY.envelope(), "other"]), st.sampled_from(ODD), max_size=2))
@settings(max_examples=100, deadline=None)
def test_a_name_that_stands_twice_means_its_last_value_to_both(more: dict[str, Any]) -> None:
    """And so does one too many, and a coding other than UTF-8, of which JSON knows three."""
    twice = ENTRY.leaf()[:-1] + b"," + json.dumps(more).encode()[1:] if more else ENTRY.leaf()
    for stored in (twice, twice.decode().encode("utf-16"), b"\xef\xbb\xbf" + twice):
        quick, slow = both(stored)
        assert quick == slow
