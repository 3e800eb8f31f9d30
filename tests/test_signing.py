"""A bundle is accepted only as it was signed, and only under the trusted key."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.keys import create_platform_key, platform_public_path
from lineage.signing import SIGNATURE, SignatureInvalid, sign_bundle, verify_bundle


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    create_platform_key(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def bundle(tmp_path: Path, keys: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "assets").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(bytes(1000))
    (folder / "bundle.json").write_text('{"threshold": 0.5}')
    (folder / "assets" / "card.md").write_text("card")
    sign_bundle(folder, keys / "platform.pem")
    return folder


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[500] ^= 1
    (folder / "weights.safetensors").write_bytes(content)


def replace_by_a_link(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    shutil.copy(folder / "weights.safetensors", elsewhere)
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").symlink_to(elsewhere)


def plant_below_git(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("planted")


def empty_the_signature_list(folder: Path) -> None:
    signature = json.loads((folder / SIGNATURE).read_text())
    signature["dsseEnvelope"]["signatures"] = []
    (folder / SIGNATURE).write_text(json.dumps(signature))


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "one bit of the weights": (flip_a_bit, "weights.safetensors"),
    "an edited threshold": (lambda f: (f / "bundle.json").write_text('{"threshold": 0.4}'), "bundle.json"),
    "an added file": (lambda f: (f / "extra.json").write_text("{}"), "extra.json"),
    "an added file below .git": (plant_below_git, "config"),
    "a removed file": (lambda f: (f / "assets" / "card.md").unlink(), "card.md"),
    "a renamed file": (lambda f: (f / "bundle.json").rename(f / "b.json"), "bundle.json"),
    "a file replaced by a link": (replace_by_a_link, "symlink"),
    "no signature": (lambda f: (f / SIGNATURE).unlink(), "there is no model.sig"),
    "a signature that is no JSON": (lambda f: (f / SIGNATURE).write_text("no"), "Expecting value"),
    "a signature of nobody": (empty_the_signature_list, ""),
}


def test_a_bundle_is_accepted_as_it_was_signed(bundle: Path, keys: Path) -> None:
    verify_bundle(bundle, platform_public_path(keys))


def test_a_bundle_may_be_moved(bundle: Path, keys: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(bundle, tmp_path / "store" / "abc")
    verify_bundle(moved, platform_public_path(keys))


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_bundle_is_refused_with_the_reason(bundle: Path, keys: Path, case: str) -> None:
    tamper, reason = TAMPERED[case]
    verify_bundle(bundle, platform_public_path(keys))
    tamper(bundle)
    with pytest.raises(SignatureInvalid) as refused:
        verify_bundle(bundle, platform_public_path(keys))
    assert reason in refused.value.reason


def test_a_bundle_signed_with_another_key_is_refused(bundle: Path, keys: Path, tmp_path: Path) -> None:
    stranger = create_platform_key(tmp_path / "stranger")
    sign_bundle(bundle, stranger)
    with pytest.raises(SignatureInvalid, match="Key mismatch"):
        verify_bundle(bundle, platform_public_path(keys))


def test_a_forged_key_hint_does_not_help_another_key(bundle: Path, keys: Path, tmp_path: Path) -> None:
    hint = json.loads((bundle / SIGNATURE).read_text())["verificationMaterial"]["publicKey"]["hint"]
    sign_bundle(bundle, create_platform_key(tmp_path / "stranger"))
    forged = json.loads((bundle / SIGNATURE).read_text())
    forged["verificationMaterial"]["publicKey"]["hint"] = hint
    (bundle / SIGNATURE).write_text(json.dumps(forged))
    with pytest.raises(SignatureInvalid):
        verify_bundle(bundle, platform_public_path(keys))


def test_what_differs_is_said_by_the_key_that_the_bundle_was_signed_with(
    bundle: Path, keys: Path, tmp_path: Path
) -> None:
    create_platform_key(tmp_path / "later")
    both = platform_public_path(tmp_path / "later"), platform_public_path(keys)
    verify_bundle(bundle, *both)
    flip_a_bit(bundle)
    with pytest.raises(SignatureInvalid, match=r"weights\.safetensors"):
        verify_bundle(bundle, *both)


def test_without_a_public_key_nothing_is_accepted(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SignatureInvalid, match="no public key"):
        verify_bundle(bundle, tmp_path / "nowhere.pub")


def test_a_signature_that_leaves_files_out_is_refused(bundle: Path, keys: Path) -> None:
    """The library obeys the signer's list of ignored paths; one made with a longer list would hide a file."""
    import model_signing

    ignoring = model_signing.hashing.Config().set_ignored_paths(
        paths=[bundle / SIGNATURE, bundle / "bundle.json"], ignore_git_paths=False
    )
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=keys / "platform.pem")
    config.set_hashing_config(ignoring).sign(bundle, bundle / SIGNATURE)
    (bundle / "bundle.json").write_text('{"threshold": 0.0}')
    with pytest.raises(SignatureInvalid, match="other files left out"):
        verify_bundle(bundle, platform_public_path(keys))
