"""Faults put into recordings on purpose: each is what it is called and nothing else, and how surely it is found is counted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.film_quality import view_facts
from data.montage import ELECTRODES
from data.quality import channel_facts
from data.readers.video import every_frame, read_film
from data.readers.video_writer import write_video
from data.recording import Recording, Segment
from monitoring.faults import EEG_FAULTS, FAULTS, NO_FAULT, CannotBeShown
from monitoring.features import Observed, patient_features
from monitoring.film_faults import FILM_FAULTS, recorded
from monitoring.findings import DriftSettings
from monitoring.rehearsal import LONGEST, Sent, World, rehearse
from monitoring.rehearsal_page import lines, rehearsal_page
from tests.test_drift import WATCHED, patients, shifted

RATE_HZ = 256.0


def eeg(rate_hz: float = RATE_HZ, hum_hz: float = 50.0, seconds: int = 30) -> Recording:
    """Brown noise at 19 electrodes, each with the same hum of 20 µV."""
    rng, t = np.random.default_rng(1), np.arange(int(seconds * rate_hz)) / rate_hz
    signal = np.cumsum(rng.normal(0, 3, (19, len(t))), axis=1) + 20 * np.sin(2 * np.pi * hum_hz * t)
    return Recording(ELECTRODES, rate_hz, (Segment(0.0, signal),), float(seconds), name="sub-001")


def with_fault(name: str, recording: Recording | None = None) -> Recording:
    return EEG_FAULTS[name](recording or eeg(), 50.0, np.random.default_rng(0))


def watched(recording: Recording) -> pd.Series:
    return patient_features([Observed(recording, "p", "s")]).iloc[0]


def test_there_are_at_least_ten_faults_and_each_can_be_put_in_somewhere():
    signal_unchanged = {"clock_shift", "other_age"}
    assert len(FAULTS) == 11
    assert set(FAULTS) == {*EEG_FAULTS, *FILM_FAULTS, *signal_unchanged} - {NO_FAULT}


@pytest.mark.parametrize(("from_hz", "to_hz"), [(50.0, 60.0), (60.0, 50.0)])
def test_the_hum_moves_to_the_other_frequency_as_loud_as_before(from_hz, to_hz):
    before = eeg(hum_hz=from_hz)
    after = EEG_FAULTS["mains"](before, from_hz, np.random.default_rng(0))
    assert (watched(before)["mains_hz"], watched(after)["mains_hz"]) == (from_hz, to_hz)
    powers = [
        np.abs(np.fft.rfft(r.segments[0].signal[3]))[round(hz * 30)] for r, hz in ((before, from_hz), (after, to_hz))
    ]
    assert powers[1] == pytest.approx(powers[0], rel=0.02)


def test_moving_the_hum_there_and_back_changes_nothing_else():
    """In the band that detectors read, 0.5–30 Hz."""
    before, after = watched(eeg()), watched(with_fault("mains"))
    for feature in ("log_rms", "slope", "delta", "beta", "correlation"):
        assert after[feature] == pytest.approx(before[feature], abs=1e-3), feature


def test_mains_that_the_rate_cannot_hold_are_not_put_in():
    with pytest.raises(CannotBeShown, match="100 Hz are too slow to hold mains of 60 Hz"):
        with_fault("mains", eeg(rate_hz=100.0, hum_hz=40.0))


def test_a_gain_of_a_thousand_is_three_decades_of_amplitude():
    assert watched(with_fault("gain"))["log_rms"] == pytest.approx(watched(eeg())["log_rms"] + 3)


def test_exchanged_electrodes_keep_their_names_and_exchange_their_signals():
    before, after = eeg(), with_fault("swapped")
    c3, o2, cz = (ELECTRODES.index(name) for name in ("C3", "O2", "Cz"))
    np.testing.assert_array_equal(after.segments[0].signal[[c3, o2, cz]], before.segments[0].signal[[o2, c3, cz]])
    assert after.channels == before.channels


def test_another_reference_leaves_every_derivation_as_it_was():
    before, after = eeg(), with_fault("reference")
    assert not after.segments[0].signal[ELECTRODES.index("Cz")].any()
    pair = [ELECTRODES.index(name) for name in ("F3", "C3")]
    differences = [np.diff(r.segments[0].signal[pair], axis=0) for r in (before, after)]
    np.testing.assert_allclose(differences[0], differences[1], atol=1e-9)


def test_electrodes_that_are_not_recorded_alone_cannot_be_exchanged():
    bipolar = replace(eeg(), channels=tuple(f"{e}-Cz" for e in ELECTRODES))
    for name in ("swapped", "reference"):
        with pytest.raises(CannotBeShown, match="no channel of electrode"):
            with_fault(name, bipolar)


@pytest.mark.parametrize(("rate_hz", "sent_hz"), [(256.0, 200.0), (200.0, 256.0), (512.0, 200.0)])
def test_an_export_at_another_rate_keeps_the_rhythms_where_they_were(rate_hz, sent_hz):
    t = np.arange(int(20 * rate_hz)) / rate_hz
    tone = Recording(ELECTRODES, rate_hz, (Segment(0.0, np.tile(np.sin(2 * np.pi * 10 * t), (19, 1))),), 20.0)
    after = with_fault("resampled", tone)
    spectrum = np.abs(np.fft.rfft(after.segments[0].signal[0]))
    assert after.rate_hz == sent_hz and np.argmax(spectrum) * sent_hz / after.segments[0].signal.shape[1] == 10.0


def test_a_gap_takes_a_quarter_away_and_leaves_the_rest_at_its_time():
    before, after = eeg(), with_fault("gap")
    ((onset_s, length_s),) = after.gaps
    assert length_s == pytest.approx(7.5) and after.duration_s == before.duration_s
    late, at = after.segments[1], round((onset_s + length_s) * RATE_HZ)
    np.testing.assert_array_equal(late.signal, before.segments[0].signal[:, at:])
    assert channel_facts(after)["gap_s"].iloc[0] == pytest.approx(7.5)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds in colour at 25 frames per second, 96 x 64 points, brighter with every frame."""
    path = tmp_path_factory.mktemp("film") / "sub-01_view-bed_video.mp4"
    ramp = np.arange(75, dtype=np.uint8)[:, None, None, None] + np.array([60, 90, 120], np.uint8)
    write_video(path, np.broadcast_to(ramp, (75, 64, 96, 3)), rate_hz=25.0)
    return path


