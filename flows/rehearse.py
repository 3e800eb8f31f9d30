"""Would drift at a site be noticed? Faults put into its held-out recordings, seen by the same checks and the same watch."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from data.cohorts.bids import Entry
from flows import records
from flows.engine import flow, run_flow
from flows.parallel import over
from flows.progress import shown
from flows.rehearsals import KIND, kept_path, newest
from flows.rehearsing import Seen, Verdicts, checked, eeg_with_faults, film_with_faults, judged
from flows.stages.files import accepted, digest_of_entry, refuse_unchecked, write_json
from flows.watch import EARLIER, LATER, features_of, settings_of
from flows.watching import features_of_checks, who_of
from flows.workspace import Workspace, open_workspace
from lineage import graph
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Draft, Edge, Ledger, Subject
from lineage.refused import Refused
from monitoring.faults import CLOCK_SHIFT, EEG_FAULTS, FAULTS, NO_FAULT, OTHER_AGE
from monitoring.film_faults import FILM_FAULTS
from monitoring.findings import DriftSettings
from monitoring.rehearsal import SCHEMA, Sent, World
from monitoring.rehearsal_page import lines, rehearsal_page
from monitoring.tables import film_table
from validation.pages import write_page

SHARE_AT_MOST = 0.75
"""Of the patients at hand a drawn week holds at most this share unless told otherwise, or all draws would be one."""
CONTROLS = {"eeg": NO_FAULT, "video": f"{NO_FAULT}, film"}


@dataclass(frozen=True)
class Stock:
    """A site's recordings that faults are put into, and what they are compared with; `others` are of patients of another age
    at the same site, `task` is the one whose cohort they are of."""

    entries: tuple[Entry, ...]
    world: World
    others: tuple[Entry, ...] = ()
    task: str = "detection"


@flow(name="rehearse")
def rehearse(home: str, site: str, patients: int | None, draws: int, seed: int) -> dict[str, Any]:
    """Put every fault into the site's recordings, judge drawn weeks of them, write the page and a line in the ledger."""
    workspace, started = open_workspace(Path(home)), time.monotonic()
    ledger = records.open_ledger(workspace)
    signals, films = _signals(workspace, site), _films(workspace, site)
    sent = [*_signals_sent(workspace, signals, seed), *_films_sent(workspace, films)]
    weekly = patients or _weekly(ledger, signals.entries)
    work = [
        (one, world, _in_a_week(one, weekly, patients), draws, (seed, number))
        for number, (one, world) in enumerate(sent)
    ]
    found = over(judged, work, "faults judged", shown())
    document = _document(workspace, site, found, [*signals.entries, *(films.entries if films else ())], draws, seed)
    page = _write(workspace, site, document)
    _record(workspace, ledger, site, document)
    return {**document, "page": str(page), "seconds": round(time.monotonic() - started, 1)}


def rehearse_site(site: str | None, patients: int | None, draws: int, seed: int | None) -> dict[str, Any]:
    """`ictal rehearse`: refuses at once a site without checked recordings, and weeks of more patients than there are.

    `site` None is the first by name, `patients` of a week None as many as its weeks had, `seed` None that of
    params.yaml.
    """
    workspace = open_workspace()
    refuse_unchecked(workspace)
    at_hand = Counter(site for site, _ in {(e.site, e.patient) for e in _held_out(workspace)})
    chosen = site or min(at_hand, default="")
    if chosen not in at_hand:
        raise Refused(f"no accepted recording is from a site {chosen[:40]!r}; sites are {', '.join(sorted(at_hand))}")
    if patients is not None and patients > at_hand[chosen]:
        raise Refused(
            f"a week of {patients} patients was asked for, {at_hand[chosen]} are at hand at {chosen}: ask for fewer"
        )
    own = workspace.params.drift.seed if seed is None else seed
    found = run_flow(rehearse, home=str(workspace.root), site=chosen, patients=patients, draws=draws, seed=own)
    return {**found, "text": "\n".join([*lines(found), f"{found['seconds']:.0f} s; page: {found['page']}"])}


def _held_out(workspace: Workspace) -> list[Entry]:
    """Recordings of the later period, which nothing was learnt from; where there is none, those of the first."""
    return accepted(workspace, LATER) or accepted(workspace, EARLIER)


