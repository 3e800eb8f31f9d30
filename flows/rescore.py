"""Scoring again: any scorer over the predictions that were kept, compared with what was stated of them before."""

from typing import Any

from flows import records
from flows.progress import on_terminal
from flows.stages.evaluate import experts_of, known_of, to_events
from flows.stages.files import circumstances, development, evaluation_of, read_json, truths, write_json
from flows.workspace import Workspace, open_workspace
from lineage.digest import sha256_file
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from validation.predictions import read_predictions
from validation.rescoring import Rescored, rescore


def rescore_predictions(
    name: str, regime: str, scorers: list[str] | None, settings: list[str] | None
) -> dict[str, Any]:
    """`ictal rescore`: run scorers again, write what came of it beside the reports and into the ledger.

    `settings` are other limits of a scorer, as in `szcore.merge_gap_s=0`; such figures bear another name.

    `scorers` None is all. Refused where the detector was not evaluated under this regime, where recordings or labels
    are others than then, and for a setting that does not read so. Figures that differ from those stated are in
    `broken`.
    """
    workspace = open_workspace()
    folder = evaluation_of(workspace, name, regime)
    if not (folder / "result.json").exists():
        raise Refused(f"{name[:40]!r} has not been evaluated here under {regime[:20]!r}: run `ictal evaluate` first")
    stated = read_json(folder / "result.json")
    _refuse_others(workspace, stated)
    kept = read_predictions(folder)
    with on_terminal() as show:
        made = rescore(
            kept.predictions,
            kept.hypotheses,
            truths(workspace, development(workspace)),
            scorers or None,
            earlier=stated,
            policies=_policies(settings or []),
            to_events=to_events,
            experts=experts_of(workspace, development(workspace)),
            patients=known_of(development(workspace)),
            progress=show,
        )
    path = workspace.reports / "rescored" / f"{name}-{regime}.json"
    write_json(path, made.to_json())
    _record(workspace, name, regime, made)
    text = "\n".join([*made.lines(), f"figures: {path}"])
    return {**made.to_json(), "broken": list(made.broken), "text": text}


def _refuse_others(workspace: Workspace, stated: dict[str, Any]) -> None:
    """Other code and other draws are what scoring again is for; other recordings or labels are not."""
    now = circumstances(workspace, development(workspace))
    for what in ("recordings", "shuffled_labels"):
        if stated["of"][what] != now[what]:
            raise Refused(f"the {what.replace('_', ' ')} are not those that were evaluated: run `ictal evaluate` first")


def _policies(settings: list[str]) -> dict[str, dict[str, float]]:
    """`szcore.merge_gap_s=0` as {"szcore": {"merge_gap_s": 0.0}}."""
    policies: dict[str, dict[str, float]] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        scorer, _, limit = key.partition(".")
        try:
            policies.setdefault(scorer, {})[limit] = float(value)
        except ValueError as error:
            wish = "write SCORER.LIMIT=NUMBER, as szcore.merge_gap_s=0"
            raise Refused(f"{setting[:60]!r} is not a setting: {wish}") from error
    return policies


def _record(workspace: Workspace, name: str, regime: str, made: Rescored) -> None:
    path = workspace.reports / "rescored" / f"{name}-{regime}.json"
    subject = Subject("rescoring", f"{name} ({regime})", sha256_file(path))
    evaluation = sha256_file(evaluation_of(workspace, name, regime) / "result.json")
    edges = (Edge(subject.digest, "rescores", evaluation),)
    draft = Draft("evaluation.rescored", records.PIPELINE, (subject,), payload=made.summary(), edges=edges)
    records.open_ledger(workspace).append_many([draft])
