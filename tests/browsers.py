"""The console in a real browser, Debian's chromium, which reaches nothing but this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.types import ASGIApp

from console.app import create_app
from flows.console import room_of
from flows.workspace import Workspace

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not here: apt install chromium")


@pytest.fixture(scope="module", name="browser")
def a_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def served(workspace: Workspace) -> Iterator[str]:
    with answering(create_app(room_of(workspace))) as url:
        yield url


@contextmanager
def answering(app: ASGIApp) -> Iterator[str]:
    """The address at which a console answers for as long as the block lasts."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # so that who comes before the server is ready waits
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(name="page")
def a_page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that can reach nothing but this machine, and reports what a page asked for besides."""
    context = browser.new_context(viewport={"width": 400, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert all(url.startswith("http://127.0.0.1:") for url in asked)


def nobody_is_shut_out(page: Page) -> None:
    """No finding of axe, and nothing wider than a phone."""
    found: dict[str, Any] = Axe().run(page).response
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 400, page.url
