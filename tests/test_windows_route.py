"""Windows that a site's software cut: what is no signal is refused, what the model is not meant for is said, all is written down."""

import asyncio
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.montage import ELECTRODES
from data.outcomes import Refusal
from data.recording import Recording, Segment
from lineage.ledger import Ledger, Software
from lineage.refused import Refused
from models.analysis import assess
from models.bundle import load_bundle
from models.ood import Ood
from models.together import Judged, judge_together
from serving.auth import AcceptedKeys, Unauthorised, issue_key, key_id, open_keys, revoke_key, site_of
from serving.loader import JUDGED, Loaded, Loader, NoApprovedModel
from serving.schema import WindowsAnswer
from serving.service import create_app
from serving.store import read_pointer, stored_bundle
from serving.windows import Sent, answer_windows, counted, in_words
from tests.served import HAS_SEEN_ALL, NOW, RATE_HZ, people_and_keys, put_in_force
from tests.services import served_home

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the test client asks for another version of the HTTP library
    from starlette.testclient import TestClient

SIGNAL = np.random.default_rng(1).normal(0, 10, (19, int(6 * RATE_HZ))).astype("<f4")
SIGNAL[:, int(3 * RATE_HZ) :] *= 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[tuple[TestClient, dict[str, str]]]:
    engine = open_keys(home)
    key = issue_key(engine, "demo-north", ("detect",), NOW, 30)
    engine.dispose()
    software = Software("c" * 40, "1" * 64, dirty=False)
    with TestClient(create_app(home, allow_demo=True, clock=lambda: NOW, software=software)) as client:
        yield client, described(key)


def described(key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/octet-stream",
        "X-Channels": ",".join(ELECTRODES),
        "X-Rate-Hz": str(RATE_HZ),
        "X-Age": "3d",
    }


def ask(
    site: tuple[TestClient, dict[str, str]], body: bytes = SIGNAL.tobytes(), **headers: str | None
) -> httpx.Response:
    client, own = site
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(
        "/v1/windows", content=body, headers={k: v for k, v in {**own, **changed}.items() if v is not None}
    )


def test_each_window_has_the_probability_that_it_has_at_the_start_of_a_recording(
    site: tuple[TestClient, dict[str, str]], home: Path
) -> None:
    said = ask(site).json()
    bundle = load_bundle(stored_bundle(home, read_pointer(home).tag))
    recording = Recording(ELECTRODES, RATE_HZ, (Segment(0.0, SIGNAL),), 6.0, age_days=3.0)
    wanted = assess(bundle.front_end.prepare(recording), bundle)
    assert said["outcome"] == "completed" and said["onset_s"] == [0.0, 1.0, 2.0, 3.0, 4.0] and said["window_s"] == 2.0
    assert said["probability"] == pytest.approx(wanted[1:].tolist(), abs=1e-6)
    assert said["probability"][0] < 0.5 < said["probability"][-1]
    assert said["model"]["digest"] == bundle.digest and said["engine"] == "reference"
    assert said["banner"].startswith("review required") and "receipt" not in said


def test_integers_with_a_scale_are_the_same_signal(site: tuple[TestClient, dict[str, str]]) -> None:
    steps = np.round(SIGNAL / 0.01).astype("<i2")
    said = ask(site, steps.tobytes(), X_Sample_Format="int16", X_Scale_uV="0.01").json()
    assert said["probability"] == pytest.approx(ask(site).json()["probability"], abs=1e-3)


