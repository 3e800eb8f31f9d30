"""Is it still true? Each site's later recordings against its earlier ones, patient by patient."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows import engine, records
from flows.alarms import announce
from flows.answered import watch_answers
from flows.engine import NO_CACHE, flow, task
from flows.history import reports_by_month, reports_by_week, weeks_of
from flows.parallel import over
from flows.progress import shown
from flows.stages.files import accepted, fresh, has_accepted, read_json, write_json
from flows.watching import answers_of, checked_of, checked_table, features_of_checks, features_of_recording
from flows.workspace import TASKS, Workspace, open_workspace
from lineage.digest import Digest, digest_of, sha256_file
from lineage.entries import Entry
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from monitoring.acquisition import Checked
from monitoring.causes import named
from monitoring.features import FEATURES, SERVED_FEATURES, WATCHED
from monitoring.findings import DriftReport, DriftSettings
from monitoring.persistence import alarms_to_train_for, ended, persistence
from monitoring.report import summary_page
from monitoring.showing import SitePage, site_pages, write_site_page
from monitoring.tables import models_of, patient_table
from validation.pages import write_page

EARLIER, LATER = "development", "surveillance"
"""Periods of a cohort that are compared."""

SIGNAL = tuple(name for name, feature in FEATURES.items() if feature.group != "answers")
"""Watched here: the signal. Answers of two periods can be compared once one model has answered in both."""

SHOWN = 12
"""Digits of a model's digest by which pages and lines about its answers are called."""

WORKERS_NEED = ("evidently.presets",)
"""Imported once for all workers: those that measure come from the same server as those that write pages."""


@flow(name="watch")
def watch(home: str) -> dict[str, Any]:
    """Compare every site week by week, write the pages, put each alarm into the ledger: recordings of every task that has
    later ones and, month by month, what a service answered; and what was learnt of those answers since."""
    workspace = open_workspace(Path(home))
    judged = watch_answers(workspace, records.open_ledger(workspace))
    found = [_watch_recordings(workspace.of(task), judged) for task in watched_tasks(workspace)]
    answers = _watch_answers(workspace)
    return {**found[0], "tasks": {one["task"]: one for one in found}, "answers": {**answers, "weeks": judged["weeks"]}}


def watched_tasks(workspace: Workspace) -> list[str]:
    """The tasks with checked recordings of a later period, detection first; refuses where there is none. A cohort of which
    the checks let nothing through, since it was blocked, is none."""
    passed = [task for task in workspace.tasks if has_accepted(workspace.of(task))]
    found = [task for task in passed if checked_of(workspace.of(task), LATER)]
    if not found:
        raise Refused(
            f"no cohort that its checks let through has recordings of the period {LATER!r}: nothing to compare"
        )
    return found


def settings_of(workspace: Workspace) -> DriftSettings:
    """What is watched of the workspace's task, and how an alarm is decided."""
    watched = SIGNAL if workspace.modality == "eeg" else tuple(WATCHED[workspace.modality])
    return DriftSettings(features=watched, draws=workspace.params.drift.draws)


def _watch_recordings(workspace: Workspace, judged: dict[str, Any]) -> dict[str, Any]:
    home, ledger = str(workspace.root), records.open_ledger(workspace)
    came = checked_of(workspace, LATER)
    weeks = weeks_of(ledger, [entry for entry, _ in came])
    later = checked_table(came)
    checked = Checked(checked_table(checked_of(workspace, EARLIER)), later.assign(week=later["recording"].map(weeks)))
    reference = features_of(home, EARLIER, workspace.task)
    some = any(not refused for _, refused in came)
    current = features_of(home, LATER, workspace.task) if some else reference.iloc[:0]
    current = current.assign(week=current["recording"].map(weeks))
    history = reports_by_week(workspace, reference, current, settings_of(workspace), checked)
    if not history:
        raise Refused(
            "the ledger knows of none of the later recordings, so that nothing tells when they came: `ictal check`"
        )
    write_pages(workspace, history, reference, current, judged if workspace.task == "detection" else None)
    found = {"task": workspace.task, **_in_values(history)}
    _record(workspace, history)
    announce(workspace, found, _confirmed(workspace.task, history))
    return found


