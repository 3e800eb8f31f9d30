"""The server of a published cohort: small pages read whole, files resumed where they broke off.

A file grows as `NAME.partial`; whoever fetches it verifies it and renames it (see `data.cohorts.fetching`).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from data.cohorts.published import FetchRefused, PublicFile

if TYPE_CHECKING:
    import httpx

Show = Callable[[str, int, int], None]
"""show(file, bytes here, bytes in all; 0 where the server does not say)"""

MOST_REDIRECTS = 5
MOST_ATTEMPTS = 200
RETRIED = (408, 425, 429, 500, 502, 503, 504)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Patience:
    """How long to try: `tries` in a row without a byte of progress, waiting twice as long each time."""

    tries: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    timeout_s: float = 60.0


def refuse_address(address: str) -> None:
    """FetchRefused for what is no HTTP(S) address, or holds a name or password."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise FetchRefused("an address must begin with https:// or http:// and hold no name or password")


class NotThere(FetchRefused):
    """The server has no file of this name."""


class _Broken(Exception):
    """A connection or an answer that may do better the next time."""


class Server:
    """Files below one address. Redirects are followed to the same host and to `hosts` only; a login never leaves it.

    What the server does not give, even after as many tries as `patience` has, is refused (`FetchRefused`).
    """

    def __init__(
        self,
        address: str,
        hosts: Iterable[str] = (),
        login: tuple[str, str] | None = None,
        patience: Patience | None = None,
        login_text: str = "",
    ):
        import httpx

        self.address = address if address.endswith("/") else f"{address}/"
        self.patience = patience or Patience()
        self._host = urlsplit(self.address).hostname or ""
        self._hosts = {self._host, *hosts}
        self._login, self._login_text = login, login_text
        self._refuse(self.address)
        headers = {"Accept-Encoding": "identity", "User-Agent": "ictal"}
        self._client = httpx.Client(timeout=self.patience.timeout_s, headers=headers, follow_redirects=False)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read(self, address: str, most_bytes: int = 64 << 20) -> bytes:
        """A small file or page, at an address relative to the server's; refuses one of more than `most_bytes`."""

        def whole() -> bytes:
            content = bytearray()
            with self._open(urljoin(self.address, address), {}) as response:
                self._refuse_status(response, address)
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > most_bytes:
                        raise FetchRefused(
                            f"{address} is longer than {most_bytes} bytes: this is not the published list"
                        )
            return bytes(content)

        return self._patiently(address, whole, lambda: 0)

    def download(self, file: PublicFile, partial: Path, show: Show) -> None:
        """Fetch a file into `partial`, going on where it ends if it is there and the server has still the same file."""
        partial.parent.mkdir(parents=True, exist_ok=True)
        self._patiently(file.name, lambda: self._go_on(file, partial, show), lambda: _size(partial))
        _validator(partial).unlink(missing_ok=True)

    def _patiently(self, name: str, act: Callable[[], Any], progress: Callable[[], int]) -> Any:
        """Do it, and again after waiting where the connection broke; an attempt that got further starts the count anew."""
        idle, last = 0, ""
        for _ in range(MOST_ATTEMPTS):
            before = progress()
            try:
                return act()
            except _Broken as broken:
                last = str(broken)
            idle = 1 if progress() > before else idle + 1
            if idle >= self.patience.tries:
                break
            time.sleep(min(self.patience.longest_wait_s, self.patience.first_wait_s * 2 ** (idle - 1)))
        raise FetchRefused(f"{name} could not be fetched ({last}): try again later, it goes on where it stopped")

    def _go_on(self, file: PublicFile, partial: Path, show: Show) -> None:
        here = _size(partial)
        validator = _validator(partial).read_text() if _validator(partial).exists() else ""
        if here and not (validator or file.sha256 or file.md5):
            here = 0  # nothing would tell two halves of different files
        headers = {"Range": f"bytes={here}-"} if here else {}
        headers |= {"If-Range": validator} if here and validator else {}
        with self._open(urljoin(self.address, quote(file.name)), headers) as response:
            if response.status_code == 416:
                self._at_the_end(response, partial, here)
                return
            self._refuse_status(response, file.name)
            here = here if response.status_code == 206 else 0
            total = _total(response, here)
            if file.size is not None and total not in (file.size, 0):
                raise FetchRefused(f"{file.name} has {total} bytes on the server, its list says {file.size}")
            _validator(partial).write_text(_strong(response.headers))
            with partial.open("ab" if here else "wb") as out:
                for chunk in response.iter_raw():  # as it comes: chunks of a set size are lost when the line breaks
                    out.write(chunk)
                    here += len(chunk)
                    show(file.name, here, total)
        if total and here != total:
            raise _Broken(f"{here} of {total} bytes came")

    def _at_the_end(self, response: "httpx.Response", partial: Path, here: int) -> None:
        """What is here is all there is, or it was another file."""
        if response.headers.get("content-range", "").rpartition("/")[2] != str(here):
            partial.unlink()
            raise _Broken("the server has another file than before")

    @contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator["httpx.Response"]:
        import httpx

        for _ in range(MOST_REDIRECTS + 1):
            self._refuse(url)
            login = self._login if urlsplit(url).hostname == self._host else None
            try:
                request = self._client.build_request("GET", url, headers=headers)
                response = self._client.send(request, stream=True, auth=login)
            except httpx.TransportError as error:
                raise _Broken(f"no connection: {type(error).__name__}") from None
            try:
                if not response.has_redirect_location:
                    yield response
                    return
                url = urljoin(url, response.headers["location"])
            except httpx.TransportError as error:
                raise _Broken(f"the connection broke: {type(error).__name__}") from None
            finally:
                response.close()
        raise FetchRefused(
            f"the server redirects more than {MOST_REDIRECTS} times: give another address with --base-url"
        )

    def _refuse(self, url: str) -> None:
        """FetchRefused for anything but HTTP(S) to the hosts of the cohort; nothing secret goes unencrypted."""
        refuse_address(url)
        parts = urlsplit(url)
        if parts.hostname not in self._hosts:
            raise FetchRefused(
                f"the server sends us to {parts.hostname}, which is not among the hosts of this cohort "
                f"({', '.join(sorted(self._hosts))}): give its address with --base-url if you trust it"
            )
        plain = parts.scheme == "http" and parts.hostname not in LOOPBACK
        if plain and (self._login or self.address.startswith("https://")):
            raise FetchRefused(
                "the server sends us to an unencrypted address: a login or a verified one does not go there"
            )

    def _refuse_status(self, response: "httpx.Response", name: str) -> None:
        status = response.status_code
        if status in RETRIED:
            raise _Broken(f"the server answers {status}")
        if status in (401, 403):
            raise FetchRefused(
                f"the server does not let us in ({status}). {self._login_text}"
                if self._login_text
                else f"the server refuses {name} ({status}): give another address with --base-url"
            )
        if status in (404, 410):
            raise NotThere(f"{name} is not at {self.address}: give the address where it lies now with --base-url")
        if status not in (200, 206):
            raise FetchRefused(f"the server answers {status} for {name}: give another address with --base-url")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _validator(partial: Path) -> Path:
    """Beside a partial file: the server's mark of which file it was (ETag or date)."""
    return partial.with_name(f"{partial.name}.of")


def _strong(headers: Mapping[str, str]) -> str:
    """What may stand in If-Range: an ETag unless it is a weak one, else the date of the last change."""
    etag = headers.get("etag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")


def _total(response: "httpx.Response", here: int) -> int:
    """Bytes of the whole file, 0 where the server does not say; an answer that goes on elsewhere is of no use."""
    if response.status_code == 206:
        unit, _, rest = response.headers.get("content-range", "").partition(" ")
        span, _, total = rest.partition("/")
        if unit != "bytes" or span.partition("-")[0] != str(here):
            raise _Broken("the server goes on at another place than asked")
        return int(total) if total.isdigit() else 0
    length = response.headers.get("content-length", "")
    return int(length) if length.isdigit() else 0