def refilmed(filmed: Path, fault: str, folder: Path) -> pd.Series:
    return view_facts(recorded(read_film([filmed], name="sub-01"), fault, folder)).iloc[0]


def test_films_with_faults_are_what_they_are_called(filmed, tmp_path):
    plain = refilmed(filmed, NO_FAULT, tmp_path)
    assert (plain["width"], plain["height"], plain["infrared_share"], round(plain["rate_hz"])) == (96, 64, 0.0, 25)
    dark = refilmed(filmed, "infrared", tmp_path)
    assert dark["infrared_share"] == 1.0 and dark["brightness"] < plain["brightness"]
    small = refilmed(filmed, "half_resolution", tmp_path)
    assert (small["width"], small["height"]) == (48, 32)
    assert small["brightness"] == pytest.approx(plain["brightness"], abs=3)
    slow = refilmed(filmed, "slow_film", tmp_path)
    assert slow["rate_hz"] == pytest.approx(12.0) and not slow["variable_rate"]
    assert (slow["width"], slow["view"]) == (96, "bed")


def test_a_slow_film_shows_at_each_moment_what_was_shown_then(filmed, tmp_path):
    film = recorded(read_film([filmed]), "slow_film", tmp_path)
    for at_s, picture in every_frame(film.views[0]):
        assert picture[..., 0].mean() == pytest.approx(60 + np.floor(at_s * 25 + 1e-6), abs=4)


def test_a_film_that_is_slow_already_cannot_become_so(filmed, tmp_path):
    once, again = tmp_path / "once", tmp_path / "again"
    once.mkdir()
    again.mkdir()
    with pytest.raises(CannotBeShown, match="12 frames per second already"):
        recorded(recorded(read_film([filmed]), "slow_film", once), "slow_film", again)


def test_a_film_in_grey_cannot_go_into_night_mode(filmed, tmp_path):
    once, again = tmp_path / "once", tmp_path / "again"
    once.mkdir()
    again.mkdir()
    with pytest.raises(CannotBeShown, match="without colour already"):
        recorded(recorded(read_film([filmed]), "infrared", once), "infrared", again)


REFERENCE = patients(np.random.default_rng(0), 24, ("demo-north",))
WORLD = World("demo-north", REFERENCE, DriftSettings(features=WATCHED, draws=199))
HERE = patients(np.random.default_rng(1), 16, ("demo-north",))


def found(sent: Sent, per_week: int = 12, world: World = WORLD, draws: int = 12) -> dict:
    return rehearse(sent, world, per_week, draws, np.random.default_rng(2))


