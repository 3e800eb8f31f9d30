"""The snippets of the documentation: which are run, which are files, and which are only held to the command line, and why.

Above a block stands how it is tried, where that is not simply by running it:

    <!-- not run: REASON -->      <!-- file: PATH -->      <!-- run: WHERE -->
"""

import base64
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from flows.cli import app
from lineage.onetime import code_at, step_at
from tests.commands import CHECKOUT, ictal

DOCS = CHECKOUT / "docs"
FENCE = re.compile(r"(?:<!-- (run|not run|file): ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Snippet:
    """One block of a page. `how` is empty where it is run in the page's own folder; `about` is the reason, path or place."""

    page: str
    language: str
    text: str
    how: str = ""
    about: str = ""

    @property
    def commands(self) -> list[str]:
        """What is typed after each `$ `, continued lines joined, remarks left out."""
        lines = iter(self.text.replace("\\\n", " ").splitlines())
        return [_whole(line[2:], lines).split("  #")[0].strip() for line in lines if line.startswith("$ ")]


def _whole(line: str, rest: Iterator[str]) -> str:
    """A command with the lines that follow, as long as a quotation is open."""
    while True:
        try:
            shlex.split(line, comments=True)
            return line
        except ValueError:
            line = f"{line} {next(rest).strip()}"


def snippets_of(path: Path) -> list[Snippet]:
    name = path.relative_to(CHECKOUT).as_posix()
    return [Snippet(name, m[3], m[4], m[1] or "", m[2] or "") for m in FENCE.finditer(path.read_text())]


def every_snippet() -> list[Snippet]:
    return [snippet for path in (CHECKOUT / "README.md", *sorted(DOCS.rglob("*.md"))) for snippet in snippets_of(path)]


def ictal_lines(text: str) -> Iterator[str]:
    """The `ictal …` commands in a line that was typed, whatever stands around them."""
    for part in re.split(r"&&|\$\(|\)|\|", text):
        words = part.strip().split(" ")
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words[:1] == ["ictal"]:
            yield " ".join(words)


def fault_of(line: str) -> str | None:
    """Why the command line would not understand a command, None where it would: names, options, values and arguments."""
    words = shlex.split(line.split(" <")[0], comments=True)[1:]
    command: Any = get_command(app)
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return f"there is no command {words[0]}"
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands"):
        return None if words[:1] == ["--help"] else "a command is missing"
    known = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("--")}
    given, arguments = set(), 0
    while words:
        word, _, value = words.pop(0).partition("=")
        if not word.startswith("--"):
            arguments += 1
            continue
        if word not in known:
            return f"there is no option {word}"
        given.add(known[word].name)
        if not known[word].is_flag and not value:
            if not words or words[0].startswith("--"):
                return f"{word} has no value"
            words.pop(0)
    missing = [p.name for p in command.params if p.required and p.param_type_name == "option" and p.name not in given]
    places = [p for p in command.params if p.param_type_name == "argument"]
    least, most = sum(p.required for p in places), None if any(p.nargs == -1 for p in places) else len(places)
    if missing:
        return f"{', '.join(missing)} has to be given"
    if arguments < least or (most is not None and arguments > most):
        return f"{arguments} arguments, where {least} to {most} are known"
    return None


@dataclass
class Reader:
    """Somebody who types what a page says, in a folder of their own, and owns an authenticator app.

    `empty` is a workspace that was made beforehand: `ictal init` copies it, except where a page loses its own.
    """

    patch: pytest.MonkeyPatch
    folder: Path
    empty: Path | None = None
    instead: dict[str, str] = field(default_factory=dict)
    secret: str = ""

    def begin(self) -> None:
        self.patch.chdir(self.folder)
        self.patch.setenv("HOME", str(self.folder))
        self.patch.setenv("PWD", str(self.folder))
        self.patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        self.patch.setattr("flows.cli_people._secret", self._type)

    def follow(self, snippet: Snippet) -> None:
        if snippet.how == "file":
            path = self.folder / snippet.about
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.text)
        elif snippet.language == "python":
            exec(compile(snippet.text, snippet.page, "exec"), {"__name__": "snippet"})
        else:
            for line in snippet.commands:
                self.type(line)

    def type(self, line: str) -> None:
        for shown, real in self.instead.items():
            line = line.replace(shown, real)
        if match := re.fullmatch(r"export ([A-Z_]+)=(.+)", line):
            self.patch.setenv(match[1], os.path.expandvars(match[2]))
        elif match := re.fullmatch(r"([A-Z_]+)=\$\((ictal .*)\)", line):
            self.patch.setenv(match[1], self._ictal(match[2]).strip())
        elif line.startswith("ictal "):
            self._ictal(line)
        else:
            done = subprocess.run(["bash", "-c", line], cwd=self.folder, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{line}: {done.stderr}"

    def _ictal(self, line: str) -> str:
        home = Path(os.environ["ICTAL_HOME"])
        if line == "ictal init" and self.empty:
            done = subprocess.run(["cp", "-a", str(self.empty), str(home)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return ""
        said = ictal(*map(os.path.expandvars, shlex.split(line, comments=True)[1:]))
        assert said.code == 0, f"{line}: {said.err}"
        if shown := re.search(r"secret=([A-Z2-7]+)", said.out):
            self.secret = shown[1]
        return said.out

    def _type(self, what: str, *, twice: bool = False) -> str:
        """What they type unseen: a passphrase, or what their device shows at this moment."""
        if not what.startswith("Code"):
            return "two components, one of them this"
        padded = self.secret + "=" * (-len(self.secret) % 8)
        return code_at(base64.b32decode(padded), step_at(datetime.now(UTC)))
