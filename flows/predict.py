"""One recording, one answer: here through the service's own loader, or from a running service."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.ages import parse_age
from data.film import why_no_views
from flows.progress import on_terminal
from flows.workspace import Workspace, checkout_state, lock_digest, open_workspace
from lineage.deployments import stopped
from lineage.entries import Software
from lineage.refused import Refused
from models import detectors
from serving.answering import answer
from serving.client import Client
from serving.journal import Journal
from serving.loader import Loaded, Loader, NoApprovedModel
from serving.naming import QUESTIONS, estimator_of, name_stretches
from serving.store import NotInForce, reading_ledger


def predict_file(
    file: Path,
    *,
    age: str | None,
    detector: str | None,
    site: str | None,
    url: str | None,
    key: str | None,
    job: bool = False,
) -> dict[str, Any]:
    """The answer as JSON values, with `text` for people. Refused for a missing file, and where no model is approved.

    A service at `url` answers at once, or, with `job`, takes the file and is waited for. It knows the site by its `key`
    and chooses the model: refused are a `detector` or a `site` with `url`, and a `key` or a `job` without it. Here the
    answer stands in the workspace's ledger. `age` reads as `data.ages.parse_age` takes it; None is the recording's own.
    """
    _check_door(url, key, detector, site, job)
    if not file.is_file():
        raise Refused(f"there is no such file to analyse: {file}")
    if age is not None:
        parse_age(age)
    if detector is not None:
        detectors.facts(detector)
    said = _ask(url, key, file, age, job) if url else _answer_here(file, age, detector, site)
    return {**said, "text": _in_words(said)}


def _ask(url: str, key: str | None, file: Path, age: str | None, job: bool) -> dict[str, Any]:
    with Client(url, key or "") as client:
        return _left(client, client.submit(file, age=age)) if job else client.detect(file, age)


def _left(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The answer of a job, whose progress a terminal shows."""
    with on_terminal() as show:
        return client.wait(job["job_id"], lambda state: show(state["stage"], round(100 * state["progress"]), 100))


KEY = "ICTAL_KEY"
"""The variable that holds a site's key, for whenever a service is asked."""


def _check_door(url: str | None, key: str | None, detector: str | None, site: str | None, job: bool) -> None:
    """Refuse what whoever answers would not heed."""
    if job and not url:
        raise Refused("a job is left with a service: name it with --url")
    if key and not url and key != os.environ.get(KEY):
        raise Refused("a key is shown to a service: name it with --url, or leave --key out to be answered here")
    if url and site:
        raise Refused("a service knows the site by its key: leave --site out, or --url to be answered here")
    if url and detector:
        raise Refused(
            "a service answers with the model that is approved for the site: leave --detector out, or --url to be "
            "answered here"
        )


def predict_stretches(
    files: Sequence[Path],
    question: str,
    *,
    age: str | None,
    detector: str | None,
    site: str | None,
    at: str | None,
    url: str | None,
    key: str | None,
    job: bool = False,
) -> dict[str, Any]:
    """What the stretches of a recording are, as JSON values, with `text` for people.

    `files` is one recording, or the two views of a film; `at` is “onset,duration” in seconds of the one stretch that is
    asked about, the whole recording unless given. The rest is as in `predict_file`. Refused for a missing file, a third
    one, two files that are named as two recordings, a `question` that nobody answers, an `at` that does not read so,
    and where no model is approved.
    """
    _check_door(url, key, detector, site, job)
    if question not in QUESTIONS:
        raise Refused(f"no question {question[:30]!r}; questions are detection, {', '.join(QUESTIONS)}")
    if not all(file.is_file() for file in files):
        raise Refused("there is no such file to analyse")
    if len(files) > 2:
        raise Refused(f"one recording, or the two views of one film, can be asked about, got {len(files)} files")
    if apart := why_no_views(files):
        raise Refused(apart)
    days, marked = parse_age(age) if age else None, _span(at)
    if url:
        with Client(url, key or "") as client:
            if job:
                said = _left(client, client.submit(*files, question=question, age=age, marked=marked))
            else:
                said = client.name(question, files, age, marked)
    else:
        said = _name_here(files, question, days, detector, site, marked)
    return {**said, "text": _stretches_in_words(said)}


def _span(at: str | None) -> tuple[float, float] | None:
    if at is None:
        return None
    try:
        onset_s, duration_s = (float(part) for part in at.split(","))
    except ValueError:
        raise Refused(f"--at is onset and duration in seconds, as 120,45; got {at[:30]!r}") from None
    return onset_s, duration_s


def _name_here(
    files: Sequence[Path],
    question: str,
    age_days: float | None,
    detector: str | None,
    site: str | None,
    marked: tuple[float, float] | None,
) -> dict[str, Any]:
    workspace = open_workspace()
    site, now = _site(workspace, site), datetime.now(UTC)
    loader = Loader(workspace.root, task=question, allow_demo=workspace.is_demo)
    _in_force(loader, site, detector, now, question)
    made = name_stretches(
        files, site=site, age_days=age_days, marked=[marked] if marked else [], loader=loader,
        journal=Journal(workspace.root, _software()), now=now, estimator=estimator_of(workspace.root),
    )  # fmt: skip
    found: dict[str, Any] = made.model_dump(mode="json")
    return found


