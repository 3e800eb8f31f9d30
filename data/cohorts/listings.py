"""Which files a published cohort has, and their checksums, from the list that lies beside them."""

import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit
from xml.etree import ElementTree

from data.cohorts.published import FetchRefused, PublicFile, Published
from data.cohorts.server import NotThere, Server

CHECKSUMS = "SHA256SUMS.txt"
MOST_PAGES = 20_000

OFFICIAL, SERVERS, YOURS, NONE = "official list", "the server's list", "your list", "no list"


def list_files(server: Server, published: Published) -> tuple[tuple[PublicFile, ...], str]:
    """The files of a cohort as its server lists them, and whose list that is.

    A list whose digest is known here is refused where it is another. Where the published list is missing, as on a
    mirror, a SHA256SUMS.txt at the address counts, and then the names that are known here, without checksums.
    """
    try:
        return _READERS[published.listing.kind](server, published)
    except NotThere:
        pass
    try:
        return read_sha256sums(server.read(CHECKSUMS).decode("utf-8", "replace")), SERVERS
    except NotThere:
        if published.files:
            return published.files, NONE
        raise FetchRefused(
            f"there is no list of the files of {published.name} at {server.address}: give one with --checksums "
            "(lines of a SHA-256 and a name), or another address with --base-url"
        ) from None


def read_sha256sums(text: str) -> tuple[PublicFile, ...]:
    """Lines of a SHA-256, blanks and a name, as sha256sum and PhysioNet write them.

    FetchRefused for any other line, and where no file is named.
    """
    files = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(\S.*?)\s*", line)
        if not match and line.strip():
            raise FetchRefused(f"line {number} of the list of checksums is not a SHA-256 and a name")
        if match:
            name = match[2].removeprefix("./")
            files[name] = PublicFile(name, sha256=match[1].lower())
    if not files:
        raise FetchRefused("the list of checksums names no file")
    return tuple(files.values())


def own_list(path: Path) -> tuple[PublicFile, ...]:
    """A user's own list of checksums; refused as in `read_sha256sums`."""
    return read_sha256sums(path.read_text("utf-8-sig", errors="replace"))


def _from_sha256sums(server: Server, published: Published) -> tuple[tuple[PublicFile, ...], str]:
    content = server.read(published.listing.address)
    expected, got = published.listing.sha256, hashlib.sha256(content).hexdigest()
    if expected and got != expected:
        raise FetchRefused(
            f"the list of checksums at {server.address} is not the official one (SHA-256 {got[:16]}…, expected "
            f"{expected[:16]}…): give a list that you trust with --checksums, or another address with --base-url"
        )
    return read_sha256sums(content.decode("utf-8", "replace")), OFFICIAL if expected else SERVERS


def _from_zenodo(server: Server, published: Published) -> tuple[tuple[PublicFile, ...], str]:
    """The record of a deposit: `files`, each with `key`, `size` and `checksum` (md5:…)."""
    try:
        record = json.loads(server.read(published.listing.address))
        files = [(f["key"], int(f["size"]), str(f["checksum"])) for f in record["files"]]
    except (ValueError, KeyError, TypeError):
        raise FetchRefused(
            "the record of the deposit is not as Zenodo writes it: give a list with --checksums"
        ) from None
    return tuple(PublicFile(n, s, md5=c.removeprefix("md5:")) for n, s, c in files if c.startswith("md5:")), SERVERS


def _from_s3(server: Server, published: Published) -> tuple[tuple[PublicFile, ...], str]:
    """ListObjectsV2, page by page. The ETag of what was uploaded in one piece is its MD5; any other has a dash."""
    prefix = published.listing.address.partition("prefix=")[2]
    found: list[PublicFile] = []
    token = ""
    for _ in range(MOST_PAGES):
        more = f"&continuation-token={quote(token, safe='')}" if token else ""
        try:
            page = ElementTree.fromstring(server.read(published.listing.address + more))
        except ElementTree.ParseError:
            raise FetchRefused("the store's list of files is no XML: give a list with --checksums") from None
        found += _objects(page, prefix)
        token = page.findtext("{*}NextContinuationToken") or ""
        if not token:
            return tuple(found), SERVERS
    raise FetchRefused(f"the store's list of files has more than {MOST_PAGES} pages")


def _objects(page: ElementTree.Element, prefix: str) -> Iterator[PublicFile]:
    for item in page.iterfind("{*}Contents"):
        name = (item.findtext("{*}Key") or "").removeprefix(prefix)
        etag = (item.findtext("{*}ETag") or "").strip('"')
        md5 = etag if re.fullmatch(r"[0-9a-f]{32}", etag) else ""
        if name and not name.endswith("/") and not any(part.startswith(".") for part in name.split("/")):
            yield PublicFile(name, int(item.findtext("{*}Size") or 0), md5=md5)


def _from_index(server: Server, published: Published) -> tuple[tuple[PublicFile, ...], str]:
    """A web server's own pages of a folder, followed downwards only; they state no checksums."""
    root = urljoin(server.address, published.listing.address)
    waiting, seen, found = [root], {root}, []
    while waiting:
        page = waiting.pop()
        if len(seen) > MOST_PAGES:
            raise FetchRefused(f"the folder has more than {MOST_PAGES} pages: give a list with --checksums")
        for link in _links(server.read(page).decode("utf-8", "replace"), page):
            if link in seen or not link.startswith(page):
                continue
            if link.endswith("/"):
                seen.add(link)
                waiting.append(link)
            else:
                found.append(PublicFile(unquote(link.removeprefix(server.address))))
    return tuple(found), NONE


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _links(page: str, address: str) -> list[str]:
    reader = _Links()
    reader.feed(page)
    return [link for href in reader.found for link in [urljoin(address, href)] if not urlsplit(link).query]


_READERS = {"sha256sums": _from_sha256sums, "zenodo": _from_zenodo, "s3": _from_s3, "index": _from_index}
