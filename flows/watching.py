"""The parts of `watch` that need no Prefect: tables of features, some of them made in worker processes."""

from collections.abc import Sequence

import pandas as pd

from data.cohorts.bids import Entry
from data.readers.edf import read_edf
from flows.stages.files import cohort_of, read_json
from flows.workspace import Workspace
from lineage import graph
from lineage.ledger import Ledger
from monitoring.features import Observed, patient_features
from monitoring.tables import film_table, pose_table, served_table


def features_of_recording(work: tuple[Entry, pd.DataFrame]) -> pd.DataFrame:
    """One row of features of a recording, with the channel facts that the checks measured."""
    entry, facts = work
    recording = read_edf(entry.path, age_days=entry.age_days, name=entry.name)
    line_hz = entry.line_hz or 50.0
    return patient_features(
        [Observed(recording, entry.patient, entry.site, entry.period, line_hz=line_hz, facts=facts)]
    )


def features_of_checks(workspace: Workspace, entries: Sequence[Entry]) -> pd.DataFrame:
    """Rows of films or poses, from what the checks measured of them: nothing is read or decoded again."""
    facts = pd.read_parquet(workspace.interim / "checks" / "facts.parquet")
    who = who_of(entries)
    make = film_table if workspace.modality == "video" else pose_table
    return make(facts[facts["recording"].isin(who)], who)


def checked_of(workspace: Workspace, period: str) -> list[tuple[Entry, bool]]:
    """The recordings of a period that were checked, each with whether they were refused."""
    verdicts = read_json(workspace.interim / "checks" / "verdicts.json")
    outcomes = {verdict["recording"]: verdict["outcome"] for verdict in verdicts}
    own = [e for e in cohort_of(workspace).entries if e.name in outcomes and (e.period or "development") == period]
    return [(entry, outcomes[entry.name] == "quarantined") for entry in own]


def checked_table(checked: Sequence[tuple[Entry, bool]]) -> pd.DataFrame:
    """Rows of recording, site, patient and refused."""
    rows = [(entry.name, entry.site, entry.patient, refused) for entry, refused in checked]
    return pd.DataFrame(rows, columns=["recording", "site", "patient", "refused"]).astype({"refused": bool})


def who_of(entries: Sequence[Entry]) -> dict[str, dict[str, str]]:
    """Patient, site and period of each recording."""
    return {e.name: {"patient": e.patient, "site": e.site, "period": e.period} for e in entries}


def answers_of(ledger: Ledger) -> pd.DataFrame:
    """What the service of this workspace answered; recordings that the ledger knows are their persons'."""
    persons = graph.things(ledger, "person")
    whose = {
        recording.digest: person.label
        for person in persons
        for _, recording in graph.hanging(ledger, person.digest, ("recorded_from",))
    }
    return served_table(ledger.engine, whose)
