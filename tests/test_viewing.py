"""A recording looked at: the page, the traces it asks for, who said what, and film and pose in step with them."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from console.display import BINS as BINS_SENT
from console.drawn import Axis
from console.shelf import Reading, Recorded, Shelf, Shelved, Stretch
from console.strips import film_strip, pose_strip
from console.views import View
from data.montage import ELECTRODES, derive
from data.privacy import COARSE
from data.readers.edf import write_edf
from data.readers.edf_spans import open_spans
from data.readers.pose import write_parquet
from data.readers.video_writer import write_video
from lineage.digest import sha256_file
from lineage.refused import Refused
from lineage.run_history import Ran
from tests.consoles import HOSTILE, RECORDINGS, Desk, browser, open_desk
from tests.infants import infant
from tests.office import HOUR, NOW, Office, open_office
from tests.test_film_quality import scene
from tests.test_video import spoilt

RATE_HZ, SECONDS = 256, 40
ADDRESS = "/recordings/small/sub-1_task-eeg"
SHELVED = Shelved("small", "sub-1_task-eeg", "sub-1", "demo-north", "development", 3.0, ("eeg", "video"), "accepted")
ASIDE = replace(
    SHELVED, name="sub-2_task-eeg", site=HOSTILE, verdict="quarantined", reasons=("The file was cut.", "And more.")
)
READINGS = (
    Reading("Reference labels", "label", (Stretch(10, 5, "sz_foc"),)),
    Reading(f"expert {HOSTILE}", "expert"),
    Reading(
        "da_stnet, answer to demo-north",
        "model",
        (Stretch(11, 6, "sz", 0.93, (("T4-T6", 0.62), ("T6-O2", 0.37))),),
        tuple(None if s == 0 else s / SECONDS for s in range(SECONDS)),
        0.5,
        (Stretch(0, 1, "not assessed"),),
        "/predictions/answer-1",
        "completed",
    ),
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return open_office(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EEG of 40 s, a film of 16 s and a pose of 40 s."""
    folder = tmp_path_factory.mktemp("files")
    noise = np.random.default_rng(0).normal(0, 20, (19, RATE_HZ * SECONDS)).astype(np.float32)
    write_edf(folder / "a.edf", noise, ELECTRODES, float(RATE_HZ))
    write_video(folder / "a.mp4", scene(16.0), rate_hz=25.0)
    write_parquet(infant(0, float(SECONDS), 2)[0], folder / "a.parquet")
    return folder


@pytest.fixture(scope="module")
def recorded(files: Path) -> Recorded:
    digests = {"eeg": sha256_file(files / "a.edf"), "video": RECORDINGS[0]}
    return Recorded(
        SHELVED, files / "a.edf", (files / "a.mp4",), files / "a.parquet", None, digests, frozenset({"eeg"}), READINGS
    )


