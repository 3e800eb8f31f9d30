"""Who made a number: the scorer's name and version, the bytes of all code behind it, and the policy it followed.

A corrected scorer moved a published F1 from 0.428 to 0.323 on the same predictions, so no number stands without this.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from lineage.digest import Digest, digest_of, sha256_file

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("data", "validation")
"""Packages whose code can change a figure; `lineage` only names and signs them."""


@dataclass(frozen=True)
class Scorer:
    """What stands beside every block of figures."""

    name: str
    version: str
    code_digest: Digest
    policy: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields, and the digest of the policy."""
        return {
            "name": self.name,
            "version": self.version,
            "code_digest": self.code_digest,
            "policy": self.policy,
            "policy_digest": digest_of(self.policy),
        }


def code_digest(modules: Sequence[ModuleType | str], root: Path = ROOT) -> Digest:
    """Digest of modules (or files by path) with every module of `data` and `validation` that they import, to the end.

    Too wide rather than too narrow: a change that moves no figure may change it, none that does leaves it as it was.
    """
    return _digest(tuple(Path(m if isinstance(m, str) else str(m.__file__)) for m in modules), root)


def sources(paths: Sequence[Path], root: Path = ROOT) -> dict[str, Path]:
    """These files and all that they import of `data` and `validation`, by name."""
    found: dict[str, Path] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop().resolve()
        if path not in found.values():
            found[_name(path, root)] = path
            waiting += _imported(path, root) if path.is_relative_to(root) else []
    return found


@cache
def _digest(paths: tuple[Path, ...], root: Path) -> Digest:
    return digest_of({name: sha256_file(path) for name, path in sources(paths, root).items()})


def _name(path: Path, root: Path) -> str:
    own = any(path.is_relative_to(root / package) for package in FIGURES)
    return path.relative_to(root).as_posix() if own else f"{path.parent.name}/{path.name}"


@cache
def _imported(path: Path, root: Path) -> list[Path]:
    names = [name for name in _import_names(path) if name.split(".")[0] in FIGURES]
    candidates = [root / name.replace(".", "/") for name in names]
    return [file for c in candidates for file in (c.with_suffix(".py"), c / "__init__.py") if file.is_file()]


def _import_names(path: Path) -> Iterator[str]:
    """Dotted names in import statements; of `from a import b` both `a` and `a.b`, as `b` may be a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