def _signals(workspace: Workspace, site: str) -> Stock:
    own = tuple(e for e in _held_out(workspace) if e.site == site)
    world = World(
        site, features_of(str(workspace.root), EARLIER), settings_of(workspace), apart=not accepted(workspace, LATER)
    )
    return Stock(own, world, _of_other_age(workspace, site, own))


def _of_other_age(workspace: Workspace, site: str, own: Sequence[Entry]) -> tuple[Entry, ...]:
    """EEG of another cohort of the workspace at the same site, of patients all older or all younger."""
    ages = [e.age_days for e in own if e.age_days is not None]
    for task in workspace.tasks:
        other = workspace.of(task)
        if other.modality != "eeg" or other.cohort == workspace.cohort or not _is_checked(other):
            continue
        found = tuple(e for e in accepted(other, EARLIER) if e.site == site and e.age_days is not None)
        theirs = [e.age_days for e in found if e.age_days is not None]
        if ages and theirs and (min(theirs) > max(ages) or max(theirs) < min(ages)):
            return found
    return ()


def _films(workspace: Workspace, site: str) -> Stock | None:
    """The first cohort of films that was checked and has some of the site; patients are drawn out of its own reference."""
    for task in workspace.tasks:
        other = workspace.of(task)
        if other.modality != "video" or not _is_checked(other):
            continue
        every = accepted(other, EARLIER)
        own = tuple(e for e in every if e.site == site)
        if own:
            reference = features_of_checks(other, [e for e in every if e.site != site])
            return Stock(own, World(site, reference, settings_of(other), apart=True), task=task)
    return None


def _is_checked(workspace: Workspace) -> bool:
    return (workspace.interim / "checks" / "accepted.json").exists()


def _signals_sent(workspace: Workspace, stock: Stock, seed: int) -> list[tuple[Sent, World]]:
    """Every fault of EEG, the control first."""
    faults = (NO_FAULT, *EEG_FAULTS)
    work: list[tuple[Entry, Sequence[str], int]] = [(e, faults, seed + n) for n, e in enumerate(stock.entries)]
    work += [(entry, (NO_FAULT,), seed) for entry in stock.others]
    seen = over(eeg_with_faults, work, "recordings with faults", shown(), ["scipy.signal"])
    made = [one for looked in seen[: len(stock.entries)] for one in looked]
    made += [one._replace(fault=CLOCK_SHIFT) for one in made if one.fault == NO_FAULT]
    made += [_as_sent_by(one, stock.world.site) for looked in seen[len(stock.entries) :] for one in looked]
    verdicts = _verdicts(workspace, made)
    told = [NO_FAULT, *(fault.name for fault in FAULTS.values() if fault.modality == "eeg")]
    missing = {OTHER_AGE: "no checked EEG of another age group is from this site"}
    return [(_sent(f, [s for s in made if s.fault == f], verdicts, missing.get(f, "")), stock.world) for f in told]


def _as_sent_by(seen: Seen, site: str) -> Seen:
    """A recording of another cohort as if the site had sent it now; its patients are none of the reference."""
    patient = f"other-{seen.entry.patient}"
    own = None if seen.row is None else seen.row.assign(site=site, patient=patient)
    return seen._replace(fault=OTHER_AGE, entry=replace(seen.entry, patient=patient), row=own)


def _films_sent(workspace: Workspace, stock: Stock | None) -> list[tuple[Sent, World]]:
    """Every fault of film, its control first; the site's own films are part of the reference as they were coded anew."""
    faults = tuple(FILM_FAULTS)
    if stock is None:
        nobody = World("", pd.DataFrame(), DriftSettings())
        told = [name for name in faults if name != NO_FAULT]
        return [(Sent(name, left_out="no checked film is from this site"), nobody) for name in told]
    work = [(entry, faults) for entry in stock.entries]
    made = [one for looked in over(film_with_faults, work, "films with faults", shown(), ["av"]) for one in looked]
    who = who_of(stock.entries)
    made = [s if s.facts is None else s._replace(row=film_table(s.facts, who)) for s in made]
    verdicts = _verdicts(workspace.of(stock.task), made)
    sent = [_sent(f, [s for s in made if s.fault == f], verdicts) for f in faults]
    whole = pd.concat([stock.world.reference, sent[0].rows], ignore_index=True)
    control = replace(sent[0], fault=CONTROLS["video"])
    return [(one, replace(stock.world, reference=whole)) for one in (control, *sent[1:])]


