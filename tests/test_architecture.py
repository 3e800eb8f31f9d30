"""One tool, one room; imports point one way."""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "lineage": set(),
    "data": {"lineage"},
    "validation": {"lineage", "data"},
    "models": {"lineage", "data"},
    "serving": {"lineage", "data", "models"},
    "monitoring": {"lineage", "data", "models", "validation", "serving"},
    "console": {"lineage", "data", "validation", "models", "serving", "monitoring"},
    "flows": {"lineage", "data", "validation", "models", "serving", "monitoring", "console"},
}

HOME = {
    "sqlalchemy": "lineage",
    "cryptography": "lineage",
    "model_signing": "lineage",
    "psycopg": "lineage",
    "msgspec": "lineage",
    "rocrate": "lineage",
    "cyclonedx": "lineage",
    "openlineage": "lineage",
    "mne": "data",
    "edfio": "data",
    "av": "data",
    "great_expectations": "validation",
    "jsonschema": "validation",
    "timescoring": "validation",
    "torch": "models",
    "safetensors": "models",
    "transformers": "models",
    "onnx": "models",
    "onnxruntime": "models",
    "captum": "models",
    "bentoml": "serving",
    "fhir": "serving",
    "websockets": "serving",
    "fastapi": "serving console",
    "uvicorn": "serving console",
    "evidently": "monitoring",
    "prefect": "flows",
    "prefect_dask": "flows",
    "distributed": "flows",
    "typer": "flows",
    "segno": "flows",
    "cv2": "tests",
    "playwright": "tests",
}

TABLES_LIVE_WITH_THEIR_NOUNS = {"sqlalchemy"}
"""Packages above lineage may declare tables; engine and session come from lineage.store."""

MODULES = [p for package in MAY_IMPORT for p in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add((node.module or "").split(".")[0])
    return names


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_one_way_and_every_tool_stays_at_home(path: Path) -> None:
    package = package_of(path)
    for name in imports(path):
        if name in MAY_IMPORT:
            assert name == package or name in MAY_IMPORT[package], f"{package} may not import {name}"
        if name in HOME and name not in TABLES_LIVE_WITH_THEIR_NOUNS:
            assert package in HOME[name].split(), f"{name} lives in {HOME[name]}, not in {package}"


def test_the_map_of_rooms_is_that_of_the_imports() -> None:
    rows = [line.split("|")[1:-1] for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if "/` |" in line]
    said = {room.strip(" `/"): {name.strip() for name in may.split(",")} for room, *_, may in rows}
    everything = set(MAY_IMPORT) - {"flows"}
    words = {"nothing of ours": set(), "all of them": everything}
    assert {room: words.get(next(iter(may)), may) for room, may in said.items()} == MAY_IMPORT


def test_the_engine_and_the_session_come_from_lineage_store() -> None:
    for path in MODULES:
        if package_of(path) != "lineage":
            used = {
                n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "")
                for n in ast.walk(ast.parse(path.read_text()))
            }
            assert not used & {"create_engine", "sessionmaker"}, path


def test_the_stages_know_neither_prefect_nor_dvc() -> None:
    """What a stage's `cmd` runs must not start Prefect or DVC again, directly or through what it imports."""
    seen: set[str] = set()
    waiting = [f"flows.stages.{p.stem}" for p in (ROOT / "flows" / "stages").glob("*.py")]
    assert len(waiting) >= 7
    while waiting:
        module = waiting.pop()
        path = ROOT / (module.replace(".", "/") + ".py")
        if module in seen or not path.exists():
            continue
        seen.add(module)
        assert not {"prefect", "prefect_dask", "dvc"} & imports(path), path
        tree = ast.parse(path.read_text())
        waiting += [
            n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("flows")
        ]


def test_no_two_pickles_no_untrusted_load() -> None:
    for path in MODULES:
        text = path.read_text()
        assert "import pickle" not in text, path
        for line in text.splitlines():
            assert "torch.load(" not in line or "weights_only=True" in line, f"{path}: {line.strip()}"


def test_no_folder_of_the_tests_is_named_like_a_package() -> None:
    folders = {p.name for p in (ROOT / "tests").rglob("*") if p.is_dir()}
    assert not folders & set(MAY_IMPORT)


def test_every_package_says_what_it_is() -> None:
    for package in MAY_IMPORT:
        assert ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())), package


def undocumented(path: Path) -> list[str]:
    """Public functions and classes of a module that say nothing of themselves."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [n for n in ast.parse(path.read_text()).body if isinstance(n, kinds) and not n.name.startswith("_")]
    return [n.name for n in public if not ast.get_docstring(n)]


def test_every_public_function_and_class_says_what_it_is() -> None:
    silent = [f"{path.relative_to(ROOT)}: {name}" for path in MODULES for name in undocumented(path)]
    assert not silent, silent


Classes = list[ast.ClassDef]


def public_methods(cls: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n for n in cls.body if isinstance(n, kinds) and not n.name.startswith("_")]


def explained_above(classes: Classes) -> set[str]:
    """Methods whose contract stands in a protocol, or in a class that others are made from."""
    bases = {ast.unparse(base).split("[")[0] for cls in classes for base in cls.bases}
    above = [c for c in classes if c.name in bases or any("Protocol" in ast.unparse(b) for b in c.bases)]
    return {method.name for cls in above for method in public_methods(cls) if ast.get_docstring(method)}


def silent_methods(classes: Classes) -> list[str]:
    """Public methods of public classes that say nothing of themselves, and whose name is explained nowhere above."""
    explained = explained_above(classes)
    return [
        f"{cls.name}.{method.name}"
        for cls in classes
        if not cls.name.startswith("_")
        for method in public_methods(cls)
        if not ast.get_docstring(method) and method.name not in explained
    ]


def classes_of(paths: Iterable[Path]) -> Classes:
    trees = [ast.parse(path.read_text()) for path in paths]
    return [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_public_method_says_what_it_is_or_its_contract_does(package: str) -> None:
    assert not silent_methods(classes_of(path for path in MODULES if package_of(path) == package))


def test_methods_that_say_nothing_are_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "class Base:\n    def told(self):\n        'What it gives.'\n    def silent(self): ...\n\n\n"
        "class Made(Base):\n    def told(self): ...\n    @property\n    def own(self): ...\n    def _private(self): ...\n"
    )
    assert silent_methods(classes_of([module])) == ["Base.silent", "Made.own"]


def test_what_says_nothing_of_itself_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "def said():\n    'What it gives.'\n\n\ndef silent():\n    pass\n\n\nasync def waits():\n    pass\n\n\n"
        "class Empty:\n    ''\n\n\ndef _private():\n    pass\n"
    )
    assert undocumented(module) == ["silent", "waits", "Empty"]


def test_the_packages_are_found_where_they_lie() -> None:
    """An editable install must point here, not at another copy."""
    for package in MAY_IMPORT:
        __import__(package)
        assert Path(str(sys.modules[package].__file__)).is_relative_to(ROOT)
