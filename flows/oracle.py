"""What published labels give away without any signal: computed here, kept in the workspace, shown on the page."""

from pathlib import Path
from typing import Any

from data.cohorts.helsinki import read_labels
from flows import records
from flows.progress import on_terminal
from flows.stages.files import write_json
from flows.workspace import open_workspace
from lineage.digest import sha256_file
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from validation.labels_alone import helsinki, recorded

NAMES = {
    "label_oracle": "label of the nearest window, random windows",
    "id_lookup": "share of the same baby, random windows",
    "label_oracle_apart": "label of the nearest window, babies apart",
}


def compute_oracle(path: Path) -> dict[str, Any]:
    """`ictal oracle`: the figures as JSON values with `text`; kept in store/oracles, a line in the ledger. Refused
    where `path` is no file of labels as published with the Helsinki data."""
    workspace = open_workspace()
    if not path.is_file():
        raise Refused("there is no such file of labels: give annotations_2017.mat as published with the Helsinki data")
    with on_terminal() as show:
        show("folds dealt and scored", 0, 0)
        made = helsinki(read_labels(path), sha256_file(path))
    kept = workspace.store / "oracles" / f"{made['labels']}.json"
    write_json(kept, made)
    subject = Subject("baseline", f"labels alone, {made['labels']}", sha256_file(kept))
    records.record_once(
        workspace, Draft("research.recorded", records.PIPELINE, (subject,), payload={"reportable": False})
    )
    return {**made, "kept": str(kept), "text": "\n".join(_lines(made))}


def _lines(made: dict[str, Any]) -> list[str]:
    known = recorded(made["labels"])
    same = known is not None and known["sha256"] == made["sha256"]
    return [
        f"{made['newborns']} newborns, {made['windows']:,} windows of {made['window_s']} s, "
        f"{100 * made['seizure_share']:.1f} % seizure, {made['folds']} folds dealt {made['deals']} times; no EEG is read",
        *(
            f"  {NAMES[name]}: AUC {_range(own['auc'], 4)}, F1 {_range(own['f1'], 3)}"
            for name, own in made["figures"].items()
        ),
        f"labels: SHA-256 {made['sha256'][:12]}, {'those' if same else 'NOT those'} that Ictal's recorded figures are of",
        "non-reportable; shown by the next `ictal evaluate` beside what was published",
    ]


def _range(found: dict[str, float] | None, digits: int) -> str:
    if found is None:
        return "not evaluable"
    return f"{found['median']:.{digits}f} ({found['lowest']:.{digits}f} to {found['highest']:.{digits}f})"
