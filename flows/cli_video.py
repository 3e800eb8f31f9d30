"""Commands around the detectors that look at poses and films; each imports its flow when it runs."""

from typing import Annotated

import typer

from flows.terminal import Json, names_in, show

video_app = typer.Typer()


@video_app.command(
    epilog="Examples: ictal grid gestures · ictal grid gestures --cells all · ictal grid gestures --regimes patient --json"
)
def grid(
    name: Annotated[str, typer.Argument(help="The detector: gestures.")],
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
    name: Annotated[str, typer.Argument(help="The detector: forecaster.")],
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
