"""An hour of EEG sent to the service until its answer with receipt is there, and the same hour through MNE and PyTorch.

Theirs is not asked over a network and writes nothing down: it is the alternative of `edf_to_events`. Aimed at are two
seconds with everything: upload, digests, front end, network, explanation of the events, ledger, receipt. The service
has both cores for it, as nobody else asks; so has the other.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np

from models.bundle import Bundle, load_bundle
from tests.benchmarks import sites
from tests.benchmarks.case import Case, Work
from tests.benchmarks.cases import edf_to_events, front_end
from tests.benchmarks.recordings import bundle_of, edf_of, is_made_here


@dataclass(frozen=True)
class Upload:
    service: sites.Server
    key: str
    recording: Path
    bundle: Bundle


def case(name: str, preset: str) -> Case:
    def make(hours: float) -> Upload:
        used = "demo" if is_made_here() else preset
        key = (sites.home_of(used) / "key.txt").read_text()
        warm = Upload(sites.ours(used), key, edf_of(front_end.WARM_UP_MIN), load_bundle(bundle_of(used)))
        ours(warm)
        theirs(warm)
        return replace(warm, recording=edf_of(round(60 * hours)))

    return Case(
        name=name,
        claim="EDF of 19 channels at 256 Hz sent to the service until the answer with its receipt is there "
        f"(DA-STNet, {preset} preset)",
        alternative="the alternative of edf_to_events, without any service around it",
        sizes=(1,),
        quick_sizes=(0.2,),
        unit="hours",
        make=make,
        ours=ours,
        theirs=theirs,
        same=edf_to_events.same,
        least=least,
        rounds=3,
        threads=2,
        clock="seconds",
        target={"seconds": 2},
    )


def ours(data: Upload) -> edf_to_events.Found:
    with data.recording.open("rb") as file:
        said = httpx.post(
            f"http://127.0.0.1:{data.service.port}/v1/detect",
            headers={"Authorization": f"Bearer {data.key}"},
            files={"recording": ("recording.edf", file)},
            data={"age": "3d"},
            timeout=120,
        )
    body = said.raise_for_status().json()
    assert body["receipt"] and body["events"] is not None, body["reason"]
    trend = np.array([np.nan if p is None else p for p in body["trend_1hz"]])
    return edf_to_events.Found(trend, [(e["onset_s"], e["onset_s"] + e["duration_s"]) for e in body["events"]])


def theirs(data: Upload) -> edf_to_events.Found:
    return edf_to_events.theirs((data.recording, data.bundle))


def least(data: Upload) -> Work:
    return edf_to_events.least((data.recording, data.bundle))


CASE = case("hour_upload", "demo")
