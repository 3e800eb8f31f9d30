"""The obvious server of windows: FastAPI, our front end, and the network in plain PyTorch. No keys, no checks, no ledger."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastapi import FastAPI, Request

from data.montage import ELECTRODES
from models.bundle import load_bundle

torch.set_num_threads(1)  # as ours: more of them make it slower with so small a network
BUNDLE = load_bundle(Path(os.environ["BARE_BUNDLE"]))
DETECTOR: Any = BUNDLE.detector
NETWORK = DETECTOR.network.eval()

app = FastAPI()


@app.get("/ready")
def ready() -> bool:
    return True


@app.post("/windows")
async def windows(request: Request) -> dict[str, list[float]]:
    signal = np.frombuffer(await request.body(), "<f4").reshape(len(ELECTRODES), -1)
    prepared = BUNDLE.front_end.stream(ELECTRODES, 256.0)(signal)
    with torch.inference_mode():
        score = NETWORK(torch.from_numpy(DETECTOR.listen()(prepared).x)).numpy()
    return {"probability": [round(float(p), 6) for p in BUNDLE.calibration(score)]}
