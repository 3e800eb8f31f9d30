"""What was fitted is reused only where it is the same; the page and the command say what was found."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from data.cohorts.synthetic import SimulationSettings, simulate_cohort
from flows.ablation import detection, runs
from flows.ablation.runs import missing, study_of
from flows.stages.audits import members
from flows.stages.files import write_json
from flows.workspace import Workspace
from lineage.refused import Refused
from models import detectors
from models.ablations import FULL, Ablations, BadAblation, Variant, read_ablations
from tests.commands import ictal
from validation.ablation.attention import on_artefacts, on_foci
from validation.ablation.page import ablation_page, headline, lines
from validation.splits import draw_split

REPEATS = 2
TINY = {"epochs": 1, "windows_per_epoch": 128}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six simulated babies of two minutes, checked and divided in two folds: what `ictal ablate` starts from."""
    made = Workspace(tmp_path_factory.mktemp("ablation"))
    (made.root / "workspace.json").write_text('{"kind": "real"}')
    (made.root / "params.yaml").write_text("split: {folds: 2}\n")
    small = SimulationSettings(patients_per_site=3, minutes=2.0, surveillance_per_site=0, broken=0, transferred=0)
    simulated = simulate_cohort(made.raw / "simulated", small, workers=1)
    write_json(made.interim / "checks" / "accepted.json", [e.name for e in simulated.entries])
    split = draw_split("patient", members(made), folds=2, inner_share=0.25, seed=7)
    write_json(made.interim / "split.json", {"patient": split.to_json()})
    for folder in ("code", "tmp", "store", "reports"):
        (made.root / folder).mkdir()
    (made.root / "code" / "ablate.txt").write_text("code of today\n")
    return made


def variants(**changed: object) -> list[Variant]:
    numbers = {**detectors.params_of("da_stnet", "demo"), **TINY, **changed}
    document = {"ablations": {"no_reversal": {"meaning": "none", "params": {"reversal": False}}}, "scaling": [0.4]}
    return list(read_ablations("da_stnet", document, numbers).variants)


PROBES = {"identity": "no_reversal", "attention": True}


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def here(work, items, what, show, needs=()) -> list:
    """`flows.parallel.over` without worker processes."""
    show(what, 0, len(items))
    return [work(item) for item in items]


@pytest.fixture(scope="module")
def made(workspace: Workspace):
    """The three variants fitted on both folds, and how many fits each call made."""
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "over", here)
        patch.setattr(runs, "over", here)
        show = lambda what, done, total: told.append(what)  # noqa: E731
        study = study_of(workspace, "da_stnet", variants(), REPEATS)
        names = [v.name for v in variants()]
        scratch = workspace.root / "tmp" / "scratch"
        scratch.mkdir()
        counts = [detection.make_runs(study, [FULL, "no_reversal"], PROBES, scratch, show)]
        counts.append(detection.make_runs(study, names, PROBES, scratch, show))
        counts.append(detection.make_runs(study, names, PROBES, scratch, show))
        yield study, detection.result(study, PROBES, 11, 2000), counts, told


def test_what_was_fitted_is_kept_and_a_stopped_run_goes_on_where_it_stood(made) -> None:
    _, _, counts, told = made
    assert counts == [2 * 2 * REPEATS, 1 * 2 * REPEATS, 0]  # variants times folds times seeds; then nothing is missing
    assert set(told) == {"da_stnet: windows of recordings", "da_stnet: variants trained, fold by fold"}


def test_every_test_patient_is_predicted_second_by_second_by_every_variant(made, workspace: Workspace) -> None:
    study, found, _, _ = made
    assert list(found["variants"]) == [FULL, "no_reversal", "share_40"]
    for own in found["variants"].values():
        assert own["rests_on"]["persons"] == 9 and own["rests_on"]["coverage"] == pytest.approx(119 / 120)
        assert own["auc"]["draws"] == 2000 and own["auc"]["n"] == 9
    assert found["variants"][FULL]["change"] is None and found["variants"]["share_40"]["change"]["n"] == 9
    assert all(own["fits"] == len(own["auc"]["each_fit"]) == REPEATS for own in found["variants"].values())
    learnt = {v: [len(r.fold.train) for r in study.of(v)] for v in (FULL, "share_40")}
    assert all(few < many for few, many in zip(learnt["share_40"], learnt[FULL], strict=True))