def test_what_the_checks_refuse_is_found_with_the_first_recording():
    refused = dict.fromkeys(HERE["patient"], "unit_suspect")
    row = found(Sent("gain", pd.DataFrame(), refused))
    assert row["power"] == 1.0 and row["found_by"] == {"checks": 1.0, "rules": 0.0, "statistics": 0.0}
    assert row["to_alarm"]["median"] == row["to_confirmed"]["p90"] == 1 and row["said"] == ["refused: unit_suspect"]


def test_where_half_of_the_recordings_are_refused_waiting_takes_two_on_average():
    half = list(HERE["patient"])[:8]
    row = found(Sent("gap", HERE[~HERE["patient"].isin(half)], dict.fromkeys(half, "discontinuous")), per_week=8)
    assert row["power"] == 1.0 and row["to_alarm"]["median"] in (1, 2) and row["patients_at_hand"] == 16


def test_a_broken_rule_is_found_and_confirmed_when_its_week_is_over():
    row = found(Sent("resampled", HERE.assign(rate_hz=200.0)))
    assert row["found_by"]["rules"] == row["power"] == 1.0
    assert row["to_alarm"]["median"] == row["to_confirmed"]["median"] == 12 and row["to_alarm"]["median_periods"] == 1.0


def test_a_large_shift_is_confirmed_after_two_weeks_and_nothing_is_not_confirmed_at_all():
    row = found(Sent("swapped", shifted(HERE, "demo-north", "correlation", 4.0)))
    assert row["found_by"]["statistics"] == 1.0 and row["to_alarm"]["median"] == 12
    assert row["to_confirmed"]["median"] == 24 and row["said"] == ["electrodes, montage or reference"]
    control = found(Sent(NO_FAULT, HERE))
    assert control["power"] < 0.3 and control["to_confirmed"]["median"] is None


def test_the_interval_is_that_of_the_share_of_weeks():
    row = found(Sent("gain", pd.DataFrame(), dict.fromkeys(HERE["patient"], "unit_suspect")), draws=40)
    assert row["interval"] == [pytest.approx(0.025 ** (1 / 40)), 1.0]  # Clopper and Pearson of 40 of 40


def test_a_fault_that_cannot_be_shown_is_told_with_its_reason():
    row = found(Sent("infrared", left_out="no checked film is from this site"))
    assert (row["state"], row["reason"]) == (
        "not evaluable",
        "no checked film is from this site",
    ) and "power" not in row


def test_without_a_later_period_nobody_is_compared_with_themselves():
    """Everybody who is drawn leaves the reference: with all drawn it is empty of the site, and nothing is tested."""
    world = replace(WORLD, reference=HERE, apart=True)
    drift = world.compared(HERE, list(HERE["patient"])[:6], np.random.default_rng(0))
    assert drift is not None and drift.reference_patients == 10


def test_the_same_seed_draws_the_same_weeks():
    sent = Sent("swapped", shifted(HERE, "demo-north", "correlation", 1.0))
    assert found(sent) == found(sent)


@pytest.fixture(scope="module")
def document() -> dict:
    rows = [
        found(Sent(NO_FAULT, HERE)),
        found(Sent("gain", pd.DataFrame(), dict.fromkeys(HERE["patient"], "unit_suspect"))),
        found(Sent("gap", HERE)),
        found(Sent("infrared", left_out="no checked film is from this site")),
    ]
    own = {"recordings": "0" * 64}
    return {"site": "demo-north", "simulated": True, "draws": 12, "controls": rows[:1], "faults": rows[1:], "of": own}


def test_the_page_and_the_terminal_say_what_is_found_what_is_missed_and_what_cannot_be_shown(document):
    made = json.loads(json.dumps(document, allow_nan=False))
    html, told = rehearsal_page(made), "\n".join(lines(made))
    assert "1 of 2 faults would be noticed in at least 80" in html and "gap (a gap of 25" in html
    assert "no checked film is from this site" in html and "simulator, not about patients" in html
    assert "infrared           not evaluable: no checked film" in told and "refused: unit_suspect" in told
    assert f"> {LONGEST} weeks" in told and told.index("none") < told.index("gain")


def test_a_site_that_is_not_steady_by_itself_is_said_first(document):
    restless = document["controls"][0] | {"power": 1.0, "interval": [0.74, 1.0], "found": 12}
    made = document | {"controls": [restless]}
    assert "Without any fault 100" in rehearsal_page(made) and "Site not steady" in rehearsal_page(made)
