"""A shadow beside the model that answered: how often they agree, and the predictions in which they do not."""

from collections import Counter
from typing import Any

from flows import records
from flows.promote import proposed_model
from flows.workspace import open_workspace
from lineage import graph
from lineage.ledger import Ledger
from lineage.refused import Refused
from serving.comparing import PARTS, Said, difference
from serving.journal import BESIDE

NO_SITE = ""
"""Where shadows answer: no site's key finds what they said."""


def compare_shadow(digest: str, examples: int = 10, newest: int | None = None) -> dict[str, Any]:
    """All that a model has said as a shadow (or the `newest` of it), beside the answers that were given, newest first.

    At most `examples` answers that differ are told of one by one. Answers of which either was erased are counted as
    such and not compared. Refused where no or several proposed models begin with `digest`, and where the model has said
    nothing as a shadow.
    """
    workspace = open_workspace()
    ledger, model = records.open_ledger(workspace), proposed_model(workspace, digest)
    pairs = [_pair(ledger, issued) for issued in graph.predictions_of(ledger, [model], site=NO_SITE, limit=newest)]
    if not pairs:
        raise Refused(f"{model[:12]} has said nothing as a shadow yet: `ictal deploy shadow`")
    both = [(given, said) for given, said in pairs if given is not None and said is not None]
    found = [(difference(given, said), given, said) for given, said in both]
    parts = Counter(part for part, _, _ in found)
    differing = [_example(part, given, said) for part, given, said in found if part]
    result = {
        "model": model,
        "compared": len(both),
        "erased": len(pairs) - len(both),
        "agree": parts[""],
        "differ": {part: parts[part] for part in PARTS},
        "seconds_of_seizure": {
            "given": sum(_seizure_s(given) for given, _ in both),
            "shadow": sum(_seizure_s(said) for _, said in both),
        },
        "examples": differing[:examples],
        "newest": newest,
    }
    return {**result, "text": _in_words(result)}


def _pair(ledger: Ledger, issued: graph.Issued) -> tuple[Said | None, Said | None]:
    """The answer that was given and what the shadow said, as far as they are kept."""
    line = ledger.entry(issued.seq)
    given = next(subject.digest for subject in line.subjects if subject.kind == BESIDE)
    first = ledger.entries(subject_digest=given)[0]
    return ledger.payload(first.payload_digest), ledger.payload(line.payload_digest)


def _example(part: str, given: Said, said: Said) -> dict[str, Any]:
    return {
        "differs": part,
        "prediction": given["prediction_id"],
        "shadow": said["prediction_id"],
        "outcomes": [_outcome(given), _outcome(said)],
        "events": [len(given.get("events") or ()), len(said.get("events") or ())],
    }


def _outcome(said: Said) -> str:
    return f"{said['outcome']} ({said['code']})" if said["code"] else str(said["outcome"])


def _seizure_s(said: Said) -> float:
    return sum(float(event["duration_s"]) for event in said.get("events") or ())


def _in_words(found: dict[str, Any]) -> str:
    compared, agree = found["compared"], found["agree"]
    share = f" ({agree / compared:.0%})" if compared else ""
    lines = [f"shadow {found['model'][:12]}: agrees in {agree} of {compared} recordings{share}"]
    lines += [f"  differs in {part}: {count}" for part, count in found["differ"].items() if count]
    seconds = found["seconds_of_seizure"]
    lines.append(f"  marked as seizure: {seconds['given']:g} s as given, {seconds['shadow']:g} s by the shadow")
    lines += [f"  erased since, not compared: {found['erased']}"] * bool(found["erased"])
    for one in found["examples"]:
        outcomes, events = " | ".join(one["outcomes"]), " | ".join(map(str, one["events"]))
        lines.append(f"  {one['differs']:9} {one['prediction']} | {one['shadow']}  {outcomes}  events {events}")
    return "\n".join(lines)
