"""What the service keeps of every answer for monitoring: true numbers, in one step with the answer, gone when withdrawn."""

import json
import math
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from data.acquisition import acquisition, mains_hz
from data.film import Film, View
from data.montage import ELECTRODES
from data.pose import PoseTrack
from data.recording import Recording, Segment
from lineage import graph
from lineage.ledger import Ledger
from lineage.store import session
from serving.facts import NUMBERS, FactRow, answer_facts, as_row, fact_problems, forget, kept_of
from serving.journal import Journal
from serving.schema import Answer, FoundEvent, NamedAnswer, NamedStretch, OodStatement
from tests.served import NOW, people_and_keys, write_recording
from tests.services import Served, serving

NAMES = tuple(f"EEG {e}-Ref" for e in ELECTRODES)


def eeg(signal: np.ndarray, rate_hz: float = 256.0) -> Recording:
    return Recording(NAMES[: len(signal)], rate_hz, (Segment(0.0, signal),), signal.shape[1] / rate_hz, name="sub-001")


def noise(seconds: int = 30) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, (19, 256 * seconds))


def test_facts_of_an_eeg_are_those_it_was_made_with():
    t = np.arange(256 * 30) / 256
    facts = acquisition(eeg(noise() + 30 * np.sin(2 * np.pi * 60 * t)))
    assert facts["rate_hz"] == 256.0 and facts["mains_hz"] == 60.0
    assert facts["channels"] == " ".join(sorted(ELECTRODES))
    assert facts["log_raw_rms"] == pytest.approx(np.log10(np.hypot(10, 30 / np.sqrt(2))), abs=0.02)
    assert facts["flat_share"] == facts["gap_share"] == 0.0 and facts["log_mains"] > 1


def test_what_cannot_be_seen_is_not_claimed():
    facts = acquisition(eeg(noise()))
    assert math.isnan(facts["mains_hz"]) and math.isnan(mains_hz(float("nan"), float("nan")))
    silent = acquisition(eeg(np.zeros((19, 256 * 30))))
    assert silent["flat_share"] == 1.0 and math.isnan(silent["log_raw_rms"])
    lost = acquisition(eeg(np.full((19, 256 * 30), np.nan)))
    assert math.isnan(lost["flat_share"]) and math.isnan(lost["log_raw_rms"])


def test_frame_rates_that_differ_in_the_third_digit_are_the_same(tmp_path):
    films = [Film((View(tmp_path / "a.mp4", "", 640, 480, hz, 100, 0, 4, "h264"),), 4.0) for hz in (29.97, 30.02)]
    assert (
        acquisition(films[0]) == acquisition(films[1]) == {"frames_hz": 30.0, "resolution": "640 x 480", "views": 1.0}
    )


def test_facts_of_poses_hold_rate_joints_and_how_sure_they_are():
    track = PoseTrack(np.arange(50) / 25, np.zeros((50, 18, 2)), np.full((50, 18), 0.7), 2.0)
    assert acquisition(track) == {"frames_hz": 25.0, "joints": "18 joints", "confidence": pytest.approx(0.7)}


def detection(**more: object) -> Answer:
    said = {"prediction_id": "p", "outcome": "completed", "recording_digest": "ab" * 32, "duration_s": 7200.0}
    return Answer(**{**said, **more})


def test_alarms_and_burden_count_time_that_was_analysed():
    events = (
        FoundEvent(onset_s=0, duration_s=60, confidence=0.8),
        FoundEvent(onset_s=90, duration_s=30, confidence=0.6),
    )
    facts = answer_facts(
        detection(
            events=events,
            trend_1hz=(None, 0.2, 0.4),
            analysed_s=1800.0,
            coverage=0.25,
            burden_min_per_h=3.0,
            decided_share=0.9,
            ood=OodStatement(score=1.2, limit=2.0, share_outside=0.0),
        )
    )
    assert facts["alarms_per_hour"] == 2 / 0.5 and facts["burden_min_per_h"] == 3.0 and facts["coverage"] == 0.25
    assert facts["mean_probability"] == pytest.approx(0.3) and facts["confidence"] == pytest.approx(0.7)
    assert facts["abstained_share"] == pytest.approx(0.1) and facts["strangeness"] == 1.2
    assert set(facts) <= set(NUMBERS)


def test_what_was_not_evaluable_has_no_alarms_and_not_none_of_them():
    facts = answer_facts(detection(outcome="not_evaluable", code="flat"))
    assert facts["alarms_per_hour"] is None and facts["mean_probability"] is None and facts["coverage"] == 0.0


def named(question: str, *names: str | None, classes: tuple[str, ...]) -> NamedAnswer:
    stretches = tuple(
        NamedStretch(
            onset_s=60.0 * n,
            duration_s=60.0,
            name=name,
            code=None if name else "flat",
            probabilities={c: 0.8 if c == name else 0.2 / (len(classes) - 1) for c in classes} if name else {},
        )
        for n, name in enumerate(names)
    )
    said = {"prediction_id": "p", "outcome": "completed", "recording_digest": "ab" * 32, "duration_s": 240.0}
    return NamedAnswer(**said, question=question, classes=classes, stretches=stretches)


