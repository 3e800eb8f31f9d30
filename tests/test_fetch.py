"""`ictal cohort fetch` as a person meets it: licence first, verified files, one cohort in the workspace, nothing twice."""

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from data.cohorts.bids import read_cohort
from data.cohorts.server import Patience
from flows import fetch, published
from flows.records import open_ledger
from flows.workspace import Workspace, make_workspace
from lineage.refused import Refused
from tests import SHARED, needs_shared
from tests.commands import ictal
from tests.published import Site, contents, edf, served, sums
from tests.test_published_cohorts import nursery
from tests.test_siena import pn00

BELOW = "/records/4940267/files/"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("real") / "home", "real")


@pytest.fixture
def at_real(real: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace that tests may fetch into, each under a name of its own; servers are asked again at once."""
    monkeypatch.setenv("ICTAL_HOME", str(real.root))
    shutil.rmtree(real.raw / ".fetch", ignore_errors=True)
    monkeypatch.setattr("data.cohorts.server.Patience", lambda: Patience(tries=2, first_wait_s=0.001, timeout_s=5))
    return real


@pytest.fixture
def without_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """What DVC, Git and Prefect do with a cohort is tried once, in the whole run; seconds each time otherwise."""
    monkeypatch.setattr(fetch, "adopt", lambda workspace, name, message: fetch.summary(workspace, name))


def zenodo(folder: Path) -> Site:
    """A deposit as Zenodo serves it: files below the record, MD5 and sizes in the record's JSON."""
    files = contents(nursery(folder), BELOW)
    listed = [
        {"key": name.removeprefix(BELOW), "size": len(c), "checksum": f"md5:{hashlib.md5(c).hexdigest()}"}
        for name, c in files.items()
    ]
    return Site({**files, "/api/records/4940267": json.dumps({"files": listed}).encode()})


def physionet(folder: Path, below: str = "/files/siena-scalp-eeg/1.0.0/") -> Site:
    return Site({**contents(folder, below), f"{below}SHA256SUMS.txt": sums(folder).encode()})


def test_helsinki_comes_from_a_server_into_the_workspace_under_dvc_and_into_the_ledger(at_real, tmp_path):
    with served(zenodo(tmp_path / "source")) as site:
        said = ictal(
            "cohort", "fetch", "helsinki", "--accept-licence", "--base-url", site.address + BELOW[1:], "--json"
        )
        asked = len(site.asked)
        assert said.code == 0, said.err
        assert (said.json["recordings"], said.json["patients"], said.json["seizures"]) == (2, 2, 1)
        assert said.json["files"] == {"md5 (the server's list)": 4}
        assert "CC BY 4.0" in said.err and "Stevenson" in said.err and "could not be tried from here" in said.err
        again = ictal("cohort", "fetch", "helsinki", "--base-url", site.address + BELOW[1:])
        assert again.code == 0 and "nothing was fetched" in again.out and len(site.asked) == asked
    cohort = read_cohort(at_real.cohort)
    assert at_real.params.cohort.name == "helsinki"
    assert set(cohort.experts(cohort.entries[0])) == {"A", "B", "C"}
    assert (at_real.raw / "helsinki.dvc").exists()
    ledger = open_ledger(at_real)
    (licence,) = ledger.entries("licence.accepted")
    assert licence.actor.auth_method == "option" and "CC BY 4.0" in licence.subjects[0].id
    registered = [s for e in ledger.entries("recording.registered") for s in e.subjects]
    assert {s.id for s in registered if s.kind == "recording"} == {e.name for e in cohort.entries}
    listed = ictal("cohort", "list", "--json").json
    assert [r["cohort"] for r in listed["cohorts"] if r["here_as"] == ["helsinki"]] == ["helsinki"]
    assert listed["in_use"] == "helsinki"


def test_a_licence_that_nobody_accepted_stops_everything_before_the_first_request(at_real, tmp_path):
    before = sorted(p for p in at_real.raw.rglob("*"))
    with served(physionet(tmp_path)) as site:
        said = ictal("cohort", "fetch", "siena", "--base-url", site.address)
        assert said.code == 2 and "--accept-licence" in said.err and "creativecommons.org/licenses/by/4.0" in said.err
        assert site.asked == []
    assert sorted(p for p in at_real.raw.rglob("*")) == before
    assert not [e for e in open_ledger(at_real).entries("licence.accepted") if "siena" in e.subjects[0].id]


def test_at_a_terminal_the_licence_is_asked_for_once_and_no_means_no(at_real, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked, answers = [], [False, True]
    monkeypatch.setattr(published, "confirm", lambda text, **_: asked.append(text) or answers.pop(0))
    wearables = published.published_as("seizeit2")
    with pytest.raises(Refused, match="not accepted"):
        published.accept_licence(at_real, wearables, False)
    published.accept_licence(at_real, wearables, False)
    published.accept_licence(at_real, wearables, False)
    assert len(asked) == 2 and "CC0" in asked[0]


def test_a_wrong_checksum_is_refused_by_name_and_leaves_nothing_that_looks_like_a_cohort(at_real, tmp_path):
    site = zenodo(tmp_path / "source")
    damaged = bytearray(site.files[f"{BELOW}eeg2.edf"])
    damaged[-1] ^= 1
    site.files[f"{BELOW}eeg2.edf"] = bytes(damaged)
    with served(site):
        address = site.address + BELOW[1:]
        said = ictal("cohort", "fetch", "helsinki", "--accept-licence", "--base-url", address, "--as", "damaged")
    assert said.code == 2 and "eeg2.edf is not the published file" in said.err and "Traceback" not in said.err
    assert not (at_real.raw / "damaged").exists() and at_real.params.cohort.name != "damaged"
    assert not list((at_real.raw / ".fetch" / "helsinki").glob("*2.edf*"))


@needs_shared
def test_siena_comes_without_the_seizure_that_cannot_be_and_says_how_to_put_it_right(at_real, without_dvc, tmp_path):
    folder = pn00(tmp_path / "siena", 2, 3)
    with served(physionet(folder)) as site:
        address = site.address + "files/siena-scalp-eeg/1.0.0"
        said = ictal("cohort", "fetch", "siena", "--accept-licence", "--base-url", address, "--as", "siena-refused")
        assert said.code == 0, said.err
        assert "left out: PN00-3.edf, seizure 3" in said.out and "--corrections FILE" in said.out
        (tmp_path / "mine.tsv").write_text(
            "recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\t3\tend\t18.29.29\tan hour typed wrongly\n"
        )
        options = ("--base-url", address, "--as", "siena-corrected", "--corrections", tmp_path / "mine.tsv", "--json")
        site.asked.clear()
        corrected = ictal("cohort", "fetch", "siena", *options)
        assert corrected.json["seizures"] == 2 and corrected.json["left_out"] == []
        assert site.asked == [("/files/siena-scalp-eeg/1.0.0/SHA256SUMS.txt", "")], "the files were here"
        late = ictal("cohort", "fetch", "siena", *options[:2], "--as", "siena-refused", *options[4:])
        assert late.code == 2 and "other corrections or none" in late.err
    kept = json.loads((at_real.raw / "siena-corrected" / "sourcedata" / "fetched.json").read_text())
    assert "an hour typed wrongly" in kept["corrections"]
    assert {f["checked"] for f in kept["files"]} == {"sha256 (the server's list)"}


def test_some_patients_may_be_chosen_and_only_their_files_are_fetched(at_real, without_dvc, tmp_path):
    with served(zenodo(tmp_path / "source")) as site:
        options = ("--accept-licence", "--base-url", site.address + BELOW[1:], "--as", "one", "--only", "eeg2")
        said = ictal("cohort", "fetch", "helsinki", *options, "--json")
        assert said.code == 0 and said.json["recordings"] == 1, said.err
        other = ictal("cohort", "fetch", "helsinki", *options[:-1], "eeg1")
        assert other.code == 2 and "'one' is here with eeg2" in other.err
        stranger = ictal("cohort", "fetch", "helsinki", *options[:-2], "--as", "none", "--only", "eeg80")
        assert stranger.code == 2 and "no patient eeg80" in stranger.err
    assert [e.patient for e in read_cohort(at_real.raw / "one").entries] == ["sub-02"]


def test_a_folder_that_was_downloaded_is_taken_without_any_network(at_real, without_dvc, tmp_path):
    folder = nursery(tmp_path / "source")
    (folder / "SHA256SUMS.txt").write_text(sums(folder))
    said = ictal("cohort", "fetch", "helsinki", "--accept-licence", "--from", folder, "--as", "own", "--json")
    assert said.code == 0 and said.json["files"] == {"sha256 (your list)": 4}, said.err
    linked = at_real.raw / "own" / "sub-01" / "eeg" / "sub-01_task-eeg_eeg.edf"
    assert linked.read_bytes() == (folder / "eeg1.edf").read_bytes()
    assert linked.stat().st_ino != (folder / "eeg1.edf").stat().st_ino, "a folder of somebody's stays theirs"
    (folder / "eeg1.edf").write_bytes(b"another")
    changed = ictal("cohort", "fetch", "helsinki", "--accept-licence", "--from", folder, "--as", "changed")
    assert changed.code == 2 and "eeg1.edf is not the published file" in changed.err


@needs_shared
def test_chb_mit_is_held_to_the_official_list_wherever_it_comes_from(at_real, without_dvc, tmp_path):
    """The official list is real, the EEG here is not: so nothing but the published bytes gets through."""
    edf(tmp_path / "chb01" / "chb01_03.edf", 3600)
    official = (SHARED / "chbmit" / "SHA256SUMS.txt").read_bytes()
    site = Site({**contents(tmp_path), "/SHA256SUMS.txt": official})
    for name in ("SUBJECT-INFO", "RECORDS-WITH-SEIZURES"):
        site.files[f"/{name}"] = (SHARED / "chbmit" / name).read_bytes()
    with served(site):
        said = ictal(
            "cohort",
            "fetch",
            "chbmit",
            "--accept-licence",
            "--only",
            "chb01",
            "--base-url",
            site.address,
            "--as",
            "made-up",
        )
    assert said.code == 2 and not (at_real.raw / "made-up").exists()
    assert "RECORDS-WITH-SEIZURES" in os.listdir(at_real.raw / ".fetch" / "chbmit")


@needs_shared
def test_with_a_list_of_ones_own_chb_mit_comes_with_summary_and_seizures_compared(at_real, without_dvc, tmp_path):
    shared, source = SHARED / "chbmit", tmp_path / "source"
    edf(source / "chb01" / "chb01_03.edf", 3600)
    seizures = (shared / "seizures" / "chb01_03.edf.seizures").read_bytes()
    (source / "chb01" / "chb01_03.edf.seizures").write_bytes(seizures)
    for name, place in (("chb01-summary.txt", "chb01/"), ("SUBJECT-INFO", ""), ("RECORDS-WITH-SEIZURES", "")):
        (source / f"{place}{name}").write_bytes((shared / name).read_bytes())
    (tmp_path / "mine.txt").write_text(sums(source))
    with served(Site(contents(source))) as site:
        said = ictal(
            "cohort", "fetch", "chbmit", "--accept-licence", "--base-url", site.address, "--checksums", tmp_path / "mine.txt",
            "--as", "chb", "--json",
        )  # fmt: skip
    assert said.code == 0 and said.json["files"] == {"sha256 (your list)": 5}, said.err
    cohort = read_cohort(at_real.raw / "chb")
    (entry,) = cohort.entries
    assert [(e.onset_s, e.end_s) for e in cohort.annotations(entry).events] == [(2996, 3036)]
    assert (entry.person, entry.sex, entry.age_days) == ("chbmit:chb01", "f", pytest.approx(11 * 365.25))


def test_tusz_explains_its_agreement_and_never_tells_a_password(at_real, without_dvc, tmp_path, monkeypatch):
    from tests.test_tusz import CHANNELS, SPANS, recording

    session = "edf/train/aaaaaaac/s001_2002/01_tcp_ar/"
    recording(tmp_path / session, "aaaaaaac_s001_t000", (".csv_bi", SPANS), (".csv", CHANNELS))
    pages, parts = {}, session.split("/")[:-1]
    for depth in range(1, len(parts)):
        pages["/" + "/".join(parts[:depth]) + "/"] = f'<a href="{parts[depth]}/">x</a>'.encode()
    files = contents(tmp_path)
    pages["/" + session] = "".join(f'<a href="{Path(f).name}">x</a>' for f in files).encode()
    with served(Site({**files, **pages}, login="Basic d2hvOnMzY3JldA==")) as site:
        options = ("--accept-licence", "--base-url", site.address, "--as", "tusz-part")
        for name in ("USER", "PASSWORD"):
            monkeypatch.delenv(f"ICTAL_TUSZ_{name}", raising=False)
        without = ictal("cohort", "fetch", "tusz", *options)
        assert without.code == 2 and "agreement" in without.err and "--from" in without.err and site.asked == []
        monkeypatch.setenv("ICTAL_TUSZ_USER", "who")
        monkeypatch.setenv("ICTAL_TUSZ_PASSWORD", "wr0ng")
        wrong = ictal("cohort", "fetch", "tusz", *options)
        assert wrong.code == 2 and "401" in wrong.err and "wr0ng" not in wrong.out + wrong.err
        monkeypatch.setenv("ICTAL_TUSZ_PASSWORD", "s3cret")
        said = ictal("cohort", "fetch", "tusz", *options, "--json")
    assert said.code == 0 and said.json["files"] == {"unverified": 3}, said.err
    kept = b"".join(p.read_bytes() for p in at_real.root.rglob("*") if p.is_file())
    assert b"s3cret" not in kept and "s3cret" not in said.out + said.err
    cohort = read_cohort(at_real.raw / "tusz-part")
    assert [(e.type, e.channels) for e in cohort.annotations(cohort.entries[0]).events] == [
        ("sz_foc_ia", ("FP1-F7", "F7-T3", "T3-T5"))
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["helsinky"], "did you mean helsinki"), (["mine"], "ictal cohort import"),
        (["helsinki", "--as", "../x"], "cohort.name"), (["helsinki", "--as", "simulated"], "simulated"),
        (["helsinki", "--base-url", "file:///etc"], "https://"), (["helsinki", "--base-url", "http://a:pw@h/"], "https://"),
        (["helsinki", "--from", "/no/such/folder"], "does not exist"),
        (["helsinki", "--from", "/etc", "--base-url", "https://a/"], "leave --from or --base-url out"),
        (["helsinki", "--checksums", "/no/such/list"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_is_one_sentence_and_leaves_the_workspace_as_it_was(at_real, options, said):
    before = sorted(at_real.raw.iterdir())
    answered = ictal("cohort", "fetch", *options, "--accept-licence")
    assert answered.code == 2 and said in answered.err and "Traceback" not in answered.err and "pw@" not in answered.err
    assert sorted(at_real.raw.iterdir()) == before


def test_a_folder_in_another_layout_is_refused(at_real, tmp_path):
    (tmp_path / "eeg.edf").touch()
    said = ictal("cohort", "fetch", "helsinki", "--accept-licence", "--from", tmp_path, "--as", "strange")
    assert said.code == 2 and "published layout" in said.err


def test_a_name_that_another_cohort_bears_is_refused(at_real):
    (at_real.raw / "taken" / "sub-1").mkdir(parents=True)
    said = ictal("cohort", "fetch", "siena", "--accept-licence", "--as", "taken")
    assert said.code == 2 and "--as" in said.err


def test_what_the_disk_cannot_hold_is_not_begun(tmp_path):
    huge = [fetch.PublicFile("a.edf", 10**18)]
    with pytest.raises(fetch.FetchRefused, match="GB free"):
        fetch._refuse_too_large(huge, tmp_path)


@needs_shared
def test_seizeit2_comes_from_a_store_that_lists_its_objects(at_real, without_dvc, tmp_path):
    stem = "sub-115/ses-01/eeg/sub-115_ses-01_task-szMonitoring_run-09"
    with tarfile.open(SHARED / "seizeit2" / "ds005873_events_and_eeg_json.tar.gz") as archive:
        for name in ("participants.tsv", f"{stem}_events.tsv", f"{stem}_eeg.json"):
            content = archive.extractfile(f"ds005873/{name}")
            assert content is not None
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content.read())
    edf(tmp_path / f"{stem}_eeg.edf", 20967, rate_hz=1)
    (tmp_path / f"{stem.replace('115', '116')}_ecg.edf").parent.mkdir(parents=True)
    (tmp_path / f"{stem.replace('115', '116')}_eeg.edf").touch()
    files = contents(tmp_path, "/openneuro.org/ds005873/")
    rows = "".join(
        f"<Contents><Key>{name.split('/', 2)[2]}</Key><Size>{len(c)}</Size>"
        f"<ETag>&quot;{hashlib.md5(c).hexdigest()}&quot;</ETag></Contents>"
        for name, c in files.items()
    )
    page = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}</ListBucketResult>'
    with served(Site({**files, "/openneuro.org/?list-type=2&prefix=ds005873/": page.encode()})) as site:
        address = f"{site.address}openneuro.org/ds005873/"
        options = ("--accept-licence", "--base-url", address, "--only", "sub-115", "--as", "wearables", "--json")
        said = ictal("cohort", "fetch", "seizeit2", *options)
    assert said.code == 0 and said.json["files"] == {"md5 (the server's list)": 4}, said.err
    cohort = read_cohort(at_real.raw / "wearables")
    (entry,) = cohort.entries
    assert (entry.patient, entry.sex) == ("sub-115", "m")
    assert [(e.onset_s, e.type) for e in cohort.annotations(entry).events] == [(18746, "sz_foc_f2b")]


def test_fetch_explains_itself_with_examples():
    said = ictal("cohort", "fetch", "--help")
    assert said.code == 0 and "Example" in said.out
    assert all(option in said.out for option in ("--accept-licence", "--base-url", "--checksums", "--from", "--only"))
