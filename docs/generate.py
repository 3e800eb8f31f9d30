"""Pages of the documentation that are made of the code when the site is built: a hook of MkDocs, and no package.

`python docs/generate.py WORKSPACE` takes the pictures of the detectors' pages anew from the reports of a demo.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.cli import EXIT_CODES, app
from flows.params import Params
from lineage.entries import EntryType
from lineage.meanings import MEANINGS
from models import detectors

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = ("lineage", "data", "validation", "models", "serving", "monitoring", "console", "flows")
PICTURES = HERE / "detectors"
PICTURES_OF = {
    "detection": ("Share of seizures found over", "Every patient:"),
    "typing": ("Which types were taken", "Weighted F1 of"),
    "spasms": ("Spasms found over", "Every patient:"),
    "semiology": ("Which types were taken", "Weighted F1 of"),
    "forecasting": ("Balanced accuracy over", "Balanced accuracy of"),
}
"""Of each task, the charts of its report that stand on the detector's page: the beginnings of what they say of themselves."""

UNITS = {
    "_s": "s", "_hz": "Hz", "_days": "days", "_per_24h": "per 24 h", "_per_h": "per h", "_s_per_eeg_hour": "s per hour of EEG",
    "minutes": "min", "hours": "h",
}  # fmt: skip
"""What the end of a name says of its unit; the longest that fits counts."""


def on_config(config: Any) -> Any:
    """Every detector of the index has a page, without anybody listing it a second time."""
    pages = [{name: f"detectors/{name}.md"} for name in detectors.names()]
    config.nav = [*config.nav, {"Detectors": ["detectors/index.md", *pages]}]
    return config


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Every generated page by its path below docs/."""
    made = {
        "reference/cli.md": cli_page(),
        "reference/params.md": params_page(),
        "reference/api.md": api_page(),
        "reference/events.md": events_page(),
        "detectors/index.md": detectors_page(),
    }
    return made | {f"detectors/{name}.md": detector_page(name) for name in detectors.names()}


# The command line


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that `ictal --help` leads to, with the words that call it."""
    from typer.main import get_command

    yield from _below("ictal", get_command(app))


def _below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, own in command.commands.items():
        if not own.hidden:
            yield from _below(f"{words} {name}", own)


def cli_page() -> str:
    codes = _table(("exit code", "meaning"), [(str(code), meaning) for code, meaning in EXIT_CODES.items()])
    parts = [CLI_INTRO, codes]
    for words, command in commands():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        named = " ".join(_usage(p) for p in arguments)
        parts += [
            f"## {words}",
            _sentences(command.help),
            f"```\n{words} {named}{' [OPTIONS]' if options else ''}\n```",
        ]
        if arguments:
            rows = [(f"`{_usage(p)}`", p.help or "") for p in arguments]
            parts.append(_table(("argument", "meaning"), rows))
        if options:
            parts.append(_table(("option", "value", "meaning"), [_option(p) for p in options]))
        parts.append(_examples(command.epilog or ""))
    return "\n\n".join(part for part in parts if part)


CLI_INTRO = """# Command line

Made from the commands themselves when this site was built. State lies in the workspace: `ICTAL_HOME`, or `.ictal` in the
checkout. Every command that lists or answers takes `--json`.
"""


def _usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    name = f"{name}…" if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> tuple[str, str, str]:
    names = " ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    says = [option.help or ""]
    if option.required:
        says.append("Has to be given.")
    elif option.default not in (None, False, "", []):
        says.append(f"Default: `{option.default}`.")
    if option.envvar:
        says.append(f"Or in `{option.envvar}`.")
    if option.min is not None or option.max is not None:
        says.append(f"From {option.min} to {option.max}." if option.max is not None else f"At least {option.min}.")
    return names, "" if option.is_flag else _kind(option.type_descriptor.annotation), " ".join(s for s in says if s)


def _kind(annotation: Any) -> str:
    names = {"str": "text", "int": "whole number", "float": "number", "Path": "path", "bool": ""}
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    many = text.startswith("list") or "list[" in str(annotation)
    word = next(
        (said for name, said in names.items() if re.search(rf"\b{name}\b", str(annotation) if many else text)), ""
    )
    return f"{word}, may be repeated" if many else word


def _sentences(text: str | None) -> str:
    return re.sub(r"\[/?\w+\]", "", text or "").replace("\b", "").strip()


def _examples(epilog: str) -> str:
    """The examples of a command: what its epilog names, one on a line."""
    found = examples(epilog)
    return "```\n" + "\n".join(found) + "\n```" if found else ""