def _watch_answers(workspace: Workspace) -> dict[str, Any]:
    """Each month's answers beside those of the months before; of every question and every model for itself: another model
    answers otherwise although nothing changed at the sites."""
    table = answers_of(records.open_ledger(workspace))
    if table.empty:
        return {"recordings": 0}
    out, drift = workspace.reports / "drift", workspace.params.drift
    out.mkdir(parents=True, exist_ok=True)
    table.to_parquet(out / "served.parquet")
    patient_table(table, SERVED_FEATURES).to_parquet(out / "served_patients.parquet")
    settings, found = DriftSettings(features=tuple(SERVED_FEATURES), draws=drift.draws), {}
    uncompared: dict[str, dict[str, str]] = {}
    for question, asked in table.groupby("question"):
        uncompared[str(question)] = _uncompared(asked)
        for model, own in models_of(asked):
            history = reports_by_month(workspace, str(question), model, own, settings)
            if history:
                page = summary_page(history, uncompared=uncompared[str(question)], simulated=workspace.is_demo)
                write_page(out / f"answers-{question}-{model[:SHOWN] or 'no-model'}.html", page)
                asked_of = f"{question} by {model[:SHOWN] or 'no model'}"
                found[asked_of] = _in_values(history)
                _record(workspace, history, f"answers to {asked_of}")
    months = sorted(table["period"].unique())
    return {"recordings": len(table), "months": months, "questions": found, "uncompared": uncompared}


def _uncompared(asked: pd.DataFrame) -> dict[str, str]:
    """Sites whose answers of the last month are of a model that had answered nobody before, and so are compared with none."""
    last = asked["period"].max()
    new: dict[str, str] = {}
    for model, own in models_of(asked):
        if own["period"].min() == last:
            why = f"{f'model {model[:SHOWN]}' if model else 'no model'} has answered in no month before {last}"
            new |= dict.fromkeys(sorted(own["site"].unique()), why)
    return new


@task(cache_policy=NO_CACHE, task_run_name="features:{period}")
def features_of(home: str, period: str, task: str = "detection") -> pd.DataFrame:
    """One row per recording of a period: of EEG from the front end that the detectors read, of films and poses from
    what the checks measured.

    Refused where no recording of the period was accepted.
    """
    workspace = open_workspace(Path(home)).of(task)
    facts = pd.read_parquet(workspace.interim / "checks" / "facts.parquet")
    entries = accepted(workspace, period)
    if not entries:
        raise Refused(f"there is no accepted recording of the period {period!r}: nothing to compare")
    if workspace.modality != "eeg":
        return features_of_checks(workspace, entries)
    work = [(e, facts[facts["recording"] == e.name]) for e in entries]
    rows = over(features_of_recording, work, f"features of {period}", shown(), WORKERS_NEED)
    return pd.concat(rows, ignore_index=True)


def write_pages(
    workspace: Workspace,
    history: Sequence[DriftReport],
    reference: pd.DataFrame,
    current: pd.DataFrame,
    answers: dict[str, Any] | None,
) -> None:
    """Our page first, Evidently's pages of each site and week behind it, and the tables of the last week."""
    out, last = workspace.reports / "drift", history[-1].period
    out.mkdir(parents=True, exist_ok=True)
    reference.to_parquet(out / "reference.parquet")
    current[current["week"] == last].to_parquet(out / "current.parquet")
    both = pd.concat([reference, current], ignore_index=True)
    patient_table(both, history[-1].settings.features).to_parquet(out / "patients.parquet")
    write_json(out / "drift.json", _in_values(history))
    if answers is not None:
        write_json(out / "answers.json", answers)
    shown = tuple(WATCHED[workspace.modality])
    simulated = (workspace.cohort / "sourcedata" / "draws.json").exists()
    for week in (report.period for report in history):
        own = current[current["week"] == week]
        pages = site_pages(reference, own, shown, simulated)
        _write_site_pages(out / week, pages, digest_of(sorted(own["recording"])), week == last)
    tables = {"reference": sha256_file(out / "reference.parquet"), "current": sha256_file(out / "current.parquet")}
    page = summary_page(history, _links(out, history), answers=answers, simulated=simulated, provenance=tables)
    write_page(out / "index.html", page)


def _write_site_pages(folder: Path, pages: Sequence[SitePage], of: Digest, is_last: bool) -> None:
    """Evidently's page of every site of a week; of one that is over only where its recordings (`of`) are others than then,
    as after somebody withdrew their consent."""
    made = folder / "sites.json"
    if not is_last and made.exists() and read_json(made)["of"] == of:
        return
    fresh(folder)
    over(write_site_page, [(page, folder) for page in pages], "pages of sites", shown(), WORKERS_NEED)
    write_json(made, {"of": of, "pages": {page.site: page.file for page in pages}})


def _links(out: Path, history: Sequence[DriftReport]) -> dict[str, str]:
    """Evidently's pages, the last week's first."""
    links = {}
    for week in (report.period for report in reversed(history)):
        for site, file in read_json(out / week / "sites.json")["pages"].items():
            links[f"{site}, {week}"] = f"{week}/{file}"
    return links


