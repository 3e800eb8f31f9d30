"""Commands around the detectors that look at poses and films; each imports its flow when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from flows import completion
from flows.terminal import Json, names_in, show

video_app = typer.Typer()
estimator_app = typer.Typer(no_args_is_help=True, help="The pose estimator that makes poses of films.")
export_app = typer.Typer(no_args_is_help=True, help="What may leave the house, and what it still gives away.")
video_app.add_typer(estimator_app, name="estimator")
video_app.add_typer(export_app, name="export")

Replace = Annotated[bool, typer.Option("--replace", help="Exchange the one that is there.")]


@video_app.command(
    epilog="Examples: ictal grid gestures · ictal grid gestures --cells all · ictal grid gestures --regimes patient --json"
)
def grid(
    name: Annotated[str, typer.Argument(help="The detector: gestures.", autocompletion=completion.detectors)],
    cells: Annotated[str, typer.Option(help="12: the ends of what was varied; all: the paper's 60.")] = "12",
    regimes: Annotated[str, typer.Option(help="Splits: patient, site, seizure; patient is always among them.")] = (
        "patient,seizure"
    ),
    as_json: Json = False,
) -> None:
    """How many moments of a seizure, how they are drawn, what reads them: every cell, beside the paper's own figures.

    What was seen on the films and what was fitted is kept: a run that was stopped goes on where it stood.
    """
    from flows.grid import run_grid

    result = run_grid(name, cells, names_in(regimes))
    show(result, as_json, result.pop("text"))


@video_app.command(
    epilog="Examples: ictal study forecaster · ictal study forecaster --only few_shot --tasks 200 · ictal study forecaster --full"
)
def study(
    name: Annotated[str, typer.Argument(help="The detector: forecaster.", autocompletion=completion.detectors)],
    tasks: Annotated[int | None, typer.Option(min=2, max=10_000, help="Few-shot tasks per number of shots.")] = None,
    only: Annotated[str | None, typer.Option(help="Only these parts: few_shot, compositions, controls.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every mask ratio, ten tuned tasks, as many people as the cohort.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What watching rats and other people first is worth: few shots, compositions, and whether there is a cue at all.

    A part whose inputs did not change is not measured again. `ictal evaluate forecaster` puts the parts on the page.
    """
    from flows.study import study_detector

    result = study_detector(name, tasks, names_in(only), full)
    show(result, as_json, result.pop("text"))


@estimator_app.command(
    "train", epilog="Examples: ictal estimator train · ictal estimator train --seed 1 --replace --json"
)
def estimator_train(
    seed: Annotated[int, typer.Option(min=0, help="Draws the infants, the frames and the first weights.")] = 0,
    replace: Replace = False,
    as_json: Json = False,
) -> None:
    """Teach a tiny pose estimator on simulated infants, so that a film of one can be answered at all."""
    from flows.estimator import train_estimator

    result = train_estimator(seed, replace)
    show(result, as_json, result.pop("text"))


@estimator_app.command("install", epilog="Example: ictal estimator install ~/models/pose.onnx    (pose.json beside it)")
def estimator_install(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="An ONNX model; its description (.json) lies beside it.")
    ],
    replace: Replace = False,
    as_json: Json = False,
) -> None:
    """Take a pose estimator of your own into the workspace, after it was compared with its description and run once."""
    from flows.estimator import install_estimator

    result = install_estimator(file, replace)
    show(result, as_json, result.pop("text"))


@export_app.command(
    "pose", epilog="Examples: ictal export pose --to ~/poses · ictal export pose --to ~/features --tier features --json"
)
def export_pose(
    to: Annotated[Path, typer.Option(file_okay=False, help="A new or empty folder.")],
    tier: Annotated[str, typer.Option(help="pose (joints in torso lengths) or features (no joint).")] = "pose",
    as_json: Json = False,
) -> None:
    """Write the poses of the spasms cohort without place, size, name or age, and say how well they tell persons apart."""
    from flows.export import export_poses

    result = export_poses(to, tier)
    show(result, as_json, result.pop("text"))


@export_app.command("film", epilog="Example: ictal export film --to ~/blurred --for semiology")
def export_film(
    to: Annotated[Path, typer.Option(file_okay=False, help="A new or empty folder.")],
    task: Annotated[str, typer.Option("--for", help="Whose films: semiology or forecasting.")] = "semiology",
    as_json: Json = False,
) -> None:
    """Write the films of a cohort blurred, without sound, metadata and names: in the head's circle where a pose estimator
    says where it is, else everywhere."""
    from flows.export import export_films

    result = export_films(to, task)
    show(result, as_json, result.pop("text"))


@video_app.command(epilog="Examples: ictal lab gestures · ictal lab sta_gunet --json")
def lab(
    name: Annotated[
        str,
        typer.Argument(help="The detector to train and score under every split.", autocompletion=completion.detectors),
    ],
    as_json: Json = False,
) -> None:
    """The Leakage Lab of one detector, from the honest splits to the leaky: `ictal evaluate NAME --regimes all`."""
    from flows.evaluate import evaluate_detectors

    result = evaluate_detectors([name], "all")
    show(result, as_json, result.pop("text"))
