"""Who is meant, and what is theirs: a person by their key in every cohort of the workspace, under whatever patient ids."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.cohorts.bids import Cohort, Entry
from flows.records import person_subject
from flows.stages.files import digest_of_entry
from flows.taking_out import every_modality
from flows.workspace import Workspace
from lineage import graph
from lineage.digest import Digest
from lineage.ledger import Ledger
from lineage.refused import Refused


@dataclass(frozen=True)
class Theirs:
    """One recording of a person: `digest` is its identity in the lineage, `files` are what lies on disk of it.

    `cohort`, `patient`, `site` are empty and `files` none where only the ledger remembers it.
    """

    name: str
    digest: Digest
    cohort: str = ""
    patient: str = ""
    site: str = ""
    files: tuple[Path, ...] = ()

    def in_short(self) -> dict[str, Any]:
        """The recording as answers and the ledger name it; `here` says whether files of it are in the workspace."""
        return {
            "recording": self.name, "digest": self.digest, "cohort": self.cohort, "patient": self.patient,
            "site": self.site, "here": bool(self.files),
        }  # fmt: skip


@dataclass(frozen=True)
class Patient:
    """A person: their key, and their recordings in all cohorts, also those that only the ledger knows."""

    person: str
    recordings: tuple[Theirs, ...]

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests of their recordings, each once, also where copies lie in several cohorts."""
        return frozenset(r.digest for r in self.recordings)

    @property
    def ids(self) -> frozenset[tuple[str, str]]:
        """(cohort, patient id) of each place where they were recorded."""
        return frozenset((r.cohort, r.patient) for r in self.recordings if r.cohort)


def find_patient(workspace: Workspace, ledger: Ledger, name: str) -> Patient:
    """The person with this key, or with this patient id in some cohort (`sub-001`, or `simulated/sub-001`).

    Refused where nobody is called so, and a patient id that means several persons: they are different people.
    """
    everybody = list(_everybody(workspace))
    persons = {e.person for cohort, e in everybody if name in (e.person, e.patient, f"{cohort}/{e.patient}")}
    persons |= {n.label for n in graph.things(ledger, "person") if n.label == name}
    if name in persons:
        persons = {name}
    if len(persons) != 1:
        raise Refused(
            f"{'nobody is' if not persons else f'{len(persons)} persons are'} called so here: give the person's key as it stands in participants.tsv, "
            "or COHORT/sub-ID"
        )
    person = persons.pop()
    return Patient(person, _recordings(ledger, person, everybody))


def cohorts_of(workspace: Workspace) -> list[tuple[str, Cohort]]:
    """Every cohort that lies in the workspace, in use or not, once for each modality that it holds."""
    folders = sorted(p for p in workspace.raw.iterdir() if p.is_dir()) if workspace.raw.exists() else []
    return [(folder.name, cohort) for folder in folders for cohort in every_modality(folder)]


def _everybody(workspace: Workspace) -> list[tuple[str, Entry]]:
    return [(name, entry) for name, cohort in cohorts_of(workspace) for entry in cohort.entries]


def _recordings(ledger: Ledger, person: str, everybody: list[tuple[str, Entry]]) -> tuple[Theirs, ...]:
    found: dict[tuple[str, str], Theirs] = {}
    for cohort, entry in everybody:
        if entry.person == person:
            one = _theirs(cohort, entry)
            found[one.digest, one.cohort] = one
    here = {digest for digest, _ in found}
    subject = person_subject(person)
    if graph.find(ledger, subject.digest):
        for _, node in graph.hanging(ledger, subject.digest, ("recorded_from",)):
            if node.digest not in here:
                found[node.digest, ""] = Theirs(node.label, node.digest)
    return tuple(sorted(found.values(), key=lambda r: (r.cohort, r.name)))


def _theirs(cohort: str, entry: Entry) -> Theirs:
    files = entry.views or (entry.path,)
    return Theirs(entry.name, digest_of_entry(entry), cohort, entry.patient, entry.site, files)