@pytest.fixture(scope="module")
def desk(office: Office, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = open_desk(tmp_path_factory.mktemp("desk"), office)
    made.shelves = [Shelf("small", "detection", (SHELVED, ASIDE), "/reports/checks.html")]
    made.recordings = {("small", SHELVED.name): recorded}
    return made


@pytest.fixture(scope="module")
def client(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return browser(desk, tmp_path_factory.mktemp("reports"))


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def about(html: str) -> dict[str, Any]:
    found = re.search(r'data-about="([^"]*)"', html)
    assert found
    read: dict[str, Any] = json.loads(unescape(found[1]))
    return read


def test_the_colours_of_a_view_are_explained_and_only_those_that_it_has(client: TestClient, desk: Desk) -> None:
    said = words(client.get(ADDRESS).text)
    for meaning in ("reference label", "expert", "model", "the model does not commit itself", "threshold for an event"):
        assert meaning in re.findall(r"<ul class=.legend.*?</ul>", client.get(ADDRESS).text, re.S)[0], meaning
    assert "what drove a model's event" in said and "probability, second by second" in said
    bare = replace(desk.recordings["small", SHELVED.name], readings=READINGS[:1])
    alone = browser(replace(desk, recordings={("small", SHELVED.name): bare}), Path("reports"))
    assert "reference label" in words(alone.get(ADDRESS).text)
    assert "threshold for an event" not in alone.get(ADDRESS).text


def test_a_cohort_says_how_many_recordings_it_has_and_from_how_many_patients(client: TestClient) -> None:
    assert "Recordings 2, from 1 patient " in words(client.get("/recordings").text)


def test_the_page_runs_one_script_of_its_own_and_asks_nobody_else(client: TestClient) -> None:
    said = client.get(ADDRESS)
    policy = said.headers["content-security-policy"]
    assert said.status_code == 200 and said.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in policy and "script-src 'self'; connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script[^>]*>", said.text) == ['<script src="/static/viewer.js" defer>']
    assert not re.search(r"\s(style|on\w+)=", said.text) and not re.search(r"https?://", said.text)
    assert client.get("/static/viewer.js").status_code == 200


def test_a_name_that_is_a_script_is_drawn_and_not_run(client: TestClient) -> None:
    for path in (ADDRESS, f"{ADDRESS}/view.svg", "/recordings"):
        assert "<script>alert" not in client.get(path).text and "alert(" in client.get(path).text, path


def test_the_page_says_who_marked_what_and_what_drove_it(client: TestClient) -> None:
    said = words(client.get(ADDRESS).text)
    for shown in (
        "Reference labels",
        "sz_foc",
        "0.93",
        "T4-T6 62 %, T6-O2 37 %",
        "eeg",
        "not registered in the ledger: an extra to look at, from which no model learns",
    ):
        assert shown in said, shown
    assert "longitudinal bipolar; high-pass 0.5 Hz, low-pass 35 Hz; 100 µV per row, negative upwards" in said
    assert "mean of 24 cells" in said and "no raw film" in said and "No tier of film or pose is anonymous" in said


def test_a_recording_of_which_nothing_is_registered_is_not_called_an_extra(
    office: Office, recorded: Recorded, tmp_path: Path
) -> None:
    desk = open_desk(tmp_path, office)
    desk.recordings = {("small", SHELVED.name): replace(recorded, registered=frozenset())}
    said = words(browser(desk, tmp_path).get(ADDRESS).text)
    assert "not registered in the ledger: never checked, or changed since" in said and "an extra" not in said


def test_what_the_script_is_told_is_what_the_file_holds(client: TestClient, files: Path) -> None:
    told = about(client.get(ADDRESS).text)
    assert (told["samples"], told["rate_hz"], told["duration_s"]) == (RATE_HZ * SECONDS, RATE_HZ, SECONDS)
    assert list(told["montages"]) == ["neonatal_18", "tcp_20", "average", "recorded"]
    assert told["montages"]["neonatal_18"]["rows"][0] == "Fp2-F4"


def tile(client: TestClient, query: str) -> np.ndarray:
    said = client.get(f"{ADDRESS}/traces?{query}")
    assert said.status_code == 200
    return np.frombuffer(said.content, "<f4").reshape(int(said.headers["ictal-rows"]), -1, 2)


def test_traces_without_a_filter_are_the_file_s_own_samples_in_the_montage(client: TestClient, files: Path) -> None:
    sent = tile(client, "montage=neonatal_18&high=0&low=0&level=0&tile=2")
    raw = open_spans(files / "a.edf").signal(2 * BINS_SENT, 3 * BINS_SENT)
    assert np.array_equal(sent[..., 0], sent[..., 1])
    assert np.allclose(sent[..., 0], derive(ELECTRODES, "neonatal_18")(raw), atol=1e-4)


def test_a_column_of_traces_holds_the_lowest_and_the_highest_of_its_samples(client: TestClient) -> None:
    fine = tile(client, "montage=recorded&high=0&low=0&level=0&tile=0")
    coarse = tile(client, "montage=recorded&high=0&low=0&level=3&tile=0")
    assert np.array_equal(coarse[:, :128, 0], fine[..., 0].reshape(19, 128, 8).min(axis=2))
    assert np.array_equal(coarse[:, :128, 1], fine[..., 0].reshape(19, 128, 8).max(axis=2))
    assert tile(client, "level=0&tile=900").shape[1] == 0


def test_what_was_said_is_sent_as_it_was_said(client: TestClient) -> None:
    labels, expert, model = client.get(f"{ADDRESS}/readings.json").json()
    assert (labels["kind"], labels["stretches"][0]["text"], expert["stretches"]) == ("label", "sz_foc", [])
    assert model["trend"][0] is None and model["stretches"][0]["drivers"][0] == ["T4-T6", 0.62]


def test_the_course_of_a_probability_is_drawn_earlier_by_its_delay() -> None:
    axis, trend = Axis(0.0, 40.0), (None, None, None, 0.5)
    plain, late = (Reading("m", "model", trend=trend, trend_delay_s=delay_s) for delay_s in (0.0, 2.0))
    assert axis.course(plain, 0.0).startswith(f"M{axis.x(3.0):.1f},")
    assert axis.course(late, 0.0).startswith(f"M{axis.x(1.0):.1f},")
    assert not Axis(2.0, 4.0).course(late, 0.0) and Axis(2.0, 4.0).course(plain, 0.0)


def test_without_script_the_same_view_is_a_picture_and_every_step_a_link(client: TestClient) -> None:
    html = client.get(f"{ADDRESS}?start=5&seconds=10").text
    picture = re.search(r'<noscript><img class="still" src="([^"]+)"', html)
    assert picture
    svg = client.get(unescape(picture[1]))
    assert svg.headers["content-type"].startswith("image/svg") and svg.text.count('class="trace"') == 18
    assert 'class="label"' in svg.text and "sz 0.93" in svg.text and 'class="course"' in svg.text
    steps = dict(re.findall(r'<a href="\?([^"]+)" data-act="(\w+)"', html)[::-1])
    moved = {act: unescape(address).split("&")[:3] for address, act in steps.items()}
    assert moved["later"][:2] == ["start=15", "seconds=10"] and moved["earlier"][0] == "start=0"
    assert moved["next"][0] == "start=7.5" and moved["wider"][1] == "seconds=20" and moved["louder"][2] == "gain=50"


@given(st.floats(0, 30 * 86_400), st.sampled_from([5.0, 10.0, 30.0]))
def test_an_address_leads_to_the_second_that_it_is_of_however_long_the_recording(
    start_s: float, seconds: float
) -> None:
    asked = dict(parse_qsl(View(start_s, seconds).query()[1:]))
    assert float(asked["start"]) == pytest.approx(start_s, abs=1e-6) and float(asked["seconds"]) == seconds


@pytest.mark.parametrize(
    "query", ["start=now", "seconds=-1", "montage=made_up", "low=200", "notch=55", "gain=nan", "high=0.0001"]
)
def test_a_view_that_means_nothing_is_refused_in_a_sentence(client: TestClient, query: str) -> None:
    said = client.get(f"{ADDRESS}?{query}")
    assert said.status_code == 400 and "." in words(said.text)
    for wrong in ("level=-1", "level=99", "tile=x", "level=" + "9" * 5000):
        assert client.get(f"{ADDRESS}/traces?{wrong}").status_code == 400


def test_a_film_is_never_shown_finer_than_coarse_and_grey_where_it_has_ended(files: Path) -> None:
    from data.readers.video import read_film, read_frames

    film = read_film([files / "a.mp4"])
    times = np.array([1.0, 5.0])
    sharp = read_frames(film.views[0], times, 96, grey=False).astype(float)
    seen = _pixels(film_strip(files / "a.mp4", np.array([1.0, 5.0, 30.0]))).astype(float)
    assert seen.shape == (96, 3 * 96, 3) and np.unique(seen[:, 192:]).tolist() == [128]
    first, cell = seen[:, :96], 96 // COARSE
    assert np.abs(np.diff(first, axis=1)).max() < np.abs(np.diff(sharp[0], axis=1)).max() / 2
    means = [f.reshape(COARSE, cell, COARSE, cell, 3).mean(axis=(1, 3)) for f in (first, sharp[0])]
    assert np.abs(means[0] - means[1]).mean() < 6


def test_where_a_film_cannot_be_decoded_its_strip_is_grey(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", scene(40.0), rate_hz=12.5, key_every=25)
    spoilt(tmp_path / "film.mp4", range(125, 150), 1.0)  # from 10 s to 12 s
    seen = _pixels(film_strip(tmp_path / "film.mp4", np.array([5.0, 11.0, 13.0])))
    assert [bool((seen[:, at : at + 96] == 128).all()) for at in (0, 96, 192)] == [False, True, False]


def _pixels(content: bytes) -> np.ndarray:
    import io

    import av

    with av.open(io.BytesIO(content)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_a_pose_is_drawn_in_torso_lengths_where_one_was_seen(files: Path) -> None:
    svg = pose_strip(files / "a.parquet", None, np.array([1.0, 2.0, 300.0]))
    assert svg.count("<path") == 2 and svg.count("<rect") == 4
    across = [float(x) for x in re.findall(r"[ML](-?[\d.]+),", svg)]
    assert min(across) > -10 and max(across) < 202


def test_strips_come_with_the_view_and_what_is_not_there_is_404(client: TestClient) -> None:
    assert client.get(f"{ADDRESS}/strip/0?start=2&seconds=10&frames=4").headers["content-type"] == "image/png"
    assert client.get(f"{ADDRESS}/strip/pose?start=2").headers["content-type"].startswith("image/svg")
    for kind in ("1", "raw", "-1", "9" * 5000):
        assert client.get(f"{ADDRESS}/strip/{kind}").status_code == 404


def test_a_file_that_cannot_be_read_says_why_and_keeps_what_was_said_of_it(
    office: Office, recorded: Recorded, tmp_path: Path
) -> None:
    (tmp_path / "cut.edf").write_bytes((recorded.eeg or Path()).read_bytes()[:90_000])
    desk = open_desk(tmp_path, office)
    desk.recordings = {("small", SHELVED.name): replace(recorded, eeg=tmp_path / "cut.edf")}
    client = browser(desk, tmp_path)
    said = words(client.get(ADDRESS).text)
    assert "The EEG cannot be shown: truncated" in said and "sz_foc" in said
    assert client.get(f"{ADDRESS}/traces").status_code == 404
    assert 'class="label"' in client.get(f"{ADDRESS}/view.svg").text


def test_what_is_locked_away_is_counted_and_not_opened(office: Office, tmp_path: Path) -> None:
    desk = open_desk(tmp_path, office)
    desk.shelves = [Shelf("small", "detection", (replace(SHELVED, locked=True),))]
    client = browser(desk, tmp_path)
    html = client.get("/recordings").text
    assert SHELVED.name in html and f'href="{ADDRESS}"' not in html and "locked hold-out" in html

    def refuse(cohort: str, name: str) -> None:
        raise Refused("this recording lies in the locked hold-out")

    shut = browser(desk, tmp_path, wrap=lambda room: replace(room, acts=replace(room.acts, recording=refuse)))
    for path in (ADDRESS, f"{ADDRESS}/traces", f"{ADDRESS}/readings.json", f"{ADDRESS}/strip/0"):
        said = shut.get(path)
        assert said.status_code == 409 and "locked hold-out" in words(said.text), path


def test_what_was_put_aside_stands_first_with_its_name_and_reason(client: TestClient) -> None:
    html = client.get("/recordings").text
    assert html.index(">sub-2_task-eeg</a>") < html.index(">sub-1_task-eeg</a>")
    row = re.search(r'<tr class="fail">(.*?)</tr>', html, re.S)
    assert row and "The file was cut. and 1 more" in words(row[1]) and "Put aside sub-2_task-eeg" in words(html)
    assert "Recordings put aside 1" in words(client.get("/").text)
    only = client.get("/recordings?cohort=small&verdict=accepted").text
    assert ">sub-2_task-eeg</a>" not in only and ">sub-1_task-eeg</a>" in only


def test_an_answer_leads_to_its_recording(client: TestClient) -> None:
    assert f'<a href="{ADDRESS}">Look at the recording</a>' in client.get("/predictions/answer-1").text


def test_runs_lead_to_the_server_that_keeps_them_where_there_is_one(office: Office, tmp_path: Path) -> None:
    desk = open_desk(tmp_path, office)
    desk.runs = [
        Ran("1", "train", "failed", NOW, NOW + HOUR, HOSTILE, used={}, made={}, engine_run="f00"),
        Ran("2", "check", "running", NOW, used={}, made={"model": 2}),
        Ran("3", "check", "completed", None, NOW, used={}, made={}),
    ]
    html = browser(desk, tmp_path).get("/runs").text
    assert "http" not in html and "&lt;script&gt;" in html and "2 model" in words(html) and "3600.0" in html
    desk.run_server = "http://127.0.0.1:4200"
    assert 'href="http://127.0.0.1:4200/runs/flow-run/f00"' in browser(desk, tmp_path).get("/runs").text
    assert "check" not in words(browser(desk, tmp_path).get("/runs?state=failed").text).split("Runs", 3)[-1]


def test_a_site_is_shown_with_what_answers_it_and_why_it_is_stopped(office: Office, tmp_path: Path) -> None:
    from lineage.deployments import what
    from lineage.ledger import Actor, Draft

    desk = open_desk(tmp_path, office)
    desk.sites = {"hospital-1", "elsewhere"}
    html = browser(desk, tmp_path).get("/deployments").text
    one, other = (re.search(rf'<th scope="row">{s}</th>(.*?)</tr>', html, re.S) for s in ("hospital-1", "elsewhere"))
    assert one and "answered" in words(one[1]) and "line_length" in one[1] and "/predictions/answer-2" in one[1]
    assert other and "no model for it" in words(other[1])
    stop = Draft(
        "deployment.stopped", Actor("operator"), what("detection", sites=("hospital-1",)), "electrodes are changed"
    )
    desk.ledger.append_many([stop], now=NOW + 9 * HOUR)
    said = words(browser(desk, tmp_path).get("/deployments").text)
    assert "1 site is answered nothing now" in said and "electrodes are changed" in said
    assert "Sites stopped hospital-1" in words(browser(desk, tmp_path).get("/").text)


def test_a_canary_is_shown_as_answering_only_where_its_approval_holds(office: Office, tmp_path: Path) -> None:
    from lineage.deployments import edges, what
    from lineage.ledger import Actor, Draft, Subject

    desk = open_desk(tmp_path, office)
    desk.sites, desk.pointed_at = {"hospital-1", "elsewhere"}, False
    trial = Subject("deployment", "canary", "e" * 64)
    given = (trial, *what("detection", sites=("elsewhere", "hospital-1")))
    permitted = edges(trial.digest, desk.candidates(NOW)[0].digest, desk.record.digest)
    desk.ledger.append_many([Draft("deployment.canary", Actor("operator"), given, edges=permitted)], now=NOW + 9 * HOUR)

    def row(site: str) -> str:
        html = browser(desk, tmp_path).get("/deployments").text
        found = re.search(rf'<th scope="row">{site}</th>(.*?)</tr>', html, re.S)
        assert found
        return words(found[1])

    assert "answered" in row("hospital-1") and "canary" in row("hospital-1")
    elsewhere = row("elsewhere")
    assert (
        "no model for it" in elsewhere and "The site is not among those that the model's approval is for." in elsewhere
    )
    desk.against = ("it ended at 2026-03-02",)
    assert "no model for it" in row("hospital-1") and "canary that may not answer It ended at" in row("hospital-1")


def test_an_approval_is_shown_with_its_people_terms_and_what_speaks_against_it(office: Office, tmp_path: Path) -> None:
    desk = open_desk(tmp_path, office, against=("it ended at 2026-03-02",))
    said = words(browser(desk, tmp_path).get("/approvals").text)
    for shown in (
        "not in force",
        "It ended at 2026-03-02.",
        "Reviewer-1, review",
        "Reviewer-2, approval",
        "hospital-*",
    ):
        assert shown in said, shown


def test_drift_says_which_site_changed_and_a_drawn_page_runs_in_a_box_of_its_own(
    office: Office, tmp_path: Path
) -> None:
    desk = open_desk(tmp_path, office)
    assert "No comparison of sites was made yet" in browser(desk, tmp_path).get("/drift").text
    (tmp_path / "drift").mkdir()
    site = {"site": "demo-east", "state": "alarm", "patients": 12, "reference_patients": 8, "causes": [HOSTILE],
            "since": "2026-W47", "confirmed": False, "doubt": "no shift returned in 2 of 3 periods",
            "shifts": {"delta": -6.75}, "power": "We would miss half."}  # fmt: skip
    report = {"period": "p", "headline": "changed: demo-east", "alarmed": ["demo-east"], "sites": [site]}
    (tmp_path / "drift" / "drift.json").write_text(json.dumps(report))
    (tmp_path / "drift" / "p").mkdir()
    (tmp_path / "drift" / "p" / "site-1.html").write_text("<script>1</script>")
    (tmp_path / "drift" / "p" / "sites.json").write_text(json.dumps({"of": "", "pages": {"demo-east": "site-1.html"}}))
    (tmp_path / "drift" / "index.html").write_text("<p>all</p>")
    client = browser(desk, tmp_path)
    html = client.get("/drift").text
    assert "demo-east: not yet confirmed, so that no retraining was begun: no shift returned in 2 of 3" in words(html)
    assert "2026-W47 not yet" in words(html)
    assert "Delta -6.8" in words(html) and "<script" not in html and "Distributions at demo-east" in words(html)
    assert "Sites that changed demo-east" in words(client.get("/").text)
    drawn, ours = (
        client.get(f"/reports/drift/{f}.html").headers["content-security-policy"] for f in ("p/site-1", "index")
    )
    assert drawn.startswith("sandbox allow-scripts; default-src 'none'") and "same-origin" not in drawn
    assert "script-src" not in ours and "sandbox" not in ours


def test_the_ledger_s_health_stands_above_its_lines(client: TestClient, desk: Desk) -> None:
    said = words(client.get("/ledger").text)
    assert f"Entries {desk.ledger.head().size}" in said and "Last signed checkpoint" in said
    assert "Backups 0" in said and "Failed proofs of who somebody is 0" in said
