"""The tree that makes a list of records tamper-evident: hashing and proofs of RFC 6962, section 2.1.

A tree over n leaves is known by its complete subtrees: the node (level, index) covers the leaves
`index * 2**level` up to `(index + 1) * 2**level`, and never changes once it is complete.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

Nodes = Callable[[int, int], bytes]
"""(level, index) → hash of a complete subtree."""

_SHA256 = hashlib.sha256
EMPTY_ROOT = _SHA256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """32 bytes: SHA-256 of 0x00 and the content, so that no leaf passes for a node (RFC 6962, 2.1)."""
    return _SHA256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """32 bytes: SHA-256 of 0x01 and both children's hashes (RFC 6962, 2.1)."""
    return _SHA256(b"\x01" + left + right).digest()


def peaks(size: int) -> list[tuple[int, int]]:
    """(level, index) of the largest complete subtrees that make up a tree of `size` leaves, left to right."""
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return [(level, (size >> level) - 1) for level in levels]


class Frontier:
    """The right edge of a tree: all that is needed to append, whatever the tree's size.

    `hashes` are those of `peaks(size)`, in their order; ValueError where there are more or fewer.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()):
        self.size = size
        self._hashes = list(hashes)
        if len(self._hashes) != len(peaks(size)):
            raise ValueError(f"a tree of {size} leaves has {len(peaks(size))} peaks, got {len(self._hashes)}")

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Append a leaf hash; returns the (level, index, hash) of every subtree that it completes."""
        made = [(0, self.size, leaf)]
        for level in range(_trailing_ones(self.size)):
            made.append((level + 1, self.size >> level + 1, node_hash(self._hashes.pop(), made[-1][2])))
        self._hashes.append(made[-1][2])
        self.size += 1
        return made

    def add_all(self, leaves: Sequence[bytes]) -> list[tuple[int, int, list[bytes]]]:
        """Append leaf hashes; returns (level, first index, hashes) of the subtrees that they complete, level by level.

        Law: the same as `add` of one after another, at half the cost.
        """
        made, row, first, level = list[tuple[int, int, list[bytes]]](), list(leaves), self.size, 0
        lefts = {level: self._hashes[place] for place, (level, _) in enumerate(peaks(self.size))}
        while row:
            made.append((level, first, row))
            if first & 1:
                row, first = [lefts.pop(level), *row], first - 1
            if len(row) & 1:
                lefts[level] = row[-1]
            row = [_SHA256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]
            first, level = first >> 1, level + 1
        self.size += len(leaves)
        self._hashes = [lefts[level] for level, _ in peaks(self.size)]
        return made

    def root(self) -> bytes:
        """The root of the tree so far (RFC 6962, 2.1); that of nothing where it is empty."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(nodes: Nodes, size: int) -> bytes:
    """Root of the first `size` leaves."""
    return _range_hash(nodes, 0, size) if size else EMPTY_ROOT


def inclusion_path(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `size` leaves (PATH of RFC 6962, 2.1.1).

    From the leaf upwards. ValueError unless 0 ≤ `index` < `size`.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    return _path(nodes, index, 0, size)


def consistency_path(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """The hashes that show the first `old` leaves unchanged among `new` (PROOF of RFC 6962, 2.1.2).

    ValueError unless 0 < `old` ≤ `new`.
    """
    if not 0 < old <= new:
        raise ValueError(f"consistency needs 0 < old ≤ new, got old {old} and new {new}")
    return _subproof(nodes, old, 0, new, whole=True)


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` leads from `leaf` at `index` to `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the tree of `new` leaves begins with the tree of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new or (old == new and path):
        return False
    if old == new:
        return old_root == new_root
    steps = list(path) if old & (old - 1) else [old_root, *path]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not steps:
        return False
    old_found = new_found = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_found, new_found = node_hash(step, old_found), node_hash(step, new_found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_found = node_hash(new_found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root


def _trailing_ones(number: int) -> int:
    return (~number & (number + 1)).bit_length() - 1


def _split(start: int, end: int) -> int:
    """Where RFC 6962 divides [start, end): after the largest power of two smaller than its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _range_hash(nodes: Nodes, start: int, end: int) -> bytes:
    length = end - start
    if length & (length - 1) == 0:
        level = length.bit_length() - 1
        return nodes(level, start >> level)
    middle = _split(start, end)
    return node_hash(_range_hash(nodes, start, middle), _range_hash(nodes, middle, end))


def _path(nodes: Nodes, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = _split(start, end)
    if index < middle:
        return [*_path(nodes, index, start, middle), _range_hash(nodes, middle, end)]
    return [*_path(nodes, index, middle, end), _range_hash(nodes, start, middle)]


def _subproof(nodes: Nodes, old: int, start: int, end: int, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [_range_hash(nodes, start, end)]
    middle = _split(start, end)
    if old <= middle:
        return [*_subproof(nodes, old, start, middle, whole), _range_hash(nodes, middle, end)]
    return [*_subproof(nodes, old, middle, end, whole=False), _range_hash(nodes, start, middle)]
