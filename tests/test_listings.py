"""Which files a published cohort has: each kind of list as its publisher writes it, and whose word it is."""

import hashlib
import json
from dataclasses import replace

import pytest

from data.cohorts import chbmit, helsinki, seizeit2, siena, tusz
from data.cohorts.listings import NONE, OFFICIAL, SERVERS, list_files
from data.cohorts.published import FetchRefused, PublicFile, Published
from data.cohorts.server import Patience, Server
from tests import SHARED, needs_shared
from tests.published import Site, served

SHA, MD5 = "a" * 64, "b" * 32
HASTY = Patience(tries=1, first_wait_s=0.001, timeout_s=5)
ALL = [m.PUBLISHED for m in (chbmit, helsinki, seizeit2, siena, tusz)]


def listed(site: Site, published: Published, below: str = "") -> tuple[tuple[PublicFile, ...], str]:
    with Server(site.address + below, patience=HASTY) as server:
        return list_files(server, published)


@pytest.mark.parametrize("published", ALL, ids=lambda p: p.name)
def test_every_cohort_says_licence_citation_address_and_what_nobody_tried_here(published):
    assert published.address.startswith("https://") and published.address.endswith("/")
    assert published.licence_address.startswith("https://") and len(published.citation) > 40
    assert "from here" in published.unverified and published.accession and published.size


@needs_shared
def test_the_official_list_of_chb_mit_is_known_by_its_digest_and_names_every_recording():
    content = (SHARED / "chbmit" / "SHA256SUMS.txt").read_bytes()
    with served(Site({"/SHA256SUMS.txt": content})) as site:
        files, whose = listed(site, chbmit.PUBLISHED)
    assert whose == OFFICIAL
    wanted = {f.name: f for f in chbmit.PUBLISHED.wanted(files)}
    records = (SHARED / "chbmit" / "RECORDS").read_text().split()
    assert len(records) == 686 and set(records) <= set(wanted)
    assert sum(name.endswith(".edf.seizures") for name in wanted) == 141 and "shoeb-icml-2010.pdf" not in wanted
    seizures = (SHARED / "chbmit" / "seizures" / "chb01_03.edf.seizures").read_bytes()
    assert wanted["chb01/chb01_03.edf.seizures"].sha256 == hashlib.sha256(seizures).hexdigest()


def test_another_list_than_the_official_one_is_refused():
    other = Site({"/SHA256SUMS.txt": f"{SHA} RECORDS\n".encode()})
    with served(other) as site, pytest.raises(FetchRefused, match=r"not the official one.*--checksums"):
        listed(site, chbmit.PUBLISHED)


def test_a_list_whose_digest_nobody_knew_is_the_servers_word():
    with served(Site({"/SHA256SUMS.txt": f"{SHA} PN00/PN00-1.edf\n".encode()})) as site:
        assert listed(site, siena.PUBLISHED) == ((PublicFile("PN00/PN00-1.edf", sha256=SHA),), SERVERS)


def test_zenodo_says_sizes_and_md5():
    record = {"files": [{"key": "eeg1.edf", "size": 12, "checksum": f"md5:{MD5}", "links": {"self": "https://x"}}]}
    site = Site({"/api/records/4940267": json.dumps(record).encode()})
    with served(site):
        assert listed(site, helsinki.PUBLISHED, "records/4940267/files/") == (
            (PublicFile("eeg1.edf", 12, md5=MD5),),
            SERVERS,
        )
        site.files["/api/records/4940267"] = b"<html>"
        with pytest.raises(FetchRefused, match="Zenodo"):
            listed(site, helsinki.PUBLISHED)


def test_a_store_is_read_page_by_page_and_an_etag_with_a_dash_is_no_md5():
    def page(more: str, *objects: tuple[str, int, str]) -> bytes:
        rows = "".join(
            f"<Contents><Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>"
            for key, size, etag in objects
        )
        xml = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        return f"<ListBucketResult {xml}>{rows}{more}</ListBucketResult>".encode()

    first = page(
        "<NextContinuationToken>1/a=</NextContinuationToken>",
        ("ds005873/README", 3, MD5),
        ("ds005873/.bidsignore", 3, MD5),
    )
    second = page("", ("ds005873/sub-001/ses-01/eeg/x_eeg.edf", 9, f"{MD5}-2"), ("ds005873/sub-001/", 0, MD5))
    asked = "/openneuro.org/?list-type=2&prefix=ds005873/"
    site = Site({asked: first, f"{asked}&continuation-token=1%2Fa%3D": second})
    with served(site):
        files, whose = listed(site, seizeit2.PUBLISHED, "openneuro.org/ds005873/")
    assert whose == SERVERS
    assert files == (PublicFile("README", 3, md5=MD5), PublicFile("sub-001/ses-01/eeg/x_eeg.edf", 9))


def test_the_pages_of_a_folder_are_followed_downwards_only():
    def page(*links: str) -> bytes:
        return "".join(f'<a href="{link}">x</a>' for link in links).encode()

    pages = {
        "/v2/edf/": page("?C=N;O=D", "/v2/", "train/", "https://elsewhere.org/"),
        "/v2/edf/train/": page("../", "aaaaaaac/", "/v2/edf/"),
        "/v2/edf/train/aaaaaaac/": page("t000.edf", "../../../../etc/passwd", "t%20001.csv"),
    }
    with served(Site(pages)) as site:
        files, whose = listed(site, tusz.PUBLISHED, "v2/")
    assert whose == NONE
    assert [f.name for f in files] == ["edf/train/aaaaaaac/t000.edf", "edf/train/aaaaaaac/t 001.csv"]


def test_a_mirror_may_have_its_own_sums_and_without_them_only_names_that_are_known_count():
    with served(Site({"/SHA256SUMS.txt": f"{SHA} eeg1.edf\n".encode()})) as site:
        assert listed(site, helsinki.PUBLISHED) == ((PublicFile("eeg1.edf", sha256=SHA),), SERVERS)
    with served(Site({})) as site:
        files, whose = listed(site, helsinki.PUBLISHED)
        assert (len(files), whose) == (81, NONE)
        with pytest.raises(FetchRefused, match="--checksums"):
            listed(site, siena.PUBLISHED)


def test_patients_are_chosen_by_their_published_names_and_strangers_refused():
    files = [PublicFile(n) for n in ("SUBJECT-INFO", "chb01/chb01_03.edf", "chb02/chb02_16+.edf", "chb02/notes.txt")]
    assert [f.name for f in chbmit.PUBLISHED.wanted(files, ["chb02"])] == ["SUBJECT-INFO", "chb02/chb02_16+.edf"]
    assert len(chbmit.PUBLISHED.wanted(files)) == 3
    with pytest.raises(FetchRefused, match=r"chb99.*from chb01 to chb02"):
        chbmit.PUBLISHED.wanted(files, ["chb99", "chb01"])


def test_a_known_digest_holds_wherever_the_list_comes_from():
    content = f"{SHA} RECORDS\n".encode()
    digest = hashlib.sha256(content).hexdigest()
    known = replace(siena.PUBLISHED, listing=replace(siena.PUBLISHED.listing, sha256=digest))
    with served(Site({"/mirror/SHA256SUMS.txt": content})) as site:
        assert listed(site, known, "mirror/")[1] == OFFICIAL