def examples(epilog: str) -> list[str]:
    """`Examples: ictal a · ictal b    (a remark). In scripts …` → [`ictal a`, `ictal b`]."""
    said = re.sub(r"\. In scripts .*$", "", re.sub(r"^Examples?: ", "", epilog), flags=re.S)
    return [re.sub(r"\s{2,}\(.*\)$", "", part.strip()) for part in said.split(" · ") if part.strip()]


# params.yaml


def params_page() -> str:
    return "\n\n".join([PARAMS_INTRO, *_block(Params, "")])


PARAMS_INTRO = """# params.yaml

Made from the schema (`flows/params.py`) when this site was built. An unknown key is refused with "did you mean", a value
outside its limits with the limit. Shares are 0–1. The numbers of a detector stand [on its page](../detectors/index.md).

Of `gates`, the change plan, a number may be made stricter and never looser: the limits say in which direction."""


def _block(model: Any, name: str) -> Iterator[str]:
    fields = {key: field for key, field in model.model_fields.items() if not hasattr(field.annotation, "model_fields")}
    blocks = {key: field for key, field in model.model_fields.items() if key not in fields}
    if fields:
        yield f"## {name}"
        yield " ".join((model.__doc__ or "").split())
        rows = [(f"`{key}`", *_field(key, field)) for key, field in fields.items()]
        yield _table(("key", "type", "default", "limits", "unit", "meaning"), rows)
    for key, field in blocks.items():
        yield from _block(field.annotation, f"{name}.{key}" if name else key)


def _field(name: str, field: Any) -> tuple[str, str, str, str, str]:
    kind = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
    kind = kind if kind in ("int", "float", "str", "bool") else re.sub(r"\b\w+\.", "", str(field.annotation))
    default = json.dumps(field.default, ensure_ascii=False)
    return f"`{kind}`", f"`{default}`", limits_of(field), unit_of(name), field.description or ""


def limits_of(field: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, key):g}"
        for key, sign in signs.items()
        for limit in field.metadata
        if hasattr(limit, key)
    ]
    patterns = [f"`{limit.pattern}`" for limit in field.metadata if getattr(limit, "pattern", None)]
    return ", ".join([*found, *patterns])


def unit_of(name: str) -> str:
    return next((UNITS[end] for end in sorted(UNITS, key=len, reverse=True) if name.endswith(end)), "")


# The prediction API


def api_page() -> str:
    from serving.limits import SCOPES_FOR
    from serving.service import document

    openapi = document()
    parts = [API_INTRO.format(version=openapi["info"]["version"])]
    for path, methods in openapi["paths"].items():
        scopes = " or ".join(f"`{scope}`" for scope in sorted(SCOPES_FOR[path]))
        parts += [text for method, said in methods.items() for text in _operation(path, method, said, scopes)]
    parts.append("# Forms\n\nWhat bodies and answers consist of.")
    for name, schema in openapi["components"]["schemas"].items():
        if "properties" in schema:
            parts += [f"## {name}", schema.get("description", ""), _properties(schema)]
    return "\n\n".join(part for part in parts if part)


API_INTRO = """# Prediction API

Made from the service's own OpenAPI document (version {version}) when this site was built; a running service gives it under
`/openapi.json`. Every route of `/v1` wants `Authorization: Bearer ictal_…`, a key of the site with a scope that opens the
route. Errors are problem JSON (RFC 9457). A recording that cannot be evaluated is an answer (200), not an error.

Without a key: `/livez`, `/readyz`, `/metrics`, `/openapi.json`. Streams over a WebSocket: [their messages](../streaming.md)."""


def _operation(path: str, method: str, said: Mapping[str, Any], scopes: str) -> list[str]:
    parts = [f"## {method.upper()} {path}", said.get("description", ""), f"Scope: {scopes}."]
    parameters = said.get("parameters", [])
    if parameters:
        rows = [(f"`{p['name']}`", p["in"], _schema(p["schema"]), p.get("description", "")) for p in parameters]
        parts.append(_table(("parameter", "in", "type", "meaning"), rows))
    bodies = said.get("requestBody", {}).get("content", {})
    parts += [f"Body: `{kind}`, {_schema(body.get('schema', {})) or 'bytes'}." for kind, body in bodies.items()]
    rows = [(code, answer["description"], _answer(answer)) for code, answer in said["responses"].items()]
    return [*parts, _table(("status", "meaning", "form"), rows)]


def _answer(answer: Mapping[str, Any]) -> str:
    forms = answer.get("content", {})
    return "<br>".join(f"`{kind}` {_schema(form.get('schema', {}))}".strip() for kind, form in forms.items())


