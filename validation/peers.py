"""How well others do: the published results of open detectors, read as yardsticks and not as they come.

SzCORE keeps one file per detector and dataset. Some hold no result at all, some an F1 of an older policy, and many a
dataset that the detector was trained on. None of these may pass for a low or a high figure, so each says why it is
left out. The detectors were made for adults and children, none for newborns.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from lineage.digest import sha256_bytes
from lineage.refused import Refused
from validation.scoring.szcore import UNITS

REASONS = {
    "missing": "there is no file, though other detectors have one for this dataset",
    "unreadable": "the file is not JSON",
    "other_layout": "a field that every result has is missing or not a number",
    "not_a_number": "a figure that must exist is NaN",
    "impossible": "a share outside 0–1 or a negative rate",
    "silent": "nothing was detected in any patient: as after a run that failed, and not the silence of a detector",
    "copy": "the same bytes as the file of another detector",
}
"""Why a file holds no usable result."""

F1_REASONS = {
    "undetected_dropped": "higher than sensitivity or precision allow unless undetected patients were left out",
    "not_a_number": "F1 is NaN, as the older policy has it where it dropped everybody",
}
"""Why F1 alone cannot be compared. Found by arithmetic, so a lower bound: files state neither scorer nor version."""

TRAINED_ON: dict[str, frozenset[str]] = {
    "amruth1234-deepsoz-hem-v0-1-3": frozenset({"siena", "tuh"}),
    "ashune96-ictaltrace-szcore-v4-raw-r69-sourcefloor-r1": frozenset({"tuh"}),
    "docker-io-francescocarzaniga-epfl-challenge-ca-eegwavenet-v2": frozenset({"chbmit", "siena", "tuh"}),
    "docker-io-mellow99-mv-afa-szcore-v1.3.0": frozenset({"chbmit"}),
    "eegdude-solution1-latest": frozenset({"siena", "tuh"}),
    "ghcr-io-clarity-digital-twin-brain-go-brr-szcore-v4-4-0": frozenset({"tuh"}),
    "ghcr-io-crchum-epilepsy-group-sz-detect-crchum-new-kid": frozenset({"siena", "tuh"}),
    "ghcr-io-esl-epfl-eegwavenet-2021-latest": frozenset({"chbmit"}),
    "ghcr-io-esl-epfl-eventnet-2024-latest": frozenset({"tuh"}),
    "ghcr-io-esl-epfl-gotman-1982-latest": frozenset(),
    "ghcr-io-esl-epfl-tang-2021-latest": frozenset({"tuh"}),
    "ghcr-io-esl-epfl-zhu-2023-latest": frozenset({"tuh"}),
    "ghcr-io-wojemann-dynasd-competition-latest": frozenset({"chbmit"}),
    "mvanmarc-challengeszcorebiomed-latest": frozenset({"tuh"}),  # and SeizeIT2, which is not the `seizeit` scored here
    "public-ecr-aws-n1i0o6q8-seizures-dcafd6e8b581496d913927ea9c6a85eb": frozenset({"tuh"}),
    "yujjio-seizure-transformer-latest": frozenset({"siena", "tuh"}),
    "yuxiaohe-eeg2-latest": frozenset({"chbmit"}),
}
"""Scored datasets that each detector's authors name as training data (esl-epfl/szcore, `algorithms/*.yaml`, 2026-07).
The result files themselves do not say it."""

MEASURES = ("sensitivity", "precision", "f1", "fpRate")
SAID = ("reason", "f1_reason", "trained_on_it")


@dataclass(frozen=True)
class Yardstick:
    """One point to measure by; `false_per_24h` are false alarms. `detectors` says how many stand behind it.

    Sensitivity and F1 are of events, 0–1.
    """

    name: str
    sensitivity: float
    false_per_24h: float
    f1: float
    detectors: int

    @property
    def drawn(self) -> tuple[str, tuple[float, float], tuple[float, float]]:
        """As a chart takes it: name, false alarms per 24 h (from, to), event sensitivity (from, to)."""
        return self.name, (self.false_per_24h,) * 2, (self.sensitivity,) * 2


@dataclass(frozen=True)
class Yardsticks:
    """Best by F1 and median (of each measure by itself) on one dataset, and how many were left out for which reason."""

    dataset: str
    best: Yardstick | None
    median: Yardstick | None
    left_out: dict[str, int]


def read_peers(folder: Path, trained_on: Mapping[str, Collection[str]] | None = None) -> pd.DataFrame:
    """Every result below `folder/<algorithm>/<dataset>.json`, two rows each: unit `event` and unit `sample`.

    Columns algorithm, dataset, unit, sensitivity, precision, f1 (0–1), false_per_24h (alarms, or seconds where the
    unit is `sample`), reason (of `REASONS`, else None), f1_reason (of `F1_REASONS`, else None), trained_on_it (bool,
    None where it is not known). A figure that is not usable is NaN, never 0. Refuses a folder without results.
    """
    named = TRAINED_ON if trained_on is None else trained_on
    files = {(p.parent.name, p.stem): p for p in sorted(folder.glob("*/*.json"))}
    if not files:
        raise Refused(f"{folder} holds no results: give a folder with <algorithm>/<dataset>.json")
    contents = {place: path.read_bytes() for place, path in files.items()}
    copied = _copied(contents)
    algorithms, datasets = (sorted(set(names)) for names in zip(*files, strict=True))
    rows = [
        {"algorithm": a, "dataset": d, "unit": unit}
        | _figures(contents.get((a, d)), unit, (a, d) in copied)
        | {"trained_on_it": d in named[a] if a in named else None}
        for a in algorithms
        for d in datasets
        for unit in UNITS
    ]
    return pd.DataFrame(rows).assign(**{name: _as_they_are(rows, name) for name in SAID})


def yardsticks(table: pd.DataFrame, dataset: str) -> Yardsticks:
    """What others reach on `dataset` (event scores) without having been trained on it; unusable results stay out.

    A detector whose F1 alone is of the older policy stays in the medians of sensitivity and false alarms: to drop the
    weak would flatter the rest. Refuses a dataset of which `table` holds nothing.
    """
    rows = table[(table["dataset"] == dataset) & (table["unit"] == "event")]
    if rows.empty:
        raise Refused(f"no results on {dataset}: there are {', '.join(sorted(set(table['dataset'])))}")
    trained = [known is True for known in rows["trained_on_it"]]
    reasons = rows["reason"].where(rows["reason"].notna() | ~pd.Series(trained, rows.index), "trained_on_it")
    kept = rows[reasons.isna()]
    left_out = {str(reason): int(n) for reason, n in reasons.value_counts().sort_index().items()}
    left_out |= {f"f1:{reason}": int(n) for reason, n in kept["f1_reason"].value_counts().sort_index().items()}
    return Yardsticks(dataset, _best(kept), _median(kept), left_out)


def _figures(content: bytes | None, unit: str, copied: bool) -> dict[str, Any]:
    stated = _stated(content, unit)
    if isinstance(stated, str):
        return _nothing(stated)
    reason = _reason(stated, copied)
    if reason is not None:
        return _nothing(reason)
    f1_reason = _f1_reason(stated)
    return {
        "sensitivity": stated["sensitivity"],
        "precision": stated["precision"],
        "f1": float("nan") if f1_reason else stated["f1"],
        "false_per_24h": stated["fpRate"],
        "reason": None,
        "f1_reason": f1_reason,
    }


def _nothing(reason: str) -> dict[str, Any]:
    figures = dict.fromkeys(("sensitivity", "precision", "f1", "false_per_24h"), float("nan"))
    return figures | {"reason": reason, "f1_reason": None}


def _stated(content: bytes | None, unit: str) -> dict[str, float] | str:
    """The four figures of a file as they stand, or the reason why there are none."""
    if content is None:
        return "missing"
    try:
        result = json.loads(content)
    except ValueError:
        return "unreadable"
    section = result.get(f"{unit}_results") if isinstance(result, dict) else None
    figures = [section.get(m) for m in MEASURES] if isinstance(section, dict) else []
    numbers = [float(v) for v in figures if isinstance(v, int | float) and not isinstance(v, bool)]
    return dict(zip(MEASURES, numbers, strict=True)) if len(numbers) == len(MEASURES) else "other_layout"


def _reason(stated: Mapping[str, float], copied: bool) -> str | None:
    shares = [stated[m] for m in ("sensitivity", "precision", "f1") if isfinite(stated[m])]
    if not isfinite(stated["sensitivity"]) or not isfinite(stated["fpRate"]):
        return "not_a_number"
    if stated["fpRate"] < 0 or any(not 0 <= share <= 1 for share in shares):
        return "impossible"
    if stated["sensitivity"] == 0 and stated["fpRate"] == 0:
        return "silent"
    if not isfinite(stated["precision"]):
        return "not_a_number"
    return "copy" if copied else None


def _f1_reason(stated: Mapping[str, float]) -> str | None:
    """In each patient F1 ≤ 2s / (1 + s), a concave bound, so the mean over all patients obeys it as well (Jensen)."""
    if not isfinite(stated["f1"]):
        return "not_a_number"
    lower = min(stated["sensitivity"], stated["precision"])
    return "undetected_dropped" if stated["f1"] > 2 * lower / (1 + lower) + 1e-9 else None


def _copied(contents: Mapping[tuple[str, str], bytes]) -> set[tuple[str, str]]:
    makers: dict[str, set[str]] = {}
    for (algorithm, _), content in contents.items():
        makers.setdefault(sha256_bytes(content), set()).add(algorithm)
    return {place for place, content in contents.items() if len(makers[sha256_bytes(content)]) > 1}


def _best(kept: pd.DataFrame) -> Yardstick | None:
    ranked = kept.dropna(subset="f1").sort_values(["f1", "algorithm"], ascending=[False, True])
    if ranked.empty:
        return None
    sensitivity, false_per_24h, f1 = (float(ranked[m].iloc[0]) for m in ("sensitivity", "false_per_24h", "f1"))
    return Yardstick(str(ranked["algorithm"].iloc[0]), sensitivity, false_per_24h, f1, len(ranked))


def _median(kept: pd.DataFrame) -> Yardstick | None:
    if kept.empty:
        return None
    sensitivity, false_per_24h, f1 = (float(kept[m].median()) for m in ("sensitivity", "false_per_24h", "f1"))
    return Yardstick("median of open detectors", sensitivity, false_per_24h, f1, len(kept))


def _as_they_are(rows: Sequence[Mapping[str, Any]], name: str) -> pd.Series:
    # None stays None: pandas would make it NaN, which is neither a reason nor a missing one.
    return pd.Series([row[name] for row in rows], dtype=object)
