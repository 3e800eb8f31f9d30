"""What must hold for gates on any table of scores: nobody gets through by being worse, fewer, silent or renamed."""

from dataclasses import dataclass, fields, replace
from functools import partial
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flows.change_plan import GateParams
from validation.gates import (
    Declared,
    Envelope,
    Evidence,
    ForecastEvidence,
    ForecastingPlan,
    Gate,
    GateSettings,
    TypingEvidence,
    TypingPlan,
    passed,
    run_gates,
)
from validation.gates.detection import false_alarms, floor, non_inferior
from validation.gates.power import power
from validation.gates.study import Scored, Study, arrange, draws
from validation.leakage import GUARDS, GuardOutcome, LeakageAudit
from validation.reliability import Calibration
from validation.scoring.overlap import Sweep
from validation.uncertainty import PairWins

CLEAN = LeakageAudit("split", tuple(GuardOutcome(guard.name, "pass", "") for guard in GUARDS))
USE = "Research on neonatal seizure detection in full-montage EEG; every detection is to be reviewed."
DECLARED = Declared("detection", "eeg", "neonatal_18", (0, 28), ("background", "seizure"), USE, 128.0)
PLAN = GateSettings(min_patients_per_stratum=3, min_patients=2)
"""Small enough cohorts suffice, so that a law holds by the gates and not by the number of patients."""
STEPS = 5
SECONDS = 24
RANK = {"fail": 0, "unknown": 1, "insufficient_evidence": 1, "pass": 2}

