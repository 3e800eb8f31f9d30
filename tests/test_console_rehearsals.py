"""The console's pages of rehearsals: figures that the ledger vouches for, and none where it does not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from console.acts import Candidate
from console.rehearsals import AXIS, LABELS, TOP, draw
from flows import rehearsals
from flows.stages.files import write_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from monitoring.rehearsal import LONGEST
from tests.consoles import HOSTILE, PIPELINE, Desk, browser, named, open_desk
from tests.office import BUNDLE, HOUR, NOW, Office, open_office
from tests.test_console import words

SITE, DIGEST, LATER = "hospital-1", named("rehearsal"), named("altered rehearsal")


def never() -> dict[str, Any]:
    return {"within": 0.0, "median": None, "median_periods": None, "p90": None, "p90_periods": None}


def after(patients: int) -> dict[str, Any]:
    weeks = patients / 8
    return {"within": 1.0, "median": patients, "median_periods": weeks, "p90": patients, "p90_periods": weeks}


def fault(name: str, power: float, alarm: dict[str, Any], sure: dict[str, Any], said: str = "") -> dict[str, Any]:
    return {
        "fault": name, "meaning": f"what is wrong: {name}", "modality": "eeg", "state": "measured", "power": power,
        "interval": [max(0.0, power - 0.1), min(1.0, power + 0.1)], "found": int(100 * power), "draws": 100,
        "found_by": {"checks": 0.0, "rules": 0.0, "statistics": power}, "said": [said] if said else [], "patients": 8,
        "patients_at_hand": 12, "to_alarm": alarm, "to_confirmed": sure,
    }  # fmt: skip


ROWS = [
    fault("swapped", 1.0, after(8), after(16), HOSTILE),
    fault("reference", 0.25, after(32), never()),
    {"fault": "slow_film", "meaning": "12 frames", "modality": "video", "state": "not evaluable", "reason": "no film"},
]
TABLE = {
    "schema": "ictal.rehearsal/1", "site": SITE, "simulated": False, "draws": 100, "faults": ROWS,
    "controls": [fault("none", 0.0, never(), never())],
}  # fmt: skip


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return open_office(tmp_path_factory.mktemp("office"))


@pytest.fixture
def desk(office: Office, tmp_path: Path) -> Desk:
    """A desk with two rehearsals in its ledger, of which one can still be shown."""
    desk = open_desk(tmp_path, office, rehearsals={DIGEST: dict(TABLE)})
    edges = [(Edge(digest, "rehearsed_on", named("data")),) for digest in (DIGEST, LATER)]
    drafts = [
        Draft("evaluation.recorded", PIPELINE, (Subject("rehearsal", site, digest),), edges=own)
        for (site, digest), own in zip(((SITE, DIGEST), ("hospital-2", LATER)), edges, strict=True)
    ]
    desk.ledger.append_many(drafts, now=NOW + HOUR + timedelta(minutes=1))
    return desk


@pytest.fixture
def client(desk: Desk, tmp_path: Path) -> TestClient:
    return browser(desk, tmp_path, demo=False)


def test_rehearsals_are_listed_with_cohort_and_date_and_how_much_would_be_noticed(client: TestClient) -> None:
    html = client.get("/rehearsals").text
    said = words(html).replace("\u00a0", " ")
    assert f'href="/rehearsals/{DIGEST}"' in html
    assert (
        f"{SITE} 2026-03-01 13:01:00 UTC small 1 of 2 in at least 80 % of weeks some would be missed of patients no candidate"
        in said
    )


def test_a_rehearsal_shows_power_and_time_in_a_picture_and_in_a_table_of_the_same(client: TestClient) -> None:
    html = client.get(f"/rehearsals/{DIGEST}").text
    said = words(html).replace("\u00a0", " ")
    assert html.count('<g class="strip') == 6 and html.count('<g class="strip noticed') == 2
    assert "100 % 90 to 100 % 8 patients, 1 week 16 patients, 2 weeks statistics 100 %" in said
    assert "25 % 15 to 35 % 32 patients, 4 weeks not within 12 weeks" in said
    assert (
        "Not evaluable: no film" in said
        and "reference (what is wrong: reference): noticed in 25 % of the weeks" in said
    )
    assert "<script" not in html and "&lt;script&gt;" in html


def test_a_picture_s_places_are_those_of_its_numbers() -> None:
    powers, waits = draw(ROWS)
    swapped, reference = powers.strips
    assert swapped.dot == LABELS + AXIS and reference.dot == LABELS + AXIS / 4
    assert swapped.is_noticed and not reference.is_noticed
    assert TOP < swapped.y < reference.y < powers.height and powers.limit == LABELS + 0.8 * AXIS
    sure, open_end = waits.strips
    assert sure.line == pytest.approx((LABELS + AXIS / LONGEST, LABELS + 2 * AXIS / LONGEST), abs=0.1) and sure.stroke
    assert open_end.line == pytest.approx((LABELS + 4 * AXIS / LONGEST, LABELS + AXIS), abs=0.1) and open_end.is_open


def test_a_table_that_is_not_what_the_ledger_names_is_refused_and_no_figure_is_shown(client: TestClient) -> None:
    listed = client.get("/rehearsals").text
    assert f'href="/rehearsals/{LATER}"' not in listed and "refused" in words(listed)
    said = client.get(f"/rehearsals/{LATER}")
    assert said.status_code == 409 and "is not what the ledger names" in said.text and "<svg" not in said.text
    assert client.get(f"/rehearsals/{named('nothing')}").status_code == 404


def test_a_changed_byte_in_the_store_is_what_is_refused(tmp_path: Path) -> None:
    workspace, table = Workspace(tmp_path), tmp_path / "table.json"
    write_json(table, TABLE)
    digest = sha256_file(table)
    kept = rehearsals.kept_path(workspace, digest)
    write_json(kept, TABLE)
    assert rehearsals.kept(workspace, digest) == TABLE
    kept.write_text(kept.read_text().replace("0.25", "0.95"))
    with pytest.raises(Refused, match="is not what the ledger names"):
        rehearsals.kept(workspace, digest)


def test_simulated_figures_say_so_also_where_the_workspace_is_no_demo(
    client: TestClient, desk: Desk, tmp_path: Path
) -> None:
    assert "about the simulator, not about patients" not in client.get(f"/rehearsals/{DIGEST}").text
    desk.rehearsals[DIGEST] = {**TABLE, "simulated": True}
    said = words(browser(desk, tmp_path, demo=False).get(f"/rehearsals/{DIGEST}").text)
    assert "about the simulator, not about patients" in said and "Recordings simulated" in said


def test_a_model_leads_to_the_rehearsals_that_its_proposal_names_and_they_lead_back(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = desk.candidates(NOW)[0].proposed
    named_here = {**proposed, "rehearsals": {SITE: {"digest": DIGEST, "at": "2026-03-01"}, "hospital-9": None}}
    monkeypatch.setattr(desk, "candidates", lambda now: [Candidate(named_here, desk.signed)])
    client = browser(desk, tmp_path)
    link = f'<a href="/rehearsals/{DIGEST}">Drift rehearsed at {SITE}'
    for path in ("/models", f"/models/{BUNDLE}"):
        html = client.get(path).text
        assert html.count(link) == 1 and "hospital-9" not in html, path
    assert f'<a href="/models/{BUNDLE}">Named by line_length' in client.get(f"/rehearsals/{DIGEST}").text
