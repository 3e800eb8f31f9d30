"""Lineage as a picture: what a thing came from above it, what was decided about it below, as one SVG."""

from collections.abc import Iterable
from html import escape

from lineage.boxes import BOX_H, BOX_W, Hanging, Stroke, boxed, cut, place
from lineage.digest import Digest
from lineage.entries import Edge
from lineage.graph import Node

COLOURS = {
    "recording": ("#e8f1fa", "#2b6ca3"), "dataset": ("#e8f1fa", "#2b6ca3"), "split": ("#e8f1fa", "#2b6ca3"),
    "run": ("#f0f2f4", "#55616e"), "validation": ("#eef8f2", "#00684e"), "evaluation": ("#eef8f2", "#00684e"),
    "report": ("#eef8f2", "#00684e"), "approval": ("#fff8e5", "#8a5a00"), "candidate": ("#fff8e5", "#8a5a00"),
    "signature": ("#fff8e5", "#8a5a00"), "revocation": ("#fdf1ef", "#b3261e"), "deployment": ("#f3eefa", "#5b3a91"),
    "prediction": ("#f3eefa", "#5b3a91"),
}  # fmt: skip
"""Fill and border: data blue, work grey, judgement green, people amber, use violet."""

OTHER = ("#f0f2f4", "#55616e")
SUBJECT = ("#12355b", "#12355b")


TIP = (
    '<marker id="tip" viewBox="0 0 8 9" refX="7" refY="4.5" markerWidth="8" markerHeight="9" markerUnits="userSpaceOnUse" \
orient="auto"><path d="M0 0l8 4.5l-8 4.5z" fill="#8793a0"/></marker>'
)


def draw(about: Digest, nodes: Iterable[Node], edges: Iterable[Edge]) -> str:
    """The SVG, the same bytes for the same lineage. Arrows lead from a thing to what it came from."""
    known = {n.digest: n for n in sorted(nodes, key=lambda n: (n.kind, n.label, n.digest))}
    hangings = [Hanging(e.child, e.relation, e.parent) for e in edges if e.child in known and e.parent in known]
    members, lines = boxed({n.digest: n.kind for n in known.values()}, hangings, alone=[about])
    drawn = place({key: known[key].kind for key in members}, lines, upwards=True)
    subject, width, height = known[about], f"{drawn.width:.0f}", f"{drawn.height:.0f}"
    told = escape(f"Lineage of the {subject.kind} {subject.label}: {len(members)} boxes in {drawn.rows} rows")
    parts = [
        *(_arrow(stroke) for stroke in drawn.strokes),
        *(_relation(stroke) for stroke in drawn.strokes),
        *(_box(known[key], len(members[key]), *corner, key == about) for key, corner in drawn.corners.items()),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{told}" font-family="system-ui, \'Segoe UI\', Roboto, Arial, sans-serif">\n'
        f"<title>{told}</title>\n<defs>{TIP}</defs>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _arrow(stroke: Stroke) -> str:
    return f'<path d="{stroke.path}" fill="none" stroke="#8793a0" stroke-width="1.4" marker-end="url(#tip)"/>'


def _relation(stroke: Stroke) -> str:
    return (
        f'<text x="{stroke.x:.1f}" y="{stroke.y + 4:.1f}" text-anchor="middle" font-size="12" font-style="italic" '
        f'fill="#3d4854" stroke="#fff" stroke-width="4" paint-order="stroke">{escape(stroke.relation)}</text>'
    )


def _box(node: Node, count: int, x: float, y: float, is_subject: bool) -> str:
    fill, border = SUBJECT if is_subject else COLOURS.get(node.kind, OTHER)
    ink, quiet = ("#fff", "#cfe0f2") if is_subject else ("#1d2733", "#55616e")
    frame = f'width="{BOX_W}" height="{BOX_H}" rx="7" fill="{fill}" stroke="{border}" stroke-width="1.5"'
    behind = "".join(f'<rect x="{x + s:.1f}" y="{y - s:.1f}" {frame}/>' for s in (8, 4)) if count > 1 else ""
    label = cut(f"{count} {node.kind}s" if count > 1 else node.label)
    below = "the digest of each is in graph.json" if count > 1 else node.digest[:12]
    family = "" if count > 1 else " font-family=\"ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace\""
    return (
        f'{behind}<rect x="{x:.1f}" y="{y:.1f}" {frame}/>'
        f'<text x="{x + 12:.1f}" y="{y + 19:.1f}" font-size="11" letter-spacing=".6" fill="{quiet}">{escape(node.kind.upper())}</text>'
        f'<text x="{x + 12:.1f}" y="{y + 37:.1f}" font-size="14" font-weight="600" fill="{ink}">{escape(label)}</text>'
        f'<text x="{x + 12:.1f}" y="{y + 55:.1f}" font-size="11.5" fill="{quiet}"{family}>{below}</text>'
    )
