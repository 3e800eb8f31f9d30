"""An answer as FHIR R4B: a report with observations, or a risk assessment of a forecast, for a hospital's record system.

The service knows no patient and no calendar time of the recording: subjects are left to whoever files the report, and
times count in seconds from the recording's start.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from serving.problems import ProblemError

UCUM = "http://unitsofmeasure.org"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
URI = "urn:ietf:rfc:3986"
"""The system of identifiers that are URIs."""
ABSENT_BECAUSE = {
    "no_approved_model": "not-permitted",
    "unsupported_format": "unsupported",
    "montage_missing": "unsupported",
    "rate_too_low": "unsupported",
    "age_out_of_scope": "unsupported",
    "ood": "unsupported",
    "age_unknown": "unknown",
}
"""FHIR's reason for each of our codes; what is not listed is `not-performed`: nothing could be observed."""
SUBJECT = {"display": "the patient of the recording, whom the service does not know"}
TITLES = {
    "detection": "Automated seizure detection in EEG, not reviewed",
    "typing": "Automated classification of seizure type, not reviewed",
    "spasms": "Automated detection of epileptic spasms in video, not reviewed",
    "semiology": "Automated classification of seizure semiology in video, not reviewed",
    "forecasting": "Automated forecast of seizures in video, not reviewed",
}

MOST = 5_000
"""Observations of one answer: their models take milliseconds each."""

Json = dict[str, Any]


def as_fhir(said: Json) -> bytes:
    """The bundle (type `collection`) in JSON: DiagnosticReport, Device, and Observations or RiskAssessment.

    It has passed the models of `fhir.resources`. What was not evaluable has a `dataAbsentReason` and no value. ProblemError 406
    for an answer of more than `MOST` parts.
    """
    from fhir.resources.R4B.bundle import Bundle

    question = said.get("question", "detection")
    made = _forecast(said) if question == "forecasting" else _observations(said, question)
    results = [r for r in made if r["resourceType"] == "Observation"]
    if len(made) > MOST:
        raise ProblemError(
            406, f"this answer has {len(made)} parts, and FHIR is made of at most {MOST}: ask for json, tsv or edf"
        )
    resources = [_report(said, question, results), *([_device(said)] if said["model"] else []), *made]
    entries = [{"fullUrl": _url(said, r.pop("_name")), "resource": r} for r in resources]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": {"system": URI, "value": f"urn:uuid:{said['prediction_id']}"},
        "entry": entries,
    }
    if said["receipt"] and said["receipt"]["entry"]:
        bundle["timestamp"] = said["receipt"]["entry"]["recorded_at"]
    return str(Bundle.model_validate(bundle).model_dump_json()).encode()


def _report(said: Json, question: str, results: list[Json]) -> Json:
    words = [said["banner"], *([said["notice"]] if said["notice"] else [])]
    if said["outcome"] == "not_evaluable":
        words.append(f"Not evaluable ({said['code']}): {said['reason']}")
    return {
        "_name": "report",
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": URI, "value": f"urn:uuid:{said['prediction_id']}"}],
        "status": "preliminary",
        "code": {"text": TITLES[question]},
        "subject": SUBJECT,
        "conclusion": ". ".join(words),
        **({"result": [{"reference": _url(said, r["_name"])} for r in results]} if results else {}),
    }


def _device(said: Json) -> Json:
    model = said["model"]
    return {
        "_name": "device",
        "resourceType": "Device",
        "identifier": [{"system": "urn:ictal:bundle", "value": model["digest"]}],
        "deviceName": [{"name": model["title"], "type": "model-name"}],
        "version": [{"value": model["digest"][:12]}],
        "note": [{"text": model["intended_use"]}],
    }


