"""Drift across sites: the false-alarm budget, the patient as unit, known shifts found, and power that is told truly."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from monitoring.acquisition import LIMITS, REFUSED, Checked, breaches, refusals
from monitoring.drift import by_patient, compare_sites, draws_for
from monitoring.findings import ALL_SITES, BUDGET, NOT_ENOUGH, OWN_PAST, DriftReport, DriftSettings
from monitoring.permutation import benjamini_hochberg, permutation_effects, pulled_in
from monitoring.power import detectable_shift, power_of_rule

SITES = ("demo-east", "demo-north", "demo-south")
WATCHED = ("log_rms", "log_line_length", "slope", "delta", "alpha", "log_mains", "correlation", "mean_probability")
RULE = DriftSettings(features=WATCHED)
SD = 0.2
"""SD between patients in these tables; small enough that no amplitude differs by a factor of 10."""


def patients(rng: np.random.Generator, per_site: int = 12, sites: tuple[str, ...] = SITES) -> pd.DataFrame:
    """Sites that differ from each other by a constant, patients that differ by chance, features that go together."""
    tables = []
    for number, site in enumerate(sites):
        common = rng.normal(size=(per_site, 1))
        values = SD * (0.6 * common + 0.8 * rng.normal(size=(per_site, len(WATCHED)))) + number
        table = pd.DataFrame(values, columns=list(WATCHED)).assign(site=site, rate_hz=256.0, mains_hz=50.0)
        tables.append(table.assign(patient=[f"{site}-{n}" for n in range(per_site)]))
    return pd.concat(tables, ignore_index=True)


def shifted(table: pd.DataFrame, site: str, feature: str, by_sd: float) -> pd.DataFrame:
    return table.assign(**{feature: table[feature] + by_sd * SD * (table["site"] == site)})


def test_at_most_one_site_month_in_twenty_raises_any_alarm_without_a_change():
    rng, runs, two = np.random.default_rng(20), 80, SITES[:2]
    alarms = sum(
        len(compare_sites(patients(rng, sites=two), patients(rng, sites=two), RULE, rng).alarmed) for _ in range(runs)
    )
    slack = 2.33 * np.sqrt(BUDGET * (1 - BUDGET) / (2 * runs))  # one-sided 99 % of a binomial share
    assert alarms / (2 * runs) <= BUDGET + slack


def test_what_happens_at_other_sites_makes_no_alarm_here_likelier():
    """One family over all sites would lower the hurdle for those that did not change."""
    rng = np.random.default_rng(21)
    then, now = patients(rng), patients(rng)
    quiet = compare_sites(then, now, RULE, np.random.default_rng(0)).site("demo-south")
    moved = now.assign(**{f: now[f] + 5 * SD * (now["site"] != "demo-south") for f in WATCHED})
    report = compare_sites(then, moved, RULE, np.random.default_rng(0))
    assert report.alarmed == ("demo-east", "demo-north")
    assert report.site("demo-south") == quiet
    with pytest.raises(KeyError, match="demo-nowhere"):
        report.site("demo-nowhere")


def test_a_rule_on_windows_would_break_the_same_budget():
    """Why patients: with repeated, similar windows a test that counts windows alarms where nothing changed."""
    from scipy.stats import ks_2samp

    rng, alarms = np.random.default_rng(3), 0
    for _ in range(40):
        then, now = (np.repeat(rng.normal(size=12), 50) + rng.normal(0, 1, 600) for _ in range(2))
        alarms += ks_2samp(then, now).pvalue < 0.05
    assert alarms / 40 > 0.5


def test_a_known_shift_is_found_at_the_right_site_and_feature_only():
    rng = np.random.default_rng(5)
    report = compare_sites(patients(rng), shifted(patients(rng), "demo-north", "slope", 3.0), RULE, rng, "2026-11")
    assert report.alarmed == ("demo-north",)
    (shift,) = report.site("demo-north").alarms
    assert (shift.feature, shift.site) == ("slope", "demo-north") and shift.effect_sd == pytest.approx(3.0, abs=1.0)
    assert {report.site(s).state for s in ("demo-east", "demo-south")} == {"steady"}


def test_windows_are_never_the_unit():
    """Each patient's row repeated ten times gives the very same report."""
    rng = np.random.default_rng(6)
    then, now = patients(rng), shifted(patients(rng), "demo-east", "delta", 1.2)
    once = compare_sites(then, now, RULE, np.random.default_rng(0))
    many = compare_sites(pd.concat([then] * 10), pd.concat([now] * 10), RULE, np.random.default_rng(0))
    assert [s.patients for s in many.sites] == [12, 12, 12]
    for one, other in zip(once.sites, many.sites, strict=True):
        assert [s.p for s in one.shifts] == [s.p for s in other.shifts]
        np.testing.assert_allclose([s.effect_sd for s in one.shifts], [s.effect_sd for s in other.shifts], rtol=1e-9)


