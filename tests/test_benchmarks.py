"""The benchmarks run, check answers before they state times, and keep out of the checkout. No time is asserted here."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.montage import ELECTRODES
from data.readers.edf import read_edf, write_edf
from flows.workspace import MARKER, ROOT
from lineage.ledger import Ledger, Software
from serving.jobs import Jobs
from tests.benchmarks import __main__ as command
from tests.benchmarks import appending, chains, demo, kept, limits, queue_growth
from tests.benchmarks.case import Case, Run, Work
from tests.benchmarks.cases import MODULES, bootstrap, edf_to_events, front_end, training
from tests.benchmarks.growth import slopes
from tests.benchmarks.ledgers import answered
from tests.benchmarks.measuring import THREADS, Disagreement, growth, measure, using
from tests.benchmarks.page import bench_page, read_result
from tests.benchmarks.recordings import repeat


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[dict, Path]:
    out = tmp_path_factory.mktemp("benchmarks")
    line = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", "--out", str(out)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout), out


def test_every_file_of_cases_is_run_and_its_answers_agree(made):
    result, _ = made
    assert len(result["cases"]) == len(MODULES) >= 3
    assert all(case["agree"] is True for case in result["cases"])


def test_the_result_has_ratio_spread_target_and_memory_of_each_case(made):
    result, out = made
    assert json.loads((out / "benchmarks.json").read_text()) == result and result["quick"] is True
    for case in result["cases"]:
        assert case["spread"][0] <= case["ratio"] <= case["spread"][1] and case["ratio"] > 0
        assert case["met"] is None and {name.split("@")[0] for name in case["target"]} <= FIGURES
        assert case["clock"] in ("seconds", "cpu_seconds") and case["threads"] >= 1
        for size in case["sizes"]:
            assert size["ours"]["cpu_seconds"] > 0 and size["ours"]["peak_mib"] > 10
        assert any(size["theirs"] for size in case["sizes"])


def test_there_is_a_picture(made):
    svg = (made[1] / "benchmarks.svg").read_text()
    assert "<svg" in svg and all(case["name"] in svg for case in made[0]["cases"])


def test_there_is_a_page_that_loads_nothing_and_says_that_nothing_is_judged(made):
    page = (made[1] / "benchmarks.html").read_text()
    assert "no target is judged" in page and "default-src 'none'" in page
    assert "<script" not in page and not re.search(r"""(src|href)=["'](?!#)""", page.replace('xlink:href="#', ""))
    for case in made[0]["cases"]:
        assert f'<h2 id="{case["name"].replace("_", "-")}">' in page
    assert (
        all(made[0]["machine"][name] in page for name in ("processor", "numpy", "torch"))
        and made[0]["commit"][:12] in page
    )
    assert "a quick run makes no demo" in page and page.count("<svg") > len(MODULES)


def test_the_page_is_made_anew_of_what_was_measured(made, tmp_path, capsys):
    (tmp_path / "benchmarks.json").write_text(json.dumps(made[0]))
    assert command.main(["--page", str(tmp_path / "benchmarks.json")]) == 0
    assert (tmp_path / "benchmarks.html").read_text() == (made[1] / "benchmarks.html").read_text()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "ictal.benchmarks/1"}'])
def test_what_is_no_result_makes_no_page(text, tmp_path, capsys):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(SystemExit) as stopped:
        command.main(["--page", str(tmp_path / "other.json")])
    assert stopped.value.code == 2 and "benchmarks" in capsys.readouterr().err


def judged(made, met) -> dict:
    """The quick run, as if it had been a full one."""
    cases = [case | {"met": met if case["target"] else None} for case in made[0]["cases"]]
    return made[0] | {"quick": False, "cases": cases}


def test_a_page_says_first_whether_targets_are_met(made):
    aims = [case for case in made[0]["cases"] if case["target"]]
    assert f"{len(aims)} of {len(aims)} cases meet their targets" in bench_page(judged(made, True))
    missed = bench_page(judged(made, False))
    assert f"0 of {len(aims)} cases meet" in missed and "at least 50 times faster" in missed


