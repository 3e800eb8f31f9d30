"""What runs by itself: one scheduled retraining of a workspace, for a Prefect server and a process worker.

    prefect server start --host 127.0.0.1
    prefect work-pool create ictal --type process
    python -m flows.deployments            # registers the schedule for ICTAL_HOME
    prefect worker start --pool ictal

Entrypoints are module paths: a file entrypoint would leave `flows/` at the head of `sys.path`.
"""

import os
import sys
from datetime import timedelta
from typing import Any

from flows import engine  # noqa: F401  sets Prefect's environment before Prefect is imported
from flows.workspace import ROOT, open_workspace
from lineage.refused import Refused

POOL = "ictal"
NAME = "weekly"


def deploy_retraining(pool: str = POOL, every: timedelta | None = None, cron: str = "0 3 * * 0") -> str:
    """Register the scheduled retraining of ICTAL_HOME with the server at PREFECT_API_URL; returns its name.

    Sundays at 3:00 UTC unless `every` or `cron` says otherwise; at most one run at a time, others wait.
    Registering again replaces the schedule.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise Refused("PREFECT_API_URL is not set: a schedule needs a Prefect server, see `flows/deployments.py`")
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import EntrypointType, RunnerDeployment

    from flows.retrain import retrain

    workspace = open_workspace()
    when: dict[str, Any] = {"interval": every} if every else {"cron": cron}
    deployment = retrain.to_deployment(
        name=NAME,
        parameters={"home": str(workspace.root), "reason": "schedule"},
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        job_variables={"working_dir": str(ROOT), "env": _environment()},
        **when,
    )
    assert isinstance(deployment, RunnerDeployment)
    deployment.apply()
    return f"retrain/{NAME}"


def _environment() -> dict[str, str]:
    """What a worker's runs need: this workspace, its own stores, this Python first on the path."""
    own = open_workspace().environment()
    kept = {"ICTAL_HOME", "BENTOML_HOME", "PATH", *(k for k in own if k.endswith(("ANALYTICS_ENABLED", "NOT_TRACK")))}
    return {name: own[name] for name in kept}


def main() -> None:
    try:
        print(f"registered {deploy_retraining()}")
    except Refused as refused:
        print(f"ictal: {refused}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