few = partial(settings, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Cohort:
    """One detector on some patients, before anything is summed up.

    `detected`, `alarms` (steps, patients) fall with the threshold, the last step is silent; the detector is set to the
    second step. `stated`, `labels` (patients, seconds).
    """

    site: np.ndarray
    stratum: np.ndarray
    seizures: np.ndarray
    recorded_s: np.ndarray
    labels: np.ndarray
    assessed_s: np.ndarray
    detected: np.ndarray
    alarms: np.ndarray
    stated: np.ndarray

    @property
    def n(self) -> int:
        return len(self.site)

    def evidence(self) -> Evidence:
        table = pd.DataFrame(
            {
                "site": self.site,
                "stratum": self.stratum,
                "seizures": self.seizures,
                "detected": self.detected[1],
                "false_alarms": self.alarms[1],
                "recorded_s": self.recorded_s,
                "assessed_s": self.assessed_s,
            },
            index=[f"person-{i}" for i in range(self.n)],
        )
        steps, hours = np.linspace(0.2, 1.0, STEPS), self.assessed_s / 3600
        sweep = Sweep(steps, self.detected, self.alarms, self.seizures, hours)
        labels, stated = list(self.labels), list(self.stated)
        return Evidence(
            table, sweep, PairWins.of(labels, stated), Calibration.of(stated, labels), CLEAN, 10.0, DECLARED
        )

    def joined(self, other: "Cohort") -> "Cohort":
        """The patients of both as one cohort."""
        both = {
            f.name: np.concatenate(
                [getattr(self, f.name), getattr(other, f.name)], axis=-1 if f.name in ("detected", "alarms") else 0
            )
            for f in fields(self)
        }
        return Cohort(**both)

    def with_detector(self, rng: np.random.Generator, skill: float, noise: float) -> "Cohort":
        """Another detector, of this skill (0–1) and with so many false alarms per patient, on the same patients."""
        found = np.sort(rng.binomial(self.seizures, np.full((STEPS - 1, self.n), skill)), axis=0)[::-1]
        false = np.sort(rng.poisson(noise, (STEPS - 1, self.n)), axis=0)[::-1]
        silent = np.zeros((1, self.n), int)
        stated = np.clip(0.5 + 0.4 * skill * (2 * self.labels - 1) + 0.3 * rng.normal(size=self.labels.shape), 0.0, 1.0)
        assessed_s = self.recorded_s * (1 - 0.1 * rng.random(self.n))
        parts = {"detected": np.concatenate([found, silent]), "alarms": np.concatenate([false, silent])}
        return replace(self, **parts, stated=stated, assessed_s=assessed_s)


def patients(rng: np.random.Generator, n: int, sites: int) -> Cohort:
    """Patients of any kind, some without seizures, in two strata; nobody has looked at them yet."""
    seizures, hours = rng.integers(0, 8, n), rng.integers(6, 48, n)
    labels = (np.arange(SECONDS) < 8) & (seizures > 0)[:, None]
    none = np.zeros((STEPS, n), int)
    site, stratum = np.array([f"site-{i % sites}" for i in range(n)]), rng.choice(["young", "old"], n)
    return Cohort(site, stratum, seizures, hours * 3600.0, labels.astype(int), hours * 3600.0, none, none, labels * 0.5)


@st.composite
def cohorts(draw: st.DrawFn, least: int = 1) -> tuple[Cohort, Cohort]:
    """A challenger and a champion of any quality, on the same patients."""
    rng = np.random.default_rng(draw(seeds))
    those = patients(rng, draw(st.integers(least, 24)), draw(st.integers(1, 3)))
    skills, noises = st.floats(0.0, 1.0), st.floats(0.0, 4.0)
    return tuple(those.with_detector(rng, draw(skills), draw(noises)) for _ in range(2))


def worse(rng: np.random.Generator, of: Cohort) -> Cohort:
    """Nobody's seizures are found more, nobody has fewer alarms or is looked at more, no second is stated better."""
    lost, added = rng.random(of.n) * (rng.random() < 0.8), rng.integers(0, 3, of.n) * (rng.random() < 0.8)
    away = rng.random(of.stated.shape) * rng.random()
    return replace(
        of,
        detected=np.floor(of.detected * (1 - lost)).astype(int),
        alarms=of.alarms + added * (np.arange(STEPS) < STEPS - 1)[:, None],
        stated=np.clip(of.stated - away * (2 * of.labels - 1), 0.0, 1.0),
        assessed_s=of.assessed_s * (1 - 0.05 * rng.random(of.n)),
    )


def hopeless(of: Cohort) -> Cohort:
    """Finds nothing, alarms in everybody, looks at half, and says the opposite of the truth."""
    alarms = of.alarms + 50 * (np.arange(STEPS) < STEPS - 1)[:, None]
    return replace(of, detected=0 * of.detected, alarms=alarms, stated=1.0 - of.labels, assessed_s=of.recorded_s / 2)


def held(challenger: Scored, champion: Scored | None, plan: GateSettings = PLAN) -> list[Gate]:
    """All gates; the champion is as good as the floor, so that nothing is asked beside it that is not asked against it."""
    return run_gates(challenger, champion, plan, None if champion is None else replace(champion))


@few(max_examples=25)
@given(cohorts(), seeds)
def test_a_worse_challenger_never_passes(pair, seed):
    champion = pair[1]
    gates = held(worse(np.random.default_rng(seed), champion).evidence(), champion.evidence())
    assert outcome(gates, "superior") in ("fail", "unknown") and not passed(gates)


@few(max_examples=15)
@given(cohorts())
def test_an_equal_challenger_is_never_superior(pair):
    gates = held(pair[1].evidence(), pair[1].evidence())
    assert outcome(gates, "superior") in ("fail", "unknown") and not passed(gates)


def test_in_a_large_cohort_one_lost_seizure_still_keeps_a_challenger_out():
    """400 patients are enough for every other gate to pass."""
    rng = np.random.default_rng(5)
    champion = patients(rng, 400, 2).with_detector(rng, 0.97, 0.0)
    lost = champion.detected.copy()
    lost[:, int(np.flatnonzero(lost[1] > 0)[0])] = 0
    challenger, floor = replace(champion, detected=lost), hopeless(champion)
    gates = run_gates(challenger.evidence(), champion.evidence(), PLAN, floor.evidence())
    assert {g.name for g in gates if g.outcome != "pass"} == {"superior"}


@few(max_examples=20)
@given(cohorts(), seeds)
def test_names_and_order_of_persons_change_nothing(pair, seed):
    challenger, champion = (c.evidence() for c in pair)
    order = np.random.default_rng(seed).permutation(pair[0].n)
    again = [e.of_persons(order) for e in (challenger, champion)]
    again = [replace(e, table=e.table.set_axis([f"other-{i}" for i in order])) for e in again]
    assert held(again[0], again[1]) == held(challenger, champion)


@few(max_examples=15)
@given(cohorts(least=12), st.sampled_from(["site", "stratum"]))
def test_who_finds_nothing_at_a_site_or_in_a_stratum_does_not_pass(pair, what):
    """All patients once more elsewhere, where the champion is as it was and the challenger finds nothing.

    Single gates may become easier: both are compared at the champion's alarm rate over all patients, and who is silent
    somewhere has alarms to spare. The plan as a whole must not pass for that.
    """
    challenger, champion = (replace(c, assessed_s=c.recorded_s) for c in pair)
    assume(champion.detected[1].sum() > 0)
    elsewhere = {what: np.full(champion.n, "elsewhere")}
    joined = (
        challenger.joined(replace(hopeless(champion), **elsewhere)),
        champion.joined(replace(champion, **elsewhere)),
    )
    assert not passed(held(joined[0].evidence(), joined[1].evidence()))


@few(max_examples=25)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.lists(st.sampled_from("AXz"), max_size=6))
def test_further_sites_change_no_draw_of_those_already_there(here, there):
    here, there = here * 2, there * 2  # nobody alone in a site
    before, after = draws(here, 0, 2000), draws([*here, *there], 0, 2000)
    assert np.array_equal(after[:, : len(here)], before)
    assert (after.sum(axis=1) == len(here) + len(there)).all()