def _verdicts(workspace: Workspace, seen: Sequence[Seen]) -> Verdicts:
    """What the checks make of every recording with every fault, all in one run of a process of their own."""
    work = (seen, workspace.params.checks.min_duration_s, workspace.modality)
    return over(checked, [work], "checks", shown(), ["great_expectations"])[0]


def _sent(fault: str, seen: Sequence[Seen], verdicts: Verdicts, missing: str = "") -> Sent:
    """One fault: who was let through, who was refused and why; or why nobody could have it (`missing`: nobody is there)."""
    shown_in = [one for one in seen if not one.not_shown]
    if not shown_in:
        return Sent(fault, left_out=seen[0].not_shown if seen else missing)
    refused, rows = {}, []
    for one in shown_in:
        verdict = verdicts[one.fault, one.entry.name]
        if verdict.outcome == "quarantined":
            refused[one.entry.patient] = verdict.reasons[0].code
        elif one.row is not None:
            rows.append(one.row)
    return Sent(fault, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(), refused)


def _weekly(ledger: Ledger, entries: Sequence[Entry]) -> int:
    """How many patients the site sent in the middle one of its weeks, by when the ledger heard of their recordings."""
    digests = {digest_of_entry(e): e.patient for e in entries}
    weeks: dict[tuple[int, int], set[str]] = {}
    for line in ledger.entries("recording.registered"):
        if line.subjects[0].digest in digests:
            year, week, _ = line.recorded_at.isocalendar()
            weeks.setdefault((year, week), set()).add(digests[line.subjects[0].digest])
    return max(1, round(median([len(w) for w in weeks.values()]))) if weeks else len(set(digests.values()))


def _in_a_week(sent: Sent, weekly: int, asked: int | None) -> int:
    return weekly if asked else min(weekly, max(1, int(SHARE_AT_MOST * len(sent.patients))))


def _document(
    workspace: Workspace, site: str, found: Sequence[dict[str, Any]], entries: Sequence[Entry], draws: int, seed: int
) -> dict[str, Any]:
    """Everything that the page says, as plain JSON; the controls apart from the faults."""
    controls = set(CONTROLS.values())
    return {
        "schema": SCHEMA,
        "site": site,
        "simulated": (workspace.cohort / "sourcedata" / "draws.json").exists(),
        "draws": draws,
        "of": {
            "recordings": digest_of(sorted(digest_of_entry(e) for e in entries)),
            "drift": workspace.params.drift.model_dump(),
            "seed": seed,
        },
        "controls": [row for row in found if row["fault"] in controls],
        "faults": _in_order([row for row in found if row["fault"] not in controls]),
    }


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: list(FAULTS).index(row["fault"]))


def _write(workspace: Workspace, site: str, document: dict[str, Any]) -> Path:
    """The table, a copy of it by its digest, and the page; returns the page."""
    folder, name = workspace.reports / "rehearsal", _file_name(site)
    write_json(folder / f"{name}.json", document)
    write_json(kept_path(workspace, sha256_file(folder / f"{name}.json")), document)
    write_page(folder / f"{name}.html", rehearsal_page(document))
    return folder / f"{name}.html"


def _file_name(site: str) -> str:
    """A site's name as a file is called: two sites never share one."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", site)
    return plain if plain == site else f"{plain}-{digest_of(site)[:8]}"


def _record(workspace: Workspace, ledger: Ledger, site: str, document: dict[str, Any]) -> None:
    subject = Subject(KIND, site, sha256_file(workspace.reports / "rehearsal" / f"{_file_name(site)}.json"))
    power = {row["fault"]: row.get("power") for row in [*document["controls"], *document["faults"]]}
    dataset, _ = records.frozen_data(workspace)
    edges = (Edge(subject.digest, "rehearsed_on", dataset.digest),) if graph.find(ledger, dataset.digest) else ()
    draft = Draft(
        "evaluation.recorded", records.PIPELINE, (subject,), payload={"site": site, "power": power}, edges=edges
    )
    if newest(ledger).get(site, {}).get("digest") != subject.digest:
        ledger.append_many([draft])