def _observations(said: Json, question: str) -> list[Json]:
    if said["outcome"] == "not_evaluable":
        return [_observation(said, "summary", TITLES[question]) | _absent(said["code"], said["reason"])]
    if question != "detection":
        return [_stretch(said, number, one) for number, one in enumerate(said["stretches"])]
    parts = [
        _part("Share of the recording that was assessed", said["coverage"], "1"),
        _part("Seizure burden per assessed hour", said["burden_min_per_h"], "min/h"),
        _part("Total seizure burden", said["burden_total_min"], "min"),
        _part("Share of assessed seconds in which the model commits itself", said["decided_share"], "1"),
        _part("Duration of the recording", said["duration_s"], "s"),
    ]
    summary = _observation(said, "summary", "Number of electrographic seizures found", parts)
    summary["valueInteger"] = len(said["events"])
    events = [_event(said, number, event) for number, event in enumerate(said["events"])]
    return [summary, *events, *(_unassessed(said, number, one) for number, one in enumerate(said["not_assessed"]))]


def _event(said: Json, number: int, event: Json) -> Json:
    parts = [*_span(event), _part("Highest probability", event["confidence"], "1")]
    if event["channels"]:
        parts.append({"code": {"text": "Channels"}, "valueString": ", ".join(event["channels"])})
    return _observation(said, f"event-{number}", "Electrographic seizure found", parts) | {"valueBoolean": True}


def _unassessed(said: Json, number: int, span: Json) -> Json:
    """Where nobody could look: neither a seizure nor none."""
    observation = _observation(said, f"not-assessed-{number}", "Electrographic seizure in this stretch", _span(span))
    return observation | _absent("not_assessed", "the signal of this stretch could not be assessed")


def _stretch(said: Json, number: int, one: Json) -> Json:
    parts = [*_span(one), *(_part(f"Probability of {name}", p, "1") for name, p in one["probabilities"].items())]
    observation = _observation(said, f"stretch-{number}", TITLES[said["question"]], parts)
    if one["code"]:
        return observation | _absent(one["code"], one["reason"])
    return observation | {"valueCodeableConcept": {"text": one["name"]}}


def _forecast(said: Json) -> list[Json]:
    """A forecast that could not be made has an Observation instead, since only there can a value be absent."""
    if said["outcome"] == "not_evaluable":
        return _observations(said, "forecasting")
    predictions = [
        {
            "outcome": {"text": "a seizure begins within the horizon of the model"},
            "probabilityDecimal": one["probabilities"][said["classes"][-1]],
            "rationale": f"seen from {one['onset_s']:g} s to {one['onset_s'] + one['duration_s']:g} s of the recording",
        }
        for one in said["stretches"]
        if not one["code"]
    ]
    unsaid = [_stretch(said, number, one) for number, one in enumerate(said["stretches"]) if one["code"]]
    basis = {"basis": [{"reference": _url(said, one["_name"])} for one in unsaid]} if unsaid else {}
    return [
        {
            "_name": "risk",
            "resourceType": "RiskAssessment",
            "status": "preliminary",
            "subject": SUBJECT,
            "code": {"text": TITLES["forecasting"]},
            "prediction": predictions,
            "note": [{"text": said["banner"]}],
            **basis,
        },
        *unsaid,
    ]


def _observation(said: Json, name: str, code: str, parts: Sequence[Json | None] = ()) -> Json:
    device = {"device": {"reference": _url(said, "device")}} if said["model"] else {}
    component = {"component": [part for part in parts if part]} if any(parts) else {}
    return {
        "_name": name,
        "resourceType": "Observation",
        "status": "preliminary",
        "code": {"text": code},
        "subject": SUBJECT,
        **device,
        **component,
    }


def _absent(code: str, reason: str) -> Json:
    coding = [{"system": ABSENT, "code": ABSENT_BECAUSE.get(code, "not-performed")}]
    return {"dataAbsentReason": {"coding": coding, "text": f"{code}: {reason}"}}


def _span(one: Json) -> list[Json | None]:
    return [
        _part("Onset, from the start of the recording", one["onset_s"], "s"),
        _part("Duration", one["duration_s"], "s"),
    ]


def _part(what: str, value: float | None, unit: str) -> Json | None:
    if value is None:
        return None
    return {"code": {"text": what}, "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}}


def _url(said: Json, name: str) -> str:
    """Where a resource of the bundle is: made of the prediction's id, so that it is the same each time."""
    return f"urn:uuid:{uuid.uuid5(uuid.UUID(said['prediction_id']), name)}"