def test_patients_alone_in_their_site_are_drawn_together():
    made = draws(["a", "b", "c", "c"], 0, 2000)
    assert (made[:, :2].sum(axis=1) == 2).all() and made[:, 0].max() == 2
    single = draws(["a", "c", "c"], 0, 2000)
    assert (single.sum(axis=1) == 3).all() and single[:, 0].max() == 3


@few(max_examples=20)
@given(cohorts(), st.integers(1, 1000), st.sampled_from([2000, 3000]))
def test_neither_another_seed_nor_more_draws_turn_a_fail_into_a_pass(pair, seed, count):
    challenger, champion = (c.evidence() for c in pair)
    first = {g.name: g for g in held(challenger, champion)}
    for g in held(challenger, champion, replace(PLAN, seed=seed, draws=count)):
        assert {first[g.name].outcome, g.outcome} != {"fail", "pass"}


@pytest.mark.parametrize("seed", range(4))
def test_a_clear_outcome_does_not_depend_on_the_dice(seed):
    """Clear: the limit is further from the bound than four times what the bound varies by from seed to seed."""
    rng = np.random.default_rng(seed)
    those = patients(rng, 120, 2)
    challenger, champion = (those.with_detector(rng, skill, 1.0).evidence() for skill in (0.75, 0.7))
    runs = [run_gates(challenger, champion, replace(PLAN, seed=s)) for s in range(5)]
    clear = 0
    for same in zip(*runs, strict=True):
        values = np.array([np.nan if g.value is None else g.value for g in same])
        if same[0].limit is not None and abs(values.mean() - same[0].limit) > 4 * values.std():
            clear += 1
            assert len({g.outcome for g in same}) == 1, same
    assert clear >= 6


BROKEN = ("seizures", "detected", "false_alarms", "recorded_s", "assessed_s")


