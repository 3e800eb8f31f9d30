"""How many seizures are found at how many false alarms, beside what others reach."""

from collections.abc import Mapping, Sequence
from typing import Any

from validation.charts import Yard, draw_operating_curve
from validation.pages import Cell, Section, Table, column_figure
from validation.peers import Yardstick, Yardsticks
from validation.reading import Reading, basis, estimate, missing
from validation.report.dossier import Dossier

READ_OFF = (
    "Patients apart; thresholds are read off these same patients, so the curve describes and sets nothing. Bars: 95 % "
    "intervals over patients. Yardsticks were measured in adults on other data. Inside the grey band there is less "
    "than one alarm in all the hours of this cohort: rates there cannot be told from zero. "
)


def section(dossier: Dossier) -> Section:
    """The curve of every detector with patients apart, the share found at fixed rates, and the yardsticks."""
    honest = {name: regimes["patient"] for name, regimes in dossier.readings.items() if "patient" in regimes}
    if reason := missing(dossier.main.operating):
        return Section("Operating curve", (f"Not evaluable: {reason}.",))
    drawn = draw_operating_curve(honest, peer_yards(dossier.peers))
    alt = "Share of seizures found over false alarms per 24 hours"
    figure = column_figure(drawn, alt, READ_OFF + basis(dossier.main.operating))
    return Section("Operating curve", (figure, _at_fixed_rates(honest), *_peers(dossier.peers)))


def peer_yards(peers: Sequence[Yardsticks]) -> list[Yard]:
    """The best open detector of each dataset, as a chart takes it."""
    return [(f"best open detector on {p.dataset}", *p.best.drawn[1:]) for p in peers if p.best]


def _at_fixed_rates(honest: Mapping[str, Reading]) -> Table:
    rows = [_found(name, r) for name, r in honest.items() if r.operating]
    first = next(r for r in honest.values() if r.operating)
    columns = (
        "Detector",
        *(f"≤ {p['at_most_per_24h']:g} per 24 h" for p in first.operating["points"]),
        "Time assessed",
    )
    return Table("Seizures found in per cent (95 % interval) at a number of false alarms per 24 h", columns, rows)


def _found(name: str, reading: Reading) -> tuple[Cell, ...]:
    return (name, *(_point(p) for p in reading.operating["points"]), reading.coverage)


def _point(point: Mapping[str, Any]) -> str:
    return estimate(point, "sensitivity").percent().replace(" (", "\n(")


def _peers(peers: Sequence[Yardsticks]) -> tuple[Table, ...]:
    if not peers:
        return ()
    rows = [(p.dataset, which, *_yard(y), _left_out(p)) for p in peers for which, y in _of(p)]
    columns = ("Dataset", "Detector", "Seizures found, %", "False alarms\nper 24 h", "F1", "of how many", "Left out")
    note = (
        "Published result files of open detectors, scored by SzCORE on adults and children: none was made for newborns. "
        "Left out are results that cannot be used, and detectors that were trained on the dataset."
    )
    return (Table("What other detectors reach on public data", columns, rows, note),)


def _of(peers: Yardsticks) -> list[tuple[str, Yardstick]]:
    found = (("best by F1", peers.best), ("median", peers.median))
    return [(which, yardstick) for which, yardstick in found if yardstick]


def _yard(y: Yardstick) -> tuple[Cell, ...]:
    return (
        f"{100 * y.sensitivity:.0f}",
        f"{y.false_per_24h:.1f}",
        f"{y.f1:.2f}" if y.f1 == y.f1 else None,
        y.detectors,
    )


LEFT_OUT = {"silent": "found nothing", "trained_on_it": "trained on it", "missing": "without a file"}
"""Shorter than in `validation.peers`; what is not named here is said as it stands there."""


def _left_out(peers: Yardsticks) -> str:
    told = (
        (n, LEFT_OUT.get(reason, reason.replace("f1:", "F1 ").replace("_", " ")))
        for reason, n in peers.left_out.items()
    )
    return ", ".join(f"{n} {reason}" for n, reason in told) or "none"
