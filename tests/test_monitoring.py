"""What is watched at sites, what a change is called, since when it lasts, and how it is shown."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.events import Annotations, Event
from data.frontend import FrontEnd
from data.montage import ELECTRODES
from data.outcomes import Refusal
from data.recording import Recording, Segment
from data.simulator import SITES, PatientSettings, draw_patient, render, with_changed_amplifier
from monitoring.acquisition import REFUSED, Breach
from monitoring.causes import named
from monitoring.drift import compare_sites
from monitoring.features import FEATURES, Observed, answer_features, patient_features
from monitoring.findings import ALL_SITES, NOT_ENOUGH, DriftReport, DriftSettings, Shift, SiteDrift
from monitoring.persistence import Persistence, alarms_to_train_for, ended, persistence
from monitoring.report import summary_page
from monitoring.showing import evidently_html, site_pages, unusable, write_site_page
from validation.pages import SIMULATED

NAMES = tuple(f"EEG {e}-Ref" for e in ELECTRODES)


def recording(signal: np.ndarray, rate_hz: float = 256.0, channels: tuple[str, ...] = NAMES) -> Recording:
    return Recording(channels, rate_hz, (Segment(0.0, signal),), signal.shape[1] / rate_hz, name="sub-001")


def noise(seconds: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 3, (19, 256 * seconds)), axis=1)


def row(signal: np.ndarray, **more: object) -> pd.Series:
    return patient_features([Observed(recording(signal), "p", "s", **more)]).iloc[0]


def test_every_feature_has_a_unit_a_meaning_and_a_column():
    table = patient_features([Observed(recording(noise()), "p", "s")])
    assert list(table.columns[-len(FEATURES) :]) == list(FEATURES)
    assert all(f.unit and f.meaning and f.group for f in FEATURES.values())


def test_twice_the_gain_moves_amplitudes_by_log10_of_2_and_nothing_else():
    plain, louder = row(noise()), row(2 * noise())
    for name, feature in FEATURES.items():
        expected = np.log10(2) if feature.group == "amplitude" else 0.0
        if np.isfinite(plain[name]):
            assert louder[name] - plain[name] == pytest.approx(expected, abs=1e-3), name


def test_a_rhythm_of_10_hz_is_alpha():
    t = np.arange(256 * 40) / 256
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, (19, 1))
    watched = row(50 * np.sin(2 * np.pi * 10 * t + phases) + 0.01 * noise())
    assert watched["alpha"] > 0.95 and watched["delta"] < 0.02
    assert watched["log_line_length"] == pytest.approx(watched["log_rms"] + np.log10(4 * 10 * np.sqrt(2)), abs=0.05)


def test_the_shares_of_the_bands_add_up_to_one():
    watched = row(noise())
    assert watched[["delta", "theta", "alpha", "beta"]].sum() == pytest.approx(1.0)


def test_a_short_artefact_does_not_count():
    spoiled = noise()
    spoiled[:, 2560:3072] += 5000 * np.random.default_rng(2).normal(size=(19, 512))
    assert row(spoiled)["log_rms"] == pytest.approx(row(noise())["log_rms"], abs=0.05)


def test_missing_samples_take_their_windows_away_and_no_more():
    signal = noise()
    signal[:, 20 * 256 :] = np.nan
    assert row(signal)["log_rms"] == pytest.approx(row(noise()[:, : 20 * 256])["log_rms"], abs=1e-6)


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_the_mains_frequency_is_seen_whatever_the_site_says(line_hz):
    t = np.arange(256 * 40) / 256
    watched = row(noise() + 20 * np.sin(2 * np.pi * line_hz * t), line_hz=50.0)
    assert watched["mains_hz"] == line_hz


def test_without_mains_no_mains_frequency_is_claimed():
    assert np.isnan(row(noise())["mains_hz"])


def test_electrodes_are_the_same_whatever_a_laboratory_calls_them():
    other = tuple(n.replace("EEG T3", "EEG T7") for n in NAMES)
    tables = [patient_features([Observed(recording(noise(), channels=c), "p", "s")]) for c in (NAMES, other)]
    assert tables[0]["channels"].tolist() == tables[1]["channels"].tolist()


def test_features_come_from_the_front_end_and_share_its_refusals():
    with pytest.raises(Refusal, match="montage_missing"):
        row_of_few = Observed(recording(noise()[:5], channels=NAMES[:5]), "p", "s")
        patient_features([row_of_few])
    narrow = patient_features([Observed(recording(noise()), "p", "s")], FrontEnd(band_hz=(0.5, 12.0)))
    assert narrow.iloc[0]["beta"] < row(noise())["beta"] / 2


def test_alarms_are_counted_per_hour_that_could_be_assessed():
    trend = np.concatenate([np.full(1800, 0.2), np.full(1800, np.nan)])
    answers = answer_features(trend, Annotations((Event(10, 20), Event(100, 20), Event(1000, 5)), 3600.0))
    assert answers == {"mean_probability": pytest.approx(0.2), "p95_probability": pytest.approx(0.2), "alarms_per_hour": 6.0, "coverage": 0.5}  # fmt: skip


def test_no_answer_is_missing_and_not_zero():
    assert all(np.isnan(v) for v in answer_features(None, None).values())
    silent = answer_features(np.full(60, np.nan), Annotations((), 60.0))
    assert silent["coverage"] == 0.0 and np.isnan(silent["alarms_per_hour"])


def drift(site: str = "demo-north", effects: dict[str, float] | None = None, *rules: str, state: str = "") -> SiteDrift:
    alarmed = effects or {}
    shifts = tuple(
        Shift(site, f, alarmed.get(f, 0.1), 0.001 if f in alarmed else 0.6, 0.01 if f in alarmed else 0.8, f in alarmed)
        for f in FEATURES
    )
    breaches = tuple(Breach(site, rule, "50", "60", 3) for rule in rules)
    found = state or ("alarm" if alarmed or rules else "steady")
    return SiteDrift(site, found, 12, 24, ALL_SITES, 1.3, shifts if found != NOT_ENOUGH else (), breaches)


def report(period: str, *sites: SiteDrift) -> DriftReport:
    return DriftReport(period, sites, DriftSettings())


@pytest.mark.parametrize(
    ("effects", "causes"),
    [
        ({"log_rms": 1.5, "log_fast_rms": 1.6, "log_p2p": 1.4}, ["another gain"]),
        ({"log_rms": -1.2}, ["another gain"]),
        ({"delta": -2.0, "alpha": 1.5, "log_rms": -1.0}, ["a high-pass filter at a higher frequency"]),
        ({"delta": -2.0, "beta": 1.5, "log_fast_rms": 1.2}, ["a high-pass filter at a higher frequency", "another gain"]),
        ({"beta": -2.0, "slope": -1.0}, ["a low-pass filter at a lower frequency"]),
        ({"log_mains": 1.8}, ["mains interference"]),
        ({"flat_share": 1.1}, ["electrodes without contact"]),
        ({"correlation": 1.1}, ["electrodes, montage or reference"]),
        ({"mean_probability": 1.0, "alarms_per_hour": 2.0}, ["the detector's answers, not the signal"]),
        ({"slope": 1.0, "log_rms": 0.9}, ["other patients"]),
        ({"delta": 0.6, "alpha": 0.8}, ["other patients"]),
        ({"beta": -0.8}, ["a low-pass filter at a lower frequency"]),
        ({"beta": -0.8, "slope": 0.6}, ["other patients"]),
        ({"beta": -0.8, "delta": -0.6}, ["other patients"]),
        ({"beta": 0.6, "delta": 0.6}, ["other patients"]),
        ({}, []),
    ],
)  # fmt: skip
def test_a_pattern_of_shifts_has_a_name(effects, causes):
    assert [c.name for c in named(drift(effects=effects))] == causes


@pytest.mark.parametrize("feature", list(FEATURES))
def test_no_alarm_is_left_without_a_name_and_advice(feature):
    for effect in (-1.0, 1.0):
        causes = named(drift(effects={feature: effect}))
        assert causes and all(c.name and c.evidence and c.advice for c in causes)


def test_a_broken_rule_names_itself():
    assert [c.name for c in named(drift("demo-north", {}, "mains frequency", "amplitude"))] == [
        "mains frequency", "unit or gain",
    ]  # fmt: skip


def test_a_changed_amplifier_of_a_simulated_site_is_found_and_named():
    """Gain × 1.8 and a high-pass at 1.5 Hz, at one site of two; 8 newborns of 40 s before and after."""
    rng = np.random.default_rng(7)

    def newborns(*sites):
        settings = PatientSettings(minutes=2 / 3)
        drawn = [(s, n, render(draw_patient(rng, s, settings))) for s in sites for n in range(8)]
        return patient_features(Observed(r, f"{s.name}-{n}", s.name, line_hz=s.line_hz) for s, n, r in drawn)

    north, south = SITES[0], SITES[1]
    found = compare_sites(newborns(north, south), newborns(with_changed_amplifier(north), south), DriftSettings(), rng)
    assert found.alarmed == (north.name,)
    assert "a high-pass filter at a higher frequency" in {c.name for c in named(found.site(north.name))}


def test_an_alarm_is_confirmed_when_the_same_feature_returns_in_two_of_three_periods():
    slope, alpha, other_way, steady = ({"slope": 1.0}, {"alpha": 1.0}, {"slope": -1.0}, {})
    for effects, expected in (
        ([slope], Persistence("1", 1, False)),
        ([slope, slope], Persistence("1", 2, True)),
        ([slope, steady, slope], Persistence("3", 1, True)),
        ([slope, steady, steady, slope], Persistence("4", 1, False)),
        ([slope, alpha], Persistence("1", 2, False)),
        ([slope, other_way], Persistence("1", 2, False)),
        ([slope, other_way, slope], Persistence("1", 3, True)),
        ([slope, slope, steady], Persistence("", 0, False)),
    ):
        history = [report(str(n), drift("demo-east"), drift(effects=e)) for n, e in enumerate(effects, 1)]
        found = persistence(history, "demo-north")
        assert found == expected, effects
        assert bool(found.doubt) == (bool(found.periods) and not found.confirmed) == bool(found.untrained)


def test_one_week_is_no_confirmation_however_large_its_shift_is():
    history = [report("1", drift(effects={"slope": 30.0}))]
    assert persistence(history, "demo-north").doubt == "no shift returned in 2 of 3 periods"
    html = summary_page(history, simulated=True)
    assert "not yet confirmed, so that no retraining was begun: no shift returned in 2 of 3 periods" in html


def test_a_broken_rule_of_acquisition_is_confirmed_at_once():
    assert persistence([report("1", drift("demo-north", {}, "sampling rate"))], "demo-north").confirmed


def test_refused_recordings_are_a_sure_alarm_that_no_retraining_answers():
    refused = drift("demo-north", {}, REFUSED)
    both = drift("demo-north", {}, REFUSED, "sampling rate")
    found = persistence([report("1", refused)], "demo-north")
    assert found == Persistence("1", 1, True, refused=True) and "nothing to learn" in found.untrained
    assert alarms_to_train_for([report("1", refused)]) == {}
    assert alarms_to_train_for([report("1", both)]) == {"demo-north": "1"}
    assert [c.name for c in named(refused)] == [REFUSED]


def test_a_confirmed_alarm_stands_until_the_site_is_judged_and_steady():
    alarm, steady, unjudged = drift(effects={"slope": 1.0}), drift(), drift(state=NOT_ENOUGH)
    for states, expected in (([alarm], {}), ([alarm, alarm], {"demo-north": "1"}), ([alarm, alarm, steady], {}),
                             ([alarm, alarm, unjudged], {"demo-north": "1"}),
                             ([alarm, alarm, drift("demo-east")], {"demo-north": "1"})):  # fmt: skip
        assert alarms_to_train_for([report(str(n), site) for n, site in enumerate(states)]) == expected


def test_an_alarm_has_ended_when_the_site_is_judged_again_and_is_steady():
    alarm, steady = drift(effects={"slope": 1.0}), drift()
    unjudged = drift(state=NOT_ENOUGH)
    for states, expected in (([alarm, steady], True), ([alarm, unjudged, steady], True), ([alarm, steady, steady], False),
                             ([alarm, unjudged], False), ([steady], False)):  # fmt: skip
        history = [report(str(n), site) for n, site in enumerate(states)]
        assert (ended(history) == ("demo-north",)) is expected


def test_periods_stand_side_by_side_and_a_silent_site_is_told():
    history = [report("2026-W47", drift(), drift("demo-east")), report("2026-W48", drift(effects={"log_rms": 1.5}))]
    html = summary_page(history, simulated=True)
    assert "Period by period" in html and "alarm: another gain" in html and "nothing came" in html
    assert "Period by period" not in summary_page(history[1:], simulated=True)


def answered(week: str, reconciled: object = None, **found: object) -> dict:
    share = {"count": 1, "share": 0.25, "low": 0.01, "high": 0.8}
    measured = {"recordings": 0, "by": dict.fromkeys(("confirm", "edit", "reject", "label"), 0), **found}
    return {
        "week": week, "site": "demo-north", "answers": 4, "recordings": 4, "assessed_hours": 2.5, "alarms_per_24h": 9.6,
        "not_evaluable": share, "abstained": share, "coverage": 0.9, "decided": None, "mean_probability": 0.12,
        "measured": measured, "estimated": {"precision": 0.8, "sensitivity": 0.7, "answers": 4}, "reconciled": reconciled,
    }  # fmt: skip


UNTIL = {"until": "2026-11-28T00:12+00:00"}


def test_the_page_shows_answers_and_says_that_nobody_has_judged_them():
    html = summary_page(
        [report("2026-W48", drift())], answers={**UNTIL, "weeks": [answered("2026-W48")]}, simulated=True
    )
    assert "9.6" in html and "1 (25\u00a0%)" in html and "No reader has given a verdict" in html
    assert "4 answers were estimated and wait for a verdict or a label." in html
    assert "Looked at on 2026-11-28 00:12 UTC." in html
    nobody = summary_page([report("2026-W48", drift())], answers={**UNTIL, "weeks": []}, simulated=True)
    assert "No site had been answered in the 13 weeks before 2026-11-28 00:12 UTC, when this was looked at." in nobody


def test_the_page_shows_an_estimate_beside_the_truth_that_came_later():
    interval = {"estimate": 0.5, "low": 0.4, "high": 0.6}
    both = {
        "recordings": 3, "of": 4, "estimated": {"precision": 0.8, "sensitivity": 0.55},
        "measured": {"precision": interval, "sensitivity": interval}, "kept": {"precision": False, "sensitivity": True},
    }  # fmt: skip
    found = {"recordings": 3, "by": {"confirm": 1, "edit": 1, "reject": 0, "label": 1}, "precision": interval}
    rows = [answered("2026-W47", both, **found), answered("2026-W48")]
    html = summary_page([report("2026-W48", drift())], answers={**UNTIL, "weeks": rows}, simulated=True)
    assert (
        "1 of 2 estimates that can be judged lay inside" in html and "0.50 (0.40 to 0.60)" in html and "3 of 4" in html
    )
    assert "1 confirmed, 1 edited, 1 labelled" in html


def test_the_page_says_which_site_what_since_when_how_sure_and_what_to_do():
    north, east = drift(effects={"log_rms": 1.5}), drift("demo-east", state=NOT_ENOUGH)
    east = replace(east, patients=3, detectable_sd=float("inf"))
    history = [report("2026-09", drift(effects={"log_rms": 1.4})), report("2026-10", north, east, drift("demo-south"))]
    html = summary_page(history, {"demo-north": "evidently/site-1.html"}, simulated=True, made_at="2026-11-01")
    assert "1 of 3 sites has changed: demo-north." in html
    assert "demo-north: another gain (since 2026-09, confirmed)." in html
    assert "Not enough data to judge: demo-east." in html and "nothing was tested" in html
    assert "With 12 patients here and 24 in the reference we would miss half of 1.3-SD shifts" in html
    assert "Compare a calibration signal" in html and 'href="evidently/site-1.html"' in html
    assert html.index("1 of 3 sites") < html.index("All sites") and "simulator, not about patients" in html


@pytest.mark.parametrize(
    ("state", "label"), [("steady", "No change was found at 1 site."), (NOT_ENOUGH, "No site has enough data")]
)
def test_a_quiet_page_does_not_claim_more_than_was_seen(state, label):
    assert label in summary_page([report("2026-10", drift(state=state))], simulated=False)


@pytest.fixture
def watched() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(12, len(FEATURES))), columns=list(FEATURES))
    return table.assign(site="demo-north", patient=[f"p{n}" for n in range(12)], coverage=np.nan, alpha=np.inf)


def test_columns_that_would_end_evidentlys_report_are_left_out_and_named(watched):
    found = unusable(watched.drop(columns="beta"), watched.assign(slope="steep"))
    assert found == {
        "slope": "not a number in the current table",
        "alpha": "without any value in the reference table",
        "beta": "missing in the reference table",
        "coverage": "without any value in the reference table",
    }


def test_evidentlys_page_needs_no_network_and_does_not_decide(watched, tmp_path):
    few = watched.assign(**dict.fromkeys(list(FEATURES)[4:], np.nan))
    left_out = evidently_html(few, few.iloc[:4].assign(log_rms=9.0), tmp_path / "site.html")
    html = (tmp_path / "site.html").read_text()
    assert set(left_out) == set(list(FEATURES)[4:])
    assert "log_rms" in html and "drift" not in html.lower()
    assert not [part for part in html.split("<script")[1:] if "src=" in part.split(">")[0]]


def test_each_site_has_a_page_beside_its_own_past(watched, tmp_path):
    pages = site_pages(watched, watched)
    assert [page.site for page in pages] == sorted(watched["site"].unique())
    assert all(set(part["site"]) == {page.site} for page in pages for part in (page.reference, page.current))
    write_site_page((replace(pages[0], site="ward <7>", simulated=True), tmp_path))
    html = (tmp_path / pages[0].file).read_text()
    assert "log_rms" in html and "<title>ward &lt;7&gt; · Ictal</title>" in html and SIMULATED in html
    assert '<a href="../index.html">All sites</a>' in html.partition("<body><header")[2][:300]
    write_site_page((pages[0], tmp_path))
    assert SIMULATED not in (tmp_path / pages[0].file).read_text()


def test_nothing_to_show_is_refused(watched, tmp_path):
    with pytest.raises(ValueError, match="nothing to show"):
        evidently_html(watched.iloc[:0], watched, tmp_path / "site.html")
    empty = watched.assign(**dict.fromkeys(FEATURES, np.nan))
    assert site_pages(watched, empty) == []


def test_evidently_is_imported_only_when_its_page_is_made():
    code = "import sys, monitoring.report, monitoring.showing; assert 'evidently' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
