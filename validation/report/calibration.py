"""Whether a stated probability means what it says, over all and at every site."""

from validation.charts import draw_calibration
from validation.pages import Cell, Section, Table, column_figure
from validation.reading import Block, Reading, basis, estimate, missing, share

EXPLAINED = (
    "Does a stated probability mean what it says? On the dotted line it does. Each point rests on the seconds shown "
    "below it. "
)
TOO_HIGH = "Noise adds to the calibration error: in small groups it lies too high. Stating 0.5 always has Brier 0.25."


def section(reading: Reading) -> Section:
    """The reliability curve, and ECE and Brier with intervals over all and per site."""
    if reason := missing(reading.calibration):
        return Section("Calibration", (f"Not evaluable: {reason}.",))
    alt = "Stated against observed probability, over all and by site"
    figure = column_figure(draw_calibration(reading), alt, EXPLAINED + basis(reading.calibration))
    columns = ("Site", "Patients", "Expected calibration error", "Brier score", "Time assessed")
    rows = [_row("all", reading.calibration)]
    rows += [_row(site, part) for site, part in reading.calibration.get("sites", {}).items()]
    table = Table("Calibration over all and by site, with 95 % intervals over patients", columns, rows, TOO_HIGH)
    return Section("Calibration", (figure, table))


def _row(site: str, part: Block) -> tuple[Cell, ...]:
    figures = (estimate(part, name).written(3) for name in ("ece", "brier"))
    return (site, part.get("patients"), *figures, share(part.get("rests_on", {}).get("coverage")))
