"""An answer in the forms that clinical systems read, each read back by another program than the one that wrote it."""

import io
import json
import uuid
from pathlib import Path
from typing import Any

import mne
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.riskassessment import RiskAssessment
from hypothesis import given
from hypothesis import strategies as st

from data.events import Annotations, Event
from data.outcomes import CODES
from data.readers.bids import events_table, parse_events
from data.readers.edf_writer import annotations_edf
from serving.fhir import as_fhir
from serving.forms import FORMS, as_edf, as_table, examples, form_of
from serving.problems import ProblemError
from serving.schema import EXAMPLE, Answer, NamedAnswer, NamedStretch

ID = "019d3e6a-6f2b-7c41-9a55-0b6f0a1d2c3e"
FOUND = Answer.model_validate(EXAMPLE).model_dump(mode="json")
REFUSED: dict[str, Any] = Answer(
    prediction_id=ID, outcome="not_evaluable", code="flat", reason="12 of 19 channels", recording_digest="c0" * 32,
    duration_s=60.0,
).model_dump(mode="json")  # fmt: skip


def named(question: str, classes: tuple[str, ...], *stretches: NamedStretch) -> dict[str, Any]:
    return NamedAnswer(
        prediction_id=ID, outcome="completed", recording_digest="c0" * 32, duration_s=60.0, question=question,
        classes=classes, stretches=stretches,
    ).model_dump(mode="json")  # fmt: skip


def stretch(onset_s: float, **said: float) -> NamedStretch:
    name = max(said, key=lambda n: said[n])
    return NamedStretch(onset_s=onset_s, duration_s=5.0, name=name, probabilities=said, clips=3)


UNSAID = NamedStretch(onset_s=20.0, duration_s=5.0, code="view_lost", reason="nobody is seen")
FORECAST = named("forecasting", ("interictal", "preictal"), stretch(0.0, interictal=0.8, preictal=0.2), UNSAID)
TYPED = named("typing", ("FNSZ", "GNSZ"), stretch(0.0, FNSZ=0.75, GNSZ=0.25))


