"""The command line of Ictal. Every command imports its flow when it runs, so that `ictal --help` answers at once."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flows import completion
from flows.cli_audit import audit_app
from flows.cli_cohort import Task, cohort_app
from flows.cli_console import audit_console_app, console_app
from flows.cli_deploy import deploy_app
from flows.cli_ledger import ledger_app
from flows.cli_pack import pack_app
from flows.cli_people import people_app
from flows.cli_schedule import schedule_app
from flows.cli_video import video_app
from flows.terminal import Json, show
from lineage.refused import Refused

EXIT_CODES = {
    0: "done; `check` and `predict` end so as well where a recording is not evaluable, for that is an answer",
    1: "no: what was asked for does not hold (of `audit verify`, `why`, `replay`, `receipt`, `verify-pack`, "
    "`impact --withdraw`, `rescore`, `doctor`), or something failed that should not, with a traceback",
    2: "refused, in one sentence with what to do, or not understood; nothing was changed",
    130: "stopped by Ctrl-C",
}
"""What a command ends with; there are no others."""

PANELS = {
    "Begin": ("demo", "init", "doctor"),
    "Recordings": ("cohort", "check", "estimator", "export"),
    "Train and evaluate": (
        "detectors", "train", "evaluate", "rescore", "holdout", "lab", "ablate", "grid", "study", "oracle",
    ),
    "Sign: for the people who review and approve": (
        "candidates", "approve", "approvals", "reject", "retire", "revoke", "person",
    ),
    "Serve: for sites and whoever runs the service": ("serve", "predict", "deploy", "key", "bento"),
    "Watch": ("drift", "rehearse", "schedule"),
    "Audit": ("audit", "console"),
}  # fmt: skip
"""Under which heading, and in which order, `ictal --help` lists the commands."""


class InPanels(TyperGroup):
    """Commands in the order of `PANELS`, each under its heading."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        panels = {name: panel for panel, names in PANELS.items() for name in names}
        order = list(panels)
        self.commands = dict(
            sorted(self.commands.items(), key=lambda own: order.index(own[0]) if own[0] in order else -1)
        )
        for name, command in self.commands.items():
            command.rich_help_panel = panels.get(name)  # type: ignore[attr-defined]
            _flow(command)


def _flow(command: Any) -> None:
    """Have the paragraphs of a help text, and of those below it, flow: lines end where the terminal does, not the source."""
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
    for own in getattr(command, "commands", {}).values():
        _flow(own)


app = typer.Typer(
    name="ictal",
    cls=InPanels,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Seizures in EEG and video: data, checks, training, honest evaluation, approval, serving, drift, lineage.\n\n"
    "Start with [bold]ictal demo[/bold]. State lives in the workspace: ICTAL_HOME, or .ictal in the checkout.",
    epilog="\n\n".join(["Exit codes:", *(f"{code:3}  {what}" for code, what in EXIT_CODES.items())]),
)
app.add_typer(cohort_app, name="cohort")
app.add_typer(audit_app, name="audit")
app.add_typer(people_app)
app.add_typer(deploy_app, name="deploy")
app.add_typer(schedule_app, name="schedule")
audit_app.add_typer(ledger_app)
app.add_typer(video_app)
audit_app.add_typer(pack_app)
app.add_typer(console_app)
audit_app.add_typer(audit_console_app)

Detectors = Annotated[
    list[str] | None,
    typer.Argument(help="Detectors to work on; all of them unless named.", autocompletion=completion.detectors),
]


def main() -> None:
    """Run a command; what is refused is said in one sentence and ends with exit code 2, and Ctrl-C in one with 130."""
    try:
        app(prog_name="ictal")
    except Refused as refused:
        print(f"ictal: {refused}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == STOPPED:
            print(STOPPED_LINE, file=sys.stderr)
        raise


STOPPED = 130
"""Typer ends so with Ctrl-C: 128 and the number of the signal, as shells have it."""
STOPPED_LINE = "ictal: stopped; what was not finished is not used, and the same command begins anew or goes on with it"


def _version(wanted: bool) -> None:
    if wanted:
        from flows.version import version_line

        print(version_line())
        raise typer.Exit


@app.callback()
def ictal(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Say which Ictal this is, and end.")
    ] = False,
) -> None:
    """What may stand before any command; `help` of the app above is what is said of it."""


@app.command(epilog="Example: ictal demo    (two to six minutes on two cores)")
def demo() -> None:
    """Run the whole house once on a simulated cohort: data, checks, training, evaluation, approval, serving, drift."""
    from flows.fresh import make_demo

    make_demo()


