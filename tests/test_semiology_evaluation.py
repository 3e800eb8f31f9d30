"""Seizures named by film: the page's words fit, views that are missing are counted, and the grid shows every cell."""

from math import inf

import numpy as np
import pandas as pd
import pytest

from models import detectors
from models.detector import Examples
from models.detectors.gestures import Gestures
from models.detectors.gestures.grid import (
    DEMO_CELLS,
    GAMMAS,
    SEGMENTS,
    Cell,
    cells_of,
    controls_of,
    fit_cell,
    grid_params,
    per_seizure,
)
from validation.seizure_typing import Answer, TypingDossier, evaluate_typing, table_of, typing_card, typing_page
from validation.semiology import grid_page, grid_result, lines, views_block
from validation.semiology.published import GRID, published

CLASSES = ("FOS", "FBTCS")
DRAWS = 2000


def named(right: float, variant: str = "answer", seed: int = 0) -> list[Answer]:
    """Twelve patients with a seizure of each class, of which a share is named rightly; every third film has one view."""
    rng, answers = np.random.default_rng(seed), []
    for number in range(24):
        kind = CLASSES[number % 2]
        sure = 0.9 if rng.random() < right else 0.1
        said = (sure, 1 - sure) if kind == "FOS" else (1 - sure, sure)
        who, views = number // 2, 1 if number % 3 == 0 else 2
        row = (f"rec-{number}", f"sub-{who}", f"p{who}", "north" if who % 2 else "south", 0, 0.0, kind, who % 3)
        silent = number == 23
        answers.append(
            Answer(*row, variant, 0 if silent else views, "view_lost" if silent else "", () if silent else said)
        )
    return answers


@pytest.fixture(scope="module")
def dossier() -> TypingDossier:
    parts = {"answer": 0.9, "mean of moments": 0.6, "order shuffled": 0.6}
    table = table_of([a for at, (name, right) in enumerate(parts.items()) for a in named(right, name, at)], CLASSES)
    dealt = {(r, 0): at % 5 for at, r in enumerate(table["recording"].unique())}
    meta = {"regime": "patient", "reportable": True, "costs": {}}
    result = evaluate_typing(table, CLASSES, meta, 0, DRAWS, answer="answer", over_seizures=dealt)
    result["views"] = views_block(table, CLASSES, "answer", 0, DRAWS)
    of_paper = detectors.facts("gestures")["published"]
    return TypingDossier("gestures", {"gestures": {"patient": result}}, {}, True, published=of_paper, task="semiology")


def test_the_page_speaks_of_film_and_of_no_focal_types_that_are_alike(dossier: TypingDossier) -> None:
    page = typing_page(dossier)
    assert "seizures named by film" in page and "no film: the same patient" in page
    assert "no EEG" not in page and "FNSZ" not in page and "Focal together" not in page
    assert "Published headline of gestures: 98.9\u00a0% right, weighted F1 0.989 with folds over seizures" in page
    assert "epoch chosen on the tested fold" in page and "order shuffled" in page
    assert "weighted F1" in typing_card(detectors.card_of("gestures"), dossier)


def test_answers_are_counted_by_how_many_views_they_rest_on(dossier: TypingDossier) -> None:
    """24 seizures, every third with one view (8), one of the others without any."""
    rows = {row["rests_on"]: row for row in dossier.main["views"]}
    assert [rows[k]["seizures"] for k in ("both views", "one view", "no view")] == [15, 8, 1]
    assert rows["no view"]["accuracy"]["estimate"] == 0.0 < rows["one view"]["accuracy"]["estimate"]
    assert "Views that are missing" in typing_page(dossier)


def test_the_published_grid_has_60_cells_and_its_best_at_16_segments() -> None:
    figures = {(k, n, g): published(k, n, g) for k in GRID for n in SEGMENTS for g in GAMMAS}
    assert len(figures) == 60 and None not in figures.values()
    best = max(v for v in figures.values() if v)
    assert best == pytest.approx(0.989) and {k for k, v in figures.items() if v == best} == {
        ("blstm", 16, 2.0), ("blstm", 16, 4.0),
    }  # fmt: skip
    assert published("blstm", 3, 2.0) is None and published("blstm", 16, 3.0) is None


def test_published_weighted_f1_follows_from_the_published_counts() -> None:
    """77 of 77 FBTCS and 104 of 106 FOS: F1 154/156 and 208/210, weighted by 77 and 106."""
    stated = detectors.facts("gestures")["published"]["weighted_f1_seizures"]
    assert stated == pytest.approx((77 * 154 / 156 + 106 * 208 / 210) / 183, abs=5e-4)


