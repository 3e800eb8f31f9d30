"""The picture in README is drawn from the code as it is."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from flows.demo import WHY
from tests.test_architecture import HOME, MAY_IMPORT

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def house() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", ROOT / "docs" / "house.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_that_of_this_code(house: ModuleType) -> None:
    assert house.PICTURE.read_text() == house.picture(), "draw it again: python docs/house.py"


def test_it_shows_every_step_of_the_demo_and_every_package(house: ModuleType) -> None:
    assert list(house.STEPS) == list(WHY)
    assert set(house.QUESTIONS) == set(MAY_IMPORT)
    assert all(wanted <= MAY_IMPORT[package] for package, wanted in house.imports().items())


def test_an_arrow_left_out_follows_from_those_that_are_drawn(house: ModuleType) -> None:
    graph = house.imports()
    reached = {package: set() for package in graph}
    for package in sorted(graph, key=house.floors(graph).get):
        for one, other in house.drawn(graph):
            if one == package:
                reached[package] |= {other} | reached[other]
    assert {package: set(wanted) for package, wanted in graph.items()} == {
        package: reached[package] & set(graph[package]) for package in graph
    }


def test_a_library_that_has_one_home_is_shown_there(house: ModuleType) -> None:
    for package, own in house.tools().items():
        assert all(package in HOME.get(library, package).split() for library in own), package
    assert "torch" in house.tools()["models"] and "prefect" in house.tools()["flows"]
