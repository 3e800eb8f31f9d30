"""What ONNX Runtime answers is what the fitted network answers, in any company, and a file that says otherwise is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from data.threads import shares
from flows.promote import measured_export
from lineage.digest import sha256_file
from models import detectors
from models.bundle import BrokenBundle, Bundle, load_bundle, save_bundle
from models.calibration import Calibration
from models.decisions import Decision
from models.detector import Examples
from models.engines import (
    LIMIT,
    ONNX_RUNTIME,
    QUESTIONS,
    REFERENCE,
    Network,
    NotEqual,
    Session,
    apart,
    export,
    exported,
    file_of,
    refuse_unequal,
    sessions,
)
from tests.served import HAS_SEEN_ALL, SURE

EXPORTED = ("da_stnet", "seizurenet", "gestures", "forecaster")
"""Not sta_gunet: the exporter knows no stable sort, by which its pooling keeps joints."""


def drawn(name: str):
    """A detector with weights drawn at random, and buffers that are not those of an unfitted one."""
    torch.manual_seed(3)
    detector = detectors.build(name)
    for network in detector.networks().values():
        for buffer in network.module.buffers():
            if buffer.dtype.is_floating_point:
                buffer.mul_(1 + 0.1 * torch.rand_like(buffer))
    return detector


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_network_says_what_the_fitted_one_says(name: str, tmp_path: Path) -> None:
    detector = drawn(name)
    export(detector.networks(), tmp_path)
    distances = apart(detector.networks(), tmp_path)
    assert set(distances) == set(detector.networks()) and 0 <= max(distances.values()) <= LIMIT / 10
    refuse_unequal(distances)
    said = [network.answers(network.questions()) for network in detector.networks().values()]
    assert all(np.ptp(one, axis=0).max() > 0 for one in said), "networks that say the same to all show nothing"


def test_every_network_of_torch_is_exported_but_the_one_that_cannot_be() -> None:
    have = {name for name in detectors.names() if detectors.build(name).networks()}
    assert have == set(EXPORTED)
    with pytest.raises(Exception, match="Sort"):
        exported(Network(detectors.build("sta_gunet").network, (6, 24, 18)))  # type: ignore[attr-defined]


def da_stnet_bundle() -> Bundle:
    return Bundle(drawn("da_stnet"), Calibration(1.0, 0.0), Decision(0.5), SURE, HAS_SEEN_ALL)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "bundle"
    save_bundle(da_stnet_bundle(), folder)
    return folder


def windows(count: int) -> Examples:
    detector = drawn("da_stnet")
    (network,) = detector.networks().values()
    x = np.concatenate([network.questions()] * (count // QUESTIONS + 1))[:count]
    names = np.full(count, "r")
    return Examples(
        x + np.float32(0.01) * np.arange(count, dtype=np.float32)[:, None, None, None],
        np.arange(count) * 1.0,
        names,
        names,
        2.0,
    )


def test_a_bundle_is_run_by_what_is_asked_for_and_says_so(saved: Path) -> None:
    eager, fast = load_bundle(saved), load_bundle(saved, ONNX_RUNTIME)
    assert (eager.detector.engine, fast.detector.engine) == (REFERENCE, ONNX_RUNTIME)
    assert eager.digest == fast.digest
    asked = windows(5)
    assert np.abs(eager.detector.score(asked) - fast.detector.score(asked)).max() <= LIMIT
    assert not np.array_equal(eager.detector.score(asked), np.zeros(5))


@pytest.mark.parametrize("threads", ["1", "3"])
def test_no_window_is_judged_by_its_company(saved: Path, threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, asked = load_bundle(saved, ONNX_RUNTIME).detector, windows(20)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert len(shares(20)) == int(threads)
    together = fast.score(asked)
    alone = np.concatenate([fast.score(asked.take(np.array([k]))) for k in range(20)])
    assert np.array_equal(together, alone) and len(np.unique(together)) > 10
    assert fast.score(asked.take(np.zeros(0, dtype=int))).shape == (0,)


def test_the_same_weights_give_the_same_bytes_in_another_process(saved: Path, tmp_path: Path) -> None:
    code = f"from tests.test_engines import *; save_bundle(da_stnet_bundle(), Path({str(tmp_path / 'again')!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parents[1])
    assert sha256_file(tmp_path / "again" / "manifest.json") == sha256_file(saved / "manifest.json")


def test_another_network_in_the_file_breaks_the_bundle_and_is_no_export_of_it(saved: Path, tmp_path: Path) -> None:
    import shutil

    other, folder = drawn("da_stnet"), tmp_path / "bundle"
    shutil.copytree(saved, folder)
    with torch.no_grad():
        other.network.classifier.bias.add_(2 * LIMIT)  # type: ignore[attr-defined]
    export(other.networks(), folder)
    with pytest.raises(BrokenBundle, match=r"network\.onnx"):
        load_bundle(folder, ONNX_RUNTIME)
    with pytest.raises(NotEqual, match=r"network\.onnx differs .* by 2\.0e-04, 1e-04 are allowed"):
        measured_export(folder, load_bundle(saved))
    with pytest.raises(NotEqual):
        refuse_unequal({"network": float("nan")})


def test_what_is_proposed_says_how_far_its_networks_lie_apart(saved: Path) -> None:
    bundle = load_bundle(saved)
    draft = measured_export(saved, bundle)
    assert draft is not None and draft.payload is not None
    assert draft.payload["largest_difference"]["network"] <= draft.payload["limit"] == LIMIT
    (edge,) = draft.edges
    assert (edge.child, edge.relation, edge.parent) == (
        sha256_file(file_of(saved, "network")), "exported_from", bundle.digest,
    )  # fmt: skip


def test_a_bundle_from_before_is_run_by_its_own_code(saved: Path, tmp_path: Path) -> None:
    assert sessions(load_bundle(saved).detector.networks(), tmp_path) == {}


def test_one_session_serves_many_threads(saved: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    session, x = Session(file_of(saved, "network")), windows(40).x
    alone = session(x)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(found, alone) for found in pool.map(lambda _: session(x), range(8)))
