"""Commands load what they use: a hit, and a look at runs, neither train nor open MLflow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from pipelines.__main__ import cli
from pipelines.home import REPOSITORY
from pipelines.tracking import Tracker
from tests.environment import without_make

HEAVY = {
    "alembic", "distributed", "joblib", "matplotlib", "mlflow", "plotly", "ray", "safetensors", "skops", "sqlalchemy",
    "torch", "transformers",
}  # fmt: skip
TRAINS = {"torch", "safetensors", "joblib"}  # what a training cannot do without
NAME, FIRST, MARK = "titanic", "<the first run>", "LOADED "
COMMANDS = {
    "leaderboard": (["leaderboard"], set()),
    "leaderboard of one": (["leaderboard", NAME], set()),
    "compare": (["compare", f"{NAME}/mlp", FIRST], set()),
    "run": (["run", NAME, "--trials", "2"], set()),
    "train": (["train", NAME], set()),
    "submit": (["submit", NAME], set()),
    "adopt": (["adopt", NAME], set()),
    "ingest": (["ingest", NAME], set()),
    "check": (["check", NAME], set()),
    "notebook": (["notebook", NAME], set()),
    "send": (["send", NAME], set()),
    "reproduce": (["reproduce", f"{NAME}/mlp"], TRAINS),
    "summary": (["summary", NAME], TRAINS),
    "names": (["names"], set()),
}
PROGRAM = """
import json, os, sys
import pipelines.competitions.titanic
declared = set(sys.modules)
home, asked = sys.argv[1], json.loads(sys.argv[2])
for name, arguments in asked.items():
    child = os.fork()
    if not child:
        from pipelines.__main__ import cli
        code = cli([*arguments, *(["--home", home] if name != "names" else [])])
        sys.stdout.flush()
        loaded = sorted({each.partition(".")[0] for each in set(sys.modules) - declared})
        print("LOADED", json.dumps([name, code, loaded]), file=sys.stderr, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, searched_files) -> dict[str, tuple[int, set[str]]]:
    """The exit code of each command over finished runs, and what it imported beside what a declaration does."""
    folder = shutil.copytree(searched_files, tmp_path_factory.mktemp("lazy"), dirs_exist_ok=True)
    home = folder / "home"
    environment = {**without_make(), "KAGGLE_ARCHIVES": str(folder / "archives")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAGGLE_ARCHIVES", environment["KAGGLE_ARCHIVES"])
        assert cli(["train", NAME, "--seed", "1", "--home", str(home)]) == 0
        assert cli(["run", NAME, "--trials", "2", "--home", str(home)]) == 0
    first = Tracker(home / "mlruns").trainings()[-1].name
    asked = {name: [first if each == FIRST else each for each in given] for name, (given, _) in COMMANDS.items()}
    program = [sys.executable, "-c", PROGRAM, str(home), json.dumps(asked)]
    found = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, env=environment, check=True)
    lines = [line for line in found.stderr.splitlines() if line.startswith(MARK)]
    told = [json.loads(line.removeprefix(MARK)) for line in lines]
    assert len(told) == len(COMMANDS), found.stderr
    return {name: (code, set(modules)) for name, code, modules in told}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_no_more_than_it_uses(loaded, command):
    code, modules = loaded[command]
    assert code == 0
    assert not modules & HEAVY - COMMANDS[command][1]
