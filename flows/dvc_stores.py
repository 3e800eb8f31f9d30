"""Where DVC keeps objects: the cache and remotes that are folders, and remotes that DVC reaches by its own filesystems.

An object is named by its MD5 in the layout of DVC 3 (`files/md5/ab/cdef…`) or of the one before (`ab/cdef…`).
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from flows.workspace import Workspace, dvc

DIR = ".dir"

READ_ONLY = ("http", "https")
"""Remotes of which DVC can take nothing away."""

KEEPS_ONE = ("ssh", "local", "memory")
"""Remotes that keep nothing of what is deleted; S3 is asked whether it does, and no other kind can be."""

TRIAL = ".ictal-trial"
"""What an object is called that is put below a remote's root and deleted at once, to see whether both are allowed."""


class Store(Protocol):
    """One place with objects."""

    def paths(self, md5: str) -> list[str]:
        """Where in it an object lies."""

    def read(self, path: str) -> bytes:
        """The bytes that lie there; of a remote Unreached where it does not give them."""

    def size(self, path: str) -> int:
        """Bytes of what lies there, without reading it."""

    def lists(self) -> Iterator[str]:
        """Where its lists of folders lie."""

    def runs(self) -> Iterator[str]:
        """Where remembered runs lie, which name lists."""

    def keep(self, md5: str, content: bytes) -> None:
        """Put an object there, whole or not at all."""

    def delete(self, path: str) -> None:
        """Delete what lies there, at once and under this one name; of a remote Unreached where it refuses."""


@dataclass(frozen=True)
class Folder:
    """A store on this machine."""

    root: Path

    def paths(self, md5: str) -> list[str]:
        return [str(path) for name in names_of(md5) if (path := self.root / name).exists()]

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def size(self, path: str) -> int:
        return Path(path).stat().st_size

    def lists(self) -> Iterator[str]:
        return map(str, self.root.glob("**/*" + DIR))

    def runs(self) -> Iterator[str]:
        return (str(path) for path in self.root.glob("runs/*/*/*") if path.is_file())

    def keep(self, md5: str, content: bytes) -> None:
        path = self.root / names_of(md5)[0]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.partial")
            partial.write_bytes(content)
            partial.replace(path)

    def delete(self, path: str) -> None:
        Path(path).unlink()


@dataclass(frozen=True)
class Remote:
    """A store that DVC reaches, by the name of its remote; `files` are all that lie below `root`, with what is said of
    them, as of when it was opened. `fs` is fsspec's filesystem, as DVC's settings make it; Unreached where it refuses."""

    name: str
    fs: Any
    root: str
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def paths(self, md5: str) -> list[str]:
        return [path for name in names_of(md5) if (path := f"{self.root}/{name}") in self.files]

    def read(self, path: str) -> bytes:
        return bytes(self._asked(lambda: self.fs.cat_file(path)))

    def size(self, path: str) -> int:
        return int(self.files[path]["size"])

    def lists(self) -> Iterator[str]:
        return (path for path in list(self.files) if path.endswith(DIR))

    def runs(self) -> Iterator[str]:
        return (path for path in list(self.files) if path.startswith(f"{self.root}/runs/"))

    def keep(self, md5: str, content: bytes) -> None:
        path = f"{self.root}/{names_of(md5)[0]}"
        if path not in self.files:
            self._asked(lambda: self._put(path, content))
            self.files[path] = {"size": len(content)}

    def delete(self, path: str) -> None:
        self._asked(lambda: self.fs.rm_file(path))
        self.files.pop(path, None)

    def named(self, digests: Collection[str]) -> list[str]:
        """Files that are called by one of these digests now, or of which the store says that their MD5 is one."""
        self.fs.invalidate_cache()
        found = self._asked(lambda: self.fs.find(self.root, detail=True))
        return [f"{self.name}: {path}" for path, about in found.items() if {_called(path), _etag(about)} & set(digests)]

    def _put(self, path: str, content: bytes) -> None:
        if "s3" in self.fs.protocol:  # which has no folders, and no halves of objects
            self.fs.pipe_file(path, content)
            return
        folder, _, name = path.rpartition("/")
        self.fs.makedirs(folder, exist_ok=True)
        self.fs.pipe_file(f"{folder}/.{name}.partial", content)
        self.fs.mv(f"{folder}/.{name}.partial", path)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return _reached(ask)
        except Unreached as why:
            raise Unreached(f"remote {self.name}: {why}") from None


