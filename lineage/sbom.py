"""What software a model was made with: the locked environment as a CycloneDX bill of materials."""

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, cast

from lineage.digest import sha256_bytes
from lineage.refused import Refused

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

PROJECT, PROJECT_LICENCE = "ictal", "Apache-2.0"


def bill_of_materials(lock: bytes, commit: str, at: datetime) -> str:
    """CycloneDX 1.6 (JSON) of the pins in `lock` (`name==version` lines), for the code at `commit`.

    Licence, summary and dependencies are those that installed packages state about themselves; of a pin that is not
    installed in this version only name, version and purl are known, and it says so. The same lock in the same
    environment gives the same bytes. Refuses (Refused) an empty lock, and a bill that the schema refuses.
    """
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    pins = read_pins(lock)
    text = make_outputter(_bom(pins, lock, commit, at), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(
        indent=1
    )
    for problem in schema_problems(text):
        raise Refused(f"the bill of materials does not hold to the CycloneDX schema: {problem}")
    return text


def schema_problems(bill: str) -> list[str]:
    """What the strict CycloneDX 1.6 schema, which the library brings along, has against a bill; empty where it is one."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill, all_errors=True)
    return [str(error.data)[:200] for error in found or ()]


def read_pins(lock: bytes) -> dict[str, str]:
    """Version by name (as PEP 503 writes it) of every `name==version` line; refuses (Refused) a lock that pins
    nothing."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", lock.decode(), flags=re.MULTILINE)
    if not found:
        raise Refused("the lock pins no package: constraints.txt has lines of the form name==version")
    return {_normal(name): version for name, version in found}


def _bom(pins: Mapping[str, str], lock: bytes, commit: str, at: datetime) -> "Bom":
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType

    found = ((name, _installed(name, version)) for name, version in pins.items())
    same = {name: package for name, package in found if package}
    components = {name: _component(name, version, same.get(name)) for name, version in pins.items()}
    project = Component(
        name=PROJECT, type=ComponentType.APPLICATION, bom_ref=PROJECT, licenses=[_licence(PROJECT_LICENCE)],
        version=commit,
        properties=[Property(name="ictal:lock:sha256", value=sha256_bytes(lock))],
    )  # fmt: skip
    bom = Bom(
        components=components.values(),
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, sha256_bytes(lock)),
        metadata=BomMetaData(component=project, timestamp=at),
    )
    own = _installed(PROJECT)
    wanted = _required(own, pins) if own else pins
    bom.register_dependency(project, [components[name] for name in wanted])
    for name, about in same.items():
        bom.register_dependency(components[name], [components[n] for n in _required(about, pins)])
    return bom


def _component(name: str, version: str, package: Message | None) -> "Component":
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=name, version=version)
    licence = _stated_licence(package) if package else ""
    unknown = "not stated by the package" if package else "not installed where this was made"
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        description=package.get("Summary") if package else None,
        licenses=[_licence(licence)] if licence else [],
        properties=[] if licence else [Property(name="ictal:licence", value=unknown)],
    )


def _stated_licence(package: Message) -> str:
    """What the package says: an SPDX expression (PEP 639), else its short licence field, else its classifiers."""
    if expression := package.get("License-Expression"):
        return str(expression)
    named = (package.get("License") or "").strip()
    if named and len(named) <= 100 and "\n" not in named and named != "UNKNOWN":
        return str(named)
    classified = [c.rsplit(" :: ", 1)[-1] for c in package.get_all("Classifier") or () if c.startswith("License ::")]
    return " and ".join(classified)


def _licence(text: str) -> "License":
    from cyclonedx.contrib.license.factories import LicenseFactory

    return LicenseFactory().make_from_string(text)


def _required(package: Message, pins: Mapping[str, str]) -> Iterator[str]:
    """The pins that a package asks for here, without its extras."""
    from packaging.requirements import Requirement

    for text in package.get_all("Requires-Dist") or ():
        requirement = Requirement(text)
        name = _normal(requirement.name)
        if name in pins and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            yield name


def _installed(name: str, version: str = "") -> Message | None:
    """What a package that is installed, in this version where one is given, says about itself.

    A local build (`2.13.0+cpu`) is an install of the version that was pinned.
    """
    try:
        stated = cast(Message, metadata(name))
    except PackageNotFoundError:
        return None
    return stated if not version or stated["Version"].split("+")[0] == version else None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
