"""A new user's first week, by make and a browser, within four minutes."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from pipelines.home import Home
from pipelines.runs import DATABASE
from tests.browser import walk
from tests.conftest import ARCHIVES
from tests.environment import without_make
from tests.serving import served
from tests.test_docs import check_out

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MINUTES = 4


def test_a_week(tmp_path, migrated, python):
    started = time.monotonic()
    folder = check_out(tmp_path, python)
    shutil.copy(migrated, folder / "mlruns" / DATABASE)
    real = (ARCHIVES / "titanic.zip").is_file()
    label = "titanic" if real else "titanic-twin"
    environment = without_make() | ({"KAGGLE_ARCHIVES": str(ARCHIVES.resolve())} if real else {})

    def make(*arguments: str) -> str:
        command = ["make", "-s", *arguments]
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=200)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    submissions = [  # of Monday: as declared; of Tuesday: tuned; of Wednesday: an idea that was none
        make("titanic", "TRIALS=0"),
        make("titanic", "TRIALS=20"),
        make("titanic", "TRIALS=0", "MODEL=mlp_wide", "SEED=7"),
    ]
    files = [folder / told.splitlines()[-1] for told in submissions]
    assert len(set(files)) == 3
    assert all(len(pd.read_csv(file)) > 50 for file in files)
    declared, tuned, other = (file.stem.rpartition("-")[2] for file in files)

    ranked = pd.read_csv(io.StringIO(make("leaderboard", "ARGS=--csv -")))
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert make("leaderboard", "ARGS=--html board.html") == ""
    assert (folder / "board.html").read_text().count("<img") == 6

    told = make("compare", f"A=mlp-{declared}", f"B=mlp-{tuned}")
    assert "label_smoothing" in told
    assert "P(B better)" in told
    told = make("compare", f"A=mlp-{declared}", f"B=mlp_wide-{other}")
    assert "recipe.numbers" in told
    assert told.splitlines()[-1].startswith(("Cannot tell", f"mlp_wide-{other} is"))

    with walk(Home(folder), by_make=True) as pages:
        pages.runs(label)
        assert {name for name, *_ in pages.rows()} == {f"mlp-{declared}", f"mlp-{tuned}", f"mlp_wide-{other}"}
        pages.compare(f"mlp-{declared}", f"mlp-{tuned}")
        assert len(pages.curves("valid/accuracy")) == 2

    told = make("reproduce", f"RUN=mlp-{declared}")
    assert told.count("equal to the bit") == 2

    with served(Home(folder), "titanic", by_make=True) as (server, said):
        best = pd.read_csv(folder / "submissions" / "files" / label / ranked["submission"][0])
        assert ranked["run"][0] in said
        assert server.predict(rows_to_predict(folder, real))["Survived"].tolist() == best["Survived"].tolist()
        assert server.ask('{"dataframe_records": [{"Pclass": 3}]}')[0] == 400
    assert time.monotonic() - started < MINUTES * 60


def rows_to_predict(folder: Path, real: bool) -> pd.DataFrame:
    """The test file, read as anybody would."""
    if not real:
        return pd.read_csv(folder / "data" / "synthetic" / "titanic" / "test.csv")
    with zipfile.ZipFile(ARCHIVES / "titanic.zip") as archive, archive.open("test.csv") as file:
        return pd.read_csv(file)