@dataclass(frozen=True)
class Stores:
    """All stores of a workspace, the cache first; `unreached` are remotes from which nothing can be taken now, and why."""

    all: tuple[Store, ...]
    unreached: tuple[str, ...] = ()

    @classmethod
    def of(cls, workspace: Workspace) -> "Stores":
        """Those of a workspace; none of a copy that an auditor was given without them."""
        if not (workspace.root / ".dvc").exists():
            return cls(())
        lines = (line.partition("=") for line in dvc(workspace, "config", "--list").splitlines())
        settings = {name.strip(): value.strip() for name, _, value in lines}
        folders, opened, unreached = [_place(workspace, settings.get("cache.dir", "cache"))], list[Store](), list[str]()
        for setting, value in settings.items():
            if not (setting.startswith("remote.") and setting.endswith(".url")):
                continue
            if "://" not in value:
                folders.append(_place(workspace, value))
                continue
            name = setting.removeprefix("remote.").removesuffix(".url")
            try:
                opened.append(_opened(workspace, name, settings))
            except Unreached as why:
                unreached.append(f"{name} ({_shown(value)}): {why}")
        return cls((*map(Folder, dict.fromkeys(folders)), *opened), tuple(unreached))

    @property
    def folders(self) -> list[Path]:
        """The stores that are folders of this machine: the cache, then remotes without a scheme in their address."""
        return [store.root for store in self.all if isinstance(store, Folder)]

    @property
    def remotes(self) -> list[Remote]:
        """The stores that DVC reaches by a filesystem of its own; those in `unreached` are not among them."""
        return [store for store in self.all if isinstance(store, Remote)]

    def paths(self, md5: str) -> Iterator[tuple[Store, str]]:
        """Where an object lies."""
        return ((store, path) for store in self.all for path in store.paths(md5))

    def read(self, md5: str) -> bytes:
        """An object's bytes; none where no store has it."""
        return next((store.read(path) for store, path in self.paths(md5)), b"")

    def size(self, md5: str) -> int | None:
        """An object's bytes, of the first store that has it; None where none has."""
        return next((store.size(path) for store, path in self.paths(md5)), None)

    def holders(self, md5: str) -> list[Store]:
        """The stores that have an object, each once, even if it lies there in both layouts."""
        return list({id(store): store for store, _ in self.paths(md5)}.values())

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Every list of a folder in any store, by MD5, as DVC writes it."""
        found: dict[str, list[dict[str, Any]]] = {}
        for store in self.all:
            for path in store.lists():
                if (md5 := _called(path)) not in found and len(md5) == 32 + len(DIR):
                    found[md5] = json.loads(store.read(path))
        return found

    def delete(self, md5: str) -> int:
        """Delete an object from every store; returns at how many places it lay."""
        paths = list(self.paths(md5))
        for store, path in paths:
            store.delete(path)
        return len(paths)

    def forget_runs(self, of: Collection[str]) -> None:
        """Delete remembered runs that gave one of these lists, and would bring it back."""
        for store in self.all:
            for path in list(store.runs()):
                if any(md5.encode() in store.read(path) for md5 in of):
                    store.delete(path)


class Unreached(Exception):
    """Why nothing, or nothing more, can be taken out of a remote; no address or key stands in it."""


def names_of(md5: str) -> tuple[str, str]:
    """What an object is called below the root of a store, now and before DVC 3."""
    return f"files/md5/{md5[:2]}/{md5[2:]}", f"{md5[:2]}/{md5[2:]}"


def _opened(workspace: Workspace, name: str, settings: dict[str, str]) -> Remote:
    """A remote by DVC's own filesystem, as its settings and secrets make it, with all that lies in it."""
    if any(settings.get(f"remote.{name}.{how}", "").lower() == "true" for how in ("version_aware", "worktree")):
        raise Unreached("it keeps files by their names and versions, which are to be deleted with its own tools")
    filesystem, root = _reached(lambda: _filesystem(workspace, name))
    if filesystem.protocol in READ_ONLY:
        raise Unreached("over HTTP nothing can be deleted: do it where its files lie, and take the remote away")
    fs = _reached(lambda: filesystem.fs)
    root = root.rstrip("/")
    files = _reached(lambda: fs.find(root, detail=True))
    if filesystem.protocol == "s3":
        if _reached(lambda: _keeps_versions(fs, root)):
            raise Unreached(
                "it keeps the versions of what is deleted: end versioning and delete old versions there with its own tools"
            )
    elif filesystem.protocol not in KEEPS_ONE:
        raise Unreached(
            f"whether it keeps old versions cannot be asked: {filesystem.protocol} is no kind of which that is known; delete "
            "them there with its own tools, and take the remote away"
        )
    if files:  # where nothing lies, there is nothing to take out
        _reached(lambda: _try_out(fs, f"{root}/{TRIAL}"))
    return Remote(name, fs, root, dict(files))


def _filesystem(workspace: Workspace, name: str) -> tuple[Any, str]:
    from dvc.config import Config
    from dvc.fs import get_cloud_fs

    made, settings, root = get_cloud_fs(Config(str(workspace.root / ".dvc")), name=name)
    return made(**settings), str(root)


def _keeps_versions(fs: Any, root: str) -> bool:
    """Whether a bucket of S3 keeps versions, or did before."""
    said = fs.call_s3("get_bucket_versioning", Bucket=root.split("/")[0])
    return "Status" in said


def _try_out(fs: Any, path: str) -> None:
    """Put an object of our own there and delete it: what may only be read is found out before anything is taken out."""
    fs.pipe_file(path, b"put here by Ictal, to be deleted at once\n")
    fs.rm_file(path)


def _reached(ask: Callable[[], Any]) -> Any:
    """What a remote answers; its refusal in a word, because messages of libraries repeat addresses and keys."""
    try:
        return ask()
    except ImportError:
        raise Unreached("DVC's package for it is not installed (such as dvc-s3)") from None
    except Exception as error:
        if "Missing" in type(error).__name__:
            raise Unreached("DVC's package for it is not installed (such as dvc-s3)") from None
        raise Unreached(f"it does not answer as it should ({type(error).__name__})") from None


def _shown(url: str) -> str:
    """A remote's address without what stands in it beside the place, such as a user's password."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    except ValueError:
        return f"{url.partition('://')[0]}://…"


def _called(path: str) -> str:
    """The MD5 that an object is named by, if it is one."""
    folder, _, name = path.rpartition("/")
    return folder.rpartition("/")[2] + name


def _etag(about: dict[str, Any]) -> str:
    """What S3 says of a file that was sent in one piece: its MD5."""
    return str(about.get("ETag", "")).strip('"')


def _place(workspace: Workspace, value: str) -> Path:
    """Paths in DVC's settings are relative to .dvc."""
    return (workspace.root / ".dvc" / value).resolve()
