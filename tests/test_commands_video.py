"""The commands around the detectors of poses and films: what is measured is kept, what cannot be is refused in a sentence."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.cohorts.bids import Cohort
from data.cohorts.synthetic_infants import InfantSettings, simulate_infants
from data.events import Annotations, Event
from data.readers.opening import modality_of
from data.readers.pose import read_pose, write_parquet
from data.readers.video import read_film, read_frames
from data.readers.video_writer import write_video
from flows import estimator, export, grid, study
from flows.ablation import runs, spasms
from flows.ablation.runs import missing, study_of
from flows.estimator import Lessons, train_estimator
from flows.records import open_ledger
from flows.stages.audits import members
from flows.stages.files import write_json
from flows.workspace import Workspace
from models import detectors
from models.ablations import FULL, read_ablations
from models.detectors.gestures.grid import Cell, grid_params
from models.typing import build_typing
from serving.naming import estimator_of
from tests.commands import ictal
from tests.infants import infant
from tests.served import people_and_keys
from tests.served_poses import put_spasms_in_force
from tests.test_ablation_runs import here
from tests.test_forecast_study import QUICK, SETTINGS, clips
from tests.test_video import ONE_WAY, other_container, spoilt
from validation.ablation.page import ablation_page, lines
from validation.splits import Member, draw_split

QUIETLY = lambda *_: None  # noqa: E731


@pytest.mark.parametrize("command", ["grid", "study", "lab", "estimator train", "estimator install", "export pose"])
def test_every_command_says_how_it_is_used(command: str) -> None:
    said = ictal(*command.split(), "--help")
    assert said.code == 0 and "Example" in said.out


def bare(root: Path) -> Workspace:
    """A workspace without a repository: enough for what reads and writes files."""
    made = Workspace(root)
    (root / "workspace.json").write_text('{"kind": "real"}')
    (root / "params.yaml").write_text("split: {folds: 2}\n")
    for folder in ("code", "tmp", "store", "reports", "ledger"):
        (root / folder).mkdir(parents=True)
    for stage in ("ablate", "train_types", "evaluate_types"):
        (root / "code" / f"{stage}.txt").write_text("code of today\n")
    return made


@pytest.fixture(scope="module")
def infants(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six simulated infants of one minute, checked and divided in two folds."""
    made = bare(tmp_path_factory.mktemp("infants")).of("spasms")
    small = InfantSettings(patients_per_site=3, phone_patients=0, minutes=1.0, broken=0, filmed=0, unposed=0)
    simulated = simulate_infants(made.cohort, small, workers=1)
    write_json(made.interim / "checks" / "accepted.json", [e.name for e in simulated.entries])
    split = draw_split("patient", members(made), folds=2, inner_share=0.25, seed=7)
    write_json(made.interim / "split.json", {"patient": split.to_json()})
    return made