@app.command(epilog="Examples: ictal doctor · ictal doctor --json")
def doctor(as_json: Json = False) -> None:
    """What is missing or wrong on this machine, what each is needed for, and what to do about it; nothing is changed.

    Exit code 1 where something is missing or wrong that Ictal or its workspace needs; what only tests or some sites need is
    told, and does not count.
    """
    from flows.doctor import examine

    result = examine()
    show(result, as_json, result.pop("text"))
    if not result["ok"]:
        raise typer.Exit(1)


@app.command(epilog="Examples: ICTAL_HOME=/srv/ictal ictal init · ictal init --json")
def init(as_json: Json = False) -> None:
    """Make an empty workspace for real work: its own Git and DVC repository, ledger and keys. One that is there stays."""
    from flows.progress import on_terminal
    from flows.workspace import home, made_before, make_workspace

    if there := made_before(home()):
        text = f"a workspace is in {there.root} already: nothing was changed\nnext: ictal cohort import PATH"
        show({"workspace": str(there.root), "id": there.id}, as_json, text)
        return
    with on_terminal() as show_progress:
        show_progress("the workspace is made", 0, 0)
        made = make_workspace(home(), "real")
    result = {"workspace": str(made.root), "id": made.id}
    show(result, as_json, f"made a workspace in {made.root}\nnext: ictal cohort import PATH")


