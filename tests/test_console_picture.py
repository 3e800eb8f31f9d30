"""The way back to raw bytes as a picture: every thing once, what it hangs on below it."""

from typing import Any

from console.picture import chain, draw
from lineage.boxes import BETWEEN, BOX_H, BOX_W, MARGIN


def step(at: str, relation: str, kind: str, digest: str, label: str = "") -> dict[str, Any]:
    return {"depth": 1, "at": at, "relation": relation, "kind": kind, "label": label or digest, "digest": digest}


FOUND = {
    "subject": {"digest": "p", "kind": "prediction", "label": "prediction 1"},
    "steps": [
        step("p", "made_by", "model", "m"),
        step("p", "permitted_by", "approval", "a"),
        step("p", "analyses", "recording", "r0"),
        step("a", "approves", "model", "m"),
        step("m", "made_by", "run", "t"),
        step("t", "split_by", "split", "s"),
        step("s", "divides", "dataset", "d"),
        *(step("d", "contains", "recording", f"r{i}") for i in (1, 2, 3)),
    ],
    "raw_bytes": {
        "r0": "matches raw/r0",
        "r1": "matches raw/r1",
        "r2": "missing: no file here has these bytes",
        "r3": "matches raw/r3",
    },
    "signatures": [],
}


def test_recordings_that_hang_alike_are_one_box_that_says_how_many_match() -> None:
    stands_on = chain(FOUND)
    (group,) = [t for t in stands_on.things.values() if t.many > 1]
    assert (group.kind, group.many, group.bytes_) == ("recording", 3, {"matches": 2, "missing": 1})
    assert group.said == "✗ bytes of 1 missing, ✓ bytes of 2 match" and group.state == "differs"
    assert stands_on.things["r0"].said == "✓ bytes match" and stands_on.things["r0"].state == "matches"
    assert (stands_on.recordings, stands_on.amiss) == (4, ["Of 4 recordings, the bytes of 1 are missing"])
    assert "of 4 recordings, the bytes of 3" in stands_on.sentence


def test_the_analysed_recording_has_a_line_of_its_own_also_if_the_model_had_learnt_from_it() -> None:
    leaked = {**FOUND, "steps": [*FOUND["steps"], step("d", "contains", "recording", "r0")]}  # type: ignore[misc]
    lines = [(line.upper, line.relation) for line in chain(leaked).lines if line.lower == "r0"]
    assert lines == [("p", "analyses"), ("d", "contains")]


def test_what_hangs_on_boxes_that_are_shared_shares_one_as_well() -> None:
    persons = [step(f"r{i}", "of", "person", f"person {i}") for i in (0, 1, 2, 3)]
    things = chain({**FOUND, "steps": [*FOUND["steps"], *persons]}).things.values()  # type: ignore[misc]
    assert sorted(t.many for t in things if t.kind == "person") == [1, 3]


def test_everyone_who_signed_has_a_box_under_the_approval() -> None:
    stands_on = chain(FOUND, {"a": ["One: review", "Two: approval"], "unknown": ["nobody"]})
    signed = [line.lower for line in stands_on.lines if line.relation == "signed by"]
    assert signed == ["One: review", "Two: approval"] and "nobody" not in stands_on.things


def test_the_picture_holds_every_thing_and_every_line_inside_its_edges() -> None:
    stands_on = chain(FOUND)
    picture = draw(stands_on)
    assert {box.thing.key for box in picture.boxes} == set(stands_on.things)
    assert len(picture.strokes) == len(stands_on.lines)
    for box in picture.boxes:
        assert MARGIN <= box.x <= picture.width - BOX_W - MARGIN + 1e-6
        assert MARGIN <= box.y <= picture.height - BOX_H - MARGIN + 1e-6
    rows = {box.thing.key: box.y for box in picture.boxes}
    assert rows["m"] - rows["a"] == BOX_H + BETWEEN and rows["r0"] == rows["r1"] == max(rows.values())


def test_a_thing_that_stands_on_nothing_is_one_box() -> None:
    alone = chain({"subject": FOUND["subject"], "steps": [], "raw_bytes": {}})
    picture = draw(alone)
    assert len(picture.boxes) == 1 and not picture.strokes and picture.width == BOX_W + 2 * MARGIN


def test_a_long_name_is_cut_in_the_picture_and_whole_in_the_table() -> None:
    long = "a" * 80
    stands_on = chain({**FOUND, "subject": {"digest": "p", "kind": "prediction", "label": long}})
    (box,) = [b for b in draw(stands_on).boxes if b.thing.key == "p"]
    assert box.title.endswith("…") and len(box.title) < 30 and stands_on.things["p"].name == long
