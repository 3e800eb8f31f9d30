"""Site by site: whether it is answered at all, by which models, on trial or in force, and when it asked last."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from console.acts import Candidate, Room
from console.lines import place_of, turn
from console.pages import page, room_of
from lineage.browsing import Wanted
from lineage.browsing import page as page_of_lines
from lineage.deployments import SERVICE, TRIALS, Deployments, deployments
from lineage.entries import EntryType
from lineage.graph import Issued, count_predictions, predictions_of

LINES = tuple(
    t.value
    for t in (
        *TRIALS,
        *SERVICE,
        EntryType.DEPLOYMENT_PROMOTED,
        EntryType.DEPLOYMENT_ROLLED_BACK,
        EntryType.DEPLOYMENT_ENDED,
    )
)


@dataclass(frozen=True)
class Answering:
    """A model that answers a site's question: in force, or as a canary in the place of that."""

    task: str
    model: Candidate
    is_canary: bool = False


@dataclass(frozen=True)
class AtSite:
    """One site: why it is stopped (empty where it is not), what answers it, which canaries were given to it and may not
    answer, how often and when last it was answered."""

    site: str
    stopped: str
    models: tuple[Answering, ...]
    refused: tuple[Answering, ...]
    answers: int
    newest: Issued | None


def show_deployments(request: Request) -> Response:
    """Every site that was given a key or is stopped: what answers it and when it asked last; then shadows, and the
    ledger's lines about deployments."""
    room = room_of(request)
    candidates, now = room.acts.candidates(room.clock()), deployments(room.ledger)
    found = page_of_lines(room.ledger, Wanted(LINES), **place_of(request))
    by_digest = {c.digest: c for c in candidates}
    return page(
        request,
        "deployments",
        title="Deployments",
        sites=[_at(room, site, candidates, now) for site in sorted({*room.acts.sites(), *now.stopped})],
        shadows=[
            (task, by_digest[t.bundle], t)
            for (how, task), t in now.trials.items()
            if how == "shadow" and t.bundle in by_digest
        ],
        found=found,
        turn=turn(request, found),
    )


def _at(room: Room, site: str, candidates: Sequence[Candidate], now: Deployments) -> AtSite:
    newest = predictions_of(room.ledger, None, site=site, limit=1)
    canaries = _canaries(site, candidates, now)
    return AtSite(
        site,
        now.stopped.get(site, ""),
        tuple(_answering(site, candidates, canaries)),
        tuple(canary for canary in canaries if not _may_answer(site, canary.model)),
        count_predictions(room.ledger, None, site=site),
        newest[0] if newest else None,
    )


def _canaries(site: str, candidates: Sequence[Candidate], now: Deployments) -> list[Answering]:
    """What this site was given to by the ledger, whether or not it may answer."""
    by_digest = {c.digest: c for c in candidates}
    trials = {task: t for (how, task), t in now.trials.items() if how == "canary" and site in t.sites}
    return [Answering(task, by_digest[t.bundle], True) for task, t in trials.items() if t.bundle in by_digest]


def _answering(site: str, candidates: Sequence[Candidate], canaries: Sequence[Answering]) -> list[Answering]:
    """For each question the canary of this site, where it may answer, else the model in force whose scope holds it."""
    found = {canary.task: canary for canary in canaries if _may_answer(site, canary.model)}
    for candidate in candidates:
        if candidate.pointed_at and _may_answer(site, candidate):
            found.setdefault(candidate.proposed["task"], Answering(candidate.proposed["task"], candidate))
    return list(found.values())


def _may_answer(site: str, candidate: Candidate) -> bool:
    """Whether its approval holds, for this site too."""
    approval = candidate.approval
    return approval is not None and not candidate.against and approval.record.scope.covers_site(site)
