"""Whatever is still there is found: by either digest, by an object's name, and by pieces inside other files."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from flows.searching import both_digests, pieces_of, search


def random_file(path: Path, seed: int = 0, size: int = 4000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def test_both_digests_are_those_of_the_bytes(tmp_path: Path) -> None:
    file = random_file(tmp_path / "a")
    content = file.read_bytes()
    assert both_digests(file) == (hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest())


def test_copy_object_and_embedding_are_found_each_in_its_way(tmp_path: Path) -> None:
    source = random_file(tmp_path / "source")
    pieces, digests = pieces_of(source), both_digests(source)
    place = tmp_path / "place"
    assert search([place], digests, pieces).nothing
    random_file(place / "other", seed=1)
    random_file(place / "files" / "md5" / digests[1][:2] / digests[1][2:], seed=2)
    (place / "copy").write_bytes(source.read_bytes())
    (place / "dump").write_bytes(b"\0" * 99 + source.read_bytes()[:2500])
    found = search([place, place / "files"], digests, pieces)
    names = [[Path(p).name for p in paths] for paths in (found.same, found.named, found.holding)]
    assert names == [["copy"], [digests[1][2:]], ["copy", "dump"]]
    assert found.files == 4 and not found.nothing
    assert search([place], digests, pieces, [place / "copy"]).same == []


def test_a_table_with_rows_of_theirs_is_found_by_their_name(tmp_path: Path) -> None:
    rows = {"recording": "a" * 64, "patient": "p-1", "person": "p-1"}
    for column, value in rows.items():
        pd.DataFrame({column: [value, "somebody"], "site": "north"}).to_parquet(tmp_path / f"{column}.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    (tmp_path / "empty.npz").touch()
    found = search([tmp_path], [], [], shown=["p-1", "a" * 64])
    assert [Path(p).stem for p in found.named] == ["patient", "person", "recording"]
    assert found.unread == [str(tmp_path / "broken.parquet")]
    assert search([tmp_path], [], [], shown=["p-2", "north"]).nothing
    assert search([tmp_path], [], []).unread == []  # nobody is looked for by name: no table has to be read


def test_a_flat_stretch_is_no_piece_to_look_for(tmp_path: Path) -> None:
    (tmp_path / "flat").write_bytes(b"\0" * 4000)
    assert pieces_of(tmp_path / "flat") == []
    assert len(pieces_of(random_file(tmp_path / "varied"))) == 5
