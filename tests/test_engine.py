"""Stages that need nothing of each other are run to their end, whichever of them refuse."""

import json
import subprocess
import sys
from pathlib import Path

from flows import engine
from flows.workspace import make_workspace

SIX = """
import json, sys
from flows import engine, progress

ran, told = [], []

def dvc(workspace, *asked, **extra):
    ran.append(asked[-1])
    if asked[-1] in "ad":
        raise engine.CommandFailed(f"Running stage\\nictal: {asked[-1]} cannot be used")
    return ""

engine.dvc = dvc

@engine.flow(name="six")
def six(home: str) -> dict[str, str]:
    return {stage: str(why) for stage, why in engine.refusals_of(home, list("abcdef")).items()}

if __name__ == "__main__":
    with progress.shown_with(lambda what, done, total: told.append(what)):
        refused = engine.run_flow(six, home=sys.argv[1])
    print(json.dumps([sorted(ran), refused, told]))
"""


def test_all_stages_run_and_each_refusal_is_kept(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "ws", "demo")
    (script := tmp_path / "six_stages.py").write_text(SIX)
    environment = {**workspace.environment(), "PYTHONPATH": str(Path(engine.__file__).parents[1])}
    said = subprocess.run(
        [sys.executable, str(script), str(workspace.root)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert said.returncode == 0, said.stderr
    ran, refused, told = json.loads(said.stdout.splitlines()[-1])
    assert ran == list("abcdef") and refused == {"a": "a cannot be used", "d": "d cannot be used"}
    assert told[0] == "six: Prefect is started", "a bar names what is done before the first stage says how far it is"
    assert sorted(told[1:]) == [f"{stage}: has anything changed?" for stage in "abcdef"]
