"""The page as data: everything that it says, for programs and for whoever checks it, held to a JSON Schema."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from validation.charts import YARDSTICKS
from validation.inflation import REGIMES
from validation.lab import STEPS
from validation.outcome import headline
from validation.ranking import Rankings
from validation.report.dossier import Dossier
from validation.report.page import provenance
from validation.schema import validate_report
from validation.splits import REPORTABLE

SCHEMA = "ictal.report/1"


def report_document(dossier: Dossier) -> dict[str, Any]:
    """Everything on the page as plain JSON. Raises `validation.schema.InvalidReport` for what breaks the schema."""
    document = {
        "schema": SCHEMA,
        "detector": dossier.name,
        "champion": dossier.champion or None,
        "simulated": dossier.simulated,
        "verdict": _verdict(dossier),
        "regimes": {regime: _regime(dossier, regime) for regime in REGIMES},
        "inflation": _inflation(dossier),
        "published": asdict(dossier.published) | {"reportable": False} if dossier.published else None,
        "labels_alone": dict(dossier.labels_alone) if dossier.labels_alone else None,
        "yardsticks": {"literature": [_yard(*y) for y in YARDSTICKS], "peers": [asdict(p) for p in dossier.peers]},
        "averaging": _averaging(dossier.averaging),
        "gates": [gate.to_json() for gate in dossier.gates],
        "worst_cases": None if dossier.worst is None else [asdict(case) for case in dossier.worst],
        "provenance": provenance(dossier),
    }
    plain: dict[str, Any] = json.loads(json.dumps(_finite(document), allow_nan=False))
    validate_report(plain)
    return plain


def _verdict(dossier: Dossier) -> dict[str, Any]:
    said = headline(dossier.name, dossier.champion, dossier.gates, dossier.main, dossier.in_force)
    return {"state": said.state, "sentence": said.sentence, "reasons": list(said.reasons)}


def _regime(dossier: Dossier, regime: str) -> dict[str, Any]:
    stands = {"reportable": regime in REPORTABLE}
    if regime in dossier.own:
        return stands | {"result": dossier.own[regime]}
    return stands | {"not_evaluable": dossier.absent[regime]}


def _inflation(dossier: Dossier) -> dict[str, Any]:
    made = {}
    for first, second in STEPS:
        name = f"{first}_to_{second}"
        without = [REGIMES[r] for r in (first, second) if r in dossier.absent]
        reason = {"not_evaluable": f"{' and '.join(without)} not run"} if without else None
        made[name] = dossier.inflation.get(name, reason)
    return made


def _yard(name: str, alarms: tuple[float, float], found: tuple[float, float]) -> dict[str, Any]:
    return {"name": name, "alarms_per_24h": list(alarms), "event_sensitivity": list(found)}


def _averaging(found: Rankings | str) -> dict[str, Any]:
    return {"not_evaluable": found} if isinstance(found, str) else found.to_json()


def _finite(value: Any) -> Any:
    """A number that does not exist is null in JSON."""
    if isinstance(value, float) and value - value != 0:
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
