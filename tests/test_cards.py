"""A model card: what people wrote, and what was measured, which nobody can write by hand."""

import copy
import json
import re
from functools import cache
from typing import Any

import pytest
import yaml

from models import detectors
from tests.dossiers import dossier
from validation.cards import FIELDS, NotMeasured, fill_card
from validation.leakage import BrokenPromise
from validation.pages import SIMULATED
from validation.report import report_document

STATIC = "---\ntitle: DA-STNet\n---\n# DA-STNet\n\n**Limits.** Term neonates.\n"


@cache
def _text() -> str:
    return json.dumps(report_document(dossier()))


@pytest.fixture
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(_text())
    return made


def patient(document: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = document["regimes"]["patient"]["result"]
    return own


def test_a_card_begins_with_what_people_wrote_and_ends_with_where_its_figures_come_from(document):
    card = fill_card(STATIC, document)
    assert card.startswith(STATIC) and card.endswith("|\n")
    assert yaml.safe_load(card.split("---")[1]) == {"title": "DA-STNet"}
    assert patient(document)["digests"]["predictions"] in card and "cd" * 32 in card and "clinical 3 " in card


def test_a_card_states_the_figures_of_the_report_with_interval_and_coverage(document):
    card, clinical = fill_card(STATIC, document), patient(document)["clinical"]
    auc = clinical["auc_pooled"]
    row = f"| area under the ROC curve, assessed seconds | {auc['estimate']:.2f} ({auc['low']:.2f} to {auc['high']:.2f}) |"
    assert row in card and "| patients | 9, 6 with seizures (12 seizures) |" in card
    assert "| sites | demo-e, demo-n, demo-s |" in card and "9 patients, 98.9 % of whose time was assessed" in card
    assert "site: demo-n | 3 (0) | not evaluable: 0 persons with seizures, at least 5 are needed |" in card
    assert "- floor:all: insufficient evidence. 6 patients with seizures, 60 are needed" in card
    worth = document["inflation"]["window_to_patient"]["auc"]["estimate"]
    assert f"| random windows instead of patients apart | {worth:+.3f} (" in card


def test_simulated_figures_say_so_and_others_do_not(document):
    assert SIMULATED in fill_card(STATIC, document)
    assert SIMULATED not in fill_card(STATIC, document | {"simulated": False})


def test_the_same_text_and_report_give_the_same_bytes(document):
    assert fill_card(STATIC, document) == fill_card(STATIC, json.loads(_text()))


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("lost", ["missing", "null"])
def test_a_card_is_not_written_when_a_field_was_not_measured(document, name, lost):
    *way, last = FIELDS[name]
    place = document
    for key in way:
        place = place[key]
    if lost == "missing":
        del place[last]
    else:
        place[last] = None
    with pytest.raises(NotMeasured) as found:
        fill_card(STATIC, document)
    assert found.value.field == ".".join(FIELDS[name]) and found.value.field in str(found.value)
    assert isinstance(found.value, BrokenPromise)


def test_a_figure_that_was_looked_for_and_does_not_exist_reads_not_evaluable(document):
    """Nobody had a seizure: measured, and there is none to be found."""
    patient(document)["clinical"]["event_sensitivity"] |= {"estimate": None, "low": None, "high": None}
    document["inflation"]["patient_to_site"] = {"not_evaluable": "sites apart not run"}
    card = fill_card(STATIC, document)
    assert "| seizures found, % of all | not evaluable |" in card
    assert "| patients apart instead of sites apart | not evaluable: sites apart not run | not evaluable |" in card


def test_what_a_site_wrote_opens_no_cell_and_no_tag(document):
    hostile = "x |\n# <script>`a`"
    hers = copy.deepcopy(document)
    patient(hers)["subgroups"][0]["group"] = hostile
    card = fill_card(STATIC, hers)
    assert "x \\| # \\<script\\>\\`a\\`" in card and hostile not in card and "\n# <script>" not in card


MEASURED = re.compile(r"\b(AUC|F1|MCC|Brier|ECE|κ|sensitivity|precision|false alarms?)\b\D{0,25}\d", re.I)


def measured(card: str) -> str | None:
    """A figure of performance in the hand-written part, outside of what its paper published."""
    body = card.split("---", 2)[2]
    own = "\n\n".join(p for p in body.split("\n\n") if not p.startswith("**Published.**"))
    found = MEASURED.search(own)
    return found[0] if found else None


@pytest.mark.parametrize("name", detectors.names("detection"))
def test_no_hand_written_card_holds_a_measured_figure(name):
    assert measured(detectors.card_of(name)) is None


@pytest.mark.parametrize(
    "written", ["It reaches an AUC of 0.93.", "Sensitivity was 81 %.", "1 found, false alarms: 0.5"]
)
def test_a_measured_figure_in_a_hand_written_card_is_found(written):
    assert measured(f"---\nauc: 1\n---\n# A\n\n**Published.** AUC 0.99.\n\n{written}\n")


@pytest.mark.parametrize("name", detectors.names("detection"))
def test_a_hand_written_card_says_what_for_and_where_not(name):
    card = detectors.card_of(name)
    assert all(f"**{part}**" in card for part in ("What it does.", "Intended use.", "Limits."))
    stated = detectors.facts(name).get("published")
    assert ("**Published.**" in card) == (stated is not None)
    assert stated is None or {"auc", "protocol", "source"} <= set(stated) <= {
        "auc",
        "f1",
        "protocol",
        "source",
        "labels",
    }
