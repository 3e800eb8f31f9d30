"""An evidence pack as RO-Crate 1.2: what each file is, who stands behind it and under which licence, in one zip.

Source: Research Object Crate 1.2, w3id.org/ro/crate/1.2. The same items at the same time give the same bytes.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from lineage.digest import sha256_bytes
from lineage.refused import Refused
from lineage.verify_pack import MANIFEST, MANIFEST_SIGNATURE, METADATA, PREVIEW
from lineage.whole import whole_file

VERSION = "1.2"

UNDATED = (MANIFEST, MANIFEST_SIGNATURE)
"""What is made last, from all the others: named in the crate without a digest."""


@dataclass(frozen=True)
class Item:
    """One file of a pack: its name in it, its bytes, and what it is in a reader's words."""

    path: str
    content: bytes
    title: str
    media_type: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    """More of schema.org about the file, e.g. `{"license": {"@id": …}}`."""


@dataclass(frozen=True)
class About:
    """The crate as a whole. `entities` are people, software, licences and acts as JSON-LD, each with an `@id`."""

    name: str
    description: str
    published: datetime
    licence: str
    entities: Sequence[Mapping[str, Any]] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)


def metadata(about: About, items: Sequence[Item]) -> bytes:
    """`ro-crate-metadata.json` of these items, and of the preview and the manifest that come with them."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=VERSION)
    crate.name, crate.description, crate.license = about.name, about.description, {"@id": about.licence}
    crate.datePublished = about.published
    for name, value in about.properties.items():
        crate.root_dataset[name] = value
    for item in items:
        crate.add_file(BytesIO(item.content), item.path, properties=_file(item))
    for path in UNDATED:
        crate.add_file(BytesIO(), path, properties={"name": _MADE_LAST[path], "encodingFormat": "text/plain"})
    for entity in about.entities:
        crate.add(ContextEntity(crate, entity["@id"], {k: v for k, v in entity.items() if k != "@id"}))
    preview = {"@type": "CreativeWork", "about": {"@id": "./"}, "name": "Preview", "encodingFormat": "text/html"}
    crate.add(ContextEntity(crate, PREVIEW, preview))
    return (json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


_MADE_LAST = {
    MANIFEST: "SHA-256 of every item, as sha256sum writes it",
    MANIFEST_SIGNATURE: "The platform's signature under the manifest",
}


def write_zip(path: Path, contents: Mapping[str, bytes], at: datetime) -> None:
    """Write the files in the order of their names, each dated `at`; whole or not at all."""
    when = max(at.astimezone(UTC), datetime(1980, 1, 1, tzinfo=UTC)).timetuple()[:6]  # the oldest that a zip knows
    with (
        whole_file(path) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as pack,
    ):
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, when)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            pack.writestr(info, contents[name])


def problems(path: Path) -> Iterator[str]:
    """What a crate that is read back through the `rocrate` library lacks of RO-Crate 1.2."""
    from rocrate.rocrate import ROCrate

    try:
        crate = ROCrate(path)
    except (ValueError, KeyError, OSError) as error:
        yield f"{METADATA}: is no RO-Crate: {error}"
        return
    with zipfile.ZipFile(path) as pack:
        held = {name: pack.read(name) for name in pack.namelist()}
    graph = json.loads(held[METADATA])["@graph"]  # as it stands: the library fills a missing date with today's
    root = next(entity for entity in graph if entity["@id"] == "./")
    if crate.version != VERSION:
        yield f"{METADATA}: conforms to RO-Crate {crate.version}, not {VERSION}"
    for needed in ("name", "description", "datePublished", "license"):
        if not root.get(needed):
            yield f"{METADATA}: the root has no {needed}"
    described = {entity.id: entity for entity in crate.get_entities()}
    for name, content in held.items():
        if name not in described:
            yield f"{METADATA}: does not describe {name}"
        elif described[name].get("sha256", "") not in ("", sha256_bytes(content)):
            yield f"{METADATA}: states another digest of {name}"
    for entity in crate.data_entities:
        if entity.id not in held:
            yield f"{entity.id}: is described and not there"
    yield from _dangling(graph)


def _file(item: Item) -> dict[str, Any]:
    size = {"contentSize": str(len(item.content)), "sha256": sha256_bytes(item.content)}
    return {"name": item.title, "encodingFormat": item.media_type, **size, **item.properties}


def _dangling(graph: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """References inside the crate lead to something that the crate describes."""
    known = {entity["@id"] for entity in graph}
    for entity in graph:
        for name, value in entity.items():
            for one in value if isinstance(value, list) else [value]:
                target = one.get("@id", "") if isinstance(one, dict) else ""
                if target and target not in known and not target.startswith("http"):
                    yield f"{METADATA}: {name} of {entity['@id']} leads to {target}, which is not described"


def refuse_broken(path: Path) -> None:
    """Refuse a crate with problems, the first of them named."""
    for problem in problems(path):
        raise Refused(f"the pack is no sound RO-Crate: {problem}")
