"""What a docstring owes its caller: the shapes of arrays, and what is refused or raised."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.test_architecture import MAY_IMPORT, MODULES, package_of

ARRAY = re.compile(r"\b(ndarray|Tensor)\b")
_AXIS = r"(?:…|\*?[a-z0-9][\w^]*(?: [·+/*−-]? ?\w+){0,3})"
SHAPE = re.compile(rf"\({_AXIS}(?:, ?|\[, )(?:{_AXIS}(?:, |\[, )?)*\]?(?:; [^()]+)?\)|\bshapes?\b")
"""Axes in brackets, such as (seconds,), (…, bins) or (times, size, size[, 3]); or a word on shapes."""
REFUSAL = re.compile(r"\b[Rr]efus|\b[Rr]ais(e|es|ed)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Told = tuple[str, Function | ast.ClassDef, str]


def told(paths: Iterable[Path]) -> Iterator[Told]:
    """Every public function, class and method with what is said of it: by itself, its class, and what it overrides."""
    trees = {path: ast.parse(path.read_text()) for path in paths}
    classes = {n.name: n for tree in trees.values() for n in tree.body if isinstance(n, ast.ClassDef)}
    for path, tree in trees.items():
        for node in tree.body:
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_") or _is_command(node):
                continue
            where, said = f"{path.name}: {node.name}", ast.get_docstring(node) or ""
            yield where, node, said
            for method in _methods(node) if isinstance(node, ast.ClassDef) else ():
                own, above = ast.get_docstring(method) or "", _contract(node, method.name, classes)
                yield f"{where}.{method.name}", method, f"{own}\n{said}\n{above}"


def _is_command(node: Function | ast.ClassDef) -> bool:
    """Of the command line: its docstring is what `--help` shows, and what is refused ends with exit code 2."""
    return any(ast.unparse(decorator).startswith("app.command(") for decorator in node.decorator_list)


def _methods(cls: ast.AST) -> list[Function]:
    methods = [n for n in ast.iter_child_nodes(cls) if isinstance(n, Function)]
    return [m for m in methods if not m.name.startswith("_") or m.name == "__call__"]


def _bases(cls: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).split("[")[0] for base in cls.bases]


def _contract(cls: ast.ClassDef, method: str, classes: dict[str, ast.ClassDef]) -> str:
    """What the classes that one is made from, and the protocols of its package, say of a method."""
    above, waiting = [c for c in classes.values() if "Protocol" in _bases(c)], _bases(cls)
    while waiting:
        base = classes.get(waiting.pop())
        if base and base not in above:
            above.append(base)
            waiting += _bases(base)
    return "\n".join(ast.get_docstring(m) or "" for c in above for m in _methods(c) if m.name == method)


def has_arrays(node: Function | ast.ClassDef) -> bool:
    """Whether a signature, or the fields of a class, name arrays."""
    if isinstance(node, ast.ClassDef):
        annotations = [field.annotation for field in node.body if isinstance(field, ast.AnnAssign)]
    else:
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        annotations = [a for a in [*(arg.annotation for arg in given), node.returns] if a]
    return any(ARRAY.search(ast.unparse(annotation)) for annotation in annotations)


def raised(node: Function | ast.ClassDef) -> set[str]:
    """The classes that a function, or the making of an object, raises itself, and the codes of its refusals."""
    made = ("__init__", "__post_init__")
    within = [node] if isinstance(node, Function) else [n for n in node.body if getattr(n, "name", "") in made]
    raises = [n.exc for part in within for n in ast.walk(part) if isinstance(n, ast.Raise)]
    calls = [exc for exc in raises if isinstance(exc, ast.Call)]
    classes = {ast.unparse(call.func) for call in calls} - {"NotImplementedError", "AssertionError"}
    codes = {str(c.args[0].value) for c in calls if c.args and isinstance(c.args[0], ast.Constant)}
    return classes | {code for code in codes if " " not in code} if classes else set()


def without_shape(paths: Iterable[Path]) -> list[str]:
    """What takes, gives or holds arrays and names no shape."""
    return [where for where, node, said in told(paths) if has_arrays(node) and not SHAPE.search(said)]


def without_refusal(paths: Iterable[Path]) -> list[str]:
    """What raises and says neither that it does, nor what, nor under which code."""
    found = [(where, raised(node), said) for where, node, said in told(paths)]
    return [
        f"{where} raises {', '.join(sorted(names))}"
        for where, names, said in found
        if names and not REFUSAL.search(said) and not names & set(re.findall(r"\w+", said))
    ]


def of_package(package: str) -> list[Path]:
    return [path for path in MODULES if package_of(path) == package]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_where_arrays_come_in_or_go_out_their_shape_is_said(package: str) -> None:
    assert not without_shape(of_package(package))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_what_a_function_refuses_or_raises_is_said(package: str) -> None:
    assert not without_refusal(of_package(package))


def test_arrays_without_a_shape_are_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "def said(x: np.ndarray):\n    'Of (channels, samples).'\n\n\n"
        "def silent(x: np.ndarray):\n    'Of a signal (Shoeb 2009), or of none.'\n\n\n"
        "def gives() -> torch.Tensor:\n    'A loss.'\n\n\n"
        "def plain(x: float):\n    'No array.'\n\n\n"
        "class Held:\n    'What is held.'\n    x: np.ndarray\n    def own(self) -> np.ndarray:\n        '(n,)'\n\n\n"
        "class Holder:\n    'Of (n, …).'\n    x: np.ndarray\n    def all(self) -> np.ndarray:\n        'All.'\n\n\n"
        "class Made(Base):\n    def score(self) -> np.ndarray: ...\n    def own(self) -> np.ndarray: ...\n\n\n"
        "class Base:\n    def score(self) -> np.ndarray:\n        '(windows,)'\n"
    )
    assert without_shape([module]) == [f"module.py: {name}" for name in ("silent", "gives", "Held", "Made.own")]


def test_refusals_that_nobody_is_told_of_are_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "def word():\n    'Refuses all.'\n    raise ValueError('all of it')\n\n\n"
        "def kind():\n    'ValueError for all.'\n    raise ValueError('all of it')\n\n\n"
        "def code():\n    '`corrupt` where it is cut.'\n    raise Refusal('corrupt', 'cut')\n\n\n"
        "def silent():\n    'What it gives, as praised.'\n    raise Refusal('truncated', 'cut')\n\n\n"
        "def passes():\n    'What comes from below goes on.'\n    raise\n\n\n"
        "def to_do():\n    'Made elsewhere.'\n    raise NotImplementedError('by whoever is made from it')\n\n\n"
        "@app.command('say')\ndef say():\n    'What --help shows.'\n    raise Refused('with exit code 2')\n\n\n"
        "class Held:\n    'What is held.'\n    def __init__(self):\n        raise ValueError('too much of it')\n"
    )
    assert without_refusal([module]) == [
        "module.py: silent raises Refusal, truncated",
        "module.py: Held raises ValueError",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "(n,)",
        "(…, bins)",
        "(windows, channels + 1)",
        "(times, size, size[, 3])",
        "(channels, any number; µV)",
        "(19, 19)",
    ],
)
def test_what_is_a_shape(text: str) -> None:
    assert SHAPE.fullmatch(text)


@pytest.mark.parametrize(
    "text", ["(Shoeb 2009)", "(seconds)", "(Hou & Zhang 2007, section 3)", "(see `x`, or not)", "()"]
)
def test_what_is_no_shape(text: str) -> None:
    assert not SHAPE.search(text)


def test_the_packages_hold_arrays_and_refusals_to_speak_of() -> None:
    """A rule that looks at nothing would hold everywhere."""
    found = list(told(MODULES))
    assert sum(has_arrays(node) for _, node, _ in found) > 300
    assert sum(bool(raised(node)) for _, node, _ in found) > 100
