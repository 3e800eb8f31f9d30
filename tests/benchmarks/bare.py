"""The obvious server of windows: FastAPI, a front end, and the network in plain PyTorch. No keys, no checks, no ledger."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastapi import FastAPI, Request
from scipy import signal as sps

from data.montage import ELECTRODES, NEONATAL_18
from models.bundle import load_bundle
from tests.benchmarks.cases.front_end import stft_of_window

torch.set_num_threads(1)  # as ours: more of them make it slower with so small a network
BUNDLE = load_bundle(Path(os.environ["BARE_BUNDLE"]))
DETECTOR: Any = BUNDLE.detector
NETWORK = DETECTOR.network.eval()

ANODES, CATHODES = ([ELECTRODES.index(pair.split("-")[end]) for pair in NEONATAL_18] for end in (0, 1))
HALVING = sps.firwin(41, 0.5, window=("kaiser", 5.0))
BAND = np.concatenate(
    [sps.butter(2, 0.5, "highpass", fs=128, output="sos"), sps.butter(6, 30, "lowpass", fs=128, output="sos")]
)
SETTLED = sps.sosfilt_zi(BAND)

app = FastAPI()


@app.get("/ready")
def ready() -> bool:
    return True


@app.post("/windows")
async def windows(request: Request) -> dict[str, list[float]]:
    signal = np.frombuffer(await request.body(), "<f4").reshape(len(ELECTRODES), -1)
    with torch.inference_mode():
        score = NETWORK(torch.from_numpy(SPECTRA(signal))).numpy()
    return {"probability": [round(float(p), 6) for p in BUNDLE.calibration(score)]}


def by_ours(signal: np.ndarray) -> np.ndarray:
    """(19, samples) µV at 256 Hz → (windows, 18, bins, frames)."""
    x: np.ndarray = DETECTOR.listen()(BUNDLE.front_end.stream(ELECTRODES, 256.0)(signal)).x
    return x


def by_scipy(signal: np.ndarray) -> np.ndarray:
    """The same numbers, as a reader of SciPy's pages would write it; filters are designed once here too."""
    bipolar = signal[ANODES] - signal[CATHODES]
    past = np.repeat(bipolar[:, :1], len(HALVING) - 1, axis=1)
    halved = sps.lfilter(HALVING, 1.0, np.concatenate([past, bipolar], axis=1))[:, len(HALVING) - 1 :: 2]
    filtered, _ = sps.sosfilt(BAND, halved, zi=SETTLED[:, None] * halved[:, :1])
    return np.array([stft_of_window(filtered[:, at : at + 256]) for at in range(0, filtered.shape[1] - 255, 128)])


SPECTRA = {"ours": by_ours, "scipy": by_scipy}[os.environ["BARE_FRONT_END"]]
