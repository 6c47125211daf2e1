"""An account's key and token stand in no file, no log and no traceback, after everything else has run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipelines.home import REPOSITORY
from tests.kaggle_server import KEY, TOKEN, USER, kaggle_server
from tests.lanes import LEFT_BY_OTHERS

pytest.importorskip("kaggle", reason="make extras EXTRAS=kaggle")
pytestmark = pytest.mark.kaggle
SKIPPED = {".git", ".venv", ".venv-bench", "build"}


def holders(folder: Path) -> list[Path]:
    """The files below a folder in which the key or the token stands."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for path in (Path(root) / name for name in files):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [path] * (KEY.encode() in content or TOKEN.encode() in content)
    return found


@pytest.mark.parametrize("account", [{"KAGGLE_API_TOKEN": TOKEN}, {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}])
def test_no_command_tells_the_key_or_the_token(tmp_path, python, account):
    environment = {**os.environ, **account, "KAGGLE_API_ENVIRONMENT": "TEST", "PODIUM_HOME": str(tmp_path)}
    said = ""
    with kaggle_server() as server:
        server.archives["titanic"] = b"no archive"
        for status, accepted, command in (
            (200, set(), "run"),
            (401, {"titanic"}, "fetch"),
            (500, {"titanic"}, "fetch"),
            (200, {"titanic"}, "fetch"),
            (200, {"titanic"}, "scores"),
        ):
            server.accepted = accepted
            if status != 200:
                server.refuse("DownloadDataFiles", status, " ".join(account.values()))
            asked = [python, "-m", "pipelines", "--debug", command, "titanic"]
            done = subprocess.run(asked, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
            said += done.stdout + done.stderr
        assert server.requests
    assert "Traceback" in said  # of --debug
    assert "Kaggle wants the rules of titanic accepted first" in said
    assert KEY not in said
    assert TOKEN not in said


@pytest.mark.alone
@pytest.mark.parametrize("lane", ["fast", pytest.param("slow", marks=pytest.mark.slow)])
def test_no_file_holds_the_key_or_the_token(tmp_path_factory, lane):
    assert holders(REPOSITORY) == []
    assert holders(Path(os.environ.get(LEFT_BY_OTHERS, tmp_path_factory.getbasetemp()))) == []
