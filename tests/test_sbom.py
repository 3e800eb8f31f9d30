"""The bill of materials says which software a model was made with, in a form that other tools check."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest

from flows.workspace import ROOT
from lineage.digest import sha256_bytes
from lineage.refused import Refused
from lineage.sbom import bill_of_materials, read_pins, schema_problems

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMIT = "a" * 40
LOCK = f"# pinned\nSQLAlchemy=={version('sqlalchemy')}\ncryptography==0.1\nno_such_package==1.0\n".encode()


def bill(lock: bytes = LOCK) -> dict[str, Any]:
    return dict(json.loads(bill_of_materials(lock, COMMIT, AT)))


def component(name: str) -> dict[str, Any]:
    return next(c for c in bill()["components"] if c["name"] == name)


def test_every_pin_is_a_component_with_its_version_and_purl() -> None:
    assert {c["name"]: c["version"] for c in bill()["components"]} == read_pins(LOCK)
    assert component("sqlalchemy")["purl"] == f"pkg:pypi/sqlalchemy@{version('sqlalchemy')}"


def test_an_installed_package_states_its_licence_and_what_it_needs() -> None:
    assert component("sqlalchemy")["licenses"] == [{"license": {"id": "MIT"}}]
    lock = f"sqlalchemy=={version('sqlalchemy')}\ntyping-extensions=={version('typing-extensions')}\n".encode()
    needs = {d["ref"].split("@")[0]: d.get("dependsOn", []) for d in bill(lock)["dependencies"]}
    assert needs["pkg:pypi/sqlalchemy"] == [f"pkg:pypi/typing-extensions@{version('typing-extensions')}"]


@pytest.mark.parametrize("name", ["cryptography", "no-such-package"])
def test_what_is_not_installed_in_this_version_borrows_no_licence_from_another(name: str) -> None:
    assert "licenses" not in component(name) and "description" not in component(name)
    assert component(name)["properties"] == [{"name": "ictal:licence", "value": "not installed where this was made"}]


def test_the_bill_names_the_code_and_the_lock_that_it_is_of() -> None:
    about = bill()["metadata"]
    assert about["component"]["version"] == COMMIT and about["timestamp"] == AT.isoformat()
    assert about["component"]["properties"] == [{"name": "ictal:lock:sha256", "value": sha256_bytes(LOCK)}]


def test_the_same_lock_gives_the_same_bytes_and_another_lock_another_serial_number() -> None:
    assert bill_of_materials(LOCK, COMMIT, AT) == bill_of_materials(LOCK, COMMIT, AT)
    assert bill()["serialNumber"] != bill(LOCK + b"numpy==1.0\n")["serialNumber"]


def test_the_schema_refuses_what_is_no_bill() -> None:
    assert schema_problems(json.dumps({**bill(), "components": [{"name": "numpy"}]}))
    assert schema_problems(json.dumps({**bill(), "bomFormat": "other"}))


def test_a_lock_without_pins_is_refused() -> None:
    with pytest.raises(Refused, match="pins no package"):
        bill_of_materials(b"numpy>=2\n", COMMIT, AT)


def test_the_lock_of_the_house_has_a_bill() -> None:
    lock = (ROOT / "constraints.txt").read_bytes()
    made = bill(lock)
    assert len(made["components"]) == len(read_pins(lock)) > 200
    unknown = [c["name"] for c in made["components"] if "licenses" not in c]
    assert len(unknown) < 10, unknown
    top = next(d for d in made["dependencies"] if d["ref"] == "ictal")["dependsOn"]
    assert {"pkg:pypi/torch", "pkg:pypi/prefect"} <= {ref.split("@")[0] for ref in top}