def test_a_long_recorded_patient_counts_as_one():
    table = pd.DataFrame({"site": "a", "patient": ["p", "p", "p", "q"], "slope": [1.0, 2.0, 3.0, 10.0]})
    assert by_patient(table, ("slope",))["slope"].tolist() == [2.0, 10.0]


def test_too_few_patients_are_not_tested_and_that_is_said():
    rng = np.random.default_rng(7)
    now = shifted(patients(rng, 5), "demo-north", "slope", 50.0)
    report = compare_sites(patients(rng), now, RULE, rng)
    assert {s.state for s in report.sites} == {NOT_ENOUGH} and all(s.shifts == () for s in report.sites)
    assert report.sites[0].power == "With 5 patients here and 12 in the reference nothing was tested: too few."


def test_six_patients_are_enough_and_six_of_its_own_past_are_what_a_site_is_compared_with():
    rng = np.random.default_rng(7)
    report = compare_sites(patients(rng, 6), shifted(patients(rng, 6), "demo-north", "slope", 50.0), RULE, rng)
    assert report.alarmed == ("demo-north",) and all(s.state != NOT_ENOUGH for s in report.sites)
    assert {(s.against, s.reference_patients) for s in report.sites} == {(OWN_PAST, 6)}


def test_a_certain_but_small_shift_is_no_alarm():
    rng = np.random.default_rng(8)
    then, now = patients(rng, 400), shifted(patients(rng, 400), "demo-north", "slope", 0.4)
    shift = next(s for s in compare_sites(then, now, RULE, rng).site("demo-north").shifts if s.feature == "slope")
    assert shift.q < RULE.q and 0.2 < shift.effect_sd < 0.5 and not shift.alarm
    assert compare_sites(then, now, replace(RULE, effect_floor=0.2), rng).alarmed == ("demo-north",)


def test_a_site_is_compared_with_its_own_past_where_that_is_known():
    rng = np.random.default_rng(9)
    then = patients(rng)
    now = pd.concat([patients(rng), patients(rng, sites=("demo-new",)).assign(**dict.fromkeys(WATCHED, 1.0))])
    report = compare_sites(then, now, RULE, rng)
    assert report.site("demo-north").against == OWN_PAST and report.site("demo-north").reference_patients == 12
    assert report.site("demo-new").against == ALL_SITES and report.site("demo-new").reference_patients == 36


def test_one_artefact_neither_makes_an_alarm_nor_hides_a_shift():
    rng = np.random.default_rng(10)
    then, now = patients(rng), patients(rng)
    spoiled = now.copy()
    spoiled.loc[spoiled.index[spoiled["site"] == "demo-north"][0], "slope"] = 500.0
    assert compare_sites(then, spoiled, RULE, rng).alarmed == ()
    drifted = shifted(spoiled, "demo-north", "slope", 3.0)
    assert compare_sites(then, drifted, RULE, rng).alarmed == ("demo-north",)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [("rate_hz", 512.0, "sampling rate"), ("mains_hz", 60.0, "mains frequency"), ("log_rms", 4.0, "amplitude")],
)
def test_a_broken_rule_of_acquisition_alarms_with_any_number_of_patients(column, value, rule):
    rng = np.random.default_rng(11)
    now = patients(rng, 2, sites=("demo-north",)).assign(**{column: value})
    (site,) = compare_sites(patients(rng), now, RULE, rng).sites
    assert site.state == "alarm" and [b.rule for b in site.breaches] == [rule]


def checked(*refused: int, of: int = 12, earlier: int = 0) -> Checked:
    """What the checks made of a site's recordings, one of each patient: of so many `earlier` refused ones of 12, and now of
    those with these numbers."""
    site = {"site": "demo-north", "patient": [f"n-{n}" for n in range(of)]}
    then = pd.DataFrame({"site": "demo-north", "patient": "then", "refused": [n < earlier for n in range(12)]})
    return Checked(then, pd.DataFrame({**site, "refused": [n in refused for n in range(of)]}))


