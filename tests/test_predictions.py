"""Kept predictions come back as they were written, or not at all."""

import json
from math import isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.events import Annotations, Event
from lineage.digest import digest_of, sha256_file
from validation.evaluation import evaluate
from validation.predictions import About, PredictionsRefused, read_predictions, write_predictions
from validation.seconds import (
    NAMES,
    Seconds,
    events_digest,
    ordered,
    predictions_digest,
    recordings_of,
    table_of,
)

probabilities = st.one_of(st.just(np.nan), st.just(-0.0), st.floats(0, 1))
names = st.text("abcdefghij-_0123456789é", min_size=1, max_size=12)


@st.composite
def events_in(draw, duration_s: float) -> Annotations:
    onsets = draw(st.lists(st.floats(0, duration_s * 0.9), max_size=4))
    found = tuple(
        Event(
            onset,
            draw(st.floats(1e-3, duration_s - onset)),
            draw(st.sampled_from(["sz", "sz_foc"])),
            draw(st.none() | st.floats(0, 1)),
            tuple(draw(st.lists(st.sampled_from(["C3", "Cz"]), max_size=2))),
        )
        for onset in onsets
    )
    return Annotations(found, duration_s)


@st.composite
def kept(draw):
    """Predictions of a few recordings, what was called in them, and how their analysis ended."""
    recordings, hypotheses, about = [], {}, {}
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        trend = np.array(draw(st.lists(probabilities, min_size=1, max_size=6)))
        labels = np.array(draw(st.lists(st.integers(0, 1), min_size=len(trend), max_size=len(trend))))
        recordings.append(Seconds(name, *(draw(names) for _ in range(3)), trend, labels))
        hypotheses[name] = draw(events_in(len(trend) + draw(st.sampled_from([0.0, 0.25]))))
        outcome = draw(st.sampled_from(["completed", "completed_with_abstentions", "not_evaluable"]))
        about[name] = About(outcome, draw(st.floats(0, 1)), draw(st.sampled_from(["", "ab" * 32])))
    return recordings, hypotheses, about


def same(one: Seconds, other: Seconds) -> bool:
    alike = np.array_equal(one.trend, other.trend, equal_nan=True) and np.array_equal(one.labels, other.labels)
    return alike and [getattr(one, n) for n in NAMES] == [getattr(other, n) for n in NAMES]


@settings(deadline=None, max_examples=60)
@given(kept())
def test_a_table_holds_its_recordings(made):
    recordings, _, _ = made
    back = list(recordings_of(table_of(recordings)))
    assert len(back) == len(recordings)
    assert all(same(a, b) for a, b in zip(back, sorted(recordings, key=lambda r: r.recording), strict=True))


@settings(deadline=None, max_examples=40)
@given(made=kept())
def test_what_was_written_is_what_is_read(tmp_path_factory, made):
    recordings, hypotheses, about = made
    folder, table = tmp_path_factory.mktemp("kept"), table_of(recordings)
    digests = write_predictions(folder, table, hypotheses, about)
    back = read_predictions(folder)
    pd.testing.assert_frame_equal(back.predictions, table, check_exact=True)
    assert np.array_equal(np.signbit(back.predictions["probability"]), np.signbit(table["probability"]))
    assert (back.hypotheses, back.about, back.digests) == (hypotheses, about, digests)


@settings(deadline=None, max_examples=40)
@given(kept(), st.randoms(use_true_random=False))
def test_the_digest_is_of_the_content_and_not_of_the_order_or_width_of_rows(made, random):
    table = table_of(made[0])
    wide = table.astype(dict.fromkeys(NAMES, "str") | {"second": "float64", "label": "int64"})
    order = list(range(len(table)))
    random.shuffle(order)
    assert predictions_digest(wide.iloc[order]) == predictions_digest(table)
    pd.testing.assert_frame_equal(ordered(wide.iloc[order])[list(NAMES)], table[list(NAMES)])


