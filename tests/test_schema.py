"""What the data of a report may look like: every rule of the schema is seen to be broken and found."""

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.dossiers import GATES, bare, dossier
from validation.leakage import BrokenPromise
from validation.report import report_document
from validation.schema import InvalidReport, report_schema, validate_report

Document = dict[str, Any]


@cache
def _text() -> str:
    return json.dumps(report_document(dossier()))


@pytest.fixture
def document() -> Document:
    made: Document = json.loads(_text())
    return made


def result(document: Document) -> Document:
    own: Document = document["regimes"]["patient"]["result"]
    return own


def test_the_schema_is_one_and_every_part_of_it_is_used():
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert all(f'"#/$defs/{name}"' in text for name in schema["$defs"])
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_report_of_everything_keeps_the_schema(document):
    validate_report(document)


BROKEN: dict[str, tuple[Callable[[Document], Any], str]] = {
    "a metric without its scorer": (lambda d: result(d)["clinical"].pop("scorer"), "scorer"),
    "a subgroup without its scorer": (lambda d: result(d)["subgroups"][0].pop("scorer"), "subgroups.0"),
    "a patient without a scorer": (lambda d: result(d)["per_patient"][0].pop("scorer"), "per_patient.0"),
    "a new block without a scorer": (lambda d: result(d).update(typing={"f1": 0.9}), "typing"),
    "a scorer without its code": (lambda d: result(d)["clinical"]["scorer"].pop("code_digest"), "code_digest"),
    "a scorer without its policy": (lambda d: result(d)["calibration"]["scorer"].pop("policy"), "policy"),
    "a digest that is none": (lambda d: result(d)["digests"].update(predictions="abc"), "digests.predictions"),
    "figures without coverage": (lambda d: result(d)["clinical"].pop("rests_on"), "rests_on"),
    "SzCORE without coverage": (lambda d: result(d)["szcore"]["pooled"].pop("rests_on"), "szcore.pooled"),
    "coverage above all": (lambda d: result(d)["clinical"]["rests_on"].update(coverage=1.2), "rests_on.coverage"),
    "a number for an interval": (lambda d: result(d)["clinical"].update(auc_pooled=0.93), "clinical.auc_pooled"),
    "a new number without interval": (lambda d: result(d)["clinical"].update(f1=0.93), "clinical.f1"),
    "a number for a policy's interval": (lambda d: result(d)["szcore"]["pooled"]["event"].update(f1=0.9), "event.f1"),
    "a number for a site's ECE": (lambda d: result(d)["calibration"]["sites"]["demo-n"].update(ece=0.1), "demo-n.ece"),
    "an interval from windows": (lambda d: result(d)["clinical"]["auc_pooled"].update(unit="window"), "unit"),
    "intervals from few draws": (lambda d: result(d)["uncertainty"].update(draws=200), "draws"),
    "an averaging policy left out": (lambda d: result(d)["szcore"].pop("legacy_patient_mean"), "szcore"),
    "a subgroup with neither figure nor reason": (
        lambda d: next(g for g in result(d)["subgroups"] if "not_evaluable" in g).pop("not_evaluable"),
        "subgroups",
    ),
    "abstention without the share decided": (lambda d: result(d)["abstention"].pop("decided_share"), "decided_share"),
    "Δκ without its half width": (lambda d: result(d)["agreement"]["delta_kappa"].pop("half_width"), "half_width"),
    "a baseline that calls itself reportable": (
        lambda d: result(d)["baselines"]["label_oracle"].update(reportable=True),
        "label_oracle.reportable",
    ),
    "an unknown gate outcome": (lambda d: d["gates"][0].update(outcome="waived"), "gates.0.outcome"),
    "a gate without its reason": (lambda d: d["gates"][0].pop("reason"), "gates.0"),
    "a leaky regime called reportable": (lambda d: d["regimes"]["window"].update(reportable=True), "window.reportable"),
    "a leaky result called reportable": (
        lambda d: d["regimes"]["gap"]["result"]["of"].update(reportable=True),
        "gap.result.of.reportable",
    ),
    "an honest regime called leaky": (lambda d: d["regimes"]["site"].update(reportable=False), "site.reportable"),
    "a regime left out": (lambda d: d["regimes"].pop("recording"), "regimes"),
    "a regime of one's own": (lambda d: d["regimes"].update(lucky={"reportable": True}), "regimes"),
    "a regime with neither result nor reason": (lambda d: d["regimes"]["recording"].pop("not_evaluable"), "recording"),
    "an inflation that nobody explains": (lambda d: d["inflation"].update(patient_to_site=None), "patient_to_site"),
    "a headline called evidence": (lambda d: d["published"].update(reportable=True), "published"),
    "an audit with an outcome of its own": (
        lambda d: result(d).update(leakage={"split_digest": "", "clean": True, "digest": "", "outcomes": [{"guard": "a", "outcome": "fine", "reason": ""}]}),
        "leakage.outcomes.0.outcome",
    ),
    "nothing about simulation": (lambda d: d.pop("simulated"), "simulated"),
    "no provenance": (lambda d: d.update(provenance={}), "provenance"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_report_that_breaks_the_schema_is_found_with_its_place(document, how):
    break_it, place = BROKEN[how]
    broken = copy.deepcopy(document)
    break_it(broken)
    with pytest.raises(InvalidReport) as found:
        validate_report(broken)
    assert place in str(found.value), str(found.value)


def test_a_broken_report_is_a_broken_promise_and_is_never_written():
    assert issubclass(InvalidReport, BrokenPromise)
    with pytest.raises(InvalidReport):
        report_document(bare(gates=GATES))


def test_a_result_without_the_later_blocks_keeps_the_schema(document):
    """Results kept from before experts, prediction sets or patients' counts were measured are still reports."""
    for block in ("agreement", "burden", "abstention", "ood", "szcore_per_person", "overlap", "subgroups"):
        del result(document)[block]
    validate_report(document)


def test_a_block_may_say_why_it_is_empty_and_nothing_else(document):
    result(document)["agreement"] = {"not_evaluable": "one expert: the reference"}
    validate_report(document)
    result(document)["agreement"]["kappa"] = 0.8
    with pytest.raises(InvalidReport, match="agreement"):
        validate_report(document)
