"""What README and the documentation promise exists and does what they say: commands, requests, files, pages."""

import importlib.util
import itertools
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import numpy as np
import pytest

from data.ages import DAYS
from data.cohorts.bids import read_cohort
from data.events import Event
from data.montage import ELECTRODES
from data.outcomes import CODES
from data.readers.edf import write_edf
from flows.cli import EXIT_CODES
from flows.params import Params, read_params
from flows.workspace import make_workspace
from lineage.entries import EntryType
from lineage.ledger import Ledger
from lineage.meanings import MEANINGS
from models import detectors
from serving.limits import ROUTES
from tests.commands import CHECKOUT
from tests.snippets import DOCS, Reader, Snippet, every_snippet, fault_of, ictal_lines, snippets_of

README = (CHECKOUT / "README.md").read_text()
SNIPPETS = every_snippet()
TYPED = sorted({line for s in SNIPPETS for typed in s.commands for line in ictal_lines(typed)})
REQUESTS = sorted({typed for s in SNIPPETS for typed in s.commands if typed.startswith("curl ")})
ELSEWHERE = ("README.md", "docs/tutorial.md")
"""Pages whose commands are not run in a folder of their own: tests/e2e/test_tutorial.py runs those of the tutorial."""
TO_FOLLOW = sorted({s.page for s in SNIPPETS if s.language in ("console", "python") and not s.how} - set(ELSEWHERE))


@cache
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_states_every_exit_code() -> None:
    page = generate().cli_page()
    assert all(f"| {code} | " in page for code in EXIT_CODES)


def test_there_are_commands_to_test() -> None:
    assert len(TYPED) > 60 and len(REQUESTS) > 8 and len(TO_FOLLOW) == 6


@pytest.mark.parametrize("line", TYPED)
def test_every_command_is_one_that_the_command_line_understands(line: str) -> None:
    assert fault_of(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "ictal nonsense", "ictal audit nonsense", "ictal check", "ictal check a b", "ictal drift --jsn", "ictal cohort",
        "ictal key issue", "ictal key issue --site", "ictal approve 3f2a --as a",
    ],
)  # fmt: skip
def test_a_command_that_it_does_not_understand_is_found(line: str) -> None:
    assert fault_of(line)


def test_examples_in_the_commands_own_help_are_understood() -> None:
    faults = {}
    for _, command in generate().commands():
        for example in generate().examples(command.epilog or ""):
            lines = list(ictal_lines(example))
            assert lines or example.startswith("prefect "), example
            faults |= {line: fault for line in lines if (fault := fault_of(line.replace("…", "x")))}
    assert not faults