def bundle(said: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The resources of a bundle by type, after the library has read its text again."""
    read = json.loads(Bundle.model_validate_json(as_fhir(said)).model_dump_json())
    kinds: dict[str, list[dict[str, Any]]] = {}
    for entry in read["entry"]:
        kinds.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return kinds


def parts(resource: dict[str, Any]) -> dict[str, float]:
    return {c["code"]["text"]: c["valueQuantity"]["value"] for c in resource["component"] if "valueQuantity" in c}


def test_a_detection_is_a_report_with_a_summary_and_one_observation_for_each_seizure() -> None:
    kinds = bundle(FOUND)
    [report], [device], [summary, event, unseen] = kinds["DiagnosticReport"], kinds["Device"], kinds["Observation"]
    assert report["status"] == "preliminary" and "review required" in report["conclusion"]
    assert report["identifier"][0]["value"] == f"urn:uuid:{ID}"
    assert summary["valueInteger"] == 1
    assert parts(summary)["Share of the recording that was assessed"] == FOUND["coverage"]
    assert parts(summary)["Seizure burden per assessed hour"] == FOUND["burden_min_per_h"]
    assert event["valueBoolean"] is True
    assert parts(event) == {
        "Onset, from the start of the recording": 12.0, "Duration": 41.0, "Highest probability": 0.93,
    }  # fmt: skip
    assert device["identifier"][0]["value"] == FOUND["model"]["digest"]
    [span] = FOUND["not_assessed"]
    assert [q["valueQuantity"]["value"] for q in unseen["component"]] == [span["onset_s"], span["duration_s"]]
    assert unseen["dataAbsentReason"]["text"].startswith("not_assessed") and "valueBoolean" not in unseen


def test_every_reference_of_a_bundle_leads_to_one_of_its_entries() -> None:
    for said in (FOUND, REFUSED, FORECAST, TYPED):
        read = json.loads(as_fhir(said))
        there = [entry["fullUrl"] for entry in read["entry"]]
        asked = [part.split('"')[0] for part in as_fhir(said).decode().split('"reference":"')[1:]]
        assert set(asked) <= set(there) and len(set(there)) == len(there)
        assert all(uuid.UUID(url.removeprefix("urn:uuid:")) for url in there)


def test_the_same_answer_is_the_same_bundle() -> None:
    assert as_fhir(FOUND) == as_fhir(json.loads(json.dumps(FOUND)))


@pytest.mark.parametrize("code", CODES)
def test_what_is_not_evaluable_has_a_reason_and_no_value(code: str) -> None:
    [observation] = bundle({**REFUSED, "code": code})["Observation"]
    assert observation["dataAbsentReason"]["text"] == f"{code}: 12 of 19 channels"
    assert observation["dataAbsentReason"]["coding"][0]["code"] in (
        "not-performed",
        "not-permitted",
        "unsupported",
        "unknown",
    )
    assert not [field for field in observation if field.startswith("value")]


def test_a_forecast_is_a_risk_assessment_and_what_was_not_seen_is_absent() -> None:
    kinds = bundle(FORECAST)
    [risk], [unseen] = kinds["RiskAssessment"], kinds["Observation"]
    [prediction] = risk["prediction"]
    assert prediction["probabilityDecimal"] == 0.2
    assert prediction["rationale"] == "seen from 0 s to 5 s of the recording"
    assert unseen["dataAbsentReason"]["text"].startswith("view_lost")
    assert bundle({**FORECAST, "outcome": "not_evaluable", "code": "ood", "reason": "far", "stretches": None}).keys() == {
        "DiagnosticReport", "Observation",
    }  # fmt: skip


def test_a_typing_names_the_stretch_with_all_probabilities() -> None:
    [one] = bundle(TYPED)["Observation"]
    assert one["valueCodeableConcept"]["text"] == "FNSZ"
    assert parts(one)["Probability of GNSZ"] == 0.25


def test_a_resource_that_breaks_the_standard_is_not_given_out() -> None:
    with pytest.raises(ValueError, match="valueInteger"):
        Observation.model_validate({"resourceType": "Observation", "status": "x", "code": {}, "valueInteger": "many"})
    with pytest.raises(ValueError, match="subject"):
        RiskAssessment.model_validate({"resourceType": "RiskAssessment", "status": "preliminary"})
    with pytest.raises(ValueError, match="badly formed"):
        as_fhir({**FOUND, "prediction_id": "one"})


def test_a_table_of_events_is_read_back_by_the_reader_of_cohorts() -> None:
    read = parse_events(as_table(FOUND).decode())
    assert read.annotations == Annotations((Event(12.0, 41.0, confidence=0.93),), 600.0) and not read.defects
    quiet = parse_events(as_table({**FOUND, "events": []}).decode()).annotations
    assert quiet == Annotations((), 600.0)


def test_a_table_without_seizures_has_background_only_where_somebody_looked() -> None:
    spans = [{"onset_s": 500.0, "duration_s": 100.0}, {"onset_s": 0.0, "duration_s": 20.0}]
    table = as_table({**FOUND, "events": [], "duration_s": 600.0, "not_assessed": spans}).decode()
    rows = [line.split("\t")[:3] for line in table.splitlines()[1:]]
    assert rows == [["20.0", "480.0", "bckg"]]
    assert parse_events(table).annotations.events == ()


times = st.floats(0, 500).map(lambda t: round(t, 6))
events = st.builds(
    Event, times, st.floats(0.001, 90), confidence=st.none() | st.floats(0, 1), channels=st.just(("C3", "Cz"))
)


@given(st.lists(events, max_size=5, unique_by=lambda event: (event.onset_s, event.duration_s)))
def test_any_events_are_read_back_from_their_table(found: list[Event]) -> None:
    annotations = Annotations(tuple(found), 600.0)
    assert parse_events(events_table(annotations)).annotations == annotations


@pytest.mark.parametrize(("said", "words"), [(REFUSED, "as if there were no seizure"), (TYPED, "only detections")])
def test_what_was_not_looked_at_has_no_table(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=words) as caught:
        as_table(said)
    assert caught.value.status == 406


def opened(content: bytes, tmp_path: Path) -> list[tuple[float, float, str]]:
    path = tmp_path / "a.edf"
    path.write_bytes(content)
    read = mne.read_annotations(path)
    return [(float(o), float(d), str(t)) for o, d, t in zip(read.onset, read.duration, read.description, strict=True)]


def test_remarks_in_edf_are_opened_by_mne(tmp_path: Path) -> None:
    by = f"Ictal (line_length {'4f' * 6}): review required"
    assert opened(as_edf(FOUND), tmp_path) == [
        (0.0, 0.0, by), (0.0, 1.0, "not assessed"), (12.0, 41.0, "sz (0.93)"), (53.0, 6.0, "undecided"),
    ]  # fmt: skip


def test_what_was_not_evaluable_is_a_remark_over_all_of_the_recording(tmp_path: Path) -> None:
    assert opened(as_edf(REFUSED), tmp_path)[-1] == (0.0, 60.0, "not evaluable: flat")


def test_stretches_are_remarks_too(tmp_path: Path) -> None:
    assert opened(as_edf(FORECAST), tmp_path)[1:] == [
        (0.0, 5.0, "interictal (0.80)"), (20.0, 5.0, "not evaluable: view_lost"),
    ]  # fmt: skip


@given(st.lists(st.tuples(times, st.none() | times, st.sampled_from(["sz", "µ–x", "a b"])), min_size=1, max_size=6))
def test_any_remarks_are_read_back(remarks: list[tuple[float, float | None, str]]) -> None:
    import edfio

    read = edfio.read_edf(io.BytesIO(annotations_edf(remarks))).annotations
    assert sorted((a.onset, a.duration or 0.0, a.text) for a in read) == sorted((o, d or 0.0, t) for o, d, t in remarks)


@pytest.mark.parametrize("remark", [(0.0, None, ""), (-1.0, None, "a"), (0.0, -1.0, "a"), (float("nan"), None, "a")])
def test_a_remark_that_edf_cannot_hold_is_refused(remark: tuple[float, float | None, str]) -> None:
    with pytest.raises(ValueError, match="a remark has"):
        annotations_edf([remark])


def test_an_answer_of_more_parts_than_fhir_is_made_of_is_refused_before_it_is_begun() -> None:
    spans = [{"onset_s": float(second), "duration_s": 0.5} for second in range(5_000)]
    with pytest.raises(ProblemError, match="at most 5000: ask for json, tsv or edf"):
        as_fhir(FOUND | {"not_assessed": spans})


def test_the_form_is_the_one_named_or_the_first_that_is_accepted() -> None:
    assert form_of("fhir", "text/html") is FORMS["fhir"]
    assert form_of(None, "text/html, application/fhir+json;q=0.9, text/tab-separated-values;q=0.8") is FORMS["fhir"]
    assert form_of(None, "application/fhir+json;q=0.1, application/json") is FORMS["json"]
    assert form_of(None, "application/fhir+json; fhirVersion=4.3, application/json") is FORMS["fhir"]
    assert form_of(None, "text/tab-separated-values;q=0, application/edf;q=0.001") is FORMS["edf"]
    assert form_of(None, "*/*") is form_of(None, "") is FORMS["json"]
    with pytest.raises(ProblemError, match="json, fhir, tsv, edf"):
        form_of("pdf", "")
    assert set(examples()) == {form.media_type for form in FORMS.values()}
