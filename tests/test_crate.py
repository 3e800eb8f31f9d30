"""A crate is a sound RO-Crate 1.2 that the official library reads back, and nothing less passes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from lineage.crate import About, Item, metadata, problems, refuse_broken, write_zip
from lineage.refused import Refused
from lineage.verify_pack import MANIFEST, MANIFEST_SIGNATURE, METADATA, PREVIEW

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LICENCE = {"@id": "https://spdx.org/licenses/Apache-2.0", "@type": "CreativeWork", "name": "Apache License 2.0"}
SIGNER = {"@id": "#reviewer-1", "@type": "Person", "name": "Reviewer One"}
ABOUT = About("Evidence", "About a model", AT, LICENCE["@id"], [LICENCE, SIGNER], {"creator": {"@id": "#reviewer-1"}})
ITEMS = [
    Item("model/card.md", b"# Card\n", "Model card", "text/markdown"),
    Item("data/manifest.json", b"{}", "Dataset", "application/json", {"license": [{"@id": LICENCE["@id"]}]}),
]


def contents() -> dict[str, bytes]:
    held = {item.path: item.content for item in ITEMS}
    made_last = {MANIFEST: b"0  model/card.md\n", MANIFEST_SIGNATURE: b"{}", PREVIEW: b"<!doctype html>"}
    return {**held, **made_last, METADATA: metadata(ABOUT, ITEMS)}


def test_a_crate_that_cannot_be_written_leaves_nothing_and_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "crate.zip"
    path.write_bytes(b"before")
    with pytest.raises(TypeError):
        write_zip(path, {"a": b"whole", "b": None}, AT)  # type: ignore[dict-item]
    assert [p.name for p in tmp_path.iterdir()] == ["crate.zip"] and path.read_bytes() == b"before"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crate.zip"


def test_the_library_reads_back_what_was_written(path: Path) -> None:
    write_zip(path, contents(), AT)
    assert list(problems(path)) == []
    read = ROCrate(path)
    assert (read.version, read.name, read.datePublished) == ("1.2", "Evidence", AT)
    assert read.license["name"] == "Apache License 2.0" and read.creator["name"] == "Reviewer One"
    card = read.get("model/card.md")
    assert (card["contentSize"], card["encodingFormat"], card["name"]) == ("7", "text/markdown", "Model card")


def test_the_same_items_at_the_same_time_are_the_same_bytes(tmp_path: Path) -> None:
    held = contents()
    write_zip(tmp_path / "one.zip", held, AT)
    write_zip(tmp_path / "two.zip", dict(reversed(contents().items())), AT)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def edited(edit: Callable[[dict[str, dict[str, Any]]], object]) -> dict[str, bytes]:
    """The crate after a change of its metadata, given as entities by id."""
    held = contents()
    document = json.loads(held[METADATA])
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    edit(entities)
    return {**held, METADATA: json.dumps({**document, "@graph": list(entities.values())}).encode()}


BROKEN: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "no metadata": (lambda: {n: c for n, c in contents().items() if n != METADATA}, "is no RO-Crate"),
    "a file that is not there": (lambda: {n: c for n, c in contents().items() if n != "model/card.md"}, "model/card.md: is described and not there"),
    "a file that is not described": (lambda: {**contents(), "notes.txt": b"-"}, "does not describe notes.txt"),
    "another content": (lambda: {**contents(), "model/card.md": b"# Other"}, "another digest of model/card.md"),
    "no licence": (lambda: edited(lambda e: e["./"].pop("license")), "the root has no license"),
    "no name": (lambda: edited(lambda e: e["./"].pop("name")), "the root has no name"),
    "no date": (lambda: edited(lambda e: e["./"].pop("datePublished")), "the root has no datePublished"),
    "a person nobody described": (lambda: edited(lambda e: e.pop("#reviewer-1")), "leads to #reviewer-1, which is not described"),
    "an older version": (lambda: edited(lambda e: e[METADATA].update(conformsTo={"@id": "https://w3id.org/ro/crate/1.1"})), "conforms to RO-Crate 1.1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_an_unsound_crate_is_refused_by_what_is_wrong_with_it(path: Path, case: str) -> None:
    make, said = BROKEN[case]
    write_zip(path, make(), AT)
    assert said in " ".join(problems(path))
    with pytest.raises(Refused, match="no sound RO-Crate"):
        refuse_broken(path)