def test_of_stretches_an_alarm_is_the_event_that_is_asked_for():
    facts = answer_facts(named("spasms", "spasm", "other", "other", None, classes=("other", "spasm")))
    assert facts["alarms_per_hour"] == 20.0 and facts["burden_min_per_h"] == pytest.approx(60 / 3)  # 1 in 3 min
    assert facts["abstained_share"] == 0.25 and facts["coverage"] == 0.75 and facts["confidence"] == pytest.approx(0.8)
    assert facts["mean_probability"] == pytest.approx((0.8 + 0.2 + 0.2) / 3)
    typed = answer_facts(named("typing", "FNSZ", "GNSZ", classes=("FNSZ", "GNSZ", "CPSZ")))
    assert typed["alarms_per_hour"] is None and typed["confidence"] == pytest.approx(0.8)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    from tests.served import put_in_force

    home = tmp_path_factory.mktemp("facts")
    people_and_keys(home)
    put_in_force(home)
    recording = write_recording(tmp_path_factory.mktemp("sent") / "a.edf", patient="NAME-OF-NOBODY").read_bytes()
    with serving(home, recording) as here:
        yield here


def rows(home) -> list[dict]:
    ledger = Journal(home).ledger
    with session(ledger.engine, write=False) as reading:
        found = [as_row(row) for row in reading.query(FactRow).order_by(FactRow.at)]
    ledger.engine.dispose()
    return found


def test_every_answer_has_a_row_without_the_patient_and_a_verdict_is_noted_in_it(served: Served):
    said = served.detect().json()
    (row,) = rows(served.home)
    assert row["prediction_id"] == said["prediction_id"] and row["recording"] == said["recording_digest"]
    assert (row["site"], row["question"], row["outcome"], row["verdict"]) == (
        "demo-north",
        "detection",
        said["outcome"],
        None,
    )
    assert row["model"] == said["model"]["digest"] and row["at"].startswith(f"{NOW:%Y-%m-%d}")
    assert row["alarms_per_hour"] == pytest.approx(len(said["events"]) / (said["analysed_s"] / 3600))
    assert row["rate_hz"] == 256.0 and row["channels"].split() == sorted(ELECTRODES) and row["mains_hz"] is None
    assert "NOBODY" not in json.dumps(row)
    judged = served.client.post(
        f"/v1/predictions/{said['prediction_id']}/verdict",
        headers=served.headers,
        json={"verdict": "reject", "reader": "nurse"},
    )
    assert judged.status_code in (200, 201), judged.text
    assert [r["verdict"] for r in rows(served.home)] == ["reject"]


def test_what_cannot_be_read_has_a_row_that_says_so(served: Served):
    said = served.detect(served.recording[:5000]).json()
    assert said["outcome"] == "not_evaluable"
    row = next(r for r in rows(served.home) if r["prediction_id"] == said["prediction_id"])
    assert row["code"] == said["code"] and row["coverage"] == 0.0 and "rate_hz" not in row


def test_a_prediction_is_the_one_thing_that_is_called_by_its_id(served: Served):
    said, ledger = served.detect().json(), Journal(served.home).ledger
    assert [found.kind for found in graph.find(ledger, said["prediction_id"])] == ["prediction"]
    ledger.engine.dispose()


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        ("UPDATE serving_fact SET alarms_per_hour = 0.5 WHERE prediction_id = :last", "differ from what"),
        ("UPDATE serving_fact SET acquisition = '{}' WHERE prediction_id = :last", "differ from what"),
        ("UPDATE serving_fact SET prediction_id = 'invented' WHERE prediction_id = :last", "differ from what"),
        ("UPDATE serving_fact SET verdict = 'confirm' WHERE prediction_id = :last", "another verdict"),
        ("DELETE FROM serving_fact WHERE prediction_id = :last", "were taken away"),
    ],
)
def test_a_row_that_somebody_changed_is_found(served: Served, tmp_path, act: str, problem: str):
    served.detect()
    last = served.detect().json()["prediction_id"]
    copied = tmp_path / "ledger.db"
    with (
        closing(sqlite3.connect(served.home / "ledger" / "ledger.db")) as own,
        closing(sqlite3.connect(copied)) as copy,
    ):
        own.backup(copy)
        ledger = Ledger(copied)
        assert fact_problems(ledger) == []
        copy.execute(act, {"last": last})
        copy.commit()
        assert any(problem in found and found.startswith("1 of ") for found in fact_problems(ledger))
        ledger.engine.dispose()


def test_bytes_that_a_killed_withdrawal_left_of_rows_are_seen_to_by_the_next(served: Served, monkeypatch):
    ledger, settled = Journal(served.home).ledger, []
    monkeypatch.setattr("serving.facts.settle", lambda engine, table: settled.append(table))
    assert forget(ledger.engine, ["0" * 64]) == 0 and settled == [FactRow]
    ledger.engine.dispose()


def test_rows_of_a_withdrawn_recording_go_and_no_others(served: Served):
    said, ledger = served.detect().json(), Journal(served.home).ledger
    others = [r for r in rows(served.home) if r["recording"] != said["recording_digest"]]
    kept = kept_of(ledger.engine, [said["recording_digest"]])
    assert kept >= 1 and forget(ledger.engine, [said["recording_digest"]]) == kept
    assert rows(served.home) == others and forget(ledger.engine, [said["recording_digest"]]) == 0
    ledger.engine.dispose()