@few(max_examples=20)
@given(cohorts(), st.sampled_from(BROKEN), st.floats(0.01, 1.0), st.booleans(), seeds)
def test_what_is_not_a_number_never_passes(pair, column, share, both, seed):
    rng, champion = np.random.default_rng(seed), pair[1].evidence()
    values = champion.table[column].to_numpy(dtype=float).copy()
    values[rng.random(len(values)) < share] = np.nan
    values[0] = np.nan
    broken = replace(champion, table=champion.table.assign(**{column: values}))
    rival = broken if both or column in ("seizures", "recorded_s") else champion
    gates = held(broken, rival)
    reading = {
        "seizures": ["floor:"], "detected": ["floor:"], "false_alarms": ["false_alarms"],
        "recorded_s": ["abstention"], "assessed_s": ["abstention", "false_alarms"],
    }[column]  # fmt: skip
    stratum = champion.table["stratum"].iloc[0]
    for name in reading:
        assert outcome(gates, f"floor:{stratum}" if name == "floor:" else name) in ("unknown", "insufficient_evidence")
    assert not passed(gates)


@pytest.mark.parametrize("persons", [0, 1, 2, 4])
@pytest.mark.parametrize("rival", ["itself", "nobody", "a hopeless one"])
def test_tables_of_nobody_or_hardly_anybody_end_without_a_pass_and_without_a_crash(persons, rival):
    rng = np.random.default_rng(0)
    full = patients(rng, 6, 1).with_detector(rng, 1.0, 0.0)
    those, poor = (c.evidence().of_persons(np.arange(persons)) for c in (full, hopeless(full)))
    gates = run_gates(those, {"itself": those, "nobody": None, "a hopeless one": poor}[rival], GateSettings())
    assert {g.name for g in gates if g.outcome == "pass"} == {"leakage_audit", "cost", "envelope"}
    assert not any(g.outcome == "fail" for g in gates if g.name != "superior")


KINDS = {
    "sensitivity_non_inferior", "false_alarms", "superior", "site", "calibration", "abstention",
    "beats_floor", "floor", "leakage_audit", "cost", "envelope",
}  # fmt: skip


@few(max_examples=15)
@given(cohorts(), st.data())
def test_no_setting_of_params_yaml_removes_a_gate(pair, data):
    """Every number as strict as one likes: the kinds of gates stay the same."""
    stricter = GateParams(
        sensitivity_margin=data.draw(st.floats(0.001, 0.05)),
        floor_sensitivity=data.draw(st.floats(0.70, 0.99)),
        min_patients_per_stratum=data.draw(st.integers(60, 10**6)),
        max_cost_s_per_eeg_hour=data.draw(st.floats(0.001, 360)),
        min_patients=data.draw(st.integers(5, 10**6)),
        one_sided_confidence=data.draw(st.floats(0.975, 0.999)),
    )
    gates = run_gates(pair[0].evidence(), pair[1].evidence(), GateSettings(**stricter.model_dump()))
    assert {g.name.split(":")[0] for g in gates} == KINDS


@few(max_examples=40)
@given(st.lists(st.sampled_from(sorted(RANK)), max_size=8))
def test_passing_needs_every_gate(outcomes):
    gates = [Gate(f"gate-{i}", made, 0.0, 0.0, "") for i, made in enumerate(outcomes)]
    assert passed(gates) == (len(gates) > 0 and set(outcomes) == {"pass"})


# The other tasks on random tables

TYPES = ("focal", "focal to bilateral")
WIDE = GateSettings(
    envelope=Envelope(
        ("typing", "forecasting"), ("video",), ("views",), (15.0,), (0, 36500), (*TYPES, "seizure"), (USE,)
    )
)
VIDEO = Declared("typing", "video", "views", (0, 36500), TYPES, USE, 15.0)


@st.composite
def typings(draw: st.DrawFn) -> TypingEvidence:
    rng, n = np.random.default_rng(draw(seeds)), draw(st.integers(0, 40))
    confusion = rng.poisson(draw(st.floats(0.0, 2.0)), (n, 2, 3)) * (rng.random((n, 2, 1)) < 0.6)
    table = pd.DataFrame({"site": rng.choice(["A", "B"], n)}, index=range(n))
    return TypingEvidence(table, TYPES, confusion, CLEAN, 1.0, VIDEO)