def test_probes_looked_into_babies_learnt_from_and_never_seen_and_into_every_focus(made, workspace: Workspace) -> None:
    study, found, _, _ = made
    identity, attention = found["probes"]["identity"], found["probes"]["attention"]
    assert identity["variant"] == "no_reversal"
    assert set(identity["train"]["accuracy"]) == {FULL, "no_reversal", "input"}
    stated = sum(bool(e.channels) for own in study.truth.values() for e in own.events)
    assert attention["foci"]["seizures"] == stated > 0 and attention["foci"]["derivations"] == 18
    assert set(attention["artefacts"]) - {"scorer"} <= {"emg", "pop"} and len(attention["artefacts"]) > 1


def test_nothing_is_kept_that_could_be_registered(made, workspace: Workspace) -> None:
    kept = {p.name for p in (workspace.store / "ablations").rglob("*") if p.is_file()}
    assert kept == {"run.json", "windows.parquet", "train.npz", "test.npz", "attention.json"}
    assert not list((workspace.root / "tmp").glob("*.pt"))


def _other_numbers(workspace: Workspace) -> list[Variant]:
    return variants(lstm=8)


def _other_code(workspace: Workspace) -> list[Variant]:
    (workspace.root / "code" / "ablate.txt").write_text("code of tomorrow\n")
    return variants()


def _other_seed(workspace: Workspace) -> list[Variant]:
    (workspace.root / "params.yaml").write_text("split: {folds: 2}\ntrain: {seed: 8}\n")
    return variants()


def _other_marks(workspace: Workspace) -> list[Variant]:
    marked = [p for p in sorted(workspace.raw.glob("simulated/sub-*/eeg/*_events.tsv")) if "\tsz\t" in p.read_text()]
    marked[0].write_text(marked[0].read_text().replace("\tsz\t", "\tsz_foc\t"))
    return variants()


@pytest.mark.parametrize("meddle", [_other_numbers, _other_code, _other_seed, _other_marks])
def test_a_result_is_not_reused_once_anything_it_rests_on_has_changed(
    made, workspace: Workspace, tmp_path: Path, meddle
) -> None:
    copied = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copied.root)
    assert missing(study_of(copied, "da_stnet", variants(), REPEATS), [FULL]) == []
    assert len(missing(study_of(copied, "da_stnet", meddle(copied), REPEATS), [FULL])) == 2 * REPEATS


def test_a_result_under_anothers_name_is_not_taken_for_it(made, workspace: Workspace, tmp_path: Path) -> None:
    copied = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copied.root)
    study = study_of(copied, "da_stnet", variants(), REPEATS)
    whole, other = study.of(FULL)[0], study.of("share_40")[0]
    shutil.rmtree(whole.folder)
    shutil.copytree(other.folder, whole.folder)
    assert [(r.number, r.repeat) for r in missing(study, [FULL])] == [(0, 0)] and list(study.kept(FULL)) == [1]


def test_the_first_seed_of_every_variant_comes_before_the_second_of_any(workspace: Workspace) -> None:
    study = study_of(workspace, "da_stnet", variants(lstm=4), REPEATS)
    order = [r.repeat for r in missing(study, [v.name for v in variants()])]
    assert order == [0] * 6 + [1] * 6 and len({(r.number, r.seed) for r in study.runs}) == 2 * REPEATS


def test_a_variant_that_reads_other_windows_is_refused_before_anything_is_fitted(
    workspace: Workspace, tmp_path: Path
) -> None:
    whole, other = variants()[0], replace(variants()[0], name="other", params={**variants()[0].params, "stft_hop": 32})
    study = study_of(workspace, "da_stnet", [replace(whole, params={**whole.params, "lstm": 4}), other])
    with pytest.raises(BadAblation, match="other reads other windows"):
        detection.make_runs(study, ["other"], {}, tmp_path, lambda *_: None)


@pytest.fixture(scope="module")
def document(made) -> dict:
    from flows.ablate import _document

    study, found, _, _ = made
    planned = [*variants(), *[v for v in detectors.ablations_of("da_stnet", "demo").variants if v.name == "no_lstm"]]
    whole = _document(study, Ablations(tuple(planned), PROBES, REPEATS), found)
    return json.loads(json.dumps(whole, allow_nan=False, default=float))


