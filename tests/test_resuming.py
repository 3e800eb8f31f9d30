"""An interrupted training goes on only where all that it depends on is still the same."""

import shutil

import numpy as np
import pytest

from data.events import Annotations, Event
from flows.stages import folds
from flows.stages.files import development, pretrained_of
from flows.workspace import Workspace
from models.detector import State
from models.pretrained import save_pretrained
from tests.patients import light_workspace
from validation.splits import Fold, Split

DETECTOR = "line_length"
MARKED = Event(1.0, 2.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = light_workspace(tmp_path_factory.mktemp("resuming"))
    (made.root / "code").mkdir(exist_ok=True)
    (made.root / "code" / "train.txt").write_text("code of today\n")
    return made


def truth_of(workspace: Workspace, first: Event = MARKED) -> dict[str, Annotations]:
    names = sorted(entry.name for entry in development(workspace))
    return {name: Annotations((first,) if name == names[0] else (), 4.0) for name in names}


def fold_of(workspace: Workspace, marked: Event = MARKED) -> folds.Fold:
    truth = truth_of(workspace, marked)
    *first, inner, last = truth
    split = Split("patient", 7, 0.25, (Fold(tuple(first), (inner,), (last,)),))
    return folds.folds_of(workspace, DETECTOR, {"window_s": 4}, split, truth)[0]


def learnt(workspace: Workspace, weight: float, **settings: object) -> None:
    folder = pretrained_of(workspace, DETECTOR)
    shutil.rmtree(folder, ignore_errors=True)
    save_pretrained(folder, State({"w": np.array([weight])}, settings), {"pretrained_on": []})


def test_a_training_goes_on_where_nothing_has_changed(workspace: Workspace) -> None:
    assert fold_of(workspace) == fold_of(workspace)


@pytest.mark.parametrize("corrected", [Event(1.0, 2.5), Event(1.0, 2.0, type="FNSZ")], ids=["longer", "another type"])
def test_a_training_does_not_go_on_with_labels_that_were_corrected(workspace: Workspace, corrected: Event) -> None:
    before, after = fold_of(workspace), fold_of(workspace, corrected)
    assert after.checkpoint != before.checkpoint and after.origin["labels"] != before.origin["labels"]


def test_a_training_does_not_go_on_from_other_weights_than_it_began_with(workspace: Workspace) -> None:
    seen = {}
    assert fold_of(workspace).origin["pretrained"] is None
    for name, (weight, share) in {
        "first": (1.0, 0.5),
        "other weights": (2.0, 0.5),
        "other settings": (1.0, 0.6),
    }.items():
        learnt(workspace, weight, share=share)
        seen[name] = fold_of(workspace)
    assert len({fold.checkpoint for fold in seen.values()}) == len({f.origin["pretrained"] for f in seen.values()}) == 3
    learnt(workspace, 1.0, share=0.5)
    assert fold_of(workspace) == seen["first"]