@few(max_examples=20)
@given(typings(), seeds)
def test_a_worse_or_equal_namer_of_types_never_passes(champion, seed):
    """Some clips that were named rightly get no answer, or the other type."""
    rng, worse = np.random.default_rng(seed), champion.confusion.copy()
    for of in range(2):
        lost = rng.binomial(worse[:, of, of], rng.random())
        worse[:, of, of] -= lost
        worse[:, of, rng.choice([1 - of, 2])] += lost
    for challenger in (replace(champion, confusion=worse), champion):
        gates = held(challenger, champion, WIDE)
        assert outcome(gates, "superior") in ("fail", "unknown") and not passed(gates)
    order = rng.permutation(len(champion.table))
    again = replace(champion, confusion=worse).of_persons(order), champion.of_persons(order)
    assert held(*again, WIDE) == held(replace(champion, confusion=worse), champion, WIDE)


@few(max_examples=20)
@given(typings(), st.integers(0, 1))
def test_who_names_every_seizure_alike_never_passes_whoever_the_rival_is(made, said):
    """What is known without a look, with patients apart: one type for everybody. The floor of the other type stops it."""
    alike = np.zeros_like(made.confusion)
    alike[:, :, said] = made.confusion.sum(axis=2)
    plan = replace(WIDE, min_patients=2, typing=TypingPlan(min_patients_per_class=1))
    for rival in (replace(made, confusion=alike), made, None):
        gates = held(replace(made, confusion=alike), rival, plan)
        assert outcome(gates, f"floor:{TYPES[1 - said]}") != "pass" and not passed(gates)


@st.composite
def forecasts(draw: st.DrawFn) -> ForecastEvidence:
    rng, n = np.random.default_rng(draw(seeds)), draw(st.integers(0, 40))
    ahead, quiet = rng.integers(0, 6, n), rng.integers(0, 12, n)
    judged = rng.binomial(ahead + quiet, 0.9)
    table = pd.DataFrame(
        {
            "site": rng.choice(["A", "B"], n),
            "ahead": ahead,
            "foreseen": rng.binomial(ahead, draw(st.floats(0, 1))),
            "quiet": quiet,
            "silent": rng.binomial(quiet, draw(st.floats(0, 1))),
            "judged": judged,
            "squared_error": judged * rng.random(n),
            "false_warnings": rng.poisson(1.0, n),
            "warning_s": 60.0 * rng.integers(0, 20, n),
            "answered_s": 3600.0 * rng.integers(1, 30, n),
            "observed_s": 3600.0 * 30,
        },
        index=range(n),
    )
    told = [rng.binomial(asked, draw(st.floats(0, 1))) for asked in (ahead, quiet)]
    blind = {"the time": np.stack([told[0], ahead, told[1], quiet], axis=1)}
    declared = replace(VIDEO, task="forecasting", classes=("seizure",))
    return ForecastEvidence(table, CLEAN, 1.0, declared, blind)


@few(max_examples=20)
@given(forecasts(), seeds)
def test_a_worse_or_equal_forecaster_never_passes(champion, seed):
    rng, t = np.random.default_rng(seed), champion.table
    table = t.assign(
        foreseen=rng.binomial(t["foreseen"], rng.random()),
        silent=rng.binomial(t["silent"], rng.random()),
        squared_error=t["squared_error"] * (1 + rng.random()),
        false_warnings=t["false_warnings"] + rng.integers(0, 3, len(t)),
    )
    for challenger in (replace(champion, table=table), champion):
        gates = held(challenger, champion, WIDE)
        assert outcome(gates, "superior") in ("fail", "unknown") and not passed(gates)


def no_film(made: ForecastEvidence) -> ForecastEvidence:
    """A forecaster that answers as the baseline does."""
    foreseen, _, silent, _ = made.blind["the time"].T
    return replace(made, table=made.table.assign(foreseen=foreseen, silent=silent))