@pytest.mark.parametrize(
    ("made", "state"),
    [
        (checked(*range(12)), "alarm"),
        (checked(*range(4)), "alarm"),
        (checked(*range(3)), "steady"),  # a quarter
        (checked(*range(4), earlier=4), "steady"),  # a third, as before
        (checked(0, of=1), NOT_ENOUGH),  # one patient
    ],
)
def test_a_site_of_which_the_checks_refuse_more_than_a_quarter_has_broken_a_rule(made, state):
    rng = np.random.default_rng(12)
    then, now = patients(rng), patients(rng)
    north = now[now["site"] == "demo-north"].head((~made.now["refused"]).sum())
    let_through = pd.concat([north, now[now["site"] != "demo-north"]])
    report = compare_sites(then, let_through, RULE, rng, "2026-W48", made)
    site = report.site("demo-north")
    assert site.state == state and [b.rule for b in site.breaches] == [REFUSED] * (state == "alarm")
    assert DriftReport.from_json(report.to_json()).alarmed == report.alarmed


def test_a_site_that_sends_nothing_usable_is_named_with_what_was_refused():
    rng = np.random.default_rng(13)
    other = patients(rng, sites=("demo-south",))
    report = compare_sites(patients(rng), other, RULE, rng, "2026-W48", checked(*range(12)))
    (breach,) = report.site("demo-north").breaches
    assert (
        breach.sentence == "The share of refused recordings was 0% in the reference and is 100% in 12 patients."
        and "0 patients here" in report.site("demo-north").power
    )