def test_the_page_speaks_of_the_simulator_loads_nothing_and_holds_every_figure(document: dict) -> None:
    page = ablation_page(document)
    assert "these figures speak about the simulator" in page
    assert "<script" not in page and "src=" not in page and 'href="http' not in page
    for heading in (
        "What each part is worth",
        "More people to learn from",
        "Who is it?",
        "Where it looks",
        "How to read this",
    ):
        assert heading in page
    shown = document["variants"][1]["result"]["auc"]["estimate"]
    assert f"{shown:.3f}" in page and "not run" in page
    assert ablation_page(document) == page


def test_the_verb_writes_page_figures_and_one_line_in_the_ledger_for_each_that_differ(
    made, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import ablate
    from flows.records import open_ledger

    copied = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copied.root)
    monkeypatch.setattr(detectors, "ablations_of", lambda name, preset: Ablations(tuple(variants()), PROBES, REPEATS))
    monkeypatch.setattr(ablate, "run_stage", lambda home, stage: "skipped")
    monkeypatch.setattr(ablate, "refresh_code", lambda workspace: None)

    def run() -> tuple[dict, list]:
        said = ablate.ablate.fn(str(copied.root), "da_stnet")
        return said, list(open_ledger(copied).entries("evaluation.recorded"))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # cut off before the ledger
        patch.setattr(ablate, "_record", stop)
        run()
    said, entries = run()
    page = copied.reports / "ablation" / "da_stnet"
    written = json.loads(page.with_suffix(".json").read_text())
    assert said["runs_made"] == 0 and written["schema"] == "ictal.ablation/1" and page.with_suffix(".html").exists()
    assert [v["name"] for v in written["variants"]] == [FULL, "no_reversal", "share_40"]
    payload = open_ledger(copied).payload(entries[0].payload_digest)
    assert payload and payload["figures"][FULL] == written["variants"][0]["result"]["auc"]["estimate"]
    assert len(entries) == len(run()[1]) == 1  # the same again is no new evidence
    (copied.root / "params.yaml").write_text("split: {folds: 2}\nevaluate: {seed: 12}\n")
    assert len(run()[1]) == 2


def test_a_difference_is_named_in_the_verdict_only_where_its_interval_excludes_zero(document: dict) -> None:
    def said(low: float, high: float) -> str:
        changed = json.loads(json.dumps(document))
        changed["variants"][1]["result"]["change"] |= {"estimate": (low + high) / 2, "low": low, "high": high}
        return headline(changed).sentence

    assert "changes with no_reversal" in said(-0.05, -0.01) and "changes with no_reversal" in said(0.01, 0.05)
    assert "no part that was taken away makes a difference that can be seen" in said(-0.05, 0.01)


def test_the_printed_table_names_every_variant_even_one_that_was_not_run(document: dict) -> None:
    text = "\n".join(lines(document))
    assert all(v["name"] in text for v in document["variants"]) and "not run" in text
    assert "speak about the simulator" in text and "Attention:" in text


def test_the_page_of_a_cohort_without_foci_says_so(document: dict) -> None:
    bare = json.loads(json.dumps(document))
    bare["probes"]["attention"] = {"foci": on_foci([], 0), "artefacts": on_artefacts([], 0)}
    bare["probes"]["identity"] = {"not_evaluable": "no_reversal was not run", "variant": "no_reversal"}
    bare["simulated"] = False
    page = ablation_page(bare)
    assert "not evaluable, no seizure states its derivations" in page and "no_reversal was not run" in page
    assert "speak about the simulator" not in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["line_length"], "line_length declares nothing to take away"),
        (["da_stnett"], "did you mean da_stnet"),
        (["da_stnet", "--only", "no_lstmm"], "did you mean no_lstm"),
    ],
)
def test_what_cannot_be_ablated_is_refused_in_one_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(workspace.root))
    said = ictal("ablate", *arguments)
    assert said.code == 2 and says in said.err and not said.out


def test_a_task_that_nothing_scores_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import ablate

    monkeypatch.setenv("ICTAL_HOME", str(workspace.root))
    monkeypatch.setattr(ablate, "TASKS", {"typing": "nowhere"})
    with pytest.raises(Refused, match="variants are scored of detectors for typing, da_stnet is one for detection"):
        ablate.ablate_detector("da_stnet", None)


def test_the_help_has_an_example() -> None:
    assert "Example" in ictal("ablate", "--help").out


def test_a_run_is_plain_enough_to_be_handed_to_another_process(made) -> None:
    study = made[0]
    assert pickle.loads(pickle.dumps(study.runs[0])) == study.runs[0]
