"""The acquisition contract: what an amplifier or a technician changed, seen by rules before any statistics."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from monitoring.features import KNOWN

EXACT = {
    "rate_hz": "sampling rate",
    "mains_hz": "mains frequency",
    "channels": "channel set",
    "frames_hz": "frame rate",
    "resolution": "picture size",
    "light": "camera light",
    "joints": "set of joints",
}
"""Columns that must hold a value which the reference knows, and what they are called."""

GAIN_FACTOR = 10.0
"""Amplitudes of a site that differ by more than this factor are a unit or gain error: patients never differ so much."""

MISSING_SHARE = 0.5

LIMITS = {
    "clipped_share": (0.01, "clipping"),
    "gap_share": (0.1, "time without recording"),
    "flat_share": (0.2, "time without signal"),
    "frozen_share": (0.1, "time with a frozen picture"),
    "dropped_share": (0.1, "share of dropped frames"),
    "black_share": (0.5, "share of dark pictures"),
    "missing_share": (0.3, "share of joints not seen"),
    "absent_share": (0.5, "time without a person"),
}
"""Shares (0–1) that the middle recording of a site must not exceed where that of the reference does not."""

REFUSED = "share of refused recordings"
REFUSED_SHARE = 0.25
"""Of a site's recordings of a period the checks must not refuse more, of two patients at least, where they did not before."""

SURE = 0.5
"""Confidence of joints below which the middle recording must not fall where that of the reference does not."""


class Checked(NamedTuple):
    """What the checks made of recordings, `earlier` and of this period: rows of site, patient and refused (bool)."""

    earlier: pd.DataFrame
    now: pd.DataFrame


@dataclass(frozen=True)
class Breach:
    """A rule of acquisition that a site no longer keeps. `expected` and `found` are written out for people."""

    site: str
    rule: str
    expected: str
    found: str
    patients: int

    @property
    def sentence(self) -> str:
        """The rule, what was expected, what was found, and in how many patients."""
        one = self.patients == 1
        who = f"{self.patients} {'patient' if one else 'patients'}"
        return f"The {self.rule} was {self.expected} in the reference and is {self.found} in {who}."


def breaches(
    site: str, reference: pd.DataFrame, current: pd.DataFrame, features: tuple[str, ...] = ()
) -> tuple[Breach, ...]:
    """Every broken rule of one site; a site that the reference knows is held to its own values, another to all.

    Both tables: rows as `monitoring.features.patient_features`; columns that are absent from either are not judged.
    """
    now = current[current["site"] == site]
    own = reference[reference["site"] == site]
    then = own if len(own) else reference
    exact = [_exact(site, column, then, now) for column in EXACT if column in then and column in now]
    missing = _missing(site, [f for f in features if f in then], then, now)
    beyond = [_beyond(site, column, then, now) for column in LIMITS if column in then and column in now]
    return tuple(b for b in [*exact, _gain(site, then, now), *beyond, _unsure(site, then, now), *missing] if b)


def refusals(site: str, checked: Checked) -> tuple[Breach, ...]:
    """Whether the checks refuse more of a site's recordings than they may (`REFUSED_SHARE`) and did."""
    here = checked.now[checked.now["site"] == site]
    own = checked.earlier[checked.earlier["site"] == site]
    before = (own if len(own) else checked.earlier)["refused"].mean() if len(checked.earlier) else 0.0
    after, patients = here["refused"].mean(), here.loc[here["refused"], "patient"].nunique()
    if patients < 2 or not (before <= REFUSED_SHARE < after):
        return ()
    return (Breach(site, REFUSED, f"{before:.0%}", f"{after:.0%}", patients),)


def _exact(site: str, column: str, then: pd.DataFrame, now: pd.DataFrame) -> Breach | None:
    known = set(then[column].dropna())
    strange = set(now[column].dropna()) - known
    if not known or not strange:
        return None
    patients = now.loc[now[column].isin(strange), "patient"].nunique()
    return Breach(site, EXACT[column], _listed(known), _listed(strange), patients)


def _gain(site: str, then: pd.DataFrame, now: pd.DataFrame) -> Breach | None:
    if "log_rms" not in then or "log_rms" not in now:
        return None
    before, after = 10 ** then["log_rms"].median(), 10 ** now["log_rms"].median()
    if not np.isfinite(before) or not np.isfinite(after) or 1 / GAIN_FACTOR < after / before < GAIN_FACTOR:
        return None
    return Breach(site, "amplitude", f"{before:.3g} µV", f"{after:.3g} µV", now["patient"].nunique())


def _beyond(site: str, column: str, then: pd.DataFrame, now: pd.DataFrame) -> Breach | None:
    limit, name = LIMITS[column]
    before, after = then[column].median(), now[column].median()
    if not (before <= limit < after):
        return None
    return Breach(site, name, f"{before:.0%}", f"{after:.0%}", now.loc[now[column] > limit, "patient"].nunique())


def _unsure(site: str, then: pd.DataFrame, now: pd.DataFrame) -> Breach | None:
    """Of poses alone: the confidence of answers is no fact of acquisition."""
    if not all("joints" in table and "confidence" in table for table in (then, now)):
        return None
    before, after = then["confidence"].median(), now["confidence"].median()
    if not (after < SURE <= before):
        return None
    patients = now.loc[now["confidence"] < SURE, "patient"].nunique()
    return Breach(site, "confidence of joints", f"{before:.2f}", f"{after:.2f}", patients)


def _missing(site: str, features: list[str], then: pd.DataFrame, now: pd.DataFrame) -> list[Breach]:
    """Features that the reference has and that most rows of at least two patients lack here. Answers may lack what no
    recording has to have: an event, a reader's verdict."""
    features = [f for f in features if f not in KNOWN or KNOWN[f].group != "answers"]
    before, absent = then[features].isna().mean(), now.reindex(columns=features).isna()
    lost = [f for f in features if before[f] < MISSING_SHARE <= absent[f].mean()]
    found = [(f, now.loc[absent[f], "patient"].nunique()) for f in lost]
    return [
        Breach(site, f"feature {f}", f"measured in {1 - before[f]:.0%}", f"missing in {absent[f].mean():.0%}", patients)
        for f, patients in found
        if patients > 1
    ]


def _listed(values: set) -> str:
    texts = sorted(f"{v:g}" if isinstance(v, int | float) else _channels(str(v)) for v in values)
    return " or ".join(texts[:3]) + (", …" if len(texts) > 3 else "")


def _channels(text: str) -> str:
    names = text.split()
    return text if len(names) <= 4 else f"{len(names)} channels ({' '.join(names[:3])} …)"
