"""The acquisition contract: what an amplifier or a technician changed, seen by rules before any statistics."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

EXACT = {"rate_hz": "sampling rate", "mains_hz": "mains frequency", "channels": "channel set"}
"""Columns that must hold a value which the reference knows, and what they are called."""

GAIN_FACTOR = 10.0
"""Amplitudes of a site that differ by more than this factor are a unit or gain error: patients never differ so much."""

MISSING_SHARE = 0.5


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
    return tuple(b for b in [*exact, _gain(site, then, now), *missing] if b)


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


def _missing(site: str, features: list[str], then: pd.DataFrame, now: pd.DataFrame) -> list[Breach]:
    """Features that the reference has and that most rows of at least two patients lack here."""
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
