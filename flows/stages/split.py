"""The split stage: nested patient-wise folds over the accepted recordings, and the leaky control's random windows."""

from data.cohorts.bids import read_cohort
from flows.stages.files import development, write_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from validation.splits import Member, nested_patient_split, window_split


def run(workspace: Workspace) -> None:
    """Write `data/interim/split.json`, one split per regime."""
    settings = workspace.params.split.model_dump()
    cohort = read_cohort(workspace.cohort)
    members = [
        Member(e.name, e.patient, e.person, e.site, bool(cohort.annotations(e).events), sha256_file(e.path))
        for e in development(workspace)
    ]
    made = (nested_patient_split(members, **settings), window_split(members, **settings))
    write_json(workspace.interim / "split.json", {s.regime: s.to_json() for s in made})
