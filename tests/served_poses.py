"""A workspace in which a detector of poses is in force, for the tests of what asks the service about films."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lineage.approvals import Scope
from lineage.signing import sign_bundle
from models import detectors
from models.typing import fit_typing_fold, save_typing, stretch_examples
from serving.store import import_bundle, write_pointer
from tests.infants import infant
from tests.served import HONEST, approve, record_for


def put_spasms_in_force(home: Path, now: datetime) -> None:
    """Have the floor of spasms in force in a workspace with keys, fitted on two infants of our own."""
    built = detectors.build("joint_speed")
    parts = [
        stretch_examples(built, built.front_end.prepare(track), truth, str(seed), str(seed))  # type: ignore[arg-type]
        for seed in (0, 1)
        for track, truth in [infant(seed, 60.0, 4)]
    ]
    assert parts[0] is not None and parts[1] is not None
    fitted, _ = fit_typing_fold("joint_speed", built.params, parts[0], parts[1], seed=0)
    folder = home / "store" / "bundles" / "spasms"
    bundle = save_typing(replace(fitted, origin={**HONEST, **fitted.origin}), folder)
    sign_bundle(folder, home / "keys" / "platform.pem")
    scope = Scope(("demo-*",), (0.0, 800.0), (built.contract.montage,))
    approval = approve(home, replace(record_for(bundle, now=now), scope=scope), now=now)  # type: ignore[arg-type]
    write_pointer(
        home, bundle=bundle.digest, tag=import_bundle(home, folder), approval=approval, now=now, task="spasms"
    )