@app.command(
    epilog="Examples: ictal check night.edf · ictal check infant.mp4 --json · ictal check poses.csv --rate 25 · "
    "ictal check simulated"
)
def check(
    target: Annotated[
        str,
        typer.Argument(
            help="A recording (EDF, BDF), a film, a pose track, or the name of a cohort of the workspace.",
            autocompletion=completion.cohorts,
        ),
    ],
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="Frames per second of a pose track that keeps no times.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a recording, or every recording of a cohort; say what is wrong and with which one."""
    from flows.check import check_target

    result = check_target(target, rate)
    show(result, as_json, result.pop("text"))


@app.command(
    epilog="Examples: ictal predict baby.edf --age 3d · ictal predict baby.edf --age 3d --url http://127.0.0.1:8000 · "
    "ictal predict room.mp4 patient.mp4 --question semiology --age 34y · ictal predict infant.parquet --question spasms"
)
def predict(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE [FILE2]", help="A recording, a film (of two views) or a pose track.")
    ],
    question: Annotated[
        str,
        typer.Option(
            help="detection (where are seizures), or: typing, spasms, semiology, forecasting.",
            autocompletion=completion.tasks,
        ),
    ] = "detection",
    at: Annotated[
        str | None, typer.Option(help="The one stretch to name, ONSET,SECONDS; the whole recording unless given.")
    ] = None,
    age: Annotated[str | None, typer.Option(help="Age at recording: 3d, 2w, 5mo or 34y.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="Insist on this detector.", autocompletion=completion.detectors)
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(help="The site that asks; approvals are given per site.", autocompletion=completion.sites),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Ask a running service instead of answering here.")] = None,
    key: Annotated[str | None, typer.Option(envvar="ICTAL_KEY", help="The site's key for --url.")] = None,
    job: Annotated[bool, typer.Option("--job", help="With --url: leave it as a job, and wait for the answer.")] = False,
    as_json: Json = False,
) -> None:
    """Look for seizures in one recording with the approved detector, or, with --question, name its stretches."""
    from flows.predict import predict_file, predict_stretches

    if question != "detection":
        result = predict_stretches(
            files, question, age=age, detector=detector, site=site, at=at, url=url, key=key, job=job
        )  # fmt: skip
    elif len(files) > 1 or at:
        raise Refused("seizures are looked for in one whole recording: leave --at and the second file out")
    else:
        result = predict_file(files[0], age=age, detector=detector, site=site, url=url, key=key, job=job)
    show(result, as_json, result.pop("text"))


@app.command("detectors", epilog="Examples: ictal detectors · ictal detectors --json")
def list_detectors(as_json: Json = False) -> None:
    """List the detectors of the house."""
    from models import detectors

    rows = [detectors.facts(name) for name in detectors.names()]
    lines = [f"{r['name']:14} {r['task']:10} {r['modality']:6} {r['title']}: {r['intended_use']}" for r in rows]
    show(rows, as_json, "\n".join(lines))


@app.command(
    epilog="Examples: ictal train · ictal train line_length --json · ictal train --shuffle-labels · "
    "ictal train --all --runner dask · ictal train --all --runner dask --cluster tcp://10.0.0.5:8786"
)
def train(
    names: Detectors = None,
    all_: Annotated[bool, typer.Option("--all", help="All detectors, as where nobody is named.")] = False,
    preset: Annotated[str | None, typer.Option(help="demo or paper.")] = None,
    shuffle_labels: Annotated[
        bool | None,
        typer.Option(
            "--shuffle-labels/--true-labels",
            help="Null control: labels of somebody else, in params.yaml until --true-labels.",
        ),
    ] = None,
    runner: Annotated[str, typer.Option(help="threads, or dask: folds are dealt to a cluster's workers.")] = "threads",
    cluster: Annotated[
        str, typer.Option(help="Address of a Dask scheduler; workers on this machine unless given.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Split by patient and fit detectors on every fold; what did not change is not run again."""
    from flows.train import train_detectors

    if all_ and names:
        raise Refused(f"--all means every detector, and {', '.join(names)} was named: leave one of them out")
    result = train_detectors(names, preset, shuffle_labels, runner, cluster)
    show(result, as_json, result.pop("text"))


@app.command(
    epilog="Examples: ictal evaluate · ictal evaluate da_stnet --json · ictal evaluate da_stnet --regimes all · "
    "ictal evaluate da_stnet --on windows/ --research-override 'does anything transfer to a child?'"
)
def evaluate(
    names: Detectors = None,
    regimes: Annotated[
        str | None,
        typer.Option(
            help="Train and score under these too: patient, site, recording, gap, window, or all; kept in params.yaml."
        ),
    ] = None,
    on: Annotated[
        list[Path] | None,
        typer.Option(help="Score labelled windows instead: .npy files, or folders of them named as in windows.json."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="What the windows of --on are, as JSON; windows.json beside them unless given.")
    ] = None,
    research_override: Annotated[
        str | None, typer.Option(help="Why --on looks at what the detector is not meant for; stands in the ledger.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score the out-of-fold predictions of all patients and write the report.

    With --regimes, the Leakage Lab: the same detector and seed under splits from the honest to the leaky, side by side.
    With --on, one trained detector on a handful of labelled windows beside line length: never evidence.
    """
    from flows.evaluate import evaluate_detectors

    if on:
        from flows.evaluate_on import evaluate_on

        if not names or len(names) != 1 or regimes:
            raise Refused(f"--on asks one detector and no regimes, got {len(names or ())} detectors: name one")
        result = evaluate_on(names[0], on, labels, research_override)
    elif labels or research_override:
        raise Refused("--labels and --research-override belong to --on: name the windows with --on")
    else:
        result = evaluate_detectors(names, regimes)
    show(result, as_json, result.pop("text"))


@app.command(epilog="Examples: ictal ablate da_stnet · ictal ablate da_stnet --only no_reversal --only no_lstm --json")
def ablate(
    name: Annotated[
        str,
        typer.Argument(
            help="The detector whose declared parts are taken away one by one.", autocompletion=completion.detectors
        ),
    ],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Fit only this variant, beside the whole detector.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What each part of a detector is worth, with patients apart: same split, same seed, with the part and without it.

    What was fitted before is kept and not fitted again; a run that was stopped goes on where it stood.
    """
    from flows.ablate import ablate_detector

    result = ablate_detector(name, only)
    show(result, as_json, result.pop("text"))


@app.command(
    epilog="Examples: ictal rescore da_stnet · ictal rescore da_stnet --scorer szcore --set szcore.merge_gap_s=0"
)
def rescore(
    name: Annotated[
        str,
        typer.Argument(
            help="The detector whose kept predictions are scored again.", autocompletion=completion.detectors
        ),
    ],
    regime: Annotated[str, typer.Option(help="patient, site, recording, gap or window.")] = "patient",
    scorer: Annotated[list[str] | None, typer.Option(help="Only this scorer; all of them unless named.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Another limit, SCORER.LIMIT=NUMBER; then named as such.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run scorers again over kept predictions and compare with what was stated; a line goes to the ledger.

    Exit code 1 where equal predictions and equal code came to other figures.
    """
    from flows.rescore import rescore_predictions

    result = rescore_predictions(name, regime, scorer, setting)
    show(result, as_json, result.pop("text"))
    if result["broken"]:
        raise typer.Exit(1)


@app.command(epilog="Example: ictal oracle ~/data/helsinki/annotations_2017.mat")
def oracle(
    labels: Annotated[Path, typer.Argument(help="annotations_2017.mat, as published with the Helsinki recordings.")],
    as_json: Json = False,
) -> None:
    """What published labels score without any EEG under folds over windows; the report shows it beside the papers."""
    from flows.oracle import compute_oracle

    result = compute_oracle(labels)
    show(result, as_json, result.pop("text"))


@app.command(epilog="Examples: ictal holdout · ictal holdout da_stnet --reason 'before the first deployment'")
def holdout(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Open it for this detector; only tells its state unless named.", autocompletion=completion.detectors
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why now; stands in the ledger.")] = None,
    as_json: Json = False,
) -> None:
    """The locked hold-out: who is in it, how often it was opened, and, within its budget, open it."""
    from flows.holdout import ask_holdout

    result = ask_holdout(name, reason)
    show(result, as_json, result.pop("text"))


@app.command(epilog="Example: ictal candidates --json")
def candidates(
    propose: Annotated[
        bool, typer.Option("--propose", help="First propose the detector that did best inside.")
    ] = False,
    author: Annotated[
        str | None,
        typer.Option(
            help="Who made it, by their id under `ictal person list`; your login unless given.",
            autocompletion=completion.people,
        ),
    ] = None,
    task: Task = "detection",
    as_json: Json = False,
) -> None:
    """List the candidates: where they stand, gates that did not pass, and the terms and signatures of their approval."""
    from flows.promote import list_candidates, propose_candidate

    if propose:
        propose_candidate(author, task)
    elif author or task != "detection":
        raise Refused("--author and --for belong to --propose: without it the candidates of all tasks are listed")
    result = list_candidates()
    show(result["candidates"], as_json, result["text"])


@app.command(
    epilog="Examples: ictal bento ictal.bento --json · ictal bento ictal.bento    (then `podman build -t ictal .`, by the Containerfile)"
)
def bento(
    out: Annotated[Path, typer.Argument(help="The file to write, ….bento.")],
    as_json: Json = False,
) -> None:
    """Pack the service's code for another machine; the approved model stays in its workspace."""
    from flows.progress import on_terminal

    with on_terminal() as show_progress:
        show_progress("the service is packed", 0, 0)
        from serving.bento import build

        result = {"tag": build(out), "file": str(out)}
    show(result, as_json, f"{result['tag']} in {out}")


@app.command(epilog="Example: ictal serve --port 8000")
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve the approved detector on 127.0.0.1."""
    from flows.deploy import serve_here

    serve_here(port)


@app.command(epilog="Examples: ictal drift --json · ictal drift --calibrate")
def drift(
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure the rule itself on simulated months (minutes on all cores).")
    ] = False,
    runs: Annotated[int, typer.Option(min=20, max=10_000, help="With --calibrate: months of each kind.")] = 400,
    as_json: Json = False,
) -> None:
    """Compare each site's later recordings with its earlier ones, patient by patient, and write the reports.

    With --calibrate: how often the rule alarms without drift, and what it finds beside what it says. Exit code 1 where
    the figures break what is promised.
    """
    if calibrate:
        from flows.calibrate import calibrate_drift

        result = calibrate_drift(runs)
        show(result, as_json, result.pop("text"))
        raise typer.Exit(0 if result["kept"] else 1)
    from flows.watch import watch_sites

    result = watch_sites()
    show(result, as_json, result.pop("text"))


@app.command(
    epilog="Examples: ictal rehearse --site demo-north · ictal rehearse --site demo-north --patients 12 --json · "
    "ictal rehearse --site ward-7 --draws 400 --seed 3"
)
def rehearse(
    site: Annotated[str | None, typer.Option(help="The site; the first by name unless given.")] = None,
    patients: Annotated[
        int | None,
        typer.Option(min=1, help="Patients in a week; what the site sends, and at most 3/4 of those at hand."),
    ] = None,
    draws: Annotated[int, typer.Option(min=20, max=5000, help="Weeks drawn for each fault.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Seed of the draws; drift.seed of params.yaml unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Put faults into a site's held-out recordings: how surely is each found, by what, and after how many patients?

    Eleven faults: mains, gain, swapped electrodes, reference, resampled, clock, gap, infrared, frames, resolution, age. What
    the cohorts cannot show is told as not evaluable. The table is named in the evidence of what is deployed next.
    """
    from flows.rehearse import rehearse_site

    result = rehearse_site(site, patients, draws, seed)
    show(result, as_json, result.pop("text"))


@app.command(hidden=True)
def stage(
    name: Annotated[str, typer.Argument()],
    what: Annotated[list[str] | None, typer.Argument(help="Detector and regime.")] = None,
) -> None:
    """Run one stage of dvc.yaml in the workspace (what `dvc repro` calls)."""
    from data.processes import begin_alone

    begin_alone()
    from flows.stages import run
    from flows.workspace import MARKER, open_workspace

    here = Path.cwd()  # DVC starts stages in the workspace, whatever ICTAL_HOME says
    run(name, open_workspace(here if (here / MARKER).exists() else None), *(what or ()))
