"""One recording, one answer: here through the service's own loader, or from a running service."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.ages import parse_age
from flows.workspace import checkout_state, lock_digest, open_workspace
from lineage.entries import Software
from lineage.refused import Refused
from models import detectors
from serving.answering import answer
from serving.client import Client
from serving.journal import Journal
from serving.loader import Loader, NoApprovedModel


def predict_file(
    file: Path, *, age: str | None, detector: str | None, site: str | None, url: str | None, key: str | None
) -> dict[str, Any]:
    """The answer as JSON values, with `text` for people. Refuses a missing file, and where no model is approved."""
    if not file.is_file():
        raise Refused("there is no such file to analyse")
    if age is not None:
        parse_age(age)
    if detector is not None:
        detectors.facts(detector)
    said = _ask(url, key, file, age) if url else _answer_here(file, age, detector, site)
    return {**said, "text": _in_words(said)}


def _ask(url: str, key: str | None, file: Path, age: str | None) -> dict[str, Any]:
    with Client(url, key or "") as client:
        return client.detect(file, age)


def _answer_here(file: Path, age: str | None, detector: str | None, site: str | None) -> dict[str, Any]:
    workspace = open_workspace()
    site = site or ("demo-north" if workspace.is_demo else "")
    if not site:
        raise Refused("name the site that asks with --site: approvals are given per site")
    loader, now = Loader(workspace.root, allow_demo=workspace.is_demo), datetime.now(UTC)
    try:
        loaded = loader.for_site(site, now)
    except NoApprovedModel as error:
        raise Refused(f"{error}; next: `ictal candidates --propose`, then `ictal approve` by two people") from error
    if detector and loaded.bundle.name != detector:
        raise Refused(f"{detector} is not the approved model for {site}, {loaded.bundle.name} is; leave --detector out")
    journal = Journal(workspace.root, _software())
    days = parse_age(age) if age else None
    made = answer(file, site=site, age_days=days, loader=loader, journal=journal, now=now)
    found: dict[str, Any] = made.model_dump(mode="json")
    return found


def _software() -> Software:
    state = checkout_state()
    return Software(state["commit"], lock_digest(), state["dirty"])


def _in_words(said: dict[str, Any]) -> str:
    head = f"{said['outcome']}" + (f" ({said['code']}): {said['reason']}" if said["code"] else "")
    lines = [head]
    if said["events"] is not None:
        lines.append(
            f"{len(said['events'])} events, {said['analysed_s']:g} s analysed, coverage {said['coverage']:.2f}"
        )
        lines += [
            f"  {e['onset_s']:8.1f} s  {e['duration_s']:6.1f} s  confidence {e['confidence']:.2f}"
            for e in said["events"]
        ]
        if said["decided_share"] is not None and said["decided_share"] < 1:
            undecided_s = sum(span["duration_s"] for span in said["abstained"])
            lines.append(f"the model does not commit itself in {undecided_s:g} s of it; look there first")
    if said["model"]:
        lines.append(f"model {said['model']['name']} {said['model']['digest'][:12]}; review required")
    lines.append(f"prediction {said['prediction_id']}")
    return "\n".join(lines)
