"""Consent that is taken back reaches remotes that are no folder: a bucket of S3, through DVC's own filesystem."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import dvc_stores, withdraw
from flows.consent import withdrawn
from flows.workspace import Workspace, dvc
from lineage.digest import sha256_file
from lineage.refused import Refused
from tests.commands import ictal
from tests.patients import PEOPLE, PERSON, THEIRS, copied_here, edf_of, made_once  # noqa: F401
from tests.test_withdrawing import REASON, contents, md5_of

SECRET = "a-secret-of-the-bucket"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that answers as S3 does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert running.poll() is None and time.monotonic() < deadline, "moto's server did not start"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def with_remote(workspace: Workspace, url: str, endpoint: str) -> None:
    """Declare one more remote, its secrets where DVC keeps them out of Git."""
    with (workspace.root / ".dvc" / "config").open("a") as config:
        config.write(f"['remote \"archive\"']\n    url = {url}\n")
        config.write(f"    endpointurl = {endpoint}\n" * url.startswith("s3:"))
    if url.startswith("s3:"):
        secrets = f"access_key_id = testing\n    secret_access_key = {SECRET}\n    region = us-east-1\n"
        (workspace.root / ".dvc" / "config.local").write_text(f"['remote \"archive\"']\n    {secrets}")


def bucket_of(s3: str, name: str) -> Any:
    """S3 as somebody else sees it, with a new bucket."""
    import s3fs

    fs = s3fs.S3FileSystem(
        key="testing",
        secret=SECRET,
        endpoint_url=s3,
        client_kwargs={"region_name": "us-east-1"},
        skip_instance_cache=True,
    )
    fs.call_s3("create_bucket", Bucket=name)
    return fs


def deny(fs: Any, bucket: str, action: str, path: str) -> None:
    """Let nobody do something with the objects below a path."""
    rule = {"Effect": "Deny", "Principal": "*", "Action": f"s3:{action}", "Resource": f"arn:aws:s3:::{bucket}/{path}"}
    policy = {"Version": "2012-10-17", "Statement": [rule, {**rule, "Effect": "Allow", "Action": "s3:*"}]}
    fs.call_s3("put_bucket_policy", Bucket=bucket, Policy=json.dumps(policy))


def held(fs: Any, bucket: str) -> dict[str, bytes]:
    fs.invalidate_cache()
    return {path: fs.cat_file(path) for path in fs.find(bucket)}


def test_the_objects_are_gone_from_a_bucket_and_its_lists_are_written_anew(
    here: Workspace, made: Workspace, s3: str
) -> None:
    fs = bucket_of(s3, "hospital")
    with_remote(here, "s3://hospital/ictal", s3)
    dvc(here, "push", "-q", "-r", "archive", "data/raw/tiny.dvc")
    theirs = [md5_of(edf_of(made, patient)) for patient in THEIRS]
    others = [md5_of(edf_of(made, patient)) for patient in PEOPLE if patient not in THEIRS]
    before = held(fs, "hospital")
    assert all(any(path.endswith(md5[2:]) for path in before) for md5 in [*theirs, *others])
    assert sum(theirs[0].encode() in content for content in before.values()) == 1

    said = withdraw.withdraw(PERSON, REASON, {})
    assert said["ok"] and said["search"]["remotes"] == ["archive"], said["text"]
    after = held(fs, "hospital")
    for md5 in theirs:
        assert not any(path.endswith(md5[2:]) or md5.encode() in content for path, content in after.items())
    assert all(any(path.endswith(md5[2:]) for path in after) for md5 in others)

    shutil.rmtree(here.cohort)
    shutil.rmtree(here.root / ".dvc" / "cache")
    dvc(here, "pull", "-q", "-r", "archive", "data/raw/tiny.dvc")
    assert sorted(p.name for p in here.cohort.glob("sub-*")) == ["sub-03", "sub-04"]


def test_what_lies_in_a_bucket_under_another_name_is_found_by_its_md5(here: Workspace, s3: str) -> None:
    fs = bucket_of(s3, "copies")
    with_remote(here, "s3://copies/ictal", s3)
    fs.pipe_file("copies/ictal/old/left.edf", edf_of(here, "sub-01").read_bytes())
    said = withdraw.withdraw(PERSON, REASON, {})
    assert not said["ok"] and said["search"]["named"] == ["archive: copies/ictal/old/left.edf"]


def nobody_listens() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


UNREACHED = {
    "a server that does not answer": ("s3://hospital/ictal", "it does not answer as it should"),
    "no such bucket": ("s3://nowhere/ictal", "it does not answer as it should (FileNotFoundError)"),
    "a bucket that keeps versions": ("s3://versions/ictal", "keeps the versions of what is deleted"),
    "a remote of another kind": ("gs://hospital/ictal", "DVC's package for it is not installed"),
    "a web server": ("http://127.0.0.1/ictal", "over HTTP nothing can be deleted"),
    "an address with a password": (f"http://somebody:{SECRET}@127.0.0.1/ictal", "over HTTP nothing can be deleted"),
    "a bucket that may only be read": ("s3://denied-put/ictal", "it does not answer as it should (PermissionError)"),
    "a bucket that deletes nothing": ("s3://denied-delete/ictal", "it does not answer as it should (PermissionError)"),
}


@pytest.mark.parametrize("case", UNREACHED)
def test_while_a_remote_cannot_be_reached_nothing_is_taken_out_and_it_is_named(
    here: Workspace, s3: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, why = UNREACHED[case]
    if "versions" in case:
        fs = bucket_of(s3, "versions")
        fs.call_s3("put_bucket_versioning", Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    if "denied" in url:
        bucket = url.split("/")[2]
        fs = bucket_of(s3, bucket)
        fs.pipe_file(f"{bucket}/ictal/notes.txt", b"somebody's")
        deny(fs, bucket, "PutObject" if "put" in bucket else "DeleteObject", "*")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with_remote(here, url, nobody_listens() if "answer" in case else s3)
    before = contents(here.raw) | contents(here.root / ".dvc" / "cache") | contents(here.root / "remote")
    with pytest.raises(Refused, match="nothing was taken out yet") as refused:
        withdraw.withdraw(PERSON, REASON, {})
    message = str(refused.value)
    assert f"remote archive ({url.replace('somebody:' + SECRET + '@', '')}): " in message and why in message
    assert SECRET not in message and "somebody" not in message
    assert contents(here.raw) | contents(here.root / ".dvc" / "cache") | contents(here.root / "remote") == before
    assert withdrawn(here).persons == {PERSON}


def test_once_the_remote_is_taken_away_the_withdrawal_goes_on(here: Workspace) -> None:
    with_remote(here, *UNREACHED["a web server"])
    with pytest.raises(Refused, match="over HTTP nothing can be deleted"):
        withdraw.withdraw(PERSON, REASON, {})
    dvc(here, "remote", "remove", "archive")
    theirs = {sha256_file(edf_of(here, patient)) for patient in THEIRS}
    said = withdraw.withdraw(PERSON, "", {})
    assert said["ok"] and not said["again"] and not contents(here.root) & theirs, said["text"]


@pytest.mark.parametrize("action", ["GetObject", "PutObject", "DeleteObject"])
def test_what_a_remote_refuses_midway_is_said_and_the_next_run_finishes(
    here: Workspace, made: Workspace, s3: str, action: str
) -> None:
    bucket = f"midway-{action.lower()}"
    fs = bucket_of(s3, bucket)
    with_remote(here, f"s3://{bucket}/ictal", s3)
    dvc(here, "push", "-q", "-r", "archive", "data/raw/tiny.dvc")
    fs.pipe_file(f"{bucket}/ictal/runs/ab/abcd/of-a-stage", b"a run that DVC remembers")
    deny(fs, bucket, action, "ictal/runs/*" if action == "GetObject" else "ictal/files/*")
    refused = ictal("audit", "impact", "--patient", PERSON, "--withdraw", "--reason", REASON)
    assert refused.code == 2 and "remote archive: it does not answer as it should (PermissionError)" in refused.err
    assert "Run this again when the remote lets" in refused.err and SECRET not in refused.err
    assert not list((here.root / "reports" / "withdrawals").glob("[!.]*.json"))

    fs.call_s3("delete_bucket_policy", Bucket=bucket)
    said = withdraw.withdraw(PERSON, "", {})
    assert said["ok"] and not said["again"], said["text"]
    gone = [md5_of(edf_of(made, patient)) for patient in THEIRS]
    for path, content in held(fs, bucket).items():
        assert not any(path.endswith(md5[2:]) or md5.encode() in content for md5 in gone)


class Elsewhere:
    """A filesystem as DVC opens one of a kind that is not installed here."""

    def __init__(self, protocol: str):
        import fsspec

        self.protocol, self.fs = protocol, fsspec.filesystem("memory", skip_instance_cache=True)


@pytest.mark.parametrize(("kind", "opened"), [("gs", False), ("azure", False), ("webdav", False), ("ssh", True)])
def test_a_remote_that_cannot_be_asked_whether_it_keeps_versions_is_not_reached(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str, opened: bool
) -> None:
    there = Elsewhere(kind)
    there.fs.pipe_file(f"/{kind}/ictal/notes.txt", b"somebody's")
    monkeypatch.setattr(dvc_stores, "_filesystem", lambda *_: (there, f"/{kind}/ictal"))
    with_remote(here, f"{kind}://{kind}/ictal", "")
    stores = dvc_stores.Stores.of(here)
    assert [remote.name for remote in stores.remotes] == ["archive"] * opened
    assert [
        f"({kind}://{kind}/ictal): whether it keeps old versions cannot be asked" in why for why in stores.unreached
    ] == ([True] * (not opened))
    assert there.fs.find(f"/{kind}/ictal") == [f"/{kind}/ictal/notes.txt"]


def test_an_object_is_put_where_folders_have_to_be_made_first(tmp_path: Path) -> None:
    import fsspec

    (tmp_path / "remote").mkdir()
    remote = dvc_stores.Remote("archive", fsspec.filesystem("file"), str(tmp_path / "remote"))
    remote.keep("ab" * 16, b"an object")
    (path,) = remote.paths("ab" * 16)
    assert remote.read(path) == b"an object" and remote.size(path) == 9
    remote.delete(path)
    assert not remote.paths("ab" * 16) and not remote.named(["ab" * 16])
    with pytest.raises(dvc_stores.Unreached, match=r"remote archive: .* \(FileNotFoundError\)"):
        remote.delete(path)


def test_an_object_that_was_cut_off_on_its_way_is_not_there_and_comes_whole_at_the_next_try(tmp_path: Path) -> None:
    import fsspec

    fs, whole = fsspec.filesystem("file", skip_instance_cache=True), b"a list of files"
    put, remote = fs.pipe_file, dvc_stores.Remote("archive", fs, str(tmp_path))

    def cut_off(path: str, content: bytes) -> None:
        put(path, content[:5])
        raise ConnectionResetError

    fs.pipe_file = cut_off
    with pytest.raises(dvc_stores.Unreached, match="ConnectionResetError"):
        remote.keep("ab" * 16, whole)
    assert not remote.paths("ab" * 16) and not remote.named(["ab" * 16])
    fs.pipe_file = put
    remote.keep("ab" * 16, whole)
    assert [fs.cat_file(path) for path in fs.find(str(tmp_path))] == [whole]