def test_a_page_says_what_was_reached_where_something_else_was_aimed_at(made):
    result = judged(made, False)
    one = next(case for case in result["cases"] if case["name"] == "windows_service")
    one |= {"reached": {name: 0.93 if name == "ratio@1" else limit for name, limit in one["target"].items()}}
    page = bench_page(result)
    assert "windows_service: 0.93 times faster (at 1), at least 2 wanted<" in page
    assert "not met; 0.93 times faster (at 1), at least 2 wanted<" in page


def test_estimates_are_of_what_is_done_at_least(made):
    limited = {c["name"]: c["sizes"][0]["limit"] for c in made[0]["cases"] if c["sizes"][0]["limit"]}
    assert {"training", "front_end", "edf_to_events", "bootstrap"} <= set(limited)
    assert all(one["seconds"] > 0 and one["share"] > 0 for one in limited.values())
    rate = {"gb_per_s": 10.0, "gflop_per_s": 100.0}
    assert (
        limits.limit(Work(2e10, 1e10), rate)["seconds"] == 2
        and limits.limit(Work(2e10, 1e10), rate)["set_by"] == "memory"
    )
    assert limits.limit(Work(1e9, 1e12), rate)["seconds"] == 10


def test_flop_are_those_of_a_layer_counted_by_hand():
    from torch import nn

    assert limits.flop_of(nn.Linear(30, 7), 30) == 2 * 30 * 7
    assert limits.flop_of(nn.Linear(30, 7), 5, 30, learning=True) == 2 * 2 * 5 * 30 * 7  # the weights' way back


def demo_at(home: Path, **seconds: float) -> Path:
    (home / "reports").mkdir(parents=True)
    (home / "reports" / "demo.json").write_text(json.dumps({"seconds": seconds, "whole_s": 99.0}))
    (home / "workspace.json").write_text(
        json.dumps({"made": "2026-01-02T03:04:05+00:00", "checkout": {"commit": "a" * 40}})
    )
    return home


@pytest.mark.parametrize(("check_s", "met"), [(100.0, True), (100.1, False)])
def test_a_demo_is_judged_by_what_neither_trains_nor_serves(tmp_path, check_s, met):
    found = demo.read(demo_at(tmp_path / "home", ingest=20.0, check=check_s, train=500.0, serve=500.0))
    assert found["outside_s"] == pytest.approx(20 + check_s) and found["met"] is met


def test_a_finished_demo_is_shown_by_step(made, tmp_path):
    found = demo.read(demo_at(tmp_path / "home", ingest=20.0, train=31.4))
    result = judged(made, True)
    page = bench_page(result | {"cases": [*result["cases"], found]})
    assert "ingest" in page and "31.4" in page and "20 s outside training and serving" in page.replace("\u00a0", " ")


