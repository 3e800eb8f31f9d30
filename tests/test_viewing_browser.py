"""The viewer in a real browser: drawn, walked by keyboard, readable to everybody, and the same without its script."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from console.app import create_app
from console.shelf import Recorded
from tests.browsers import a_browser, a_page, answering, needs_chromium, nobody_is_shut_out  # noqa: F401
from tests.consoles import open_desk
from tests.office import BUNDLE, Office
from tests.test_viewing import ADDRESS, SHELVED, files, office, recorded  # noqa: F401

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def console(office: Office, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: F811
    desk = open_desk(tmp_path_factory.mktemp("desk"), office)
    desk.recordings = {("small", SHELVED.name): recorded}
    with answering(create_app(desk.room(tmp_path_factory.mktemp("reports")))) as url:
        yield url


def drawn(page: Page) -> dict[str, Any]:
    """The view as it was drawn last."""
    read: dict[str, Any] = json.loads(page.locator("#viewer").get_attribute("data-painted") or "{}")
    return read


def pressed(page: Page, key: str) -> dict[str, Any]:
    """The view that a key leads to."""
    before = page.locator("#viewer").get_attribute("data-painted")
    page.keyboard.press(key)
    expect(page.locator("#viewer")).not_to_have_attribute("data-painted", before or "")
    return drawn(page)


INK = """(canvas) => {
  const { width, height } = canvas, seen = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let dark = 0;
  for (let i = 0; i < seen.length; i += 4) if (seen[i + 3] > 128 && seen[i] < 80) dark++;
  return dark / (width * height);
}"""


@needs_chromium
def test_a_recording_is_drawn_and_walked_by_keyboard_and_the_address_says_where_one_is(
    console: str, page: Page
) -> None:
    page.goto(f"{console}{ADDRESS}?seconds=10")
    expect(page.locator("#viewer[data-painted][data-readings='3']")).to_be_visible()
    assert page.locator("canvas.traces").evaluate(INK) > 0.01
    nobody_is_shut_out(page)
    page.locator("#viewer").focus()
    assert (
        pressed(page, "n")["start"] == 7.5 and pressed(page, "n")["start"] == 8.5 and pressed(page, "p")["start"] == 7.5
    )
    assert pressed(page, "ArrowRight")["start"] == 9.5 and pressed(page, "End")["start"] == 30
    assert (
        pressed(page, "]")["seconds"] == 20 and pressed(page, "[")["seconds"] == 10 and pressed(page, "+")["gain"] == 50
    )
    expect(page.get_by_role("status")).to_contain_text("50 µV per row, negative upwards")
    expect(page).to_have_url(re.compile("seconds=10.*gain=50"))
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_have_attribute("open", "")
    page.get_by_label("Montage").select_option("average")
    expect(page.get_by_role("status")).to_contain_text("average of all electrodes")
    expect(page.locator("img[data-strip='0']")).to_have_js_property("complete", True)
    assert page.locator("img[data-strip='0']").evaluate("(image) => image.naturalHeight") == 96


@needs_chromium
def test_while_traces_load_the_viewer_says_so_and_where_they_do_not_come_that_they_did_not(
    console: str, page: Page
) -> None:
    page.add_init_script(
        "window.written = []; const fill = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {"
        " if (this.canvas.className === 'traces') window.written.push(text); fill.call(this, text, ...at); };"
    )
    page.goto(f"{console}{ADDRESS}")
    expect(page.locator("#viewer[data-painted]")).to_have_attribute("aria-busy", "false")
    assert "The traces are loading…" in page.evaluate("window.written")
    page.route(re.compile("/traces"), lambda route: route.abort())
    page.get_by_label("Montage").select_option("average")
    expect(page.get_by_role("status")).to_contain_text("The traces could not be fetched")
    page.evaluate("window.written = []")
    page.set_viewport_size({"width": 900, "height": 700})
    page.wait_for_function("window.written.length")
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert "could not be fetched" in page.evaluate("window.written.at(-1)")
    assert "The traces are loading…" not in page.evaluate("window.written"), "drawn anew, it still says what it knows"
    page.unroute(re.compile("/traces"))
    page.get_by_label("µV per row").select_option(index=0)
    expect(page.locator("#viewer")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_role("status")).not_to_contain_text("could not be fetched")


HINT = """() => [...document.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => getComputedStyle(box, "::before").content)"""


@needs_chromium
def test_on_a_phone_what_is_wider_than_the_page_says_that_it_can_be_moved(console: str, page: Page) -> None:
    wide = 0
    for path in ("/", "/models", f"/models/{BUNDLE}", "/predictions/answer-1", "/ledger", "/drift"):
        page.goto(console + path)
        hints = page.evaluate(HINT)
        assert all("move it sideways" in hint for hint in hints), path
        wide += len(hints)
        nobody_is_shut_out(page)
    assert wide > 5


@needs_chromium
def test_without_script_the_view_is_a_picture_and_links_lead_on(console: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 400, "height": 800})
    page = context.new_page()
    page.goto(f"{console}{ADDRESS}?seconds=10")
    expect(page.locator("img.still")).to_be_visible()
    page.get_by_role("link", name="Later").click()
    expect(page.get_by_label("From, s")).to_have_value("10")
    page.get_by_label("Montage").select_option("recorded")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_contain_text("10 to 20 s of 40 s; as recorded")
    context.close()