def test_the_demo_runs_twelve_cells_and_all_cells_can_be_dealt_out() -> None:
    assert len(cells_of()) == 60 and len(DEMO_CELLS) == 12 and len(controls_of(DEMO_CELLS)) == 4
    for preset in ("demo", "paper"):
        p = detectors.params_of("gestures", preset)
        for cells in (DEMO_CELLS, cells_of()):
            positions = grid_params(p, cells)["positions"]
            assert positions >= p["positions"] and all(positions % c.segments == 0 for c in cells)
    assert Cell("blstm", 16, inf).name == "blstm n=16 γ=∞" and controls_of([Cell("mean", 2, 1.0)]) == []


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    cells = [*DEMO_CELLS, *controls_of(DEMO_CELLS)]
    right = {c.name: 1.0 if c.aggregator == "blstm" and not c.shuffled else 0.5 for c in cells}
    return {
        regime: table_of(
            [a for at, (name, share) in enumerate(right.items()) for a in named(share, name, at % 3)], CLASSES
        )
        for regime in ("patient", "seizure")
    }


def test_the_grid_states_every_cell_and_what_order_is_worth(tables: dict[str, pd.DataFrame]) -> None:
    cells = [*DEMO_CELLS, *controls_of(DEMO_CELLS)]
    result = grid_result(tables, cells, CLASSES, 0, DRAWS)
    found = {c["name"]: c for c in result["regimes"]["patient"]["cells"]}
    assert len(found) == 16 and found["blstm n=8 γ=1"]["accuracy"]["estimate"] == pytest.approx(23 / 24)
    assert found["blstm n=8 γ=1"]["published_accuracy"] == pytest.approx(0.978)
    assert found["blstm shuffled n=8 γ=1"]["published_accuracy"] is None
    order = result["regimes"]["patient"]["order"]
    assert len(order) == 4 and all(row["over_mean"]["estimate"] > 0 for row in order)
    assert all(row["over_shuffled"]["low"] <= row["over_shuffled"]["estimate"] for row in order)
    document = {**result, "detector": "gestures", "simulated": True, "of": {}}
    page, text = grid_page(document), "\n".join(lines(document))
    assert "Every cell" in page and "leaky" in page and "Not evidence here" in page
    assert "blstm n=8 γ=∞" in text and "97.8" in text and "With patients apart, accuracy over the cells" in text


def test_a_cell_is_fitted_on_features_that_lie_ready() -> None:
    """What tells the two apart is which end of the film is bright; two views of each seizure."""
    p = {**detectors.params_of("gestures", "demo"), "size_px": 32, "epochs": 15}
    detector = Gestures(grid_params(p, DEMO_CELLS))
    rng, width = np.random.default_rng(0), detector.stcnn.width

    def films(count: int, first: int) -> Examples:
        label = np.repeat(np.arange(count) % 2, 2).astype(np.int8)
        x = rng.normal(0, 1, (2 * count, detector.grid.positions, width + 1)).astype(np.float32)
        rising = np.linspace(-2, 2, detector.grid.positions)[None, :, None]
        x[:, :, :8] += np.where(label == 1, 1, -1)[:, None, None] * rising
        names = np.repeat([f"rec-{first + n}" for n in range(count)], 2)
        return Examples(x, np.zeros(2 * count), names, names, 0.5, label, np.zeros(2 * count, dtype=int))

    train, inner, test = films(16, 0), films(6, 20), films(40, 40)
    probabilities, log = fit_cell(Cell("blstm", 8, 2.0), detector, train, inner, test, seed=0)
    again, _ = fit_cell(Cell("blstm", 8, 2.0), detector, train, inner, test, seed=0)
    shuffled, _ = fit_cell(Cell("blstm", 8, 2.0, shuffled=True), detector, train, inner, test, seed=0)
    assert np.array_equal(probabilities, again) and log["best_epoch"] >= 1
    assert (probabilities.argmax(axis=1) == test.label).mean() >= 0.9
    assert (shuffled.argmax(axis=1) == test.label).mean() <= 0.65
    said = per_seizure(test, probabilities)
    assert len(said) == 40 and all(
        views == 2 and row.sum() == pytest.approx(1, abs=1e-5) for views, row in said.values()
    )