def test_a_folder_without_a_demo_is_refused_before_anything_is_measured(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--demo", str(tmp_path), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2 and "holds no finished demo" in capsys.readouterr().err


def test_the_documentation_shows_the_run_that_it_keeps():
    result = read_result(kept.run_of(kept.DOCS))
    assert (kept.DOCS / "benchmarks.md").read_text() == kept.page(result), "python -m tests.benchmarks.kept"
    pictures = {path.relative_to(kept.DOCS).as_posix() for path in (kept.DOCS / "benchmarks").glob("*.svg")}
    assert pictures == set(kept.pictures(result)) and result["quick"] is False


def test_a_quick_run_is_not_kept(made, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "DOCS", tmp_path)
    with pytest.raises(SystemExit):
        kept.main([str(made[1] / "benchmarks.json")])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full.json").write_text(json.dumps(judged(made, True)))
    assert kept.main([str(tmp_path / "full.json")]) == 0
    assert (
        "## How it grows" in (tmp_path / "benchmarks.md").read_text()
        and (tmp_path / "benchmarks" / "overview.svg").exists()
    )


@pytest.fixture
def chain(tmp_path):
    """Three lines of a plain chain, the second without a payload."""
    made = chains.opened(tmp_path / "chain.db")
    drafts = [answered(number) for number in range(3)]
    chains.append(made, [drafts[0], replace(drafts[1], payload=None), drafts[2]], Software())
    yield made
    made.close()


def test_a_plain_chain_keeps_what_the_ledger_keeps(tmp_path, chain):
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.append_many([replace(answered(number), edges=()) for number in range(3)])
    copy = chains.opened(chains.chain_of(tmp_path / "ledger.db"))
    lines = copy.execute("SELECT said, payload FROM line ORDER BY seq").fetchall()
    assert [json.loads(said) for said, _ in lines] == [entry.envelope() for entry in ledger.entries()]
    assert [json.loads(payload) for _, payload in lines] == [ledger.payload(e.payload_digest) for e in ledger.entries()]
    assert chains.unbroken(copy) == chains.unbroken(chain) == 3


@pytest.mark.parametrize("changed", ["said = CAST(replace(said, 'site-1', 'site-2') AS BLOB)", "payload = x'7b7d'"])
def test_a_plain_chain_finds_a_changed_line_and_a_changed_payload(chain, changed):
    chain.execute(f"UPDATE line SET {changed} WHERE seq > 1")
    assert chains.unbroken(chain) == -1


def test_another_last_line_is_no_answer():
    added = appending.Added(3, {"id": "a", "reason": ""})
    assert appending.same(added, appending.Added(3, {"id": "b", "reason": ""})) == ""
    assert "differs in reason" in appending.same(added, appending.Added(3, {"id": "b", "reason": "x"}))
    assert "3 lines were added, and 2" in appending.same(added, appending.Added(2, added.last))


def test_slopes_are_told_and_one_size_has_none():
    assert "verify n^2.00; n·log n would be n^1.18" in slopes({"verify": [(100, 1.0), (1000, 100.0)]})
    assert "give two or more" in slopes({"verify": [(100, 1.0)]})


FIGURES = {
    "ratio",
    "ratio_p99",
    "p99_over_p50",
    "seconds",
    "cpu_seconds",
    "peak_mib",
    "mib_per_unit",
    "fixed_seconds",
    "beyond_share",
    "excess_over_n",
    "excess_over_n_log_n",
}


def other(answer: float) -> Case:
    """A case whose alternative gives another answer."""
    return Case(
        name="other",
        claim="",
        alternative="",
        sizes=(1,),
        quick_sizes=(1,),
        make=lambda size: None,
        ours=lambda data: np.array([0.5]),
        theirs=lambda data: np.array([answer]),
        same=bootstrap.same,
        target={"ratio": 50},
    )


def test_times_of_different_answers_are_not_stated(monkeypatch):
    monkeypatch.setattr(bootstrap, "CASE", other(0.5 + 1e-9))
    with pytest.raises(Disagreement, match="F1 of 1 of 1 resamples differs"):
        measure(bootstrap.__name__, quick=True)
    monkeypatch.setattr(bootstrap, "CASE", other(0.5))
    assert measure(bootstrap.__name__, quick=True)["agree"] is True


def test_different_answers_end_the_run_with_an_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bootstrap, "CASE", other(0.25))
    for name, value in command.ONE_THREAD.items():
        monkeypatch.setenv(name, value)  # so that what the command sets is taken back
    assert command.main(["--quick", "--only", "other", "--out", str(tmp_path / "out")]) == 1
    assert "times mean nothing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_processes_of_a_case_have_its_threads_and_others_theirs(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with using(2):
        assert [os.environ[name] for name in THREADS] == ["2", "2", "2"]
    assert os.environ["OMP_NUM_THREADS"] == "1" and "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(("clock", "ratio"), [("seconds", 4.0), ("cpu_seconds", 0.5)])
def test_a_ratio_is_of_the_clock_that_its_case_names(clock, ratio):
    from tests.benchmarks.measuring import _at_size

    runs = {"ours": Run(np.array([0.5]), 2.0, 4.0, 10, 1), "theirs": Run(np.array([0.5]), 8.0, 2.0, 10, 1)}
    found = _at_size("", replace(other(0.5), clock=clock), 1, 3, lambda module, who, size: runs[who])
    assert found["ratios"] == [ratio] * 3


def test_memory_is_what_the_work_adds_at_its_peak_by_size(monkeypatch):
    def ours(data):
        return np.array([np.ones(60_000_000)[0] / 2])  # 458 MiB for a moment

    monkeypatch.setattr(bootstrap, "CASE", replace(other(0.5), ours=ours, quick_sizes=(4,)))
    found = measure(bootstrap.__name__, quick=True)["sizes"][0]["ours"]
    assert found["added_mib"] > 0 and found["peak_mib"] > found["added_mib"]


