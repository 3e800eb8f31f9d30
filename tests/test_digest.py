"""Content digests: the same content has the same name, and any other content another."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.digest import Manifest, canonical, digest_of, sha256_bytes, sha256_file

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def test_the_digest_of_nothing_is_the_one_published_for_sha_256() -> None:
    """FIPS 180-4: SHA-256 of the empty message."""
    assert sha256_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "recording.edf"
    path.write_bytes(bytes(range(256)) * 9000)
    assert sha256_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_key_order_and_tuples_do_not_change_a_digest() -> None:
    assert digest_of({"b": (1, 2), "a": 1}) == digest_of({"a": 1, "b": [1, 2]})


def test_canonical_json_is_that_of_rfc_8785() -> None:
    """RFC 8785, 3.2.3: keys sorted, no spaces, shortest numbers, characters kept as they are."""
    assert canonical({"µ": 1.0, "a": [1e21, "é"], "b": None}) == '{"a":[1e+21,"é"],"b":null,"µ":1}'.encode()


@given(VALUES)
@settings(max_examples=40, deadline=None)
def test_a_value_comes_back_from_its_canonical_form(value: object) -> None:
    assert json.loads(canonical(value)) == value


@given(st.lists(VALUES, min_size=2, max_size=2))
@settings(max_examples=40, deadline=None)
def test_two_values_share_a_digest_only_if_they_are_equal(pair: list[object]) -> None:
    one, other = (json.dumps(value, sort_keys=True) for value in pair)
    assert (digest_of(pair[0]) == digest_of(pair[1])) == (one == other)


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="nan"):
        digest_of({"rate_hz": float("nan")})


def _folder(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "weights.bin").write_bytes(b"weights")
    (root / "sub" / "card.md").write_text("card")
    return root


def test_a_folder_that_did_not_change_has_no_differences(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "bundle")
    assert Manifest.of(folder).differences(folder) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda f: (f / "weights.bin").write_bytes(b"weightS"), "weights.bin: content changed"),
        (lambda f: (f / "sub" / "card.md").unlink(), "sub/card.md: missing"),
        (lambda f: (f / "sub" / "extra").write_bytes(b""), "sub/extra: not in the manifest"),
    ],
    ids=["changed", "removed", "added"],
)
def test_every_change_of_a_folder_is_named(tmp_path: Path, change, found: str) -> None:
    folder = _folder(tmp_path / "bundle")
    manifest = Manifest.of(folder)
    change(folder)
    assert manifest.differences(folder) == [found]
    assert Manifest.of(folder).digest != manifest.digest


def test_a_renamed_file_changes_the_digest_of_the_folder(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "bundle")
    before = Manifest.of(folder).digest
    (folder / "weights.bin").rename(folder / "weights2.bin")
    assert Manifest.of(folder).digest != before


def test_a_manifest_is_read_as_it_was_written_and_leaves_out_what_it_is_told(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "bundle")
    manifest = Manifest.of(folder)
    manifest.write(folder / "manifest.json")
    assert Manifest.read(folder / "manifest.json") == manifest
    assert manifest.differences(folder, exclude=("manifest.json",)) == []
    assert manifest.differences(folder) == ["manifest.json: not in the manifest"]
