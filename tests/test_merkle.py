"""The tree over the ledger is that of RFC 6962: known vectors, and a slow reference word for word."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import merkle
from lineage.digest import sha256_bytes

CT_LEAVES = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
CT_LEAVES.append(bytes(range(0x60, 0x70)))
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Roots of the first 0 … 8 leaves, from the test data of Certificate Transparency (merkle_tree_test.cc)."""

CT_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CT_INCLUSION = {
    (0, 8): CT_CONSISTENCY[1, 8],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


def grown(leaves: list[bytes]) -> tuple[merkle.Frontier, merkle.Nodes]:
    frontier, stored = merkle.Frontier(), {}
    for leaf in leaves:
        stored.update({(level, at): found for level, at, found in frontier.add(merkle.leaf_hash(leaf))})
    return frontier, lambda level, at: stored[level, at]


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if len(leaves) < 2:
        return merkle.leaf_hash(leaves[0]) if leaves else sha256_empty()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(slow_root(leaves[:k]), slow_root(leaves[k:]))


def slow_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*slow_path(m, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(m - k, leaves[k:]), slow_root(leaves[:k])]


def slow_proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """PROOF and SUBPROOF of RFC 6962, 2.1.2, word for word."""
    n, k = len(leaves), 1
    if m == n:
        return [] if whole else [slow_root(leaves)]
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*slow_proof(m, leaves[:k], whole), slow_root(leaves[k:])]
    return [*slow_proof(m - k, leaves[k:], False), slow_root(leaves[:k])]


def sha256_empty() -> bytes:
    return bytes.fromhex(sha256_bytes(b""))


@pytest.mark.parametrize("size", range(9))
def test_the_tree_has_the_roots_of_certificate_transparency(size: int) -> None:
    frontier, nodes = grown(CT_LEAVES[:size])
    assert frontier.root().hex() == merkle.root_of(nodes, size).hex() == CT_ROOTS[size]


@pytest.mark.parametrize("sizes", CT_CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(sizes: tuple[int, int]) -> None:
    _, nodes = grown(CT_LEAVES)
    assert [step.hex() for step in merkle.consistency_path(nodes, *sizes)] == CT_CONSISTENCY[sizes]


@pytest.mark.parametrize("place", CT_INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(place: tuple[int, int]) -> None:
    _, nodes = grown(CT_LEAVES)
    assert [step.hex() for step in merkle.inclusion_path(nodes, *place)] == CT_INCLUSION[place]


@given(st.lists(st.binary(max_size=3), max_size=70))
@settings(max_examples=40, deadline=None)
def test_the_growing_tree_equals_the_slow_one(leaves: list[bytes]) -> None:
    frontier, nodes = grown(leaves)
    assert frontier.root() == merkle.root_of(nodes, len(leaves)) == slow_root(leaves)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_proofs_equal_the_slow_ones_and_prove_nothing_else(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 70), "new")
    old, index = data.draw(st.integers(1, new), "old"), data.draw(st.integers(0, new - 1), "index")
    leaves = [b"%d" % i for i in range(new)]
    _, nodes = grown(leaves)
    root, old_root = slow_root(leaves), slow_root(leaves[:old])
    path, proof = merkle.inclusion_path(nodes, index, new), merkle.consistency_path(nodes, old, new)
    assert (path, proof) == (slow_path(index, leaves), slow_proof(old, leaves))
    assert merkle.includes(root, new, index, merkle.leaf_hash(leaves[index]), path)
    assert merkle.is_consistent(old, old_root, new, root, proof)
    wrong = bytes(32)
    assert not merkle.includes(root, new, index, wrong, path)
    assert not merkle.includes(wrong, new, index, merkle.leaf_hash(leaves[index]), path)
    assert not merkle.includes(root, new, index, merkle.leaf_hash(leaves[index]), [*path, wrong])
    other = data.draw(st.integers(0, new), "other")
    assert other == index or not merkle.includes(root, new, other, merkle.leaf_hash(leaves[index]), path)
    assert not merkle.is_consistent(old, wrong, new, root, proof)
    assert not merkle.is_consistent(old, old_root, new, wrong, proof)
    assert not merkle.is_consistent(old, old_root, new, root, [*proof, wrong])
    assert not proof or not merkle.is_consistent(old, old_root, new, root, proof[:-1])


@given(st.integers(0, 200), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_a_tree_can_be_grown_further_from_its_peaks_alone(size: int, more: int) -> None:
    leaves = [b"%d" % i for i in range(size + more)]
    whole, nodes = grown(leaves)
    resumed = merkle.Frontier(size, [nodes(*peak) for peak in merkle.peaks(size)])
    for leaf in leaves[size:]:
        resumed.add(merkle.leaf_hash(leaf))
    assert (resumed.size, resumed.root()) == (whole.size, whole.root())


def test_a_frontier_with_a_missing_peak_is_refused() -> None:
    merkle.Frontier(3, [bytes(32), bytes(32)])
    with pytest.raises(ValueError, match="3 leaves has 2 peaks, got 1"):
        merkle.Frontier(3, [bytes(32)])


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_consistency_with_nothing_or_with_the_future(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="0 < old ≤ new"):
        merkle.consistency_path(grown(CT_LEAVES)[1], old, new)
    root = bytes.fromhex(CT_ROOTS[3])
    assert not merkle.is_consistent(old, root, new, root, [root])


def test_an_empty_path_shows_only_that_a_tree_is_itself() -> None:
    three, eight = bytes.fromhex(CT_ROOTS[3]), bytes.fromhex(CT_ROOTS[8])
    assert merkle.is_consistent(3, three, 3, three, [])
    assert not merkle.is_consistent(3, three, 8, eight, [])
    assert not merkle.is_consistent(4, bytes.fromhex(CT_ROOTS[4]), 8, eight, [])


def test_appending_hashes_two_nodes_a_leaf_at_most() -> None:
    """Whatever the size: n leaves complete fewer than n subtrees above them."""
    frontier = merkle.Frontier()
    made = [node for i in range(1000) for node in frontier.add(bytes([i % 256]) * 32)]
    assert len(made) < 2000


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_for_a_leaf_outside(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion_path(grown(CT_LEAVES)[1], index, size)


@given(st.lists(st.integers(0, 9), max_size=6))
def test_many_leaves_at_once_make_what_they_make_one_by_one(parts: list[int]) -> None:
    one, many, number = merkle.Frontier(), merkle.Frontier(), 0
    for count in parts:
        leaves = [merkle.leaf_hash(b"%d" % i) for i in range(number, number + count)]
        number += count
        rows = many.add_all(leaves)
        flat = [(level, place, made) for level, first, row in rows for place, made in enumerate(row, first)]
        assert sorted(flat) == sorted(made for leaf in leaves for made in one.add(leaf))
        assert (many.size, many.root()) == (one.size, one.root())