def watch_sites() -> dict[str, Any]:
    """`ictal drift`: how each site stands, by task and by what it was answered, as JSON values with `text`. Refused
    where nothing was checked, and where no cohort has recordings of a later period."""
    workspace = open_workspace()
    if not any((workspace.of(task).interim / "checks" / "facts.parquet").exists() for task in TASKS):
        raise Refused("no recording has been checked here: run `ictal check` with the name of the cohort first")
    found: dict[str, Any] = engine.run_flow(watch, home=str(workspace.root))
    lines = [_line(site) for site in found["sites"]]
    for name, one in list(found["tasks"].items())[1:]:
        lines += [f"{name}: {_line(site)}" for site in one["sites"]]
    for question, one in found["answers"].get("questions", {}).items():
        lines += [f"answers to {question} in {one['period']}: {_line(site)}" for site in one["sites"]]
    for question, sites in found["answers"].get("uncompared", {}).items():
        lines += [f"answers to {question}: {site} is not compared: {why}" for site, why in sites.items()]
    weeks = found["answers"]["weeks"]
    judged = sum(row["measured"]["recordings"] for row in weeks)
    lines.append(f"answers of the last quarter: {sum(row['answers'] for row in weeks)}, of which {judged} are judged")
    return {**found, "text": "\n".join([*lines, f"page: {workspace.reports / 'drift' / 'index.html'}"])}


def _line(site: dict[str, Any]) -> str:
    causes = f": {', '.join(site['causes'])}" if site["causes"] else ""
    since = f" (since {site['since']}, {site['told']})" if site["since"] else ""
    return f"{site['site']}: {site['state']}{causes}{since}"


def _in_values(history: Sequence[DriftReport]) -> dict[str, Any]:
    """The last report as plain JSON, with since when each alarm lasts."""
    report = history[-1]
    lasting = {s.site: persistence(history, s.site) for s in report.sites}
    sites: list[dict[str, Any]] = [
        {
            "site": s.site,
            "state": s.state,
            "since": lasting[s.site].since,
            "confirmed": lasting[s.site].confirmed,
            "doubt": lasting[s.site].doubt,
            "told": lasting[s.site].told,
            "patients": s.patients,
            "reference_patients": s.reference_patients,
            "causes": [c.name for c in named(s)],
            "shifts": {shift.feature: round(shift.effect_sd, 3) for shift in s.alarms},
            "power": s.power,
            "detectable_sd": s.detectable_sd if np.isfinite(s.detectable_sd) else None,
        }
        for s in report.sites
    ]
    changed = [f"{s['site']} ({', '.join(s['causes']) or 'no single cause'})" for s in sites if s["state"] == "alarm"]
    headline = "changed: " + "; ".join(changed) if changed else "no site changed"
    return {"period": report.period, "headline": headline, "alarmed": list(report.alarmed), "sites": sites}


def _record(workspace: Workspace, history: Sequence[DriftReport], what: str = "") -> list[Entry]:
    """What the ledger lacks of every period in `history`: each site's alarm, with why no retraining was begun where none
    was, and the end of one that is steady again. Each once, however often the period is judged."""
    ledger = records.open_ledger(workspace)
    drafts = [line for n in range(len(history)) for line in _lines(workspace.task, history[: n + 1], what)]
    said = ledger.entries(("drift.alarm", "retrain.skipped", "drift.closed"))
    known = {(line.type, subject.digest) for line in said for subject in line.subjects}
    return ledger.append_many([d for d in drafts if (d.type, d.subjects[0].digest) not in known])


def _lines(task: str, history: Sequence[DriftReport], what: str) -> list[Draft]:
    """What there is to say of the last period. Answers (`what`) start no retraining, so that none of theirs is left out."""
    period = history[-1].period
    drafts = []
    for site in history[-1].alarmed:
        alarm, untrained = _alarm(task, site, period, what), persistence(history, site).untrained
        drafts.append(Draft("drift.alarm", records.PIPELINE, (alarm,), _where(site, period, what)))
        if untrained and not what:
            retraining = Subject("retraining", f"drift at {site}", alarm.digest)
            drafts.append(Draft("retrain.skipped", records.PIPELINE, (retraining,), untrained))
    for site in ended(history):
        end = Subject("drift", site, digest_of([_alarm(task, site, period, what).digest, "closed"]))
        drafts.append(Draft("drift.closed", records.PIPELINE, (end,), _where(site, period, what)))
    return drafts


def _confirmed(task: str, history: Sequence[DriftReport]) -> list[Subject]:
    """The alarms that a retraining may be begun for, as the ledger calls them."""
    return [_alarm(task, site, period) for site, period in sorted(alarms_to_train_for(history).items())]


def _alarm(task: str, site: str, period: str, what: str = "") -> Subject:
    """An alarm, called by what it is of: whatever else comes in the same period, it is the same alarm."""
    return Subject("drift", site, digest_of([task, what, site, period]))


def _where(site: str, period: str, what: str) -> str:
    return f"at {site}, {period}" + f": {what}" * bool(what)
