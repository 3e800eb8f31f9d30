"""A setting is changed in its place; what else somebody wrote into the file stays as they wrote it."""

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flows.params import BadParams, Params, set_params
from flows.rewriting import with_setting
from flows.workspace import ROOT

SHIPPED = (ROOT / "params.yaml").read_text()
SETTINGS = [(block, name) for block, own in Params().model_dump().items() for name in own]
VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9),
    st.lists(st.sampled_from(["patient", "window", "gap, null", "#1"]), max_size=3),
)  # fmt: skip


def changed_lines(before: str, after: str) -> list[str]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))
    return [line for line in lines[2:] if line[0] in "+-"]


@given(st.sampled_from(SETTINGS), VALUES)
def test_a_changed_setting_is_read_back_and_every_other_line_is_as_it_was(setting: tuple[str, str], value: Any) -> None:
    block, name = setting
    after, wanted = with_setting(SHIPPED, block, name, value), yaml.safe_load(SHIPPED)
    old, wanted[block][name] = wanted[block][name], value
    assert yaml.safe_load(after) == wanted
    assert after.startswith(SHIPPED[: SHIPPED.index(f"\n{block}:")])
    if not isinstance(old, list | dict):
        assert after.count("\n") == SHIPPED.count("\n") and len(changed_lines(SHIPPED, after)) in (0, 2)


@given(st.sampled_from(SETTINGS), VALUES)
def test_a_setting_that_was_left_out_comes_back_on_one_line_at_the_end_of_its_block(
    setting: tuple[str, str], value: Any
) -> None:
    block, name = setting
    after, wanted = with_setting(SHIPPED, block, f"{name}_too", value), yaml.safe_load(SHIPPED)
    wanted[block][f"{name}_too"] = value
    assert yaml.safe_load(after) == wanted and list(yaml.safe_load(after)[block])[-1] == f"{name}_too"
    (added,) = changed_lines(SHIPPED, after)
    assert added.startswith(f"+  {name}_too: ")


BY_HAND = """# Ours.

drift:  # twice a year
  draws:   999   # fewer, for speed

  # asked by the ward
  seed: 3

lab:
  # who is asked about
  regimes: # two
  - patient
  - window   # leaky

# the end
"""


def test_comments_and_blank_lines_stay_where_somebody_put_them(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(BY_HAND)
    set_params(path, {"drift.draws": 1999, "lab.regimes": ["patient", "gap"], "drift.seed": 3, "train.seed": 4})
    assert changed_lines(BY_HAND, path.read_text()) == [
        "-  draws:   999   # fewer, for speed",
        "+  draws: 1999   # fewer, for speed",
        "-  regimes: # two",
        "-  - patient",
        "-  - window   # leaky",
        "+  regimes: [patient, gap] # two   # leaky",
        "+train: {seed: 4}",
    ]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "drift:\n  seed: 4\n"),
        ("# Ours.\n", "# Ours.\ndrift:\n  seed: 4\n"),
        ("drift:\n  seed:\n", "drift:\n  seed: 4\n"),
        ("{drift: {draws: 999,}}", "{drift: {seed: 4, draws: 999,}}"),
        ("{}", "{drift: {seed: 4}}"),
        ("drift: {}\r\ntrain: {}\r\n", "drift: {seed: 4}\r\ntrain: {}\r\n"),
        ("drift:\n  draws: 999", "drift:\n  draws: 999\n  seed: 4"),
    ],
)
def test_a_file_of_any_shape_takes_a_setting(tmp_path: Path, text: str, after: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode())
    assert set_params(path, {"drift.seed": 4}).drift.seed == 4
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("drift: {seed: &n 5}\ntrain: {seed: *n}\n", "write drift.seed: 4 there yourself"),
        ("drift: {seed: 1, seed: 2}\n", "write drift.seed: 4 there yourself"),
        ("- a\n", "dictionary"),
        ("drift: 3\n", "^drift: "),
        ("a: [1", "not YAML"),
    ],
)
def test_a_file_in_which_one_setting_cannot_be_changed_is_refused_and_stays(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(BadParams, match=why):
        set_params(path, {"drift.seed": 4})
    assert path.read_text() == text
