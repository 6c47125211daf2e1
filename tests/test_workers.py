"""Workers in processes of their own, here and on clusters: what dies is replaced, and no trial is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
from optuna.trial import TrialState

from models.trials import WORKER, finished
from pipelines import workers
from pipelines.workers import Crew, look_after
from tests.clusters import Node, dask_cluster, postgresql, ray_cluster, wait_for
from tests.search_kills import (
    assert_shown,
    assert_whole,
    copy_repository,
    kill_workers,
    runs,
    start,
    study_of,
    workers_of,
)  # fmt: skip

TWIN = "slow-twin"
ENOUGH = 300  # seconds for a search of a few trials


@pytest.fixture
def repository(tmp_path) -> Path:
    return copy_repository(tmp_path / "repository", epochs=60)


@pytest.fixture
def tune(repository):
    """Starts searches of the repository, and ends those that a test left running."""
    started = []

    def tune(*arguments: str, storage: str | None = None) -> subprocess.Popen[str]:
        started.append(start(repository, *arguments, storage=storage))
        return started[-1]

    yield tune
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process) -> str:
    out = process.communicate(timeout=ENOUGH)[0]
    assert process.returncode == 0, out
    return out


def count(repository: Path, storage: str | None = None) -> int:
    """How many trials have finished."""
    try:
        with study_of(repository, storage) as study:
            return len(finished(study))
    except ValueError:
        return 0  # no study yet


def wait_for_trials(repository: Path, trials: int, storage: str | None = None) -> None:
    wait_for(lambda: count(repository, storage) >= trials)


def assert_complete(repository: Path, trials: int, storage: str | None = None) -> None:
    """The study is whole, MLflow shows it, and it had more workers than one."""
    with study_of(repository, storage) as study:
        assert_whole(study, trials)
        assert len({trial.user_attrs[WORKER] for trial in finished(study)}) > 1
    assert_shown(repository, TWIN, trials)


@pytest.mark.slow
def test_two_workers_share_a_search_and_killed_ones_are_replaced(repository, tune):
    process = tune("--workers", "2", "--trials", "12")
    wait_for_trials(repository, 1)
    assert kill_workers(process, 3, random.Random(0), longest=0.5) > 0
    assert "was killed (SIGKILL): another takes its place" in ended(process)
    assert_complete(repository, 12)


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_the_same_command_goes_on(repository, tune):
    process = tune("--workers", "2", "--trials", "12")
    wait_for_trials(repository, 1)
    living = workers_of(process.pid)
    assert len(living) == 2
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130, out
    assert "finished trials are kept: the same command goes on" in out
    assert not [pid for pid in living if runs(pid)]
    with study_of(repository) as study:
        assert TrialState.RUNNING not in [trial.state for trial in study.trials]
    ended(tune("--trials", "12"))
    assert_complete(repository, 12)


@pytest.mark.slow
def test_workers_end_with_the_command_that_started_them(repository, tune):
    process = tune("--workers", "2", "--trials", "100")
    wait_for_trials(repository, 1)
    living = workers_of(process.pid)
    assert len(living) == 2
    process.kill()
    process.communicate()
    wait_for(lambda: not [pid for pid in living if runs(pid)])
    done = count(repository)
    ended(tune("--trials", str(done + 3)))
    assert_complete(repository, done + 3)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_server_that_goes_away_is_waited_for(repository, tune):
    with postgresql() as server:
        process = tune("--workers", "2", "--trials", "12", storage=server.url)
        wait_for_trials(repository, 2, server.url)
        server.stop()
        with process.stdout:
            said = next(line for line in process.stdout if "is away" in line)
            server.start()
            kill_workers(process, 1, random.Random(0), longest=3.0)
            out = process.stdout.read()
        assert process.wait() == 0, said + out
        assert "is back" in out
        assert "secret" not in out
        assert_complete(repository, 12, server.url)


def on_a_cluster(repository: Path, tune, backend: str, address: str, victim: Node) -> None:
    """A search by two workers on two nodes, of which one is killed in the middle."""
    process = tune("--workers", "2", "--trials", "14", "--backend", backend, "--address", address)
    wait_for_trials(repository, 3)
    victim.kill()
    ended(process)


@pytest.mark.slow
@pytest.mark.ray
def test_a_ray_cluster_that_loses_a_node_ends_the_search(repository, tune, tmp_path):
    pytest.importorskip("ray")
    with ray_cluster(repository, tmp_path) as (address, nodes):
        on_a_cluster(repository, tune, "ray", address, nodes[1])
    assert_complete(repository, 14)
    assert count(repository) == 14


@pytest.mark.slow
@pytest.mark.dask
def test_a_dask_cluster_that_loses_a_worker_ends_the_search(repository, tune, tmp_path):
    pytest.importorskip("distributed")
    with dask_cluster(repository, tmp_path) as (address, nodes):
        on_a_cluster(repository, tune, "dask", address, nodes[1])
    assert_complete(repository, 14)
    assert count(repository) == 14


def test_a_worker_that_always_dies_is_given_up(monkeypatch, capsys):
    monkeypatch.setattr(workers, "LIVES", 3)
    monkeypatch.setattr(workers.subprocess, "Popen", Dying)
    assert look_after(1, ["work"], {}) == -signal.SIGSEGV
    assert "killed 3 times in a row: given up" in capsys.readouterr().err


class Dying:
    """A process that dies of a segmentation fault."""

    def __init__(self, *_, env, **__):
        assert env["OMP_NUM_THREADS"] == "1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait(self):
        return -signal.SIGSEGV


@pytest.mark.parametrize("broken", [{"workers": 0}, {"backend": "spark"}])
def test_a_crew_that_cannot_be_is_refused(broken):
    with pytest.raises(Exception, match=r"WORKERS takes|BACKEND takes ray, dask"):
        Crew(**broken)


def test_a_nodes_own_archives_go_before_those_of_the_command(monkeypatch):
    seen = []

    class Process(Dying):
        def __init__(self, *_, env, **__):
            seen.append(env["KAGGLE_ARCHIVES"])

        def wait(self):
            return 0

    monkeypatch.setattr(workers.subprocess, "Popen", Process)
    monkeypatch.delenv("KAGGLE_ARCHIVES", raising=False)
    look_after(1, [], {"KAGGLE_ARCHIVES": "/driver"})
    monkeypatch.setitem(os.environ, "KAGGLE_ARCHIVES", "/node")
    look_after(1, [], {"KAGGLE_ARCHIVES": "/driver"})
    assert seen == ["/driver", "/node"]
