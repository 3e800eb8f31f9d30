"""Files over HTTP: only the rest is asked for again, nothing unverified gets its name, nobody is sent elsewhere."""

import hashlib
from pathlib import Path

import pytest

from data.cohorts.fetching import Fetched, fetch_files, read_journal, verify
from data.cohorts.listings import own_list, read_sha256sums
from data.cohorts.published import FetchRefused, PublicFile
from data.cohorts.server import NotThere, Patience, Server
from tests.published import Site, served

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(CONTENT).hexdigest()
HASTY = Patience(tries=3, first_wait_s=0.001, longest_wait_s=0.002, timeout_s=5)


def quietly(name: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def fetch(site: Site, folder: Path, *files: PublicFile, **settings: object) -> tuple[Fetched, ...]:
    with Server(site.address, patience=HASTY, **settings) as server:  # type: ignore[arg-type]
        return fetch_files(server, files, folder, "the list", quietly)


def left(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_file_comes_as_it_is_and_the_journal_says_what_it_was_held_to(tmp_path):
    files = (
        PublicFile("a/with sha+.edf", sha256=SHA),
        PublicFile("b.edf", len(CONTENT), md5=hashlib.md5(CONTENT).hexdigest()),
        PublicFile("c.edf"),
    )
    with served(Site({"/a/with%20sha%2B.edf": CONTENT, "/b.edf": CONTENT, "/c.edf": CONTENT})) as site:
        got = fetch(site, tmp_path, *files)
    assert [f.checked for f in got] == ["sha256 (the list)", "md5 (the list)", "unverified"]
    assert {f.sha256 for f in got} == {SHA} and (tmp_path / "a" / "with sha+.edf").read_bytes() == CONTENT
    assert read_journal(tmp_path) == {f.name: f for f in got}
    assert left(tmp_path) == ["a/with sha+.edf", "b.edf", "c.edf", "fetched.jsonl"]


def test_after_a_cut_only_the_rest_is_asked_for(tmp_path):
    with served(Site({"/a.edf": CONTENT}, cuts={"/a.edf": [300_000, 100_000]})) as site:
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
        assert site.asked_for("/a.edf") == ["", "bytes=300000-", "bytes=400000-"]
    assert (tmp_path / "a.edf").read_bytes() == CONTENT


def test_another_run_goes_on_where_the_last_one_stopped_and_a_third_asks_for_nothing(tmp_path):
    wanted = PublicFile("a.edf", sha256=SHA)
    with served(Site({"/a.edf": CONTENT}, cuts={"/a.edf": [500_000, 0, 0, 0]})) as site:
        with pytest.raises(FetchRefused, match="goes on where it stopped"):
            fetch(site, tmp_path, wanted)
        assert (tmp_path / "a.edf.partial").stat().st_size == 500_000 and not (tmp_path / "a.edf").exists()
        site.asked.clear(), site.cuts.clear()
        fetch(site, tmp_path, wanted)
        assert site.asked_for("/a.edf") == ["bytes=500000-"]
        site.asked.clear()
        fetch(site, tmp_path, wanted)
        assert site.asked == []


def test_halves_of_two_different_files_are_never_joined(tmp_path):
    """Nobody publishes a checksum here: the server's mark of the file (ETag) is all that tells."""
    other = CONTENT[::-1]
    with served(Site({"/a.edf": CONTENT}, cuts={"/a.edf": [500_000, 0, 0, 0]})) as site:
        with pytest.raises(FetchRefused):
            fetch(site, tmp_path, PublicFile("a.edf"))
        site.files["/a.edf"] = other
        site.cuts.clear()
        fetch(site, tmp_path, PublicFile("a.edf"))
    assert (tmp_path / "a.edf").read_bytes() == other


def test_without_checksum_and_without_the_servers_mark_a_file_is_begun_again(tmp_path):
    with served(Site({"/a.edf": CONTENT}, cuts={"/a.edf": [500_000]}, etags=False)) as site:
        fetch(site, tmp_path, PublicFile("a.edf"))
        assert site.asked_for("/a.edf") == ["", ""]
    assert (tmp_path / "a.edf").read_bytes() == CONTENT


def test_a_server_without_ranges_is_read_from_the_start_again(tmp_path):
    with served(Site({"/a.edf": CONTENT}, cuts={"/a.edf": [500_000]}, ranges=False)) as site:
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
    assert (tmp_path / "a.edf").read_bytes() == CONTENT


def test_a_file_that_was_whole_but_not_yet_named_is_not_fetched_again(tmp_path):
    (tmp_path / "a.edf.partial").write_bytes(CONTENT)
    with served(Site({"/a.edf": CONTENT})) as site:
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
        assert site.asked_for("/a.edf") == [f"bytes={len(CONTENT)}-"]
    assert left(tmp_path) == ["a.edf", "fetched.jsonl"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (PublicFile("a.edf", sha256="0" * 64), "SHA-256"),
        (PublicFile("a.edf", md5="0" * 32), "MD5"),
        (PublicFile("a.edf", len(CONTENT) + 1), "bytes"),
    ],
    ids=["sha256", "md5", "size"],
)
def test_a_file_that_is_not_the_published_one_is_refused_by_name_and_not_kept(tmp_path, wanted, said):
    with served(Site({"/a.edf": CONTENT})) as site, pytest.raises(FetchRefused, match=rf"a\.edf.*{said}"):
        fetch(site, tmp_path, wanted)
    assert left(tmp_path) == []


def test_an_unverified_file_is_held_to_what_was_seen_first(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as site:
        fetch(site, tmp_path, PublicFile("a.edf"))
        (tmp_path / "a.edf").unlink()
        site.files["/a.edf"] = CONTENT[:-1] + b"x"
        with pytest.raises(FetchRefused, match=r"a\.edf is not what it was when it was first fetched"):
            fetch(site, tmp_path, PublicFile("a.edf"))
    assert left(tmp_path) == ["fetched.jsonl"]


def test_a_checksum_that_was_found_later_counts_without_fetching_again_and_another_does_not(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as site:
        fetch(site, tmp_path, PublicFile("a.edf"))
        site.asked.clear()
        (held,) = fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
        assert held.checked == "sha256 (the list)" and site.asked == []
        assert read_journal(tmp_path)["a.edf"] == held
        with pytest.raises(FetchRefused, match="not the published file"):
            fetch(site, tmp_path, PublicFile("a.edf", sha256="0" * 64))


def test_an_md5_that_was_found_later_is_compared_with_what_is_here(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as site:
        fetch(site, tmp_path, PublicFile("a.edf"))
        (held,) = fetch(site, tmp_path, PublicFile("a.edf", md5=hashlib.md5(CONTENT).hexdigest()))
        assert held.checked == "md5 (the list)" and site.asked_for("/a.edf") == ["", f"bytes={len(CONTENT)}-"]


def test_a_file_that_was_changed_here_is_fetched_again(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as site:
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
        (tmp_path / "a.edf").write_bytes(CONTENT[:1000])
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
        assert site.asked_for("/a.edf") == ["", "bytes=1000-"]
    assert (tmp_path / "a.edf").read_bytes() == CONTENT


def test_a_journal_line_that_a_crash_cut_off_counts_for_nothing(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as site:
        (got,) = fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
    with (tmp_path / "fetched.jsonl").open("a") as journal:
        journal.write('{"name": "b.edf", "si')
    assert read_journal(tmp_path) == {"a.edf": got}


def test_a_busy_server_is_asked_again_and_one_that_stays_busy_given_up(tmp_path):
    with served(Site({"/a.edf": CONTENT}, statuses={"/a.edf": [503, 429]})) as site:
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA))
        assert len(site.asked) == 3
        site.statuses["/b.edf"] = [500] * 10
        with pytest.raises(FetchRefused, match="answers 500"):
            fetch(site, tmp_path, PublicFile("b.edf"))
        assert len(site.asked_for("/b.edf")) == HASTY.tries


def test_what_is_not_there_is_said_at_once(tmp_path):
    with served(Site({})) as site:
        with pytest.raises(NotThere, match="--base-url"):
            fetch(site, tmp_path, PublicFile("a.edf"))
        assert len(site.asked) == 1


def test_nobody_at_the_address_is_a_sentence(tmp_path):
    with Server("http://127.0.0.1:9/", patience=HASTY) as server, pytest.raises(FetchRefused, match="no connection"):
        fetch_files(server, [PublicFile("a.edf")], tmp_path, "the list", quietly)


def test_redirects_stay_among_the_hosts_of_the_cohort(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as there, served(Site({})) as here:
        port = there.address.rsplit(":", 1)[1]
        here.redirects = {"/a.edf": f"http://localhost:{port}a.edf", "/loop.edf": "/loop.edf"}
        with pytest.raises(FetchRefused, match="sends us to localhost"):
            fetch(here, tmp_path, PublicFile("a.edf"))
        with pytest.raises(FetchRefused, match="redirects more than"):
            fetch(here, tmp_path, PublicFile("loop.edf"))
        fetch(here, tmp_path, PublicFile("a.edf", sha256=SHA), hosts=["localhost"])
    assert (tmp_path / "a.edf").read_bytes() == CONTENT


def test_a_login_is_not_told_to_another_host(tmp_path):
    with served(Site({"/a.edf": CONTENT})) as there, served(Site({})) as here:
        here.redirects = {"/a.edf": f"http://localhost:{there.address.rsplit(':', 1)[1]}a.edf"}
        fetch(here, tmp_path, PublicFile("a.edf"), hosts=["localhost"], login=("who", "secret"))
        assert here.logins == ["Basic d2hvOnNlY3JldA=="] and there.logins == [""]


def test_a_server_that_wants_a_login_gets_it_or_says_how_to_get_one(tmp_path):
    with served(Site({"/a.edf": CONTENT}, login="Basic d2hvOnNlY3JldA==")) as site:
        with pytest.raises(FetchRefused, match="sign the agreement"):
            fetch(site, tmp_path, PublicFile("a.edf"), login=("who", "wrong"), login_text="sign the agreement")
        fetch(site, tmp_path, PublicFile("a.edf", sha256=SHA), login=("who", "secret"))


@pytest.mark.parametrize(
    "address", ["file:///etc/", "ftp://example.org/", "https://me:secret@example.org/", "example.org"]
)
def test_only_http_without_a_name_in_it_is_an_address(address):
    with pytest.raises(FetchRefused) as caught:
        Server(address)
    assert "secret" not in str(caught.value)


def test_a_login_does_not_go_over_an_unencrypted_line():
    with pytest.raises(FetchRefused, match="unencrypted"):
        Server("http://example.org/", login=("who", "secret"))


def test_a_redirect_to_a_file_is_refused(tmp_path):
    with (
        served(Site({}, redirects={"/a.edf": "file:///etc/passwd"})) as site,
        pytest.raises(FetchRefused, match="https"),
    ):
        fetch(site, tmp_path, PublicFile("a.edf"))


@pytest.mark.parametrize(
    "name",
    ["../a.edf", "/etc/passwd", "a/../../b", "a//b", "./a", "a\\b", "c:a", ".ssh/a", "a\nb", "", "a/", "x" * 500],
)
def test_a_listed_name_that_lies_outside_is_refused(name):
    with pytest.raises(FetchRefused):
        PublicFile(name)
    if name and "\n" not in name:
        with pytest.raises(FetchRefused):
            read_sha256sums(f"{SHA} x/{name}\n" if name in ("a/",) else f"{SHA} {'' if name != './a' else '.'}{name}\n")


def test_a_list_of_checksums_is_read_as_sha256sum_writes_it(tmp_path):
    (tmp_path / "sums").write_text(f"{SHA}  a.edf\n{SHA.upper()} *b/c d.edf\n\n{SHA} ./e.edf\n")
    assert [(f.name, f.sha256) for f in own_list(tmp_path / "sums")] == [
        ("a.edf", SHA),
        ("b/c d.edf", SHA),
        ("e.edf", SHA),
    ]
    for text in ("", "a.edf\n", f"{SHA[:-1]} a.edf\n", "<html>"):
        with pytest.raises(FetchRefused):
            read_sha256sums(text)


def test_verifying_says_every_way_in_which_a_file_is_wrong(tmp_path):
    (tmp_path / "a.edf").write_bytes(b"short")
    with pytest.raises(FetchRefused, match=r"5 bytes, expected 9; SHA-256 .*; MD5"):
        verify(tmp_path / "a.edf", PublicFile("a.edf", 9, SHA, "0" * 32), "the list")
