"""The hospitals of the simulated cohort: three that differ as real ones do, in amplifier, habits and newborns.

| what | value | source |
|---|---|---|
| sampling 200/256/512 Hz, mains 50/60 Hz | per site | project's specification of the simulated cohort |
| gain error −6 … +8 % | per site | assumed: within the few per cent of a calibrated amplifier, or just outside |
| high-pass of first order at 0.3–0.5 Hz | per site | assumed: usual range of clinical recorders |
| amplifier noise 0.5–1 µV RMS | per site | assumed: usual data-sheet value |
| mains 1–4 µV per electrode | per site | assumed: a lead in fair contact (5–50 µV is recalled for poor contact) |
| seizing share .60–.70 | per site | Helsinki: 22 of 79 seizure-free, 46 of 79 with majority seizures (Stevenson 2019) |
| changed amplifier: gain ×1.8, high-pass 1.5 Hz | on purpose | what a drift alarm has to notice |
"""

from dataclasses import dataclass, replace

import numpy as np

from data.montage import ELECTRODES
from data.simulator.scalp import index_of

CHANGED_GAIN = 1.8
CHANGED_HIGHPASS_HZ = 1.5

_NEWER_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


@dataclass(frozen=True)
class Amplifier:
    """True gain (1 is calibrated; no file header tells it), first-order high-pass, and input noise (RMS)."""

    gain: float
    highpass_hz: float
    noise_uv: float


@dataclass(frozen=True)
class Site:
    """One hospital: its amplifier, its electrodes' names and reference, its newborns and how many of them seize.

    `line_uv` is the typical hum of an electrode; `label` has the name of one in braces, T7 for T3 and so on with
    `newer_names`. `age_days`: youngest and oldest; `prevalence`: the share (0–1) who seize.
    """

    name: str
    rate_hz: float
    line_hz: float
    line_uv: float
    amplifier: Amplifier
    reference: str
    reference_electrodes: tuple[str, ...]
    label: str
    newer_names: bool
    age_days: tuple[float, float]
    prevalence: float

    @property
    def channels(self) -> tuple[str, ...]:
        """The 19 channel names as this site writes them."""
        names = [_NEWER_NAMES.get(e, e) if self.newer_names else e for e in ELECTRODES]
        return tuple(self.label.format(name) for name in names)

    def record(self, potential: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Scalp potential (19, samples) in µV → what this site's file will hold, in what it takes for µV."""
        referred = potential - potential[[index_of(e) for e in self.reference_electrodes]].mean(axis=0)
        noise = self.amplifier.noise_uv * rng.standard_normal(referred.shape, dtype=np.float32)
        return _high_pass(self.amplifier.gain * (referred + noise), self.amplifier.highpass_hz, self.rate_hz)


SITES = (
    Site(
        "demo-north", 256.0, 50.0, 2.0, Amplifier(1.0, 0.3, 0.7),
        "average of all electrodes", ELECTRODES, "EEG {}-Ref", False, (0.0, 10.0), 0.65,
    ),
    Site(
        "demo-south", 200.0, 60.0, 4.0, Amplifier(0.94, 0.5, 1.0),
        "between Cz and Fz", ("Cz", "Fz"), "EEG {}-Ref", True, (0.0, 28.0), 0.60,
    ),
    Site(
        "demo-east", 512.0, 50.0, 1.0, Amplifier(1.08, 0.3, 0.5),
        "linked temporal electrodes", ("T3", "T4"), "{}-LE", False, (2.0, 21.0), 0.70,
    ),
)  # fmt: skip


def site_named(name: str) -> Site:
    """One of `SITES`; ValueError with their names for any other."""
    for site in SITES:
        if site.name == name:
            return site
    raise ValueError(f"no simulated site is called {name!r}; there are {', '.join(s.name for s in SITES)}")


def with_changed_amplifier(site: Site) -> Site:
    """The same site after its amplifier was replaced and nobody wrote it down."""
    amplifier = site.amplifier
    changed = replace(amplifier, gain=amplifier.gain * CHANGED_GAIN, highpass_hz=CHANGED_HIGHPASS_HZ)
    return replace(site, amplifier=changed)


def _high_pass(signal: np.ndarray, highpass_hz: float, rate_hz: float) -> np.ndarray:
    from scipy import signal as sps

    b, a = sps.butter(1, highpass_hz, "highpass", fs=rate_hz)
    state = sps.lfilter_zi(b, a)[None, :] * signal[:, :1]
    return np.asarray(sps.lfilter(b, a, signal, axis=1, zi=state)[0])