def test_spectrograms_of_another_signal_are_no_answer():
    x = np.random.default_rng(0).normal(0, 1, (40, 18, 15, 13)).astype(np.float32)
    assert front_end.same(x, x + np.float32(0.01)) == ""
    assert "differ by 0.050" in front_end.same(x, x + np.float32(0.05))
    assert "correlate at" in front_end.same(x, x[:, ::-1])
    assert "shapes" in front_end.same(x, x[:30])


def test_events_elsewhere_and_another_trend_are_no_answer():
    trend = np.sin(np.arange(200.0))
    found = edf_to_events.Found(trend, [(50.0, 80.0)])
    assert edf_to_events.same(found, replace(found, events=[(52.0, 79.0)])) == ""
    assert "events at" in edf_to_events.same(found, replace(found, events=[(54.0, 80.0)]))
    assert "events at" in edf_to_events.same(replace(found, events=[]), replace(found, events=[]))
    assert "correlate" in edf_to_events.same(found, replace(found, trend=np.cos(np.arange(200.0))))


def test_weights_that_differ_in_a_bit_are_no_answer():
    weights = np.ones(5, dtype=np.float32)
    assert training.same(weights, weights) == ""
    assert "weights differ" in training.same(weights, np.nextafter(weights, np.float32(2)))


def test_hours_are_an_hour_again_and_again(tmp_path):
    signal = np.random.default_rng(0).normal(0, 20, (19, 256 * 20))
    write_edf(tmp_path / "a.edf", signal, ELECTRODES, 256.0)
    once = read_edf(tmp_path / "a.edf").segments[0].signal
    repeat(tmp_path / "a.edf", 3)
    made = read_edf(tmp_path / "a.edf")
    assert made.duration_s == 60 and np.array_equal(made.segments[0].signal, np.tile(once, 3))


@pytest.mark.parametrize(
    ("target", "short"),
    [({"ratio": 50}, []), ({"ratio": 51}, ["ratio"]), ({"cpu_seconds": 2.0, "peak_mib": 99}, ["peak_mib"]), ({}, [])],
)
def test_a_target_is_met_or_missed(target, short):
    from tests.benchmarks.measuring import missed

    assert missed(target, {"ratio": 50.0, "cpu_seconds": 1.0, "peak_mib": 100.0}) == short


def test_growth_is_the_exponent_between_the_two_largest_sizes():
    assert growth([(10, 5.0), (100, 2.0), (1000, 20.0)])["exponent"] == pytest.approx(1)
    quadratic = growth([(100, 2.0), (1000, 200.0)])
    assert quadratic["exponent"] == pytest.approx(2) and quadratic["exponent"] > quadratic["n_log_n"]
    assert growth([(100, 2.0)]) is None


def test_a_run_in_a_process_of_its_own_states_its_own_memory():
    from tests.benchmarks.measuring import _apart

    ballast = np.ones(40_000_000)  # 305 MiB here, nothing there
    run = _apart(bootstrap.__name__, "ours", 2)
    assert len(run.answer) == 2000 and run.peak_mib < ballast.nbytes / 2**20


def test_results_are_never_kept_in_the_checkout(monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--quick", "--out", str(ROOT / "tests" / "results")])
    assert stopped.value.code == 2 and "inside the checkout" in capsys.readouterr().err
    assert not (ROOT / "tests" / "results").exists()
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path))
    assert not command.default_out().is_relative_to(tmp_path)  # no workspace there
    (tmp_path / MARKER).write_text("{}")
    assert command.default_out() == tmp_path / "reports" / "benchmarks"


def test_an_unknown_case_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--only", "nothing"])
    assert "no case is named nothing" in capsys.readouterr().err


def test_make_bench_runs_them():
    assert "-m tests.benchmarks" in (ROOT / "Makefile").read_text()


def test_the_acts_of_a_queue_are_timed_beside_jobs_that_ended(tmp_path: Path) -> None:
    found = queue_growth.measure(tmp_path, 50)
    assert list(found) == ["nothing to do", "taken in", "begun", "depth", "forgotten"]
    assert all(seconds > 0 for seconds in found.values())
    with Jobs(tmp_path / "queue.db").engine.connect() as kept:
        states = dict(kept.exec_driver_sql("SELECT state, count(*) FROM serving_job GROUP BY state").fetchall())
    assert states == {"done": 50, "queued": queue_growth.TIMES - queue_growth.SITES, "running": queue_growth.SITES}
