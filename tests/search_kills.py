"""Kills workers of a search with SIGKILL at random moments, and checks that no trial was lost or counted twice.

As a program, `python -m tests.search_kills [--kills 20] [--trials 40] [--postgres] [--seed 0]`. It searches a copy of
the repository that has a competition more, whose trials take some seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
from mlflow import MlflowClient
from optuna.trial import TrialState

from models.trials import FIRST, SURPLUS, finished
from pipelines.home import STUDIES, Home
from pipelines.storage import open_storage
from tests.checkout import copy_code
from tests.clusters import postgresql
from tests.environment import without_make

SLOW = '''"""Titanic, whose trials take {epochs} epochs."""

from dataclasses import replace

from models.pruners import Pruner
from models.samplers import Sampler
from pipelines.competitions.titanic import COMPETITION as TITANIC

CANDIDATE = TITANIC.candidates["mlp"]
CONFIG = replace(CANDIDATE.config, epochs={epochs}, patience={epochs})
SEARCH = replace(CANDIDATE.search, {search})
COMPETITION = replace(TITANIC, trials=0, candidates={{"mlp": replace(CANDIDATE, config=CONFIG, search=SEARCH)}})
'''
NAME = "slow"


def copy_repository(folder: Path, epochs: int = 300, search: str = "") -> Path:
    """A copy of the code with the competition `slow`, whose trials take so many epochs and whose search is changed."""
    copy_code(folder)
    slow = SLOW.format(epochs=epochs, search=search)
    (folder / "pipelines" / "competitions" / f"{NAME}.py").write_text(slow)
    return folder


def start(repository: Path, *arguments: str, storage: str | None = None) -> subprocess.Popen[str]:
    """`make tune` of the slow competition, in a process group of its own."""
    environment = without_make() | ({} if storage is None else {"STORAGE": storage})
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", "tune", NAME, *arguments], cwd=repository, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def state_of(pid: int) -> tuple[str, int]:
    """A process's state, and its parent's number; Z, 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "Z", 0
    return fields[0], int(fields[1])


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    return state_of(pid)[0] != "Z"


def workers_of(parent: int) -> list[int]:
    """The process ids of a search's workers."""
    numbers = sorted(int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [pid for pid in numbers if runs(pid) and state_of(pid)[1] == parent]


@contextmanager
def study_of(repository: Path, storage: str | None = None) -> Iterator[optuna.Study]:
    """The one study of a copy."""
    opened = open_storage(storage, Home(repository).mlruns)
    try:
        (summary,) = optuna.get_all_study_summaries(opened)
        yield optuna.load_study(study_name=summary.study_name, storage=opened)
    finally:
        opened.engine.dispose()


def assert_whole(study: optuna.Study, trials: int) -> None:
    """So many trials have finished, none is lost, none counts twice, none runs."""
    every = study.get_trials(deepcopy=False)
    states = [trial.state for trial in every]
    assert TrialState.RUNNING not in states
    assert TrialState.WAITING not in states
    done = finished(study)
    assert len(done) == trials
    assert len({tuple(sorted(trial.params.items())) for trial in done}) == trials
    assert sum("fixed_params" in trial.system_attrs for trial in done) == 1  # the declared settings
    begun = {trial.user_attrs.get(FIRST, trial.number) for trial in every if SURPLUS not in trial.user_attrs}
    ended = [trial.user_attrs.get(FIRST, trial.number) for trial in done]
    assert sorted(ended) == sorted(begun)  # what began has ended, and once


def assert_shown(repository: Path, experiment: str, trials: int) -> None:
    """MLflow has a run a trial, and the study's own."""
    client = MlflowClient(f"sqlite:///{Home(repository).mlruns / 'mlflow.db'}")
    ids = [each.experiment_id for each in client.search_experiments() if each.name == experiment]
    runs = client.search_runs(ids, max_results=1000)
    shown = [run.data.tags["optuna.trial"] for run in runs if "optuna.trial" in run.data.tags]
    assert len(shown) == len(set(shown)) == trials
    (parent,) = [run for run in runs if run.data.tags.get("optuna.role") == "study"]
    assert parent.info.status == "FINISHED"


def kill_workers(process: subprocess.Popen[str], kills: int, draw: random.Random, longest: float) -> int:
    """Kills a worker at so many moments, or until the search ends; how many it killed."""
    killed = 0
    while killed < kills:
        try:
            process.wait(draw.uniform(0, longest))
            break
        except subprocess.TimeoutExpired:
            living = workers_of(process.pid)
        if living:
            os.kill(draw.choice(living), signal.SIGKILL)
            killed += 1
    return killed


def main(kills: int, trials: int, seed: int, server: bool) -> None:
    """Searches, kills, checks, and prints what came of it."""
    with ExitStack() as stack:
        storage = stack.enter_context(postgresql()).url if server else None
        repository = copy_repository(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        started = time.monotonic()
        process = start(repository, "--workers", "2", "--trials", str(trials), storage=storage)
        killed = kill_workers(process, kills, random.Random(seed), longest=12.0)
        out = process.communicate(timeout=1800)[0]
        assert process.returncode == 0, out
        with study_of(repository, storage) as study:
            assert_whole(study, trials)
            retried = len(study.trials) - trials
        assert_shown(repository, f"{NAME}-twin" if "SYNTHETIC" in out else NAME, trials)
        if not server:
            with sqlite3.connect(Home(repository).mlruns / STUDIES) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        where = "PostgreSQL" if server else "SQLite"
        print(f"{where}: {killed} workers killed in {time.monotonic() - started:.0f} s; {trials} trials have finished, "
              f"{retried} were begun again, none runs, none counts twice")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    main(asked.kills, asked.trials, asked.seed, asked.postgres)
