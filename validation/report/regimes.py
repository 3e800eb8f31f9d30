"""What the split does to the figure: five regimes, the baselines that see no EEG, and every detector side by side."""

from collections.abc import Mapping

from validation.inflation import BLIND, LEAKY, NOT_RUN, REGIMES, digits, draw_regimes, inflation_rows, marks
from validation.lab import STEPS
from validation.pages import Cell, Section, Table, column_figure
from validation.reading import Block, Reading, basis, share
from validation.report.dossier import Dossier
from validation.report.protocol import papers_protocol
from validation.splits import REPORTABLE

SEEN = (
    "Filled: splits that may be reported, with 95 % intervals over patients. Hollow on grey: not evidence; shown to "
    "see how much a leaky split flatters, what can be scored without looking at the EEG, and what was published. "
)


def section(dossier: Dossier) -> Section:
    """The chart of regimes, what a change of regime is worth, and the regimes that there are no figures of."""
    own, absent = dossier.readings[dossier.name], dossier.absent
    shown = marks(own, REPORTABLE, absent, dossier.published, dossier.labels_alone)
    alt = f"Area under the ROC curve of {dossier.name} under each split"
    chart = column_figure(draw_regimes(shown), alt, SEEN + basis(dossier.main.clinical))
    rows = [
        (*row, _assessed(dossier.inflation, "_to_".join(step)))
        for row, step in zip(inflation_rows(dossier.inflation, absent), STEPS, strict=True)
    ]
    columns = ("What is compared", "AUC", "Seizures found, points", "Time assessed")
    table = Table("What each change of the split is worth, with 95 % intervals over patients", columns, rows, WORTH)
    return Section(
        "What the split does to the figure",
        (chart, *_published(dossier), *papers_protocol(dossier), table, *_absent(dossier)),
    )


WORTH = (
    "Above 0: the first split gives the higher figure, and so flatters. Same patients, same detector, same seed, and only "
    "the seconds that were assessed under both."
)


def side_by_side(dossier: Dossier) -> Section:
    """Every detector under every regime on the same recordings, and the baselines."""
    regimes = [(name, r, own) for name, readings in dossier.readings.items() for r, own in readings.items()]
    rows = [_row(name, regime, reading) for name, regime, reading in regimes]
    blind = _baselines(dossier.main)
    shades = tuple("" if regime in REPORTABLE else "unsure" for _, regime, _ in regimes) + ("unsure",) * len(blind)
    columns = ("Detector", "Split", "AUC", "Seizures found, %", "False alarms\nper 24 h", "MCC", "Time assessed")
    table = Table(
        "All detectors on the same recordings", columns, [*rows, *blind], basis(dossier.main.clinical), shades
    )
    return Section("Detectors and baselines side by side", (table,))


def _assessed(inflation: Mapping[str, Block], step: str) -> str:
    """How much of the time was assessed under both regimes: a leaky control refuses no recording."""
    return share(inflation.get(step, {}).get("rests_on", {}).get("coverage"))


def _published(dossier: Dossier) -> tuple[str, ...]:
    stated = dossier.published
    if stated is None:
        return ()
    f1 = "" if stated.f1 is None else f" and F1 {stated.f1:g}"
    return (
        f"Published headline of {dossier.name}: AUC {stated.auc:g}{f1} ({stated.protocol}; {stated.source}). It "
        "was not measured here and cannot be compared with patients apart.",
    )


def _absent(dossier: Dossier) -> tuple[str, ...]:
    """A regime without figures is named, with the reason."""
    refused = {r: why for r, why in dossier.absent.items() if why != NOT_RUN}
    not_run = [REGIMES[r] for r in dossier.absent if r not in refused]
    told = tuple(f"{REGIMES[regime].capitalize()}: not evaluable, {why}." for regime, why in refused.items())
    ask = f"Run “ictal evaluate {dossier.name} --regimes all” for all five."
    return told + ((f"Not evaluable because not run: {', '.join(not_run)}. {ask}",) if not_run else ())


def _row(name: str, regime: str, r: Reading) -> tuple[Cell, ...]:
    split = REGIMES.get(regime, regime) + ("" if regime in REPORTABLE else f"\n{LEAKY}")
    figures = (r.auc.written(), r.sensitivity.percent(), r.alarms_per_24h.rate(), r.mcc.written())
    # the interval on a line of its own keeps the table inside the page
    return (name, split, *(text.replace(" (", "\n(") for text in figures), r.coverage)


def _baselines(reading: Reading) -> list[tuple[Cell, ...]]:
    found = {"label_oracle": reading.oracle, "id_lookup": reading.lookup}
    return [_blind(BLIND[name], block) for name, block in found.items() if block]


def _blind(name: str, block: Block) -> tuple[Cell, ...]:
    auc = block.get("auc")
    stated = None if auc is None else digits(auc)
    coverage = share(block.get("rests_on", {}).get("coverage"))
    return ("no EEG", f"{name}\n{LEAKY}", stated, "–", "–", "–", coverage)