NOT_A_NUMBER = SIGNAL.copy()
NOT_A_NUMBER[3, 7] = np.nan
UNREADABLE = {
    "a sample too few": (SIGNAL.tobytes()[:-4], {}, 400, "no whole number of samples"),
    "nothing": (b"", {}, 400, "no sample was sent"),
    "less than a sample": (bytes(7), {}, 400, "each takes 76 bytes"),
    "not a number": (NOT_A_NUMBER.tobytes(), {}, 400, "not a number"),
    "infinite": (np.full((19, 600), np.inf, "<f4").tobytes(), {}, 400, "not a number"),
    "no channels": (SIGNAL.tobytes(), {"X_Channels": None}, 400, "X-Channels"),
    "an empty name": (SIGNAL.tobytes(), {"X_Channels": "Fp1,,Fp2"}, 400, "X-Channels"),
    "no rate": (SIGNAL.tobytes(), {"X_Rate_Hz": None}, 400, "X-Rate-Hz"),
    "a rate that is none": (SIGNAL.tobytes(), {"X_Rate_Hz": "nan"}, 400, "X-Rate-Hz"),
    "another format": (SIGNAL.tobytes(), {"X_Sample_Format": "float64"}, 400, "float32 or int16"),
    "integers without a scale": (SIGNAL.tobytes(), {"X_Sample_Format": "int16"}, 400, "X-Scale-uV"),
    "a scale of floats": (SIGNAL.tobytes(), {"X_Scale_uV": "1"}, 400, "X-Scale-uV"),
    "an age that is none": (SIGNAL.tobytes(), {"X_Age": "soon"}, 400, "age"),
    "an hour": (np.zeros((2, 3600 * 64), "<f4").tobytes(), {"X_Rate_Hz": "64", "X_Channels": "C3,C4"}, 400, "3600.0 s of 2"),
    "too few names": (SIGNAL.tobytes(), {"X_Channels": "Fp1"}, 400, "114.0 s of 1 channels at 256 Hz, and at most 60 s"),
    "too many bytes": (bytes(9 * 2**20), {}, 413, "at most 8388608 bytes"),
    "a form": (SIGNAL.tobytes(), {"Content_Type": "multipart/form-data"}, 415, "octet-stream"),
    "a pickle": (SIGNAL.tobytes(), {"Content_Type": "application/vnd.bentoml+pickle"}, 415, "octet-stream"),
    "no key": (SIGNAL.tobytes(), {"Authorization": None}, 401, "key"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_fault_what_cannot_be_read_is_a_problem(site: tuple[TestClient, dict[str, str]], case: str) -> None:
    body, headers, status, words = UNREADABLE[case]
    refused = ask(site, body, **headers)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert words in refused.json()["detail"]


QUIET = np.zeros_like(SIGNAL)
NOT_MEANT = {
    "too short": (SIGNAL[:, :400].tobytes(), {}, "too_short"),
    "three channels": (SIGNAL[:3].tobytes(), {"X_Channels": "Fp1,Fp2,Cz"}, "montage_missing"),
    "slow": (SIGNAL.tobytes(), {"X_Rate_Hz": "50"}, "rate_too_low"),
    "no age": (SIGNAL.tobytes(), {"X_Age": None}, "age_unknown"),
    "an adult": (SIGNAL.tobytes(), {"X_Age": "34y"}, "age_out_of_scope"),
    "older than approved": (SIGNAL.tobytes(), {"X_Age": "25d"}, "age_out_of_scope"),
    "flat": (QUIET.tobytes(), {}, "flat"),
    "a thousand times": ((1000 * SIGNAL).tobytes(), {}, "unit_suspect"),
}


def test_fault_a_header_that_is_given_twice_is_a_problem(site: tuple[TestClient, dict[str, str]]) -> None:
    client, own = site
    twice = [*own.items(), ("x-rate-hz", "512")]
    said = client.post("/v1/windows", content=SIGNAL.tobytes(), headers=twice)
    assert said.status_code == 400 and "given once" in said.json()["detail"]


@pytest.mark.parametrize("case", NOT_MEANT)
def test_fault_what_the_model_is_not_meant_for_is_said_with_its_code(
    site: tuple[TestClient, dict[str, str]], case: str
) -> None:
    body, headers, code = NOT_MEANT[case]
    said = ask(site, body, **headers)
    assert said.status_code == 200
    assert (said.json()["outcome"], said.json()["code"], said.json()["probability"]) == ("not_evaluable", code, None)


def test_windows_unlike_the_training_patients_have_no_probability(tmp_path: Path) -> None:
    people_and_keys(tmp_path)
    narrow = Ood(HAS_SEEN_ALL.centre, HAS_SEEN_ALL.precision, 0.0, HAS_SEEN_ALL.recording_limit, 9)
    put_in_force(tmp_path, ood=narrow)
    engine = open_keys(tmp_path)
    key = issue_key(engine, "demo-north", ("detect",), NOW, 30)
    with TestClient(create_app(tmp_path, allow_demo=True, clock=lambda: NOW)) as client:
        said = ask((client, described(key))).json()
    assert said["outcome"] == "completed_with_abstentions" and said["probability"] == [None] * 5
    assert said["code"] == "ood" and said["reason"].startswith("5 of 5 windows look unlike the patients")


def sent(signal: np.ndarray = SIGNAL, rate_hz: float = RATE_HZ, age_days: float | None = 3.0) -> Sent:
    return Sent(signal, ELECTRODES, rate_hz, age_days)


async def in_place(*question: Any) -> list[Judged | Refusal]:
    return judge_together(*question)


def answered(asked: Sequence[Sent], models: Sequence[Loaded | str]) -> list[WindowsAnswer]:
    return asyncio.run(answer_windows(asked, models, NOW, in_place))


def without_id(said: WindowsAnswer) -> dict[str, Any]:
    return said.model_dump(exclude={"answer_id"})


def test_one_of_any_kind_is_answered_among_others_as_it_is_alone(tmp_path: Path) -> None:
    models: list[Loaded] = []
    for name, threshold, narrow in (("one", 0.5, HAS_SEEN_ALL), ("two", 0.6, replace(HAS_SEEN_ALL, window_limit=0.0))):
        people_and_keys(tmp_path / name)
        put_in_force(tmp_path / name, threshold, ood=narrow)
        models.append(Loader(tmp_path / name, allow_demo=True).for_site("demo-north", NOW))
    one, two = models
    asked: list[tuple[Sent, Loaded | str]] = [
        (sent(), one),
        (sent(SIGNAL[:, : 2 * 256]), one),
        (sent(), two),
        (sent(SIGNAL[:, :400]), one),
        (sent(), "nobody has approved one"),
        (Sent(SIGNAL[::-1], ELECTRODES[::-1], RATE_HZ, 3.0), one),
        (sent(age_days=40 * 365.0), one),
        (sent(2 * SIGNAL), one),
        (sent(rate_hz=128.0), one),
        (sent(np.zeros_like(SIGNAL)), one),
        (sent(age_days=19.0), one),
    ]
    together = answered([what for what, _ in asked], [model for _, model in asked])
    apart = [answered([what], [model])[0] for what, model in asked]
    assert [without_id(said) for said in together] == [without_id(said) for said in apart]
    assert len({said.answer_id for said in together}) == len(asked)
    codes = [said.code for said in together]
    assert codes == [
        None,
        None,
        "ood",
        "too_short",
        "no_approved_model",
        None,
        "age_out_of_scope",
        None,
        None,
        "flat",
        None,
    ]
    assert [len(said.probability or ()) for said in together] == [5, 1, 5, 0, 0, 5, 0, 5, 11, 0, 5]
    assert together[2].model != together[0].model and together[2].probability == (None,) * 5
    assert together[5].probability == together[0].probability == together[10].probability, (
        "the same EEG, named otherwise"
    )


def test_many_at_once_are_answered_each_its_own_and_all_are_written_down(tmp_path: Path) -> None:
    people_and_keys(tmp_path)
    put_in_force(tmp_path)
    engine = open_keys(tmp_path)
    key = issue_key(engine, "demo-north", ("detect",), NOW, 30)
    bodies = [
        SIGNAL.tobytes(),
        SIGNAL[:, : 3 * 256].tobytes(),
        SIGNAL.tobytes()[:-4],
        QUIET.tobytes(),
        (2 * SIGNAL).tobytes(),
    ]
    with TestClient(create_app(tmp_path, allow_demo=True, clock=lambda: NOW)) as client, ThreadPoolExecutor(15) as pool:
        alone = [ask((client, described(key)), body) for body in bodies]
        found = list(pool.map(lambda n: ask((client, described(key)), bodies[n % 5]), range(45)))
    for number, response in enumerate(found):
        wanted = alone[number % 5]
        assert response.status_code == wanted.status_code
        assert response.json().get("probability") == wanted.json().get("probability")
        assert response.json().get("code") == wanted.json().get("code")
    ledger = Ledger(tmp_path / "ledger" / "ledger.db")
    stated = [ledger.payload(line.payload_digest) or {} for line in ledger.entries("windows.answered")]
    assert sum(said["answers"] for said in stated) == 10 * 4
    assert sum(said["windows"] for said in stated) == 10 * (5 + 2 + 5)
    outcomes = Counter[str]()
    for said in stated:
        outcomes.update(said["outcomes"])
    assert outcomes == {"completed": 30, "not_evaluable": 10}


def test_a_second_in_which_no_window_could_be_answered_says_so_in_the_ledger(tmp_path: Path) -> None:
    people_and_keys(tmp_path)
    put_in_force(tmp_path)
    key = issue_key(open_keys(tmp_path), "demo-north", ("detect",), NOW, 30)
    with TestClient(create_app(tmp_path, allow_demo=True, clock=lambda: NOW)) as client:
        assert ask((client, described(key)), X_Age=None).json()["outcome"] == "not_evaluable"
    (line,) = Ledger(tmp_path / "ledger" / "ledger.db").entries("windows.answered")
    assert (line.subjects[0].kind, line.subjects[0].id) == ("windows", "none in 1 answer")


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_how_many_windows_a_line_says_is_read_back(windows: int, answers: int) -> None:
    assert counted(in_words(windows, answers)) == (windows, answers)


def test_what_does_not_count_answered_windows_is_not_read_as_such() -> None:
    with pytest.raises(Refused, match="5 labelled windows"):
        counted("5 labelled windows")


def test_all_that_was_answered_stands_in_the_ledger(tmp_path: Path) -> None:
    people_and_keys(tmp_path)
    bundle = put_in_force(tmp_path)
    engine = open_keys(tmp_path)
    key = issue_key(engine, "demo-north", ("detect",), NOW, 30)
    with TestClient(create_app(tmp_path, allow_demo=True, clock=lambda: NOW)) as client:
        for _ in range(3):
            ask((client, described(key)))
        ask((client, described(key)), SIGNAL[:, :400].tobytes())
    ledger = Ledger(tmp_path / "ledger" / "ledger.db")
    lines = ledger.entries("windows.answered")
    stated = [ledger.payload(line.payload_digest) for line in lines]
    assert sum(said["answers"] for said in stated if said) == 4 and sum(s["windows"] for s in stated if s) == 15
    assert all(
        line.subjects[0].id.startswith(f"{said['windows']} in {said['answers']} answer")
        for line, said in zip(lines, stated, strict=True)
        if said
    )
    assert {e.parent for line in lines for e in line.edges if e.relation == "made_by"} == {bundle.digest}
    assert lines[0].actor.site == "demo-north" and lines[0].actor.id == f"site-key:{key_id(key)}"
    assert ledger.verify().ok


def test_nothing_is_answered_that_cannot_be_written_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.journal import Journal
    from serving.problems import ProblemError
    from serving.windows import WindowBook

    class Full(Exception): ...

    def full(*given: Any, **named: Any) -> None:
        raise Full

    journal = Journal(home)
    book, said = WindowBook(journal), WindowsAnswer(answer_id="a", outcome="completed", engine="reference")
    book.add("demo-north", "k", None, said, b"sent", b"said", NOW)
    book.refuse_behind(NOW + timedelta(seconds=1))
    with monkeypatch.context() as broken:
        broken.setattr(journal.ledger, "append_many", full)
        for late_s in (2, 6):
            with pytest.raises(Full):
                book.write(NOW + timedelta(seconds=late_s))
        with pytest.raises(ProblemError, match="cannot be written down"):
            book.refuse_behind(NOW + timedelta(seconds=6))
    book.write(NOW + timedelta(seconds=7))
    book.refuse_behind(NOW + timedelta(seconds=7))


def test_the_document_names_the_headers(site: tuple[TestClient, dict[str, str]]) -> None:
    route = json.loads(site[0].get("/openapi.json").text)["paths"]["/v1/windows"]["post"]
    assert {p["name"] for p in route["parameters"]} == {
        "X-Channels",
        "X-Rate-Hz",
        "X-Sample-Format",
        "X-Scale-uV",
        "X-Age",
    }
    assert list(route["requestBody"]["content"]) == ["application/octet-stream"]


def test_an_accepted_key_is_known_until_its_store_changes(tmp_path: Path) -> None:
    engine = open_keys(tmp_path)
    key, other = (issue_key(engine, "demo-north", ("detect",), NOW, 1) for _ in range(2))
    accepted = AcceptedKeys(engine)
    version = accepted.version()
    accepted.add(key, site_of(engine, key, NOW), version)
    assert accepted.get(key, NOW) == site_of(engine, key, NOW)
    assert accepted.get(key, NOW + timedelta(days=1)) is None and accepted.get(other, NOW) is None
    revoke_key(engine, key_id(other), NOW)
    assert accepted.get(key, NOW) is None, "what was revoked is not known without looking"
    revoke_key(engine, key_id(key), NOW)
    with pytest.raises(Unauthorised):
        site_of(engine, key, NOW)
    accepted.version.close()


def test_a_key_that_was_revoked_while_it_was_looked_up_is_not_remembered(tmp_path: Path) -> None:
    engine = open_keys(tmp_path)
    key, accepted = issue_key(engine, "demo-north", ("detect",), NOW, 1), AcceptedKeys(engine)
    version = accepted.version()
    found = site_of(engine, key, NOW)
    revoke_key(engine, key_id(key), NOW)
    accepted.add(key, found, version)
    assert accepted.get(key, NOW) is None
    accepted.version.close()


def test_a_judgement_holds_for_a_second_and_no_longer(home: Path) -> None:
    loader = Loader(home, allow_demo=True, clock=lambda: 0.0)
    loader._looked_s = float("-inf")
    loaded = loader.for_site("demo-north", NOW + timedelta(hours=12) - JUDGED / 2)
    assert loader.for_site("demo-north", NOW + timedelta(hours=12)) is loaded, "half a second later: not judged anew"
    with pytest.raises(NoApprovedModel, match=r"expired|ended|until"):
        loader.for_site("demo-north", NOW + timedelta(hours=12) + JUDGED / 2 + timedelta(milliseconds=1))
    with pytest.raises(NoApprovedModel):
        loader.for_site("elsewhere", NOW)
