"""How the pages spell what the ledger says: times, digests, kinds of lines and outcomes in words that people use."""

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from lineage.ledger import Actor, Entry

SHORT = 12
"""Signs of a digest that are shown where it only has to be recognised; the whole of it stands in its title."""

OUTCOMES = {
    "prediction.issued": "answered",
    "prediction.abstained": "answered, with abstentions",
    "prediction.not_evaluable": "not evaluable",
}
PREDICTIONS = tuple(OUTCOMES)
"""The types of line that a prediction leaves."""

GATES = {
    "pass": "passed", "passed": "passed", "fail": "failed", "failed": "failed", "unknown": "unknown",
    "insufficient_evidence": "not enough evidence",
}  # fmt: skip


def when(moment: datetime | str | None) -> Markup:
    """A time to the second in UTC, readable by machines as well; “–” for none. ValueError for a text that is no
    time."""
    if not moment:
        return Markup("–")
    known = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    utc = known.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M:%S"))


def local(text: str) -> str:
    """A signer's own time as it was signed, with its distance from UTC."""
    moment = datetime.fromisoformat(text)
    return f"{moment:%Y-%m-%d %H:%M:%S} (UTC{moment.isoformat()[-6:]})"


def digest(text: str) -> Markup:
    """The beginning of a digest; all of it in the title."""
    if not text:
        return Markup("–")
    shown = text[:SHORT] + "…" if len(text) > SHORT else text
    return Markup('<code class="digest" title="{}">{}</code>').format(text, shown)


def whole(text: str) -> Markup:
    """All of a digest, in groups of eight between which a line may break."""
    groups = Markup("<wbr>").join(text[i : i + 8] for i in range(0, len(text), 8))
    return Markup('<code class="digest">{}</code>').format(groups) if text else Markup("–")


def plain(name: str) -> str:
    """`prediction.not_evaluable` → “Prediction not evaluable”."""
    words = name.replace(".", " ").replace("_", " ").replace(":", ": ")
    return words[:1].upper() + words[1:]


def line_type(name: str) -> str:
    """The type of a line; of a prediction, how it ended in the words of every page: `prediction.issued` → “Prediction answered”."""
    return f"Prediction {OUTCOMES[name]}" if name in OUTCOMES else plain(name)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def clipped(text: str, signs: int = 36) -> str:
    """The beginning of a text that may be long."""
    return text if len(text) <= signs else text[: signs - 1] + "…"


def who(actor: Actor) -> str:
    """Whoever acted, by printed name, with role and site where they are known."""
    more = ", ".join(part for part in (actor.role, actor.site) if part)
    return f"{actor.printed_name or clipped(actor.id)}{f' ({more})' if more else ''}"


def outcome(entry: Entry) -> str:
    """How a prediction ended, with the code of what stood in its way."""
    return OUTCOMES[entry.type.value] + (f": {plain(entry.reason).lower()}" if entry.reason else "")


def gate(name: str) -> str:
    """A gate's outcome as people say it: `insufficient_evidence` → “not enough evidence”."""
    return GATES.get(name, plain(name).lower())


def subject(entry: Entry, kind: str) -> Any:
    """The thing of a kind that a line is about; None where it is about none."""
    return next((s for s in entry.subjects if s.kind == kind), None)


def number(value: Any) -> str:
    """Three significant digits for people; “–” for nothing."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def counted(many: int, what: str) -> str:
    """A number of things of a kind of the lineage: 1 approval, 5 approvals. A signature there is the platform's under a model;
    people's stand under approvals."""
    named = "platform's signature" if what == "signature" else what
    return f"{many} {named if many == 1 else f'{named[:-1]}ies' if named.endswith('y') else f'{named}s'}"


def percent(share: float | None) -> str:
    """A share (0–1) in per cent with one decimal; “–” for none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def clock(seconds: float) -> str:
    """Time since the recording's start: `1:02:03`, or `2:03` within the first hour."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
