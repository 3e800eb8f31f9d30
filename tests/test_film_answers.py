"""What an answer about a film says of the files that it was made from: frames that were lost, and views that are none."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from console.answers import told
from data.readers import video
from data.readers.video_writer import write_video
from models import detectors
from models.probe import Probe
from models.typing import ANSWER, StretchAnswer, TypingBundle, answer_stretches
from serving import naming
from serving.schema import NamedAnswer
from tests import SHARED, needs_shared
from tests.infants import infant
from tests.test_film_quality import scene
from tests.test_video import spoilt

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks a model in force everywhere that calls every stretch by its first name."""
    found = StretchAnswer(0, None, 1, {ANSWER: np.array([0.9, 0.1])})
    monkeypatch.setattr(naming, "check_age", lambda age_days, loaded: None)
    monkeypatch.setattr(naming, "notice_of", lambda loaded: None)
    monkeypatch.setattr(naming, "answer_stretches", lambda *asked, **how: [found])

    def asked(
        files: Sequence[Path], marked: Sequence[naming.Span] = (), model: str = "motion_energy", estimate: Any = None
    ) -> NamedAnswer:
        detector: Any = detectors.build(model)
        bundle = TypingBundle(detector, 1.0, Probe((1,), "float32", 1.0, ()))
        loaded: Any = SimpleNamespace(bundle=bundle, statement=None)
        return naming.answered(files, 9000.0, marked, loaded, NOW, estimate)

    return asked


@needs_shared
def test_frames_that_could_not_be_decoded_are_counted_in_the_answer_and_those_that_may_be_built_on_them(
    ask: Any,
) -> None:
    """Of 50 frames behind one key frame number 30 cannot be decoded: 19 come after it."""
    said = ask([SHARED / "video_files" / "corrupted.mp4"])
    assert (said.outcome, said.frames_lost, said.frames_after_lost) == ("completed", (1,), (19,))
    assert said.length_stated == (True,)
    assert told(said.model_dump(mode="json")).frames_after_lost == 19
    posed = ask(
        [SHARED / "video_files" / "corrupted.mp4"], [(0.0, 5.0)], "joint_speed", estimate=lambda film: infant(0)[0]
    )
    assert (posed.question, posed.frames_lost, posed.frames_after_lost) == ("spasms", (1,), (19,))


def test_of_a_long_film_each_stretch_counts_the_frames_lost_where_it_was_looked_at_and_too_many_are_no_answer(
    ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 s at 12.5 frames per second, two are damaged at 10 s, and 6 s from 24 s on."""
    monkeypatch.setattr(naming, "answer_stretches", answer_stretches)
    monkeypatch.setattr(video, "LOOKED_THROUGH", 0)
    write_video(tmp_path / "film.mp4", scene(40.0), rate_hz=12.5, key_every=25)
    film = spoilt(spoilt(tmp_path / "film.mp4", range(126, 128), 1.0), range(300, 375), 0.5)
    said = ask([film], marked=[(0.0, 9.0), (5.0, 15.0), (22.0, 10.0)])
    assert said.outcome == "completed_with_abstentions" and said.frames_lost == said.frames_after_lost == (None,)
    assert [one.code for one in said.stretches] == [None, None, "corrupt"]
    assert said.stretches[0].frames_lost == 0 < said.stretches[1].frames_lost
    assert "frames looked at cannot be decoded, at most 10%" in said.stretches[2].reason
    assert told(said.model_dump(mode="json")).frames_lost == said.stretches[1].frames_lost
    assert said.stretches[0].frames_after_lost == 0 < said.stretches[1].frames_after_lost
    said = ask([film], marked=[(22.0, 10.0)])
    assert (said.outcome, said.code) == ("not_evaluable", "corrupt")


def test_frames_that_are_missing_between_others_are_counted_in_the_answer_and_a_long_gap_is_no_film(
    ask: Any, tmp_path: Path
) -> None:
    for name, missing in (("short.mp4", range(60, 64)), ("long.mp4", range(60, 120))):
        kept = np.delete(np.arange(500), missing)
        write_video(tmp_path / name, scene(40.0)[kept], times_s=kept / 12.5)
    assert ask([tmp_path / "short.mp4"]).frames_missing == (4,)
    said = ask([tmp_path / "long.mp4"])
    assert (said.outcome, said.code) == ("not_evaluable", "view_lost") and "missing for 4.9 of 40.0 s" in str(
        said.reason
    )


def test_two_films_are_two_views_and_the_same_film_twice_is_none(ask: Any, tmp_path: Path) -> None:
    room, patient = tmp_path / "a.mp4", tmp_path / "b.mp4"
    write_video(room, scene(8.0), rate_hz=12.5)
    write_video(patient, scene(8.0)[:, ::-1], rate_hz=12.5)
    assert ask([room, patient]).frames_lost == (0, 0)
    patient.write_bytes(room.read_bytes())
    said = ask([room, patient])
    assert (said.outcome, said.code) == ("not_evaluable", "view_lost") and "the same file" in str(said.reason)


def test_an_answer_says_which_of_two_films_cannot_be_read(ask: Any, tmp_path: Path) -> None:
    room, patient = tmp_path / "a.mp4", tmp_path / "b.mp4"
    write_video(room, scene(8.0), rate_hz=12.5)
    patient.write_bytes(b"no film")
    for files, which in (
        ([room, patient], "view 2 of 2: "),
        ([patient, room], "view 1 of 2: "),
        ([patient], "the file"),
    ):
        said = ask(files)
        assert said.code == "unsupported_format" and str(said.reason).startswith(which)