def _answer_here(file: Path, age: str | None, detector: str | None, site: str | None) -> dict[str, Any]:
    workspace = open_workspace()
    site, now = _site(workspace, site), datetime.now(UTC)
    loader = Loader(workspace.root, allow_demo=workspace.is_demo)
    _in_force(loader, site, detector, now)
    journal = Journal(workspace.root, _software())
    days = parse_age(age) if age else None
    made = answer(file, site=site, age_days=days, loader=loader, journal=journal, now=now)
    found: dict[str, Any] = made.model_dump(mode="json")
    return found


def _site(workspace: Workspace, site: str | None) -> str:
    site = site or ("demo-north" if workspace.is_demo else "")
    if not site:
        raise Refused("name the site that asks with --site: approvals are given per site")
    return site


def _in_force(loader: Loader, site: str, detector: str | None, now: datetime, task: str = "") -> Loaded:
    """The model that will answer; refuses where there is none, another than the one insisted on, or a stopped site."""
    with suppress(NotInForce), reading_ledger(loader.home) as ledger:  # without a ledger nobody is stopped
        if reason := stopped(ledger).get(site):
            raise Refused(f"{site} was stopped: {reason}; next: `ictal deploy resume`")
    try:
        loaded = loader.for_site(site, now)
    except NoApprovedModel as error:
        ask = "ictal candidates --propose" + (f" --for {task}" if task else "")
        raise Refused(f"{error}; next: `{ask}`, then `ictal approve` by two people") from error
    if detector and loaded.bundle.name != detector:
        raise Refused(f"{detector} is not the approved model for {site}, {loaded.bundle.name} is; leave --detector out")
    return loaded


def _software() -> Software:
    state = checkout_state()
    return Software(state["commit"], lock_digest(), state["dirty"])


def _in_words(said: dict[str, Any]) -> str:
    head = f"{said['outcome']}" + (f" ({said['code']}): {said['reason']}" if said["code"] else "")
    lines = [head]
    if said["events"] is not None:
        lines.append(
            f"{len(said['events'])} events, {said['analysed_s']:g} s analysed, coverage {_share(said['coverage'])}"
        )
        lines += [_one_event(e) for e in said["events"]]
        if said["decided_share"] is not None and said["decided_share"] < 1:
            undecided_s = sum(span["duration_s"] for span in said["abstained"])
            lines.append(
                f"abstained in {undecided_s:g} s of it: the model does not commit itself there; look there first"
            )
    if said["model"]:
        lines.append(f"model {said['model']['name']} {said['model']['digest'][:12]}; review required")
    lines.append(f"prediction {said['prediction_id']}")
    return "\n".join(lines)


def _share(share: float) -> str:
    """In per cent; what is less than all is never rounded up to it."""
    return "100 %" if share == 1 else f"{min(100 * share, 99.9):.1f} %"


def _one_event(event: dict[str, Any]) -> str:
    sure = "" if event["confidence"] is None else f"  confidence {event['confidence']:.2f}"
    return f"  {event['onset_s']:8.1f} s  {event['duration_s']:6.1f} s{sure}"


SHOWN = 40
"""Stretches that are listed; of more, those called something else than the most common name come first."""


def _stretches_in_words(said: dict[str, Any]) -> str:
    lines = [f"{said['outcome']}" + (f" ({said['code']}): {said['reason']}" if said["code"] else "")]
    if said["stretches"] is not None:
        lines += _listed(said["stretches"])
    if said["model"]:
        lines.append(f"model {said['model']['name']} {said['model']['digest'][:12]}; review required")
    return "\n".join([*lines, f"prediction {said['prediction_id']}"])


def _listed(stretches: list[dict[str, Any]]) -> list[str]:
    """How often each name was given, and the stretches with name and probability, in their order."""
    counts: dict[str, int] = {}
    for one in stretches:
        counts[one["name"] or "no answer"] = counts.get(one["name"] or "no answer", 0) + 1
    head = f"{len(stretches)} stretch{'' if len(stretches) == 1 else 'es'}: " + ", ".join(
        f"{n} {name}" for name, n in sorted(counts.items())
    )
    common = max(counts, key=lambda name: counts[name])
    kept = stretches
    if len(stretches) > SHOWN:
        kept = [one for one in stretches if (one["name"] or "no answer") != common][:SHOWN]
    left = len(stretches) - len(kept)
    rest = [f"  and {left} others: --json lists them all"] if left else []
    return [head, *(_one_line(one) for one in kept), *rest]


def _one_line(one: dict[str, Any]) -> str:
    place = f"  {one['onset_s']:8.1f} s  {one['duration_s']:6.1f} s  "
    if one["name"] is None:
        return f"{place}no answer ({one['code']}): {one['reason']}"
    return f"{place}{one['name']}  probability {one['probabilities'][one['name']]:.2f}"
