"""What was accepted is answered once, though the service is killed over it."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lineage.ledger import Ledger
from serving.auth import issue_key, open_keys
from serving.client import Client
from tests.served import free_port, people_and_keys, put_in_force, running, write_recording

JOBS = 2


def until(client: Client, ids: list[str], holds: Any, log: Path) -> list[dict[str, Any]]:
    end = time.monotonic() + 90
    while not client.ready() or not holds(found := [client.job(id) for id in ids]):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return found


def test_jobs_that_were_accepted_are_done_once_although_the_service_is_killed_meanwhile(tmp_path: Path) -> None:
    now, home = datetime.now(UTC), tmp_path / "home"
    people_and_keys(home, now)
    put_in_force(home, now=now)
    engine = open_keys(home)
    key = issue_key(engine, "demo-north", ("detect",), now, 1)
    engine.dispose()
    file = write_recording(tmp_path / "long.edf", seconds=1800)
    port, log = free_port(), home / "service.log"
    with Client(f"http://127.0.0.1:{port}", key) as client:
        with running(home, port) as service:
            until(client, [], lambda found: True, log)
            ids = [client.submit(file, age="3d", idempotency_key=f"key-{n}")["job_id"] for n in range(JOBS)]
            until(client, ids, lambda found: any(job["state"] == "running" for job in found), log)
            service.kill()
            service.wait()
        with running(home, port):
            found = until(client, ids, lambda found: all(job["state"] == "done" for job in found), log)
            again = client.submit(file, age="3d", idempotency_key="key-0")
    assert again["job_id"] == ids[0]
    assert max(job["attempts"] for job in found) == 2  # one was being worked on
    ledger = Ledger(home / "ledger" / "ledger.db")
    written = [entry.subjects[0].id for entry in ledger.entries("prediction.issued")]
    assert sorted(written) == sorted(job["prediction_id"] for job in found) and len(set(written)) == JOBS
    assert ledger.verify().ok
    ledger.engine.dispose()
    assert [job["result"]["outcome"] for job in found] == JOBS * ["completed"]
