"""Published cohorts on a server of our own: real annotations where they are at hand, EEG that was never recorded.

The server speaks HTTP with ranges on 127.0.0.1 and misbehaves where a test tells it to.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from data.readers.edf import write_edf


@dataclass
class Site:
    """What is served (by path), how it misbehaves, and what was asked.

    `cuts`: break the connection after so many bytes, once for each number. `statuses`: answer these first.
    `login`: what the header Authorization must say.
    """

    files: dict[str, bytes]
    cuts: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    login: str = ""
    ranges: bool = True
    etags: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    address: str = ""

    def asked_for(self, path: str) -> list[str]:
        """The Range of every request for a path; "" where there was none."""
        return [span for name, span in self.asked if name == path]


class _Answers(BaseHTTPRequestHandler):
    server: "_Serving"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site, path = self.server.site, self.path
        site.asked.append((path, self.headers.get("Range", "")))
        site.logins.append(self.headers.get("Authorization", ""))
        if site.login and self.headers.get("Authorization") != site.login:
            self._say(401)
        elif site.statuses.get(path):
            self._say(site.statuses[path].pop(0))
        elif path in site.redirects:
            self._say(302, {"Location": site.redirects[path]})
        elif path not in site.files:
            self._say(404)
        else:
            self._give(site.files[path], site.cuts.get(path, []))

    def _give(self, content: bytes, cuts: list[int]) -> None:
        site = self.server.site
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        start = start if site.ranges and self.headers.get("If-Range", etag) == etag else 0
        if start and start >= len(content):
            self._say(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        body = content[start:]
        headers = {"Content-Length": str(len(body)), **({"ETag": etag} if site.etags else {})}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, headers)
        if cuts:
            self.wfile.write(body[: cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)

    def _say(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, {"Content-Length": "0", **(headers or {})})

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at `Site.asked` instead."""


class _Serving(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of the server's business."""


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """The site at `site.address` (with a slash at its end) as long as the block lasts."""
    server = _Serving(("127.0.0.1", 0), _Answers)
    server.site = site
    site.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def contents(folder: Path, below: str = "/") -> dict[str, bytes]:
    """Every file of a folder by the path at which a server has it."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {below + p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def sums(folder: Path) -> str:
    """A SHA256SUMS.txt of a folder."""
    return "".join(
        f"{hashlib.sha256(content).hexdigest()} {path[1:]}\n" for path, content in sorted(contents(folder).items())
    )


def edf(path: Path, seconds: int, start: datetime = datetime(2016, 1, 1), rate_hz: int = 4, channels: int = 2) -> Path:
    """A small EDF that nobody recorded: slow waves, unlike in each channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(seconds * rate_hz) / rate_hz
    signal = np.stack([50 * np.sin(2 * np.pi * (0.1 + 0.07 * c) * times + c) for c in range(channels)])
    labels = ("Fp1", "F3", "C3", "P3", "O1", "Fp2", "F4", "C4", "P4", "O2")[:channels]
    write_edf(path, signal, labels, rate_hz, start=start)
    return path
