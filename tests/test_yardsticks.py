"""What looks at nothing, with patients apart, is a fair yardstick and no leaky control; over leaky folds it is one."""

import pytest

from validation.inflation import LEAKY, blind_mark, draw_regimes
from validation.pages import figure_svg
from validation.reading import Estimate

CALLED = {"patient": "patients apart", "seizure": "random clips"}
GREY = "#f3f4f6"


@pytest.mark.parametrize(("regime", "leaky"), [("patient", False), ("seizure", True)])
def test_a_yardstick_is_called_leaky_and_lies_on_grey_only_where_its_folds_leak(regime: str, leaky: bool) -> None:
    mark = blind_mark("film", "how far the film has come", regime, CALLED, Estimate(0.81))
    assert (LEAKY in mark.label) == leaky and mark.reportable != leaky
    assert (GREY in figure_svg(draw_regimes([mark]), "splits")) == leaky