def broken(then: dict[str, object], now: dict[str, object], features: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    """Rules that a site of three patients breaks, and in how many of them; the reference is its own past."""
    who = {"site": "north", "patient": ["a", "b", "c"]}
    found = breaches("north", pd.DataFrame({**who, **then}), pd.DataFrame({**who, **now}), features)
    return [(breach.rule, breach.patients) for breach in found]


@pytest.mark.parametrize(
    ("column", "limit"),
    [
        ("clipped_share", 0.01), ("gap_share", 0.1), ("flat_share", 0.2), ("frozen_share", 0.1), ("dropped_share", 0.1),
        ("black_share", 0.5), ("missing_share", 0.3), ("absent_share", 0.5),
    ],
)  # fmt: skip
def test_the_middle_recording_may_reach_a_limit_and_not_pass_it_unless_it_always_did(column, limit):
    beyond, rule = limit + 0.01, LIMITS[column][1]
    assert broken({column: limit}, {column: beyond}) == [(rule, 3)]
    assert broken({column: limit}, {column: [limit, beyond, beyond]}) == [(rule, 2)]
    assert broken({column: [limit, limit, 1.0]}, {column: [0.0, beyond, 1.0]}) == [(rule, 2)]
    assert broken({column: 0.0}, {column: limit}) == broken({column: beyond}, {column: 1.0}) == []
    assert broken({column: 0.0}, {column: [0.0, limit, 1.0]}) == broken({column: 0.0}, {column: np.nan}) == []


@pytest.mark.parametrize(
    "columns",
    [{"clipped_share": 0.5, "rate_hz": 1.0, "log_rms": 9.0, "alpha": np.nan}, {"joints": "none", "confidence": 0.1}],
)
def test_what_one_side_does_not_have_breaks_no_rule(columns):
    assert broken({}, columns, ("alpha",)) == broken(columns, {}) == []


def test_joints_are_unsure_below_a_half_where_they_were_not():
    def unsure(then: float, now: float | list[float]) -> list[tuple[str, int]]:
        return broken({"joints": "all joints", "confidence": then}, {"joints": "all joints", "confidence": now})

    assert unsure(0.5, [0.49, 0.49, 0.5]) == [("confidence of joints", 2)]
    assert unsure(0.9, 0.5) == unsure(0.49, 0.3) == unsure(0.9, [0.5, 0.5, 0.1]) == []
    assert broken({"joints": "all joints", "confidence": 0.9}, {"confidence": 0.3}) == []


@pytest.mark.parametrize("sign", [-1, 1])
def test_an_amplitude_ten_times_as_large_or_small_is_no_patients(sign):
    assert broken({"log_rms": 1.0}, {"log_rms": [1 + sign, 1 + sign, 1]}) == [("amplitude", 3)]
    assert broken({"log_rms": 1.0}, {"log_rms": 1 + sign * 0.99}) == []
    assert broken({"log_rms": np.nan}, {"log_rms": sign}) == broken({"log_rms": sign}, {"log_rms": np.nan}) == []


def test_a_feature_is_missing_where_half_of_the_rows_of_two_patients_lack_it_and_it_was_there():
    rows = {"site": "north", "patient": ["a", "b", "c", "d"]}

    def missing(then: list[float], now: list[float], feature: str = "alpha", patients: str = "abcd") -> list[str]:
        past, here = pd.DataFrame({**rows, feature: then}), pd.DataFrame({**rows, feature: now})
        found = breaches("north", past, here.assign(patient=list(patients)), (feature,))
        assert all(b.expected == f"measured in {np.isfinite(then).mean():.0%}" for b in found)
        assert all(b.found == f"missing in {np.isnan(now).mean():.0%}" for b in found)
        return [b.rule for b in found]

    none, all_there, half, most = [np.nan] * 4, [1.0] * 4, [1.0, 1.0, np.nan, np.nan], [1.0, 1.0, 1.0, np.nan]
    assert missing(all_there, half) == missing(most, none) == ["feature alpha"]
    assert missing(all_there, most) == missing(half, none) == missing(none, none) == []
    assert missing(all_there, half, patients="abcc") == [], "one patient is no site"
    assert missing(all_there, none, "mean_probability") == [], "an answer need not have an event"


def test_a_site_keeps_to_its_own_values_and_one_that_nobody_knows_to_those_of_all():
    then = pd.DataFrame({"site": ["north", "south"], "patient": ["a", "b"], "rate_hz": [256.0, 512.0]})

    def rules(site: str, *rates_hz: float) -> list[str]:
        now = pd.DataFrame({"site": site, "patient": [str(n) for n in range(len(rates_hz))], "rate_hz": rates_hz})
        return [b.sentence for b in breaches(site, then, pd.concat([now, now.assign(site="other", rate_hz=1.0)]))]

    assert rules("north", 256.0, 256.0) == rules("east", 512.0, 256.0) == rules("north", np.nan) == []
    assert rules("north", 512.0, 512.0, 256.0) == [
        "The sampling rate was 256 in the reference and is 512 in 2 patients."
    ]
    assert rules("east", 1000.0) == ["The sampling rate was 256 or 512 in the reference and is 1000 in 1 patient."]
    assert breaches("east", then.assign(rate_hz=np.nan), then.assign(site="east")) == ()


def test_refusals_are_held_to_the_sites_own_past_or_to_all_and_to_two_patients():
    def at(site: str, refused: int, of: int, patients: int = 99) -> pd.DataFrame:
        who = [str(n % patients) for n in range(of)]
        return pd.DataFrame({"site": site, "patient": who, "refused": [n < refused for n in range(of)]})

    def told(earlier: pd.DataFrame, now: pd.DataFrame) -> list[str]:
        return [b.sentence for b in refusals("north", Checked(earlier, pd.concat([now, at("south", 0, 50)])))]

    everywhere = pd.concat([at("north", 3, 12), at("south", 12, 12)])
    assert told(everywhere, at("north", 4, 12)) == [
        "The share of refused recordings was 25% in the reference and is 33% in 4 patients."
    ]
    assert told(everywhere, at("north", 3, 12)) == told(at("south", 12, 12), at("north", 4, 12)) == []
    assert told(at("south", 0, 12), at("north", 2, 4)) == told(at("north", 0, 0), at("north", 2, 4)) != []
    assert told(at("south", 0, 12), at("north", 2, 4, patients=1)) == []


def test_an_amplitude_in_volts_is_told_with_its_values():
    rng = np.random.default_rng(12)
    then = patients(rng, sites=("demo-east",)).assign(log_rms=1.0)
    (site,) = compare_sites(then, then.assign(log_rms=4.0), RULE, rng).sites
    assert site.breaches[0].sentence == "The amplitude was 10 µV in the reference and is 1e+04 µV in 12 patients."


def test_values_that_cease_to_arrive_are_a_breach_and_not_a_steady_site():
    rng = np.random.default_rng(13)
    (site,) = compare_sites(
        patients(rng, sites=("demo-east",)), patients(rng, sites=("demo-east",)).assign(alpha=np.nan), RULE, rng
    ).sites
    assert site.state == "alarm" and [b.rule for b in site.breaches] == ["feature alpha"]
    assert np.isnan(next(s.p for s in site.shifts if s.feature == "alpha"))


def test_a_feature_that_never_varies_is_no_alarm():
    rng = np.random.default_rng(14)
    then, now = (patients(rng).assign(alpha=0.0) for _ in range(2))
    assert not compare_sites(then, now, RULE, rng).alarmed


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30))
def test_benjamini_hochberg_equals_scipy(p):
    from scipy.stats import false_discovery_control

    np.testing.assert_allclose(benjamini_hochberg(np.array(p)), false_discovery_control(p))


