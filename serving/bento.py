"""The service as a bento: one file with all of its code and the versions that it runs with, but no model and no patient.

It is run by uvicorn inside our own door, in a workspace that holds keys, ledger and the approved model:

    bentoml import ictal.bento && cd "$(bentoml get ictal:latest -o path)/src"
    ICTAL_HOME=… python -m uvicorn --factory serving.service:app_from_environment --http serving.connections:Connection
"""

import tempfile
from pathlib import Path

from lineage.refused import Refused
from lineage.whole import whole_file
from serving.store import quiet_bentoml

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("lineage", "data", "models", "serving")
INCLUDE = [*(f"{package}/**/*{kind}" for package in PACKAGES for kind in (".py", ".yaml", ".md")), "constraints.txt"]

with quiet_bentoml():
    from bentoml import bentos, service


class NotServedLikeThis(Refused):
    """`bentoml serve` was asked to run it."""


@service(name="ictal")
class Ictal:
    """What `bentoml build` packs. Refuses `bentoml serve`, which would open a port for its own control without a key."""

    def __init__(self) -> None:
        raise NotServedLikeThis(
            "run the bento by `python -m uvicorn --factory serving.service:app_from_environment --http "
            "serving.connections:Connection` in its folder src: `bentoml serve` leaves out keys, limits and the log"
        )


def build(out: Path) -> str:
    """Pack the code as it lies here into `out`; returns the bento's tag. Refuses (Refused) a name that does not end in
    `.bento`, and to overwrite a file."""
    if out.suffix != ".bento":
        raise Refused(f"a bento is called ….bento, got {out.name}: choose such a name")
    if out.exists():
        raise Refused(f"{out.name} is there already: choose another name")
    with tempfile.TemporaryDirectory() as home, whole_file(out) as partial, quiet_bentoml():
        from bentoml._internal.bento import BentoStore

        store = BentoStore(home)
        made = bentos.build(
            "serving.bento:Ictal",
            name="ictal",
            include=INCLUDE,
            python={"requirements_txt": "constraints.txt", "lock_packages": False, "pack_git_packages": False},
            build_ctx=str(ROOT),
            _bento_store=store,
        )
        made.export(str(partial))
    return str(made.tag)