def _properties(schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = [
        (f"`{name}`", _schema(own), "yes" if name in needed else "", own.get("description", ""))
        for name, own in schema["properties"].items()
    ]
    return _table(("field", "type", "always", "meaning"), rows)


def _schema(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(filter(None, map(_schema, schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_schema(schema.get('items', {})) or 'values'}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return str(schema.get("const", schema.get("type", "")))


# The ledger


def events_page() -> str:
    written = _written()
    rows = [(f"`{t.value}`", MEANINGS[t], ", ".join(f"`{m}`" for m in written[t]) or "nothing yet") for t in EntryType]
    return f"{EVENTS_INTRO}\n\n{_table(('type', 'what it says', 'modules that name it'), rows)}"


EVENTS_INTRO = """# Events of the ledger

Made from `lineage/entries.py` and from a search of the code when this site was built. An act that is not in this list has
no entry. Entries are only ever added; each names who, what (by digest), why, when and with which software, and holds no
patient data: people appear by pseudonym, and everything else lies in a payload that can be erased."""


def _written() -> dict[EntryType, list[str]]:
    """The modules in which each type is named, as a member of `EntryType` or by its text."""
    found: dict[EntryType, list[str]] = {kind: [] for kind in EntryType}
    by_text, by_name = {t.value: t for t in EntryType}, {t.name: t for t in EntryType}
    for path in (p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))):
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        if module in ("lineage.entries", "lineage.meanings"):
            continue
        nodes = list(ast.walk(ast.parse(path.read_text())))
        texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        names = {n.attr for n in nodes if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "EntryType"}
        for kind in {by_text[t] for t in texts & set(by_text)} | {by_name[n] for n in names & set(by_name)}:
            found[kind].append(module)
    return found


# Detectors


def detectors_page() -> str:
    rows = []
    for name in detectors.names():
        facts = detectors.facts(name)
        rows.append((f"[{name}]({name}.md)", facts["title"], facts["task"], facts["modality"], facts["ages"]))
    table = _table(("name", "title", "task", "looks at", "ages"), rows)
    return f"# Detectors\n\nMade from their cards. Each task has a floor, which a deep detector has to beat.\n\n{table}"


def detector_page(name: str) -> str:
    facts, card = detectors.facts(name), detectors.card_of(name).split("---", 2)[2].strip()
    params = (ROOT / "models" / "detectors" / name / "params.yaml").read_text().strip()
    known = ("task", "modality", "classes", "intended_use", "ages", "montage", "source")
    rows = [(key.replace("_", " "), _plain(facts[key])) for key in known]
    published = [(key.replace("_", " "), _plain(value)) for key, value in facts.get("published", {}).items()]
    parts = [card, "## What it states about itself", _table(("", ""), rows)]
    if published:
        parts += ["## Published", "By others, under the protocol named here.", _table(("", ""), published)]
    parts += ["## In the demo", _pictures(name), "## Its numbers", f"```yaml\n{params}\n```"]
    return "\n\n".join(parts)


def _pictures(name: str) -> str:
    run = json.loads((PICTURES / "run.json").read_text())
    if name not in run["pictures"]:
        return "There is no picture of it: it was not in the run from which the pictures of this site are."
    said = (
        f"From a run of `ictal demo` that was made on {run['made']} at commit `{run['commit'][:12]}`, patients apart."
    )
    shown = [f"![{alt}]({file})\n\n*{alt}.*" for file, alt in run["pictures"][name].items()]
    return "\n\n".join([f"{said} **Its patients are simulated: the figures speak about the simulator.**", *shown])


def take_pictures(home: Path) -> None:
    """Copy the charts of the page's detectors from the reports of a demo workspace, and note which run they are from."""
    made = json.loads((home / "workspace.json").read_text())
    taken: dict[str, dict[str, str]] = {}
    for page in sorted(home.glob("reports/**/evaluation/*.html")):
        if page.stem in detectors.names():
            taken[page.stem] = dict(_charts(page))
    about = {"made": made["made"][:10], "commit": made["checkout"]["commit"], "pictures": taken}
    (PICTURES / "run.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _charts(page: Path) -> Iterator[tuple[str, str]]:
    wanted = PICTURES_OF[detectors.task_of(page.stem)]
    charts = re.findall(r'<svg role="img" aria-label="([^"]*)".*?</svg>', page.read_text(), re.S)
    for number, beginning in enumerate(wanted, 1):
        alt = next((said for said in charts if said.startswith(beginning)), None)
        if alt:
            start = page.read_text().index(f'<svg role="img" aria-label="{alt}"')
            svg = page.read_text()[start:].split("</svg>", 1)[0] + "</svg>\n"
            file = PICTURES / f"{page.stem}-{number}.svg"
            file.write_text(svg)
            yield file.name, alt


# Markdown


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