@given(
    arrays(float, (20, 2), elements=st.floats(-3, 3).map(lambda x: round(x, 2))), st.floats(0.5, 4), st.floats(-5, 5)
)
@settings(max_examples=25, deadline=None)
def test_unit_and_origin_of_a_feature_do_not_matter(values, scale, offset):
    plain, moved = (
        permutation_effects(v[:12], v[12:], 99, np.random.default_rng(1)) for v in (values, values * scale + offset)
    )
    np.testing.assert_allclose(plain[0], moved[0], atol=1e-6)
    np.testing.assert_allclose(plain[1], moved[1], atol=0.02)


def test_p_of_exchanged_patients_equals_full_enumeration():
    """3 against 3: of the 20 groupings, the observed one and its mirror image are the most extreme."""
    values = np.array([[1.0], [2.0], [3.0], [11.0], [12.0], [13.0]])
    _, p = permutation_effects(values[:3], values[3:], 20_000, np.random.default_rng(0), outlier_sd=np.inf)
    assert p[0] == pytest.approx(2 / 20, abs=0.01)


def test_an_effect_is_in_sd_of_the_reference_and_of_everybody_where_that_is_alike():
    """Patients 1 and 3 (SD √2), then 4 and 6; patients 1 and 1, then 3 and 5 (SD of all four √(11/3)); and all alike."""
    then, now = np.array([[1.0, 1.0, 7.0], [3.0, 1.0, 7.0]]), np.array([[4.0, 3.0, 7.0], [6.0, 5.0, 7.0]])
    effect, p = permutation_effects(then, now, 99, np.random.default_rng(0))
    assert effect == pytest.approx([3 / np.sqrt(2), 3 / np.sqrt(11 / 3), 0.0])
    assert np.isfinite(p).tolist() == [True, True, False], "in what is alike nothing could be found"
    back, _ = permutation_effects(now[:, :1] / 1e6, then[:, :1] / 1e6, 99, np.random.default_rng(0))
    assert back == pytest.approx([-3 / np.sqrt(2)])


def test_what_no_draw_reaches_is_as_rare_as_the_draws_can_show():
    """The grouping as it was counts among them: 1 of 100, and never 0."""
    values = np.arange(40.0)[:, None] + np.repeat([0.0, 100.0], 20)[:, None]
    _, p = permutation_effects(values[:20], values[20:], 99, np.random.default_rng(0))
    assert p.tolist() == [0.01]


@pytest.mark.parametrize("side", [0, 1])
def test_a_feature_that_too_few_patients_of_one_side_have_is_not_tested(side):
    sides = [np.arange(5.0)[:, None], np.arange(5.0)[:, None] + 1]
    sides[side][3:] = np.nan
    for least, tested in ((3, True), (4, False)):
        effect, p = permutation_effects(*sides, 99, np.random.default_rng(0), least=least)
        assert np.isfinite(effect).tolist() == np.isfinite(p).tolist() == [tested]
        assert not tested or effect == pytest.approx([(3 - 1) / 1.0 if side == 0 else 0.0])


def test_values_are_pulled_in_to_the_limit_and_gaps_stay():
    values = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [1000.0], [np.nan]])
    assert pulled_in(values, 4.0)[:, 0] == pytest.approx([0, 1, 2, 3, 4, 2.5 + 4 * 1.4826 * 1.5, np.nan], nan_ok=True)
    mostly_alike = np.array([[0.0], [0.0], [0.0], [5.0]])
    assert pulled_in(mostly_alike, 4.0).tolist() == mostly_alike.tolist(), "without a scale nothing is an artefact"


def test_enough_draws_that_a_lone_shift_among_all_tests_can_be_found():
    for tests in (1, 16, 48, 480):
        assert 1 / (1 + draws_for(tests, RULE)) < RULE.q / tests


def test_power_of_one_sd_is_that_of_the_t_test():
    """Twelve patients against 12, 24, 60 and 200 at α .05: .66, .77, .87, .92 (simulated for the design)."""
    assert [power_of_rule(1.0, 12, n, 1) for n in (12, 24, 60, 200)] == pytest.approx(
        [0.66, 0.77, 0.87, 0.92], abs=0.02
    )


