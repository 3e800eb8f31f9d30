"""The auditor's pages in a real browser: walked by keyboard, readable to everybody, and a signature that is one."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from flows.approve import approve_shown, record_to_sign
from flows.promote import read_candidate
from flows.workspace import Workspace
from lineage.ledger import Ledger
from lineage.refused import Refused
from tests.browsers import a_browser, a_page, needs_chromium, nobody_is_shut_out, served  # noqa: F401
from tests.e2e.conftest import PASSPHRASE, SIGNERS, Pipeline, components

FIRST, SECOND = SIGNERS
expect.set_options(timeout=30_000)  # a signature that puts a model in force imports it first


@pytest.fixture
def console(desk: Workspace) -> Iterator[str]:
    """The console of a workspace in which nobody has signed yet."""
    with served(desk) as url:
        yield url


def tab_to(page: Page, name: str, limit: int = 80) -> None:
    """Press Tab until what is focused is called so."""
    met = []
    for _ in range(limit):
        page.keyboard.press("Tab")
        met.append(page.evaluate("document.activeElement.innerText || document.activeElement.id || ''").strip())
        if met[-1].startswith(name):
            return
    raise AssertionError(f"Tab never came to {name}: {met}")


@needs_chromium
def test_the_pages_are_walked_by_keyboard_from_the_overview_back_to_raw_bytes(
    at_pipeline: Pipeline, page: Page, prediction: str
) -> None:
    with served(at_pipeline.workspace) as url:
        page.goto(url)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        rooms = (
            "Overview",
            "Recordings",
            "Runs",
            "Models",
            "Approvals",
            "Deployments",
            "Predictions",
            "Drift",
            "Rehearsals",
            "Ledger",
            "Consent",
        )
        for room in reversed(rooms):
            expect(page.locator(":focus")).to_have_text(room)
            page.keyboard.press("Shift+Tab")
        nobody_is_shut_out(page)
        page.goto(f"{url}/predictions")
        nobody_is_shut_out(page)
        tab_to(page, "20")  # the first answer, called by its time
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("One prediction, back to raw bytes")
        expect(page.locator("svg .recording.matches").first).to_be_visible()
        expect(page.locator("svg .differs")).to_have_count(0)
        nobody_is_shut_out(page)
        for path in (
            "/recordings",
            "/runs",
            "/approvals",
            "/deployments",
            "/drift",
            "/rehearsals",
            "/models",
            f"/models/{at_pipeline.candidate}",
            f"/models/{at_pipeline.candidate}/card",
            "/ledger/3",
        ):
            page.goto(url + path)
            nobody_is_shut_out(page)


@needs_chromium
def test_the_button_verifies_the_ledger_and_the_impact_of_a_person_is_shown(console: str, page: Page) -> None:
    page.goto(f"{console}/ledger")
    nobody_is_shut_out(page)
    tab_to(page, "Verify the ledger now")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("The ledger is as it was written")
    nobody_is_shut_out(page)
    page.goto(f"{console}/impact")
    page.get_by_label("Pseudonym").fill("simulated/sub-001")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Models (")).to_be_visible()
    assert "sub-001" not in page.url
    nobody_is_shut_out(page)


@needs_chromium
def test_two_people_sign_in_the_browser_and_a_wrong_code_is_refused_and_recorded(
    console: str, page: Page, desk: Workspace, proposed: Pipeline
) -> None:
    for person, meaning in SIGNERS.items():
        page.goto(f"{console}/models/{proposed.candidate}/sign")
        nobody_is_shut_out(page)
        for reason in page.locator("textarea").all():
            reason.fill("a small simulated cohort")
        page.get_by_role("button", name="Show what I would sign").click()
        nobody_is_shut_out(page)
        shown = page.locator(".covered").inner_text()
        if person == FIRST:
            page.get_by_label("Your id as a signer").fill(person)
            page.get_by_label("Your passphrase").fill(PASSPHRASE)
            page.get_by_label("The six digits").fill("000000")
            page.get_by_role("button", name=f"Sign: {meaning}").click()
            expect(page.get_by_role("alert")).to_contain_text("do not together open the key")
            assert read_candidate(desk, proposed.candidate)["state"] == "evaluated"
            assert [e.actor.id for e in Ledger(desk.ledger).entries("auth.failed")] == [FIRST]
        typed = [person, *components(desk, person, lasting_s=30)]
        page.get_by_label("Your id as a signer").fill("")
        page.get_by_label("Your id as a signer").focus()
        for text in typed:
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Signed")
        assert PASSPHRASE not in page.content() and PASSPHRASE not in page.url
        signed = Ledger(desk.ledger).entries("approval.signed")[-1]
        assert (signed.actor.id, signed.reason, signed.subjects[0].digest) == (person, meaning, shown)
        nobody_is_shut_out(page)
    assert read_candidate(desk, proposed.candidate)["state"] == "deployed"
    page.goto(console)
    expect(page.get_by_text("1 model may answer now")).to_be_visible()


def test_only_the_record_that_was_shown_is_signed_and_only_soon_after(desk: Workspace, proposed: Pipeline) -> None:
    now = datetime.now(UTC)
    record = record_to_sign(proposed.candidate, "review", proposed.deviations, now)
    who = (proposed.candidate, FIRST, *components(desk, FIRST), "review")
    with pytest.raises(Refused, match="no longer what was shown"):
        approve_shown(*who, [f"{d}, and more" for d in proposed.deviations], shown=record.digest, begins=now, now=now)
    for begins in (now.replace(year=now.year - 1), now.replace(year=now.year + 1)):
        with pytest.raises(Refused, match="within 30 minutes"):
            approve_shown(*who, proposed.deviations, shown=record.digest, begins=begins, now=now)
    assert read_candidate(desk, proposed.candidate)["state"] == "evaluated"
    signed = approve_shown(*who, proposed.deviations, shown=record.digest, begins=now, now=now)
    assert signed["record"] == record.digest and signed["state"] == "reviewed"