@pytest.mark.parametrize("line", REQUESTS)
def test_every_request_is_one_that_the_service_answers(line: str) -> None:
    from serving.service import document

    words = shlex.split(line, comments=True)
    address = urlsplit(next(word for word in words if word.startswith("http")))
    path = re.sub(r"\$[A-Z]+", "{id}", address.path)
    assert path in ROUTES
    fields = {value.split("=")[0] for flag, value in itertools.pairwise(words) if flag == "-F"}
    sends = fields or {"-d", "--data-binary"} & {*words}
    method = words[words.index("-X") + 1].lower() if "-X" in words else "post" if sends else "get"
    said = document()["paths"][path]
    assert method in said
    bodies = said[method].get("requestBody", {}).get("content", {})
    if "--data-binary" in words:
        sent = {value.split(":")[0] for flag, value in itertools.pairwise(words) if flag == "-H"}
        asked = {p["name"] for p in said[method]["parameters"] if p["required"]} | {"Content-Type"}
        assert asked <= sent and f"Content-Type: {next(iter(bodies))}" in words
    if fields:
        name = bodies["multipart/form-data"]["schema"]["$ref"].rsplit("/", 1)[-1]
        assert fields <= set(document()["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if s.how == "not run"], ids=lambda s: s.text[:40])
def test_what_is_not_run_has_a_reason_and_the_tests_that_it_names_exist(snippet: Snippet) -> None:
    assert len(snippet.about) > 20
    for named in re.findall(r"(?:tests/(?:e2e/)?)?test_\w+\.py", snippet.about):
        assert (CHECKOUT / "tests" / named.removeprefix("tests/")).exists(), named


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("empty") / "home", "real").root


@pytest.fixture
def reader(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Somebody with a recording of 80 s of noise, and nothing else."""
    (tmp_path / "incoming").mkdir()
    noise = np.random.default_rng(0).normal(0, 20, (19, 80 * 256)).astype(np.float32)
    write_edf(tmp_path / "incoming" / "night.edf", noise, ELECTRODES, 256.0)
    made = Reader(monkeypatch, tmp_path, empty)
    made.begin()
    return made


def test_who_follows_the_page_on_imports_has_a_cohort_that_names_nobody(reader: Reader) -> None:
    _follow("docs/how-to/import-recordings.md", reader)
    cohort = read_cohort(reader.folder / "my-bids-eeg")
    assert [(e.patient, e.site) for e in cohort.entries] == [("sub-001", "ward-3")]
    assert cohort.entries[0].age_days == pytest.approx(0.008 * DAYS["y"])
    assert cohort.annotations(cohort.entries[0]).events == (Event(20, 15),)


def test_who_follows_the_page_on_sites_has_a_key_and_asks_for_the_site(reader: Reader) -> None:
    _follow("docs/how-to/add-a-site.md", reader)
    promote = read_params(reader.folder / "ictal-work" / "params.yaml").promote
    assert promote.sites == ["ward-*"] and promote.hours == 720
    assert {"site.key.registered", "deployment.stopped"} <= _events(reader)


def test_who_follows_the_page_on_keys_has_others(reader: Reader) -> None:
    _follow("docs/how-to/rotate-keys.md", reader)
    assert {"person.key_rotated", "person.key_ended", "platform.key_rotated"} <= _events(reader)


def test_who_follows_the_page_on_backups_gets_the_ledger_back(reader: Reader) -> None:
    reader.empty = None  # the workspace is lost on the way, and made anew with another id
    _follow("docs/how-to/restore-from-backup.md", reader)


def test_who_follows_the_page_on_postgresql_ends_there(reader: Reader, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("server").new_database()
    reader.instead = {"postgresql://ictal:secret@db.hospital/ledger": url}
    _follow("docs/how-to/move-to-postgresql.md", reader)


def test_the_detector_of_the_page_is_one(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reader.folder / "models" / "detectors"
    monkeypatch.setattr(detectors, "HERE", folder)
    monkeypatch.setattr(detectors, "__path__", [*detectors.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "models.detectors.loudness", raising=False)
    _follow("docs/how-to/add-a-detector.md", reader)
    assert detectors.facts("loudness")["task"] == "detection"
    monkeypatch.delitem(sys.modules, "models.detectors.loudness")


def _events(reader: Reader) -> set[str]:
    return {entry.type.value for entry in Ledger(reader.folder / "ictal-work" / "ledger" / "ledger.db").entries()}


def _follow(page: str, reader: Reader) -> None:
    for snippet in snippets_of(CHECKOUT / page):
        if snippet.how == "file" or (not snippet.how and snippet.language in ("console", "python")):
            reader.follow(snippet)


def test_a_page_whose_command_is_refused_is_found(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="no workspace"):
        reader.follow(Snippet("page", "console", "$ ictal audit verify\n"))


def test_the_page_on_outcomes_names_every_code() -> None:
    page = (DOCS / "explanation" / "typed-outcomes.md").read_text()
    assert set(CODES) <= set(re.findall(r"`(\w+)`", page))


def test_every_setting_says_what_it_means() -> None:
    def silent(model: type, name: str) -> list[str]:
        found = []
        for key, own in model.model_fields.items():  # type: ignore[attr-defined]
            block = hasattr(own.annotation, "model_fields")
            found += silent(own.annotation, f"{name}{key}.") if block else [] if own.description else [f"{name}{key}"]
        return found

    assert silent(Params, "") == []


def test_every_event_of_the_ledger_says_what_it_means() -> None:
    assert set(MEANINGS) == set(EntryType)


class Loads(HTMLParser):
    """What a page loads by itself, and where its links lead."""

    def __init__(self, text: str):
        super().__init__()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = dict(attributes)
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object"):
            self.loaded += [said.get("src") or said.get("data") or ""]
        if tag == "link" and said.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(said.get("href") or "")


def test_the_site_builds_without_a_warning_and_loads_nothing_from_another_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, env=_offline())
    assert built.returncode == 0 and "WARNING" not in built.stderr, built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    names = {page.relative_to(tmp_path / "site").as_posix() for page in pages}
    assert {f"detectors/{name}.html" for name in detectors.names()} | {"reference/cli.html", "tutorial.html"} <= names
    for page in pages:
        loaded = [where for where in Loads(page.read_text()).loaded if urlsplit(where).netloc]
        assert not loaded, f"{page.name} loads {loaded}"
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"(url\(|@import)[\"' ]*(https?:)?//", style.read_text()), style


def _offline() -> dict[str, str]:
    return {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(CHECKOUT), "http_proxy": "http://127.0.0.1:9"}


def test_files_and_folders_that_readme_names_exist() -> None:
    named = re.findall(r"`((?:data|flows|models|tests|validation|serving|monitoring|lineage)/[\w./]*)`", README)
    links = re.findall(r"\]\(((?!http|#)[^)]+)\)", README)
    assert named and links
    for path in {*named, *links}:
        assert (CHECKOUT / path).exists() or "NAME" in path, path


def test_readme_holds_no_place_left_to_fill_in() -> None:
    assert "@@" not in README