@pytest.fixture
def at_infants(infants: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ICTAL_HOME", str(infants.root))
    return infants


# The grid.


def film_seizures(folder: Path, count: int, width: int, positions: int) -> tuple[list[Any], dict[str, Annotations]]:
    """Features of seizures that lie ready, two views each; the last is seen by no view. FBTCS are brighter at their end."""
    rng, entries, truth = np.random.default_rng(0), [], {}
    rising = np.linspace(-2, 2, positions)[None, :, None]
    for number in range(count):
        name, label = f"rec-{number}", number % 2
        person = f"p{number // 2}"
        entries.append(
            SimpleNamespace(name=name, patient=person, person=person, site="north" if number % 4 else "south")
        )
        kind = "sz_foc_f2b_tc" if label else "sz_foc_ia_m"
        truth[name] = Annotations((Event(0.0, 15.0, kind),), 15.0)
        x = rng.normal(0, 1, (2, positions, width + 1)).astype(np.float32)
        x[:, :, :8] += (1 if label else -1) * rising
        if number < count - 1:
            who = {"recording": np.full(2, name), "patient": np.full(2, person), "window_s": np.array(0.5)}
            marks = {"label": np.full(2, label, np.int8), "event": np.zeros(2, int)}
            np.save(folder / f"{name}.x.npy", x)
            np.savez(folder / f"{name}.npz", onset_s=np.zeros(2), **who, **marks)
    return entries, truth


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> grid.Plan:
    """Two cells on features of sixteen seizures, and two splits of them."""
    workspace = bare(tmp_path / "home" if (tmp_path / "home").mkdir() is None else tmp_path).of("semiology")
    cells = (Cell("mean", 2, 1.0), Cell("blstm", 2, inf))
    params = grid_params({**detectors.params_of("gestures", "demo"), "epochs": 1, "random_beside": False}, cells)
    detector = build_typing("gestures", params)
    ready = tmp_path / "ready"
    ready.mkdir()
    entries, truth = film_seizures(ready, 16, detector.stcnn.width, detector.grid.positions)  # type: ignore[attr-defined]
    listed = [Member(e.name, e.patient, e.person, e.site, True) for e in entries]
    drawn = {r: draw_split(r, listed, folds=2, inner_share=0.25, seed=7) for r in ("patient", "seizure")}
    refused = {"site": {"refused": "there are too few sites"}}
    write_json(workspace.interim / "split.json", {r: s.to_json() for r, s in drawn.items()} | refused)

    def lying_ready(name: str, params: Any, pretrained: Any, marked: Any, folder: Path, show: Any) -> dict[str, int]:
        for file in ready.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return {e.name: 2 for e in entries[:-1]}

    monkeypatch.setattr(grid, "write_clips", lying_ready)
    monkeypatch.setattr(grid, "over", here)
    monkeypatch.setenv("ICTAL_FEATURES", "")
    about = {"preset": "demo", "seed": 7, "dataset": "d" * 64, "seen_by": "e" * 64, "code": "c" * 64}
    return grid.Plan(workspace, detector, None, cells, entries, truth, about)


def test_every_cell_answers_every_seizure_of_people_it_did_not_learn_from(plan: grid.Plan) -> None:
    asked = {r: grid.split_of(plan.workspace, r) for r in ("patient", "seizure")}
    tables = grid._answered(plan, asked)
    for table in tables.values():
        assert len(table) == 16 * 2 and set(table["variant"]) == {c.name for c in plan.cells}
        silent = table[table["recording"] == "rec-15"]
        assert (silent["code"] == "view_lost").all() and silent["FOS"].isna().all()
    tested = {name: k for k, fold in enumerate(asked["patient"].folds) for name in fold.test}
    told = tables["patient"][tables["patient"]["code"] == ""]
    assert (told["fold"] == told["recording"].map(tested)).all()


def test_a_grid_that_is_run_again_fits_nothing_and_adds_no_line(
    plan: grid.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {r: grid.split_of(plan.workspace, r) for r in ("patient", "seizure")}
    document = grid._document(plan, asked, grid._answered(plan, asked), {})
    monkeypatch.setattr(grid, "_fitted", lambda job: pytest.fail("what was fitted is kept"))
    again = grid._document(plan, asked, grid._answered(plan, asked), {})
    assert again == document and document["not_evaluable"] == {}
    assert [c["name"] for c in document["regimes"]["patient"]["cells"]] == [c.name for c in plan.cells]
    path = plan.workspace.reports / "grid" / "gestures.json"
    for _ in range(2):
        write_json(path, document)
        grid._record(plan.workspace, "gestures", document, {})
    assert len(open_ledger(plan.workspace).entries("evaluation.recorded")) == 1
    assert "BLSTM" in grid._page(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sta_gunet"], "sta_gunet has no grid"),
        (["gestures", "--cells", "13"], "--cells is 12 or all"),
        (["gestures", "--regimes", "window"], "no regime 'window'"),
        (["gestures"], "no cohort of semiology has been checked"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(at_infants: Workspace, arguments: list[str], says: str) -> None:
    said = ictal("grid", *arguments)
    assert said.code == 2 and says in said.err and not said.out


# The study of the forecaster.


@pytest.fixture
def studied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose films lie ready as clips, in which one strength of the cue after the other can be had."""
    made = bare(tmp_path).of("forecasting")
    plan = study.Plan(made, Cohort(made.cohort, ()), QUICK, SETTINGS, {})
    monkeypatch.setattr(study, "_plan", lambda *_: plan)
    monkeypatch.setattr(study, "clips_of", lambda cohort, params: clips())
    for name in ("refresh_code", "keep"):
        monkeypatch.setattr(study, name, QUIETLY)
    monkeypatch.setattr(study.records, "refuse_freed", QUIETLY)
    return made


def test_a_part_whose_inputs_did_not_change_is_not_measured_again(studied: Workspace) -> None:
    def run() -> dict[str, Any]:
        found: dict[str, Any] = study.study.fn(str(studied.root), {}, ["few_shot", "controls"], False)
        return found

    first = run()
    assert first["made"] == ["few_shot"] and "no simulated one" in first["skipped"]["controls"]
    assert set(first["parts"]) == {"few_shot"} and first["parts"]["few_shot"]["methods"]
    assert run()["made"] == [] and len(open_ledger(studied).entries("evaluation.recorded")) == 1
    text = "\n".join(study.lines(first, studied))
    assert "frozen, both species, 2 shots" in text and "ictal evaluate forecaster" in text
    (studied.root / "code" / "train_types.txt").write_text("code of tomorrow\n")
    later = study.study.fn(str(studied.root), {}, ["controls"], False)
    assert later["older"] == ["few_shot"] and "in other circumstances" in "\n".join(study.lines(later, studied))
    assert run()["made"] == ["few_shot"]


def test_people_that_are_too_few_for_the_shots_are_refused() -> None:
    with pytest.raises(study.Refused, match="bring in a larger cohort"):
        study._enough(clips(), replace(SETTINGS, shots=(40,)))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gestures"], "there is no study of gestures"),
        (["forecaster", "--only", "fewshot"], "parts are few_shot, compositions, controls"),
        (["forecaster"], "no cohort of forecasting has been checked"),
    ],
)
def test_a_study_that_cannot_be_is_refused(at_infants: Workspace, arguments: list[str], says: str) -> None:
    said = ictal("study", *arguments)
    assert said.code == 2 and says in said.err and not said.out


# What each part of STA-GUNet is worth.


def test_every_part_taken_away_is_paired_with_the_whole_and_kept(
    infants: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.ablate import _document
    from models.ablations import Ablations

    for module in (spasms, runs):
        monkeypatch.setattr(module, "over", here, raising=False)
    monkeypatch.setattr("flows.clips.over", here)
    quick = {**detectors.params_of("sta_gunet", "demo"), "epochs": 1, "windows_per_epoch": 16}
    declared = {"ablations": {"no_graph": {"meaning": "no skeleton", "params": {"graph": False}}}}
    variants = list(read_ablations("sta_gunet", declared, quick).variants)
    of = study_of(infants, "sta_gunet", variants)
    names = [v.name for v in variants]
    assert [spasms.make_runs(of, names, {}, tmp_path, QUIETLY) for _ in range(2)] == [2 * 2, 0]
    assert missing(of, names) == []
    found = spasms.result(of, {}, 11, 2000)
    whole, changed = found["variants"][FULL], found["variants"]["no_graph"]
    assert whole["rests_on"]["persons"] == 6 and whole["change"] is None and changed["change"]["n"] == 6
    assert changed["change"]["estimate"] == pytest.approx(changed["auroc"]["estimate"] - whole["auroc"]["estimate"])
    assert found["study"]["meanings"] == {"no_graph": "no skeleton"}
    assert set(found["study"]["result"]["differences"]) >= {"no_graph"}
    document = _document(of, Ablations(tuple(variants), {}), found)
    document = json.loads(json.dumps(document, default=float, allow_nan=False))
    assert "AUROC of clips" in ablation_page(document) and "no_graph" in "\n".join(lines(document))


def test_a_variant_that_cuts_other_clips_is_refused(infants: Workspace, tmp_path: Path) -> None:
    quick = detectors.params_of("sta_gunet", "demo")
    declared = {"ablations": {"longer": {"meaning": "10 s", "params": {"window_s": 10.0}}}}
    variants = list(read_ablations("sta_gunet", declared, quick).variants)
    with pytest.raises(spasms.BadAblation, match="longer reads other clips"):
        spasms.make_runs(study_of(infants, "sta_gunet", variants), ["longer"], {}, tmp_path, QUIETLY)


# A pose estimator for the workspace.


def test_an_estimator_is_taught_taken_and_never_exchanged_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    one = bare(tmp_path / "one")
    monkeypatch.setenv("ICTAL_HOME", str(one.root))
    few = Lessons(infants=2, tested=1, frames=6, steps=3)
    made = train_estimator(0, False, few)
    assert estimator_of(one.root) is not None and made["off_by_torsos"]["infants"] == 1
    assert [p.name for p in sorted(one.store.iterdir())] == ["pose_estimator.json", "pose_estimator.onnx"]
    with pytest.raises(estimator.Refused, match="say --replace"):
        train_estimator(0, False, few)
    (tmp_path / "two").mkdir()
    two = bare(tmp_path / "two")
    monkeypatch.setenv("ICTAL_HOME", str(two.root))
    said = ictal("estimator", "install", one.store / "pose_estimator.onnx", "--json")
    assert said.code == 0 and said.json["sha256"] == made["sha256"] and estimator_of(two.root) is not None
    assert len(open_ledger(two).entries("validation.passed", said.json["sha256"])) == 1
    (tmp_path / "no.onnx").write_bytes(b"no model")
    refused = ictal("estimator", "install", tmp_path / "no.onnx", "--replace")
    assert refused.code == 2 and "description" in refused.err and estimator_of(two.root) is not None


# Stretches that are named.


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--question", "dreams"], "questions are detection, typing, spasms, semiology, forecasting"),
        (["--question", "spasms", "--at", "soon"], "--at is onset and duration in seconds"),
        (["--question", "spasms"], "name the site that asks with --site"),
        (["--question", "spasms", "--site", "a"], "ictal candidates --propose --for spasms"),
        (["--at", "1,2"], "seizures are looked for in one whole recording"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(at_infants: Workspace, options: list[str], says: str) -> None:
    track = next(at_infants.cohort.rglob("*_pose.parquet"))
    said = ictal("predict", track, *options)
    assert said.code == 2 and says in said.err and not said.out


def test_a_film_of_another_run_is_not_taken_for_a_second_view(at_infants: Workspace, tmp_path: Path) -> None:
    films = [tmp_path / f"sub-01_run-{run}_view-{view}_video.mp4" for run, view in ((1, "large"), (2, "small"))]
    for film in films:
        film.write_bytes(b"0")
    said = ictal("predict", *films, "--question", "semiology", "--site", "a")
    assert said.code == 2 and "they differ in run, view: ask about each recording by itself" in said.err
    assert "sub-01" not in said.err


@pytest.fixture
def approved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A demo workspace in which the floor of spasms is in force, fitted on two infants of our own."""
    made, now = bare(tmp_path), datetime.now(UTC)
    (made.root / "workspace.json").write_text('{"kind": "demo"}')
    people_and_keys(made.root, now)
    put_spasms_in_force(made.root, now)
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    return made


def test_every_clip_of_a_pose_track_is_named_by_the_model_in_force(approved: Workspace, tmp_path: Path) -> None:
    track, _ = infant(7, 60.0, 4)
    write_parquet(track, tmp_path / "infant.parquet")
    said = ictal("predict", tmp_path / "infant.parquet", "--question", "spasms", "--age", "5mo", "--json")
    assert said.code == 0 and said.json["outcome"] == "completed", said.err
    assert len(said.json["stretches"]) == 12 and said.json["model"]["name"] == "joint_speed"
    assert all(sum(one["probabilities"].values()) == pytest.approx(1) for one in said.json["stretches"])
    text = ictal("predict", tmp_path / "infant.parquet", "--question", "spasms", "--age", "5mo", "--at", "5,5").out
    assert "1 stretch:" in text and "probability" in text and "model joint_speed" in text
    other = ictal("predict", tmp_path / "infant.parquet", "--question", "spasms", "--detector", "sta_gunet")
    assert other.code == 2 and "sta_gunet is not the approved model" in other.err
    issued = open_ledger(approved).entries("prediction.issued")
    assert len(issued) == 2


def test_a_film_without_a_pose_estimator_ends_not_evaluable(approved: Workspace, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(60, 200, (90, 64, 64), np.uint8)
    write_video(tmp_path / "infant.mp4", pictures, rate_hz=15.0)
    said = ictal("predict", tmp_path / "infant.mp4", "--question", "spasms", "--age", "5mo")
    assert said.code == 0 and "not_evaluable (no_pose_estimator)" in said.out


def test_stretches_are_listed_with_name_and_probability() -> None:
    from flows.predict import _stretches_in_words

    named = {"name": "spasm", "probabilities": {"other": 0.1, "spasm": 0.9}, "code": None, "reason": None}
    rest = {**named, "name": "other", "probabilities": {"other": 0.8, "spasm": 0.2}}
    silent = {"name": None, "probabilities": {}, "code": "no_person", "reason": "nobody was seen"}
    kinds = [rest] * 50 + [named, silent]
    stretches = [{"onset_s": 5.0 * n, "duration_s": 5.0, **one} for n, one in enumerate(kinds)]
    said = {"outcome": "completed_with_abstentions", "code": None, "reason": None, "model": None, "prediction_id": "1"}
    text = _stretches_in_words({**said, "stretches": stretches})
    assert "52 stretches: 1 no answer, 50 other, 1 spasm" in text
    assert "250.0 s     5.0 s  spasm  probability 0.90" in text and "no answer (no_person): nobody was seen" in text
    assert "and 50 others" in text


# Films and pose tracks at the door.


def test_a_film_is_told_by_its_content_and_a_black_one_is_doubtful(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lively, path = rng.integers(60, 200, (60, 64, 64), np.uint8), tmp_path / "night.mp4"
    write_video(path, lively, rate_hz=15.0)
    path = path.rename(tmp_path / "night.edf")
    said = ictal("check", path, "--json").json
    assert (said["outcome"], said["modality"], said["doubts"]) == ("completed", "video", [])
    assert (said["facts"]["width"], said["facts"]["views"], said["facts"]["duration_s"]) == (64, 1, 4.0)
    write_video(tmp_path / "dark.mp4", np.zeros_like(lively), rate_hz=15.0)
    dark = ictal("check", tmp_path / "dark.mp4", "--json").json
    assert dark["facts"]["black_share"] == 1.0 and any("black" in doubt for doubt in dark["doubts"])
    kept = np.delete(np.arange(60), range(20, 26))
    write_video(tmp_path / "lossy.mp4", lively[kept], times_s=kept / 15.0)
    assert ictal("check", tmp_path / "lossy.mp4", "--json").json["doubts"] == [
        "10% of the frames are missing between the others"
    ]
    one_way = other_container(tmp_path / "smeared.mp4", "mpeg4", options=ONE_WAY | {"g": "60"}, pictures=lively[:, :48])
    spoilt(one_way, range(35, 36), 1.0)
    assert ictal("check", tmp_path / "smeared.mp4", "--json").json["doubts"] == [
        "40% of the frames come after one that cannot be decoded, and may show traces of it"
    ]
    stream = ictal("check", other_container(tmp_path / "stream.ts", "mpeg4", 60, ONE_WAY, pictures=lively[:, :48]))
    assert stream.code == 0 and "does not state its length: that it was cut off would not be seen" in " ".join(
        stream.out.split()
    )
    write_video(tmp_path / "short.mp4", lively[:10], rate_hz=15.0)
    assert ictal("check", tmp_path / "short.mp4", "--json").json["code"] == "too_short"


def test_a_pose_track_is_judged_and_one_that_jumps_is_doubtful(infants: Workspace, tmp_path: Path) -> None:
    path = next(infants.cohort.rglob("*_pose.parquet"))
    said = ictal("check", path, "--json").json
    assert (said["outcome"], said["modality"], said["facts"]["joints"]) == ("completed", "pose", 18)
    track = read_pose(path)
    jumping = track.xy.copy()
    jumping[::2] += 1e5
    write_parquet(replace(track, xy=jumping), tmp_path / "jumping.parquet")
    doubtful = ictal("check", tmp_path / "jumping.parquet", "--json").json
    assert any("faster than anybody moves" in doubt for doubt in doubtful["doubts"])


@pytest.mark.parametrize(
    ("content", "name", "modality"),
    [
        (b"0       Miller", "a.mp4", "eeg"), (b"\xffBIOSEMI", "a", "eeg"), (b"\x00\x00\x00\x20ftypisom", "a.edf", "video"),
        (b'{"a": 1}', "a.edf", "pose"), (b"scorer,x", "a", "pose"), (b"version https://git-lfs", "a.mp4", "video"),
        (b"", "a.edf", "eeg"), (b"", "a.parquet", "pose"), (3 * (b"G" + bytes(187)), "a", "video"),
        (b"\x00\x00\x01\xba", "a", "video"), (bytes.fromhex("3026b2758e66cf11"), "a", "video"),
    ],
)  # fmt: skip
def test_what_a_file_holds_is_told_by_its_first_bytes(tmp_path: Path, content: bytes, name: str, modality: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert modality_of(tmp_path / name) == modality


# Poses that leave the house.


@pytest.mark.parametrize("tier", ["pose", "features"])
def test_an_export_names_nobody_and_says_what_it_gives_away(
    at_infants: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str
) -> None:
    monkeypatch.setattr(export, "over", here)
    out = tmp_path / "out"
    said = ictal("export", "pose", "--to", out, "--tier", tier)
    assert said.code == 0 and "AUC of" in said.out and "halves of recordings" in said.out, said.err
    written = sorted(p.name for p in out.iterdir())
    assert len(written) == 7 and written[0] == "export.json"
    summary = (out / "export.json").read_text()
    assert "sub-" not in summary and json.loads(summary)["attack"]["same_pairs"] == 6
    assert not [p for p in out.iterdir() if b"sub-0" in p.read_bytes()]
    again = ictal("export", "pose", "--to", out)
    assert again.code == 2 and "not empty" in again.err
    assert open_ledger(at_infants).entries("data.exported")


def test_a_film_is_no_tier_of_an_export(at_infants: Workspace, tmp_path: Path) -> None:
    said = ictal("export", "pose", "--to", tmp_path / "out", "--tier", "raw")
    assert said.code == 2 and "films stay at the site" in said.err and not (tmp_path / "out").exists()


def test_films_leave_blurred_under_numbers_and_stand_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "over", here)
    (tmp_path / "home").mkdir()
    workspace = bare(tmp_path / "home").of("semiology")
    monkeypatch.setenv("ICTAL_HOME", str(workspace.root))
    folder = workspace.cohort / "sub-01" / "video"
    folder.mkdir(parents=True)
    (workspace.cohort / "dataset_description.json").write_text('{"Name": "films", "BIDSVersion": "1.9.0"}')
    sharp = np.kron(np.indices((32, 32)).sum(axis=0) % 2, np.ones((2, 2))) * 255
    for view in ("large", "small"):
        write_video(folder / f"sub-01_task-seizure_view-{view}_video.mp4", [sharp.astype(np.uint8)] * 30, rate_hz=15.0)
    write_json(workspace.interim / "checks" / "accepted.json", ["sub-01_task-seizure"])
    said = ictal("export", "film", "--to", tmp_path / "out")
    assert said.code == 0 and "in the whole picture" in said.out, said.err
    written = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert written == ["export.json", "recording-0001_view-1.mp4", "recording-0001_view-2.mp4"]
    shown = read_frames(read_film([tmp_path / "out" / written[1]]).views[0], np.array([1.0]), 64, True)
    assert shown.std() < 0.2 * sharp.std()
    assert "sub-01" not in (tmp_path / "out" / "export.json").read_text()
    assert open_ledger(workspace).entries("data.exported")
    assert ictal("export", "film", "--to", tmp_path / "b", "--for", "spasms").code == 2