@pytest.mark.parametrize(("patients_now", "before"), [(2, 12), (6, 6), (12, 60), (60, 12)])
def test_power_is_that_of_the_noncentral_t(patients_now, before):
    """Of the t-test alone by the SD of all, and of the floor alone (at q = 1 every exchange is beaten) by that of before."""
    error, freedom = math.sqrt(1 / patients_now + 1 / before), patients_now + before - 2
    for shift_sd in (0.5, 1.0, 2.0):
        tested = stats.nct.sf(stats.t.isf(0.025 / 4, freedom), freedom, shift_sd / error)
        assert power_of_rule(shift_sd, patients_now, before, 4) == pytest.approx(tested, abs=0.005)
        floored = stats.nct.sf(0.8 / error, before - 1, shift_sd / error)
        assert power_of_rule(shift_sd, patients_now, before, 1, 1.0, 0.8) == pytest.approx(floored, abs=0.005)
    half = detectable_shift(patients_now, before, 4)
    assert power_of_rule(half, patients_now, before, 4) == pytest.approx(0.5, abs=0.002)


def test_power_counts_in_whole_draws_and_needs_enough_of_them():
    """1 / 100 is the smallest p of 99 draws: .05 / 5 is not above it, .05 / 4 is."""
    assert power_of_rule(5.0, 12, 60, 5, draws=99) == 0.0
    assert power_of_rule(5.0, 12, 60, 4, draws=99) > 0.99
    assert power_of_rule(1.0, 12, 60, 4, draws=99) < power_of_rule(1.0, 12, 60, 4)


def test_power_is_bounded_by_the_floor_and_by_what_cannot_be_estimated():
    assert power_of_rule(0.5, 4000, 4000, 16, floor_sd=0.5) == pytest.approx(0.5, abs=0.01)
    assert power_of_rule(0.4, 4000, 4000, 16, floor_sd=0.5) < 0.01 < 0.99 < power_of_rule(0.4, 4000, 4000, 16)
    assert power_of_rule(9.0, 1, 4000, 16) == power_of_rule(9.0, 4000, 1, 16) == 0.0


def test_the_shift_said_to_be_missed_half_of_the_time_is_missed_half_of_the_time():
    rng, runs, one = np.random.default_rng(15), 80, ("demo-north",)
    (site,) = compare_sites(patients(rng, sites=one), patients(rng, sites=one), RULE, rng).sites
    found = 0
    for _ in range(runs):
        now = shifted(patients(rng, sites=one), "demo-north", "slope", site.detectable_sd)
        (told,) = compare_sites(patients(rng, sites=one), now, RULE, rng).sites
        found += "slope" in {shift.feature for shift in told.alarms}
    assert 0.35 <= found / runs <= 0.65


def test_more_patients_miss_less_and_the_floor_bounds_what_can_alarm():
    assert detectable_shift(12, 12, 24) > detectable_shift(12, 60, 24) > detectable_shift(60, 60, 24)
    assert detectable_shift(5000, 5000, 24, floor_sd=0.5) == pytest.approx(0.5, abs=0.005)
    assert detectable_shift(1, 50, 24) == float("inf")


def test_a_report_is_the_same_after_it_was_kept_as_json():
    rng = np.random.default_rng(17)
    now = pd.concat(
        [shifted(patients(rng), "demo-east", "slope", 3.0), patients(rng, 3, ("demo-new",)).assign(rate_hz=512.0)]
    )
    report = compare_sites(patients(rng), now.assign(delta=np.nan), RULE, rng, "2026-11")
    kept = json.loads(json.dumps(report.to_json(), allow_nan=False))
    again = DriftReport.from_json(kept)
    assert again.to_json() == report.to_json() and again.settings == report.settings
    assert [s.power for s in again.sites] == [s.power for s in report.sites]
    assert again.site("demo-east").finds == report.site("demo-east").finds and "of 1.5 SD" in report.sites[0].power
    assert again.alarmed == report.alarmed
    assert np.isnan(next(s.p for s in again.site("demo-east").shifts if s.feature == "delta"))


def test_the_same_generator_gives_the_same_report():
    rng = np.random.default_rng(16)
    then, now = patients(rng), patients(rng)
    first, second = (compare_sites(then, now, RULE, np.random.default_rng(4)) for _ in range(2))
    assert first == second