@few(max_examples=20)
@given(forecasts(), seeds)
def test_who_knows_no_more_than_a_baseline_never_passes_whoever_the_rival_is(made, seed):
    wide = replace(WIDE, forecasting=ForecastingPlan(min_patients=2))
    for rival in (made, None):
        gates = held(no_film(made), rival, wide)
        assert outcome(gates, "baselines") in ("fail", "unknown", "insufficient_evidence") and not passed(gates)
    order = np.random.default_rng(seed).permutation(len(made.table))
    assert run_gates(made.of_persons(order), None, wide) == run_gates(made, None, wide)


@few(max_examples=20)
@given(forecasts(), seeds)
def test_a_further_baseline_makes_no_forecaster_better(made, seed):
    rng = np.random.default_rng(seed)
    ahead, quiet = made.table["ahead"].to_numpy(), made.table["quiet"].to_numpy()
    further = np.stack([rng.binomial(ahead, 0.7), ahead, rng.binomial(quiet, 0.7), quiet], axis=1)
    more = replace(made, blind=dict(made.blind) | {"further": further})
    wide = replace(WIDE, forecasting=ForecastingPlan(min_patients=2))
    before, after = (run_gates(e, None, wide) for e in (made, more))
    assert RANK[outcome(after, "baselines")] <= RANK[outcome(before, "baselines")]


# Power, held against simulated cohorts


def equal_pair(rng: np.random.Generator, template: Evidence, sensitivity: float, alike: float) -> list[Evidence]:
    """Two detectors that are truly equal, in patients who differ (beta-distributed, the less the larger `alike`)."""
    n = len(template.table)
    easy, seizures, none = rng.beta(alike * sensitivity, alike * (1 - sensitivity), n), np.full(n, 6), np.zeros(n, int)
    made = []
    for _ in range(2):
        found = rng.binomial(seizures, easy)
        table = template.table.assign(seizures=seizures, detected=found, false_alarms=rng.poisson(1.0, n))
        counts = {"detected": np.stack([found, none]), "false_alarms": np.stack([none, none])}
        sweep = replace(template.sweep, thresholds=np.array([0.5, 1.0]), seizures=seizures, **counts)
        made.append(replace(template, table=table, sweep=sweep))
    return made


def everyone(study: Study[Evidence]) -> Gate:
    return floor(study, "all", np.ones(len(study.cells), dtype=bool))


@pytest.mark.parametrize(
    ("gate", "n", "truth", "alike"),
    [(non_inferior, 60, 0.75, 4.0), (false_alarms, 24, 0.75, 4.0), (everyone, 60, 0.80, 1.5)],
)
def test_stated_power_is_how_often_the_gate_passes_in_simulated_cohorts(gate, n, truth, alike):
    """200 cohorts: a share near one half is then known to ± 7 points (two standard errors)."""
    rng = np.random.default_rng(8)
    template = patients(rng, n, 2).evidence()
    template = replace(template, table=template.table.assign(stratum="all", recorded_s=86400.0, assessed_s=86400.0))
    made = [gate(arrange(*equal_pair(rng, template, truth, alike), PLAN)) for _ in range(200)]
    share, stated = np.mean([g.outcome == "pass" for g in made]), np.median([g.power for g in made])
    assert 0.3 < share < 0.9, "a share that says something"
    assert stated == pytest.approx(share, abs=0.08)


def outcome(gates: list[Gate], name: str) -> str:
    return next(g.outcome for g in gates if g.name == name)


def test_the_normal_approximation_is_what_it_says():
    """Margin 0.05, standard error 0.02, 100 patients: Φ(2.5 − 1.96) = 0.705; 80 % needs 100 · (2.80 · 0.4)² = 126."""
    made = power(0.05, 0.02, 100, 0.975, "equal", 5)
    assert made.share == pytest.approx(NormalDist().cdf(0.54), abs=1e-4)
    assert made.persons_needed == 126
