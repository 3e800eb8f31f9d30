"""The model card: what people wrote about a detector, and what its evaluation found, which nobody writes by hand.

A card is a function of the hand-written text and of the report as data (`validation.report.report_document`), so that
anybody can fill it again from the two and compare the bytes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from validation.gates import Gate
from validation.leakage import BrokenPromise
from validation.pages import SIMULATED
from validation.reading import as_estimate, estimate, share

RESULT = ("regimes", "patient", "result")
DIGESTS = ("predictions", "hypotheses", "references")
ORIGINS = ("dataset (SHA-256)", "split (SHA-256)", "code of the evaluation (SHA-256)", "lock (SHA-256)", "scorers")

FIELDS: dict[str, tuple[str, ...]] = {
    "simulated": ("simulated",),
    "verdict": ("verdict", "sentence"),
    **{name: (*RESULT, "counts", name) for name in ("persons", "seizing_persons", "seizures", "hours", "coverage")},
    "per_patient": (*RESULT, "per_patient"),
    "auc": (*RESULT, "clinical", "auc_pooled"),
    "auc_all_seconds": (*RESULT, "clinical", "auc_all_seconds"),
    "sensitivity": (*RESULT, "clinical", "event_sensitivity"),
    "alarms": (*RESULT, "clinical", "false_alarms_per_24h"),
    "rests_on": (*RESULT, "clinical", "rests_on"),
    "ece": (*RESULT, "calibration", "ece"),
    "brier": (*RESULT, "calibration", "brier"),
    "subgroups": (*RESULT, "subgroups"),
    "window_to_patient": ("inflation", "window_to_patient"),
    "patient_to_site": ("inflation", "patient_to_site"),
    "gates": ("gates",),
    **{name: (*RESULT, "digests", name) for name in DIGESTS},
    **{name: ("provenance", name) for name in ORIGINS},
}
"""What a card states and where the report holds it; none of it may be missing."""


class NotMeasured(BrokenPromise):
    """A card cannot be filled because nobody measured a field of it; `field` names it."""

    def __init__(self, field: str):
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"the model card needs {self.field}, which nobody measured: run `ictal evaluate` again"


def fill_card(static: str, document: Mapping[str, Any]) -> str:
    """The whole card as Markdown: the hand-written text `static`, then what `document` says was measured.

    Law: the same two give the same bytes. Raises `NotMeasured` for a field of `FIELDS` that is missing or null; a
    figure that was looked for and does not exist, or that states a reason, reads “not evaluable”.
    """
    measured = {name: _field(document, path) for name, path in FIELDS.items()}
    named = {f"{name} (SHA-256)": measured[name] for name in DIGESTS} | {name: measured[name] for name in ORIGINS}
    sites = sorted({site for row in measured["per_patient"] for site in str(row["site"]).split("+")})
    filled = (
        templates()
        .get_template("card.md.j2")
        .render(
            **{name: measured[name] for name in FIELDS if name.isidentifier()},
            static=static.rstrip("\n"),
            sites=sites,
            origins=named,
            published=document.get("published"),
            simulated_sentence=SIMULATED,
        )
    )
    return re.sub(r"\n{3,}", "\n\n", filled).rstrip("\n") + "\n"


def stretch_card(
    static: str,
    said: Sequence[str],
    main: Mapping[str, Any],
    gates: Sequence[Gate],
    provenance: Mapping[str, str],
    simulated: bool,
) -> str:
    """The card of a detector that names clips: hand-written text, the sentences `said`, and every figure of its answer.

    `main` is its result with patients apart. Law: the same arguments give the same bytes.
    """
    figures = {n.replace("_", " "): b for n, b in main["answer"].items() if isinstance(b, Mapping) and "estimate" in b}
    filled = (
        templates()
        .get_template("stretch_card.md.j2")
        .render(
            static=static.rstrip("\n"),
            said=said,
            figures=figures,
            rests_on=main["answer"]["rests_on"],
            gates=[gate.to_json() for gate in gates],
            origins={**provenance, **{f"{n} (SHA-256)": d for n, d in main["digests"].items()}},
            simulated=simulated,
            simulated_sentence=SIMULATED,
        )
    )
    return re.sub(r"\n{3,}", "\n\n", filled).rstrip("\n") + "\n"


def _field(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is None:
        raise NotMeasured(".".join(path))
    return found


@lru_cache
def templates() -> Environment:
    """The templates of cards, with the filters that write figures and what people typed."""
    environment = Environment(loader=PackageLoader("validation"), undefined=StrictUndefined, autoescape=False)
    filters: dict[str, Callable[[Any], str]] = {
        "interval": lambda found: as_estimate(found).written(),
        "percent": lambda found: as_estimate(found).percent(),
        "rate": lambda found: as_estimate(found).rate(),
        "share": share,
        "step": _step,
        "text": _text,
    }
    environment.filters |= filters
    return environment


def _step(found: Mapping[str, Any]) -> str:
    if reason := found.get("not_evaluable"):
        return f"not evaluable: {_text(reason)} | not evaluable"
    found_more = estimate(found, "event_sensitivity").percent(sign=True)
    return f"{estimate(found, 'auc').written(3, sign=True)} | {found_more}"


def _text(value: object) -> str:
    """What a site wrote is text: it opens no table cell, no tag and no line of its own."""
    plain = " ".join(str(value).split())
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", plain)