def cohort() -> tuple[list[Seconds], dict[str, Annotations], dict[str, About]]:
    """Four recordings; the last is silent and could not be assessed."""
    rng = np.random.default_rng(0)
    recordings, hypotheses, about = [], {}, {}
    for i in range(4):
        labels = (np.arange(60) // 20 == 1).astype(int)
        trend = np.full(60, np.nan) if i == 3 else rng.random(60)
        recordings.append(Seconds(f"sub-{i}", f"sub-{i}", f"p{i}", "AB"[i % 2], trend, labels))
        found = () if i == 3 else (Event(20.0, 15.5, confidence=0.75),)
        hypotheses[f"sub-{i}"] = Annotations(found, 60.25)
        about[f"sub-{i}"] = About("not_evaluable" if i == 3 else "completed", 0.5 + i / 10, "cd" * 32)
    return recordings, hypotheses, about


@pytest.fixture
def folder(tmp_path):
    recordings, hypotheses, about = cohort()
    write_predictions(tmp_path / "patient", table_of(recordings), hypotheses, about)
    return tmp_path / "patient"


def at_threshold(trend: np.ndarray, threshold: float) -> Annotations:
    return Annotations.from_mask(np.nan_to_num(trend, nan=-1.0) >= threshold, 1.0)


def test_the_digests_are_those_that_the_evaluation_states(folder):
    back = read_predictions(folder)
    references = {name: Annotations((Event(20.0, 20.0),), 60.0) for name in back.hypotheses}
    hypotheses = {name: Annotations(a.events, 60.0) for name, a in back.hypotheses.items()}
    stated = evaluate(back.predictions, hypotheses, references, {}, seed=0, to_events=at_threshold)["digests"]
    assert stated["predictions"] == back.digests["predictions"]
    assert back.digests["hypotheses"] == events_digest(back.hypotheses)


def test_a_recording_without_events_keeps_its_length_outcome_threshold_and_front_end(folder):
    back = read_predictions(folder)
    assert back.hypotheses["sub-3"] == Annotations((), 60.25)
    assert back.about["sub-3"] == About("not_evaluable", 0.8, "cd" * 32)
    silent = back.predictions[back.predictions["recording"] == "sub-3"]
    assert len(silent) == 60 and silent["probability"].isna().all()


@pytest.mark.parametrize("name", ["seconds.parquet", "events.parquet", "predictions.json"])
def test_a_changed_file_is_refused_by_name(folder, name):
    whole = (folder / name).read_bytes()
    flipped = bytes([*whole[: len(whole) // 2], whole[len(whole) // 2] ^ 1, *whole[len(whole) // 2 + 1 :]])
    for content in (flipped, whole[:-9], b"\xff" + whole, b""):
        (folder / name).write_bytes(content)
        with pytest.raises(PredictionsRefused, match=f"^{name} was changed"):
            read_predictions(folder)


@pytest.mark.parametrize("name", ["seconds.parquet", "events.parquet", "predictions.json"])
def test_a_missing_file_is_refused_by_name(folder, name):
    (folder / name).unlink()
    with pytest.raises(PredictionsRefused, match=f"^{name} is missing"):
        read_predictions(folder)


def restated(folder, change) -> None:
    """Change what predictions.json states and sign it off again."""
    stated = json.loads((folder / "predictions.json").read_text())
    del stated["digest"]
    change(stated)
    (folder / "predictions.json").write_text(json.dumps(stated | {"digest": digest_of(stated)}))


def test_seconds_of_another_detector_are_refused_even_with_the_digest_of_their_file(folder, tmp_path):
    recordings, hypotheses, about = cohort()
    recordings[0].trend[7] += 1e-12
    write_predictions(tmp_path / "other", table_of(recordings), hypotheses, about)
    (folder / "seconds.parquet").write_bytes((tmp_path / "other" / "seconds.parquet").read_bytes())
    restated(folder, lambda s: s["files"].update({"seconds.parquet": sha256_file(folder / "seconds.parquet")}))
    with pytest.raises(PredictionsRefused, match="are not those that"):
        read_predictions(folder)


def test_predictions_of_an_unknown_kind_are_refused(folder):
    restated(folder, lambda s: s.update(schema="ictal.predictions/0"))
    with pytest.raises(PredictionsRefused, match="is not ictal"):
        read_predictions(folder)


def test_a_recording_needs_seconds_events_and_an_outcome(tmp_path):
    recordings, hypotheses, about = cohort()
    del about["sub-3"]
    with pytest.raises(ValueError, match="4 recordings have seconds, 4 a hypothesis and 3 an outcome"):
        write_predictions(tmp_path, table_of(recordings), hypotheses, about)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_contradicts_itself_is_refused():
    table = table_of(cohort()[0])
    with pytest.raises(ValueError, match="one recording bears the names p0 and p1"):
        list(recordings_of(table.assign(person=np.where(table.index < 30, "p0", "p1"))))
    with pytest.raises(ValueError, match="59 rows for the seconds 0 to 59"):
        list(recordings_of(table.drop(index=30)))
    with pytest.raises(ValueError, match="240 seconds have no site"):
        ordered(table.assign(site=pd.Series([None] * 240, dtype="str")))


def test_names_are_not_held_once_per_second():
    long = [
        Seconds(f"sub-{i:04d}_task-eeg", "a" * 40, "b" * 40, "c" * 40, np.zeros(3600), np.zeros(3600)) for i in range(4)
    ]
    table = table_of(long)
    bytes_per_second = table.memory_usage(deep=True).sum() / len(table)
    assert bytes_per_second < 4 * 1 + 4 + 8 + 1 + 1  # four codes, second, probability, label; the names themselves


def test_nan_is_one_thing_however_it_came_about():
    (one, *_), _, _ = cohort()
    with np.errstate(invalid="ignore"):
        made = np.zeros(60) / np.zeros(60)
    assert all(isnan(x) for x in made)
    negative, plain = (Seconds(*(getattr(one, n) for n in NAMES), t, one.labels) for t in (-made, np.full(60, np.nan)))
    assert predictions_digest(table_of([negative])) == predictions_digest(table_of([plain]))
