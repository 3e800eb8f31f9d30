"""A film of another kind than those that were learnt from gets no name, by any detector that looks at film."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.film import Film
from data.readers.video import read_film
from data.readers.video_writer import write_video
from models import detectors
from models.detector import Examples
from models.probe import Probe
from models.typing import TypingBundle, answer_stretches, build_typing, strangers_of
from serving import naming
from serving.schema import NamedAnswer
from tests import SHARED, needs_shared
from tests.test_film_quality import RATE_HZ, scene

NAMES = ("motion_energy", "gestures", "recent_motion", "forecaster")
CARTOON = SHARED / "video_files" / "bigbuckbunny.mp4"
AGE_DAYS = 9000.0


def filmed(folder: Path, patient: int) -> Film:
    """A bright body in a room, lit and noisy in its own way: no weights are needed to see what it looks like."""
    rng = np.random.default_rng(patient)
    frames = scene(8.0, patient).astype(float) * rng.uniform(0.85, 1.1) + rng.normal(0, rng.uniform(1, 3), (48, 64, 3))
    path = folder / f"{patient}.mp4"
    write_video(path, np.clip(frames, 0, 255).astype(np.uint8), rate_hz=RATE_HZ)
    return read_film([path], age_days=AGE_DAYS, name=path.stem)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Film]:
    folder = tmp_path_factory.mktemp("films")
    return [filmed(folder, patient) for patient in range(17)]


@cache
def detector_of(name: str) -> Any:
    return build_typing(name, detectors.params_of(name, "demo"))


@pytest.fixture(params=NAMES)
def bundle(request: pytest.FixtureRequest, films: list[Film]) -> TypingBundle:
    """Not taught to name anything; it knows what sixteen patients' films look like."""
    detector, parts = detector_of(request.param), []
    for film in films[:16]:
        prepared = detector.prepare(film)
        for one in detector.asked(film.duration_s):
            clips = detector.examples(prepared.between(one.onset_s, one.end_s), film.name, film.name)
            parts.append(replace(clips, event=np.full(len(clips), one.number)))
    ood = strangers_of(detector, Examples.join(parts))
    assert ood is not None and ood.patients == 16
    return TypingBundle(detector, 1.0, Probe((1,), "float32", 1.0, ()), ood=ood)


def codes(bundle: TypingBundle, film: Film) -> set[str | None]:
    return {one.code for one in answer_stretches(film, bundle.detector.asked(film.duration_s), bundle, variants=False)}


def test_another_film_of_the_kind_is_named_and_flicker_is_not(
    bundle: TypingBundle, films: list[Film], tmp_path: Path
) -> None:
    flicker = np.random.default_rng(0).integers(0, 255, (round(8 * RATE_HZ), 48, 64, 3)).astype(np.uint8)
    write_video(tmp_path / "flicker.mp4", flicker, rate_hz=RATE_HZ)
    assert codes(bundle, films[16]) == {None}
    assert codes(bundle, read_film([tmp_path / "flicker.mp4"], age_days=AGE_DAYS)) == {"ood"}


def test_examples_that_do_not_say_what_they_look_like_are_an_error(films: list[Film]) -> None:
    detector = detector_of("recent_motion")
    clips = detector.examples(detector.prepare(films[0]))
    with pytest.raises(ValueError, match="recent_motion's examples do not say what they look like"):
        strangers_of(detector, replace(clips, seen=None))


@needs_shared
def test_the_service_says_of_a_cartoon_that_it_is_strange_and_gives_no_name(
    bundle: TypingBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "check_age", lambda age_days, loaded: None)
    monkeypatch.setattr(naming, "notice_of", lambda loaded: None)

    def said(bundle: TypingBundle) -> NamedAnswer:
        loaded: Any = SimpleNamespace(bundle=bundle, statement=None)
        return naming.answered([CARTOON], AGE_DAYS, [], loaded, datetime(2026, 11, 28, tzinfo=UTC), None)

    refused = said(bundle)
    assert (refused.outcome, refused.code, refused.stretches) == ("not_evaluable", "ood", None)
    assert "the 16 patients" in str(refused.reason)
    assert said(replace(bundle, ood=None)).outcome == "completed"
