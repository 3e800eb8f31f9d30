"""The papers' own protocol, reproduced and marked: single windows under folds over windows, and labels without any EEG."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.cohorts.helsinki import EXPERTS, Newborn, read_labels
from data.events import Annotations, Event
from lineage.digest import sha256_file
from tests import SHARED, needs_shared
from tests.dossiers import LABELS_ALONE, bare, dossier
from tests.test_baselines import as_predictions, seizing
from validation.baselines import label_oracle, label_oracle_apart, of_windows
from validation.inflation import marks
from validation.labels_alone import DEALS, HERE, RECORDED, helsinki, recorded
from validation.pages import Table
from validation.report import Dossier, regimes, report_document
from validation.report.protocol import papers_protocol
from validation.schema import InvalidReport, validate_report
from validation.scoring.measures import auc, f1
from validation.single_windows import single_windows
from validation.splits import REPORTABLE
from validation.window_roles import window_fold

LABELS = SHARED / "helsinki" / "annotations_2017.mat"


def windows(persons: int = 6, each: int = 60, skill: float = 1.0) -> pd.DataFrame:
    """Windows of 2 s, one each second, dealt to five folds; every person but the last has a seizure of 20 s."""
    rng, parts = np.random.default_rng(0), []
    for n in range(persons):
        label = ((np.arange(each) >= 20) & (np.arange(each) < 40) & (n < persons - 1)).astype(int)
        probability = 1 / (1 + np.exp(-(rng.normal(size=each) + 2 * skill * label - 1)))
        named = {"recording": f"r{n}", "person": f"p{n}", "site": "AB"[n % 2], "fold": window_fold(each, f"r{n}", 5, 0)}
        parts.append(pd.DataFrame(named | {"onset_s": np.arange(each), "probability": probability, "label": label}))
    return pd.concat(parts)


def test_single_windows_are_pooled_and_scored_at_one_half():
    table = windows()
    made = single_windows(table, 2.0, 366.0, seed=1)
    labels, said = table["label"].to_numpy(), table["probability"].to_numpy()
    assert made["auc"]["estimate"] == pytest.approx(auc(labels, said))
    assert made["f1"]["estimate"] == pytest.approx(f1(labels, said >= 0.5))
    assert (made["windows"], made["folds"], made["hop_s"], made["reportable"]) == (360, 5, 1.0, False)
    assert made["rests_on"] == {"persons": 6, "coverage": pytest.approx(360 / 366), "assessed_hours": 0.1}
    assert made["auc"]["low"] < made["auc"]["estimate"] < made["auc"]["high"] and made["auc"]["unit"] == "patient"


def test_rows_in_any_order_give_the_same_figures():
    assert single_windows(windows().sample(frac=1, random_state=0), 2.0, 366.0, 1) == single_windows(
        windows(), 2.0, 366.0, 1
    )


def test_a_detector_that_knows_nothing_is_beaten_by_the_label_next_door_on_the_same_windows():
    made = single_windows(windows(skill=0.0), 2.0, 366.0, seed=1)
    assert made["auc"]["low"] < 0.5 < made["auc"]["high"] and made["label_oracle"]["auc"] > 0.98
    assert 0.5 < made["id_lookup"]["auc"] < 0.7 and not made["label_oracle"]["reportable"]


def test_baselines_on_windows_dealt_before_are_those_on_seconds():
    labels = seizing(4)
    parts = [(y, np.full(len(y), f"r{i}"), window_fold(len(y), f"r{i}", 5, 3)) for i, y in enumerate(labels)]
    label, recording, fold = (np.concatenate(column) for column in zip(*parts, strict=True))
    made = of_windows(label, recording, np.char.replace(recording, "r", "p"), fold)
    assert made["label_oracle"]["auc"] == pytest.approx(label_oracle(as_predictions(labels), 3)["auc"])
    assert made["label_oracle"]["f1"] == pytest.approx(label_oracle(as_predictions(labels), 3)["f1"])


def test_with_persons_apart_the_label_oracle_has_nothing_to_copy():
    made = label_oracle_apart(as_predictions(seizing(8)), seed=0)
    assert made["auc"] == 0.5 and made["f1"] == 0.0 and made["reportable"] is False
    assert made["scorer"]["policy"]["regime"] == "patient"
    one_person = as_predictions(seizing(4), persons=["p"] * 4)
    assert label_oracle_apart(one_person, seed=0)["auc"] is None, "nobody else is there to learn from"


def newborns(count: int) -> list[Newborn]:
    """Three experts of whom two mark the same half minute."""
    marked, none = Annotations((Event(31.0, 30.0),), 121.0), Annotations((), 121.0)
    return [Newborn(f"eeg{n}", dict(zip(EXPERTS, (marked, marked, none), strict=True))) for n in range(count)]


def test_labels_alone_are_the_majoritys_windows_under_every_deal():
    """121 s are 60 windows of 2 s; seconds 31 to 60 touch the windows 15 to 30, of 15 and 30 one second of two: 16 of 60."""
    made = helsinki(newborns(10), "ab" * 32)
    assert (made["windows"], made["seizure_share"]) == (600, pytest.approx(16 / 60))
    assert made["deals"] == DEALS and made["sha256"] == "ab" * 32 and made["reportable"] is False
    found = made["figures"]["label_oracle"]["auc"]
    assert 0.99 < found["lowest"] <= found["median"] <= found["highest"] <= 1
    assert made["figures"]["label_oracle_apart"]["auc"] == {"median": 0.5, "lowest": 0.5, "highest": 0.5}


@needs_shared
def test_what_is_recorded_of_the_real_helsinki_labels_is_what_they_give():
    """AUC 0.9998 and F1 0.980 without any EEG under random windows; 0.5 and 0 with babies apart."""
    made, known = helsinki(read_labels(LABELS), sha256_file(LABELS)), recorded("helsinki")
    assert known is not None
    assert {k: v for k, v in made.items() if k != "scorer"} == {k: v for k, v in known.items() if k != "scorer"}
    assert (made["windows"], made["newborns"]) == (201_391, 79) and made["seizure_share"] == pytest.approx(
        0.127, abs=5e-4
    )
    figures = {
        name: (round(own["auc"]["median"], 4), round(own["f1"]["median"], 3)) for name, own in made["figures"].items()
    }
    assert figures["label_oracle"] == (0.9998, 0.98) and figures["label_oracle_apart"] == (0.5, 0.0)
    assert figures["id_lookup"][0] == pytest.approx(0.906, abs=5e-4)


def rows(of=None) -> dict[str, tuple]:
    (table,) = papers_protocol(of or dossier())
    return {str(row[0]).replace("\n", " "): row for row in table.rows}


def test_the_papers_protocol_stands_beside_patients_apart_and_only_the_latter_is_unmarked():
    (table,) = papers_protocol(dossier())
    assert isinstance(table, Table) and table.marks == ("",) + ("unsure",) * (len(table.rows) - 1)
    assert table.rows[0][0] == "da_stnet, patients apart"
    found = dossier().own["window"]["single_windows"]
    own = rows()["da_stnet, random windows leaky control: non-reportable"]
    assert own[2].startswith(f"{found['auc']['estimate']:.3f}\n(") and own[4].startswith(
        "5 folds over 1,602 windows of 2 s"
    )
    marked = [name for name in (str(row[0]) for row in table.rows) if "non-reportable" in name]
    assert len(marked) == len(table.rows) - 2, "all but the honest row and what was published"


def test_the_oracle_on_the_real_labels_is_shown_with_its_source_and_where_it_was_computed():
    real = [row for row in rows().values() if "real labels" in str(row[1])]
    assert [row[2:4] for row in real] == [("0.9998", "0.980"), ("0.906", "0.516"), ("0.500", "0.000")]
    assert "201,391 windows" in real[0][4] and "79 babies" in real[2][4]
    assert rows()["da_stnet, as published"][1:4] == ("Helsinki", "0.9998", "0.9952")
    note, here = (papers_protocol(of)[0].note for of in (dossier(), computed_here()))
    assert LABELS_ALONE["sha256"][:12] in note and "not in this workspace" in note and "ictal oracle" in note
    assert HERE in here and "not in this workspace" not in here


def computed_here() -> Dossier:
    return replace(dossier(), labels_alone=LABELS_ALONE | {"where": HERE})


def test_the_page_holds_the_papers_protocol():
    (table,) = (p for p in regimes.section(dossier()).parts if isinstance(p, Table) and "papers" in p.caption)
    assert table == papers_protocol(dossier())[0]


def test_on_the_chart_the_oracle_on_real_labels_is_a_baseline_like_the_others():
    shown = marks(dossier().readings["da_stnet"], REPORTABLE, dossier().absent, dossier().published, LABELS_ALONE)
    real = [m for m in shown if "real labels" in m.label]
    assert [(m.style, round(m.found.value, 4)) for m in real] == [("blind", 0.9998)]
    assert "non-reportable" in real[0].label


def test_a_detector_without_papers_protocol_and_labels_has_no_such_table():
    assert papers_protocol(bare()) == ()
    assert report_document(replace(dossier(), labels_alone=None))["labels_alone"] is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["labels_alone"].update(reportable=True),
        lambda d: d["labels_alone"].pop("where"),
        lambda d: d["labels_alone"]["figures"]["label_oracle"].update(reportable=True),
        lambda d: d["regimes"]["window"]["result"]["single_windows"].update(reportable=True),
        lambda d: d["regimes"]["window"]["result"]["single_windows"].pop("scorer"),
    ],
)
def test_figures_of_the_papers_protocol_can_never_call_themselves_evidence(spoil):
    document = report_document(dossier())
    spoil(document)
    with pytest.raises(InvalidReport):
        validate_report(document)


def test_recorded_figures_name_the_bytes_they_are_of():
    for path in RECORDED.glob("*.json"):
        known = json.loads(path.read_text())
        assert len(known["sha256"]) == 64 and known["labels"] == path.stem and known["reportable"] is False
