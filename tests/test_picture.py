"""The picture of a lineage shows every thing once and every step as an arrow, and stays readable however much there is."""

import random
from xml.etree import ElementTree

from lineage.boxes import BOX_H, BOX_W
from lineage.entries import Edge
from lineage.graph import Node
from lineage.picture import draw

SVG = "{http://www.w3.org/2000/svg}"
RECORDINGS = [Node(f"{n:064x}", "recording", f"sub-{n:03d}") for n in range(40)]
DATA, RUN, MODEL, SEEN = (
    Node(letter * 64, kind, label)
    for letter, kind, label in (
        ("a", "dataset", "helsinki"),
        ("b", "run", "train"),
        ("c", "model", "da_stnet <fold 0>"),
        ("d", "deployment", "demo-*"),
    )
)
NODES = [*RECORDINGS, DATA, RUN, MODEL, SEEN]
EDGES = [
    *(Edge(DATA.digest, "contains", r.digest) for r in RECORDINGS),
    Edge(RUN.digest, "fitted_on", DATA.digest),
    Edge(MODEL.digest, "made_by", RUN.digest),
    Edge(SEEN.digest, "serves", MODEL.digest),
    Edge(SEEN.digest, "begun_with", DATA.digest),
]


def drawn(nodes: list[Node] = NODES, edges: list[Edge] = EDGES) -> ElementTree.Element:
    return ElementTree.fromstring(draw(MODEL.digest, nodes, edges))


def texts(svg: ElementTree.Element) -> list[str]:
    return [str(t.text) for t in svg.iter(f"{SVG}text")]


def boxes(svg: ElementTree.Element) -> list[tuple[float, float]]:
    """Left upper corners of the boxes, the sheets under a stack included."""
    rects = [r for r in svg.iter(f"{SVG}rect") if r.get("rx")]
    return [(float(r.attrib["x"]), float(r.attrib["y"])) for r in rects]


def test_many_recordings_are_one_stack_and_everything_else_a_box_of_its_own() -> None:
    svg = drawn()
    assert texts(svg).count("40 recordings") == 1 and len(boxes(svg)) == 3 + 4
    assert "sub-001" not in texts(svg)


def test_two_recordings_are_two_boxes() -> None:
    svg = drawn([*RECORDINGS[:2], DATA, MODEL], [*EDGES[:2], Edge(MODEL.digest, "made_by", DATA.digest)])
    assert {"sub-000", "sub-001"} < set(texts(svg))


def test_what_was_made_stands_below_what_it_came_from() -> None:
    svg = drawn()
    tops = {str(t.text): float(t.attrib["y"]) for t in svg.iter(f"{SVG}text")}
    order = [tops[name] for name in ("40 recordings", "helsinki", "train", "da_stnet <fold 0>", "demo-*")]
    assert order == sorted(set(order))


def test_every_step_is_named_once() -> None:
    names = ["contains", "fitted by", "fitted on", "made by", "serves", "begun with"]
    assert [texts(drawn()).count(name) for name in names] == [1, 0, 1, 1, 1, 1]


def test_an_arrow_that_passes_a_row_goes_around_its_boxes() -> None:
    svg = drawn()
    corners = boxes(svg)
    assert any("V" in path.attrib["d"] for path in svg.iter(f"{SVG}path"))
    for path in svg.iter(f"{SVG}path"):
        x, y = 0.0, 0.0
        for step in path.attrib["d"].replace("V", " V").replace("C", " C").split(" V")[1:]:
            y = float(step.split(" C")[0])
            x = float(path.attrib["d"].split(f"V{step.split(' C')[0]}")[0].replace("C", " ").split()[-2])
            inside = [c for c in corners if c[0] < x < c[0] + BOX_W and c[1] < y + 1 < c[1] + BOX_H]
            assert not inside, path.attrib["d"]


def test_boxes_do_not_overlap_and_lie_inside() -> None:
    svg = drawn([n for n in NODES if n.kind != "recording"], EDGES[40:])
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for x, y in boxes(svg):
        assert 0 <= x <= width - BOX_W and 0 <= y <= height - BOX_H
        assert not [o for o in boxes(svg) if o != (x, y) and abs(o[0] - x) < BOX_W and abs(o[1] - y) < BOX_H]


def test_the_same_lineage_is_the_same_picture() -> None:
    nodes, edges = NODES.copy(), EDGES.copy()
    random.Random(0).shuffle(edges)
    random.Random(1).shuffle(nodes)
    assert draw(MODEL.digest, nodes, edges) == draw(MODEL.digest, NODES, EDGES)


def test_a_thing_without_a_past_is_a_box() -> None:
    assert texts(drawn([MODEL], [])) == ["MODEL", "da_stnet <fold 0>", MODEL.digest[:12]]
