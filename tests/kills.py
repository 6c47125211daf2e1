"""Kills a run at ten moments with SIGKILL, and compares what the next run makes with a run that nobody killed.

As a program, `python -m tests.kills [MOMENTS [COMPETITION]]`, every moment gets a home of its own; the test uses one
home for all.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.competition import find
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from pipelines.up_to_date import FOLDER

DEFAULT = "titanic"
TRIALS = 5  # of its search


def start(home: Home, competition: str = DEFAULT, python: str | Path = sys.executable) -> subprocess.Popen[str]:
    """A run in a process group of its own."""
    searches = find(competition).candidate(None)[1].space
    asked = ["--trials", str(TRIALS)] if searches else []
    command = [python, "-m", "pipelines", "run", competition, *asked, "--home", str(home.root)]
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(home: Home, competition: str = DEFAULT, python: str | Path = sys.executable) -> tuple[bytes, float]:
    """Runs to the end: the submission's bytes, and the seconds it took."""
    started = time.perf_counter()
    process = start(home, competition, python)
    out, err = process.communicate(timeout=3600)
    assert process.returncode == 0, err
    return Path(out.splitlines()[-1]).read_bytes(), time.perf_counter() - started


def kill_after(home: Home, seconds: float, competition: str = DEFAULT, python: str | Path = sys.executable) -> bool:
    """Starts a run and kills it; False when it was through before."""
    process = start(home, competition, python)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def assert_nothing_is_half_written(home: Home, submission: bytes) -> None:
    """What stands under its name is whole."""
    for path in home.submissions.rglob("*.csv"):
        assert path.read_bytes() == submission, path
    tables, card = {"train.parquet", "test.parquet", "sample.parquet", "manifest.json"}, {"card.json", "card.png"}
    for folder in home.cache.glob("[!.]*/"):
        if folder.name == FOLDER:  # of what runs told that were through before they were to be killed
            assert all(json.loads(path.read_text()) for path in folder.glob("*.json"))
        else:
            assert {path.name for path in folder.iterdir()} in (tables, card | {"manifest.json"})
    database = home.mlruns / "mlflow.db"
    if database.exists():
        with sqlite3.connect(database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def assert_clean(home: Home, competition: str = DEFAULT) -> None:
    """Nothing is left lying beside, and no run pretends to be running."""
    models = len(Job(name=competition, home=home).models)
    assert not list(home.root.rglob("*.part"))
    with sqlite3.connect(home.mlruns / "mlflow.db") as connection:
        statuses = [status for (status,) in connection.execute("SELECT status FROM runs")]
        trained = "SELECT status FROM runs JOIN tags USING (run_uuid) WHERE key = 'key'"
        finished = [status for (status,) in connection.execute(trained) if status == "FINISHED"]
    assert len(finished) == (1 if models == 1 else models + 1)  # and their blend
    assert set(statuses) <= {"FINISHED", "KILLED"}


def main(moments: int = 10, competition: str = DEFAULT) -> None:
    """Kills at evenly spread moments, each in a fresh home, and prints what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, seconds = finish(Home(Path(folder) / "whole"), competition)
        print(f"a run that nobody kills: {seconds:.1f} s")
        for number in range(moments):
            home, moment = Home(Path(folder) / str(number)), seconds * (number + 0.5) / moments
            killed = kill_after(home, moment, competition)
            assert_nothing_is_half_written(home, wanted)
            found, again = finish(home, competition)
            assert found == wanted
            assert_clean(home, competition)
            what = "killed" if killed else "was through"
            print(f"{what} after {moment:.2f} s; the next run took {again:.1f} s and gave the same bytes", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, *sys.argv[2:3])
