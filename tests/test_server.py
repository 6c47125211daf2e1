"""A tracking server beside the home: what is sent, what is found there, and what happens while it is away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from models.tuning import Budget
from pipelines import stages, training
from pipelines.__main__ import cli
from pipelines.job import Job
from pipelines.runs import ADDRESS, ORIGIN
from pipelines.tracking import Tracker
from pipelines.tuning import tune
from pipelines.workers import Crew
from tests.clusters import PostgreSQL, free_port, postgresql, wait_for
from tests.conftest import empty_home
from tests.serving import Server

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
NAME, TWIN = "titanic", "titanic-twin"


class TrackingServer:
    """MLflow's server over a database of PostgreSQL and a folder of artifacts."""

    def __init__(self, database: PostgreSQL, folder: Path) -> None:
        self.port, self.folder, self.database = free_port(), folder, database
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = MlflowClient(self.address, registry_uri=self.address)

    def start(self) -> None:
        address = self.database.url.replace("postgresql://", "postgresql+psycopg://")
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address, "--workers", "1"]
        where = ["--artifacts-destination", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        quiet = {name: value for name, value in os.environ.items() if name != ADDRESS}
        quiet |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, *where], env=quiet, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            return (
                Server(self.port).ask("", "/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=Default")[0]
                == 200
            )
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def runs(self, label: str = TWIN) -> list:
        found = self.client.get_experiment_by_name(label)
        return [] if found is None else list(self.client.search_runs([found.experiment_id]))


@contextmanager
def tracking_server(folder: Path) -> Iterator[TrackingServer]:
    with postgresql() as database:
        server = TrackingServer(database, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[TrackingServer]:
    with tracking_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running, monkeypatch) -> TrackingServer:
    """Running, empty, and named by the environment."""
    if running.process is None:
        running.start()
    experiment = running.client.get_experiment_by_name(TWIN)
    if experiment is not None:
        for run in running.runs():
            running.client.delete_run(run.info.run_id)
        with_model = [found.name for found in running.client.search_registered_models()]
        for name in with_model:
            running.client.delete_registered_model(name)
    monkeypatch.setenv(ADDRESS, running.address)
    return running


def test_a_training_is_on_the_server_with_all_that_it_is_here(server, home, run):
    here = stages.train(Job(name=NAME, home=home)).run
    (there,) = server.runs()
    assert there.info.status == "FINISHED"
    assert there.info.run_name == here.name
    assert there.data.params == here.params
    assert there.data.metrics == here.metrics
    local = Tracker(home.mlruns).client
    for metric in ("train/loss", "valid/accuracy", "cv_score"):
        ours = local.get_metric_history(here.id, metric)
        theirs = server.client.get_metric_history(there.info.run_id, metric)
        assert [(each.step, each.value) for each in theirs] == [(each.step, each.value) for each in ours]
    tags = {name: value for name, value in there.data.tags.items() if name != ORIGIN}
    assert tags.items() >= {"key": here.tags["key"], "data_source": "twin"}.items()
    assert "make compare" in there.data.tags["mlflow.note.content"]
    folder = Path(server.client.download_artifacts(there.info.run_id, ""))
    for file in ("oof_predictions.parquet", "confusion_matrix.png", "model/artifacts/pipeline/mlp/weights.safetensors"):
        assert (folder / file).read_bytes() == (here.artifacts / file).read_bytes()
    assert server.client.get_model_version_by_alias(TWIN, "champion").run_id == there.info.run_id
    path = stages.submit(Job(name=NAME, home=home), stages.train(Job(name=NAME, home=home)))
    assert server.client.get_run(there.info.run_id).data.tags["submission"] == path.name
    assert len(server.runs()) == 1
    assert run("ui")[1].strip().startswith(f"{TWIN}  {server.address}/#/experiments/")


def test_a_study_is_there_with_its_trials(server, home):
    job = Job(name=NAME, home=home)
    tune(job, stages.ingest(job), Budget(trials=3), Crew())
    by_name = {run.info.run_name: run for run in server.runs()}
    (study,) = [run for name, run in by_name.items() if name.startswith("tune-")]
    trials = [run for name, run in by_name.items() if name.startswith("trial-")]
    assert len(trials) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {study.info.run_id}
    assert all("lr" in run.data.params for run in trials)


def test_a_study_that_grew_without_the_server_is_sent_again(server, home, run, monkeypatch):
    job = Job(name=NAME, home=home)
    tune(job, stages.ingest(job), Budget(trials=2), Crew())
    monkeypatch.delenv(ADDRESS)
    tune(job, stages.ingest(job), Budget(trials=3), Crew())
    monkeypatch.setenv(ADDRESS, server.address)
    assert run("sync")[1] == f"1 runs sent to {server.address}\n"
    names = sorted(each.info.run_name for each in server.runs())
    assert names[:3] == ["trial-0", "trial-1", "trial-2"]
    assert len(names) == 4


def test_code_of_others_runs_only_where_it_is_named(server, home, tmp_path, migrated, capfd):
    first = stages.train(Job(name=NAME, home=home)).run
    (there,) = server.runs()
    code = Path(server.client.download_artifacts(there.info.run_id, "model/code/data/metrics.py"))
    code.write_text(code.read_text().replace("LEAST_PROBABILITY = 1e-15", "LEAST_PROBABILITY = 0.49"))
    server.client.log_artifact(there.info.run_id, str(code), "model/code/data")
    other = empty_home(tmp_path / "other", migrated)
    shutil.copytree(home.root / "data", other.root / "data")
    ask = ["predict", NAME, str(other.synthetic / NAME / "test.csv"), "--home", str(other.root)]
    capfd.readouterr()
    assert cli(ask) == 64
    assert f"{first.name}, which others made, has code of its own" in capfd.readouterr().err
    assert cli([*ask, "--run", first.name]) == 0
    assert len(capfd.readouterr().out.splitlines()) > 100


def test_another_machine_ranks_compares_reproduces_and_serves_what_is_there(server, home, tmp_path, migrated, capsys):
    first = stages.train(Job(name=NAME, home=home)).run
    other = empty_home(tmp_path / "other", migrated)
    hit = stages.train(Job(name=NAME, home=other))
    assert hit.hit  # of the same key
    assert hit.run.name == first.name
    assert hit.run.artifacts.is_relative_to(other.mlruns)
    second = stages.train(Job(name=NAME, home=other, seed=1)).run

    third = empty_home(tmp_path / "third", migrated)
    shutil.copytree(home.root / "data", third.root / "data")

    def run(*arguments: str) -> tuple[int, str]:
        code = cli([*arguments, "--home", str(third.root)])
        return code, capsys.readouterr().out

    code, out = run("leaderboard", NAME)
    assert code == 0
    assert first.name in out
    assert second.name in out
    code, out = run("compare", first.name, second.name)
    assert code == 0
    assert "P(B better)" in out
    code, out = run("predict", NAME, str(third.synthetic / NAME / "test.csv"))
    assert code == 0
    assert len(out.splitlines()) > 100
    assert len(server.runs()) == 2  # nothing was sent back
    code, out = run("reproduce", first.name)
    assert code == 0
    assert "equal to the bit" in out


def test_a_server_that_is_away_loses_nothing(server, home, run):
    Tracker(home.mlruns)
    server.stop()
    code, out, err = run("run", NAME, "--trials", "2")
    assert code == 0
    assert Path(out.splitlines()[-1]).is_file()
    assert "the tracking server does not answer" in err
    assert "`make sync` sends it" in err
    code, out, err = run("sync")
    assert code == 69
    assert out.startswith("0 runs sent")
    assert "2 runs wait here: tune-mlp-" in err
    server.start()
    code, out, _ = run("sync")
    assert code == 0
    assert out == f"2 runs sent to {server.address}\n"
    names = {each.info.run_name.partition("-")[0] for each in server.runs()}
    assert names == {"mlp", "tune", "trial"}
    (trained,) = [each for each in server.runs() if each.info.run_name.startswith("mlp")]
    assert trained.data.tags["submission"]
    assert server.client.get_model_version_by_alias(TWIN, "champion").run_id == trained.info.run_id
    assert run("sync")[1] == f"0 runs sent to {server.address}\n"
    assert len(server.runs()) == 4


def test_a_server_that_goes_away_during_a_training_gets_the_rest_later(server, home, run, monkeypatch):
    fit = training.fitting.fit

    def fit_while_it_goes(*arguments, watch, **named):
        def watch_and_stop(epoch):
            if getattr(epoch, "number", 0) == 5 and server.process is not None:
                server.stop()
            watch(epoch)

        return fit(*arguments, watch=watch_and_stop, **named)

    monkeypatch.setattr("pipelines.running.FLUSH_SECONDS", 0)
    monkeypatch.setattr(training.fitting, "fit", fit_while_it_goes)
    here = stages.train(Job(name=NAME, home=home)).run
    server.start()
    (begun,) = server.runs()
    assert begun.info.status == "RUNNING"
    assert run("sync")[0] == 0
    (there,) = server.runs()
    assert there.info.status == "FINISHED"
    history = server.client.get_metric_history(there.info.run_id, "train/loss")
    assert [each.step for each in history] == list(range(1, 31))
    assert there.data.metrics == here.metrics


def test_two_that_send_at_once_send_once(server, home, monkeypatch):
    monkeypatch.delenv(ADDRESS)
    stages.train(Job(name=NAME, home=home))
    environment = {**os.environ, ADDRESS: server.address}
    command = [sys.executable, "-m", "pipelines", "sync", "--home", str(home.root)]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(timeout=120) for each in both] == [0, 0]
    assert len(server.runs()) == 1


def test_a_server_that_was_set_up_anew_gets_all_runs(home, run, tmp_path, monkeypatch):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with tracking_server(folders[0]) as first:
        monkeypatch.setenv(ADDRESS, first.address)
        stages.train(Job(name=NAME, home=home))
        assert run("sync")[1] == f"0 runs sent to {first.address}\n"
        first.client.delete_run(first.runs()[0].info.run_id)
        assert run("sync")[1] == f"0 runs sent to {first.address}\n"  # who deletes a run means it
        assert not first.runs()
        first.stop()
        assert run("sync")[0] == 69
    with tracking_server(folders[1]) as second:
        second.stop()
        second.port = first.port
        second.address, second.client = first.address, first.client
        second.start()
        assert run("sync")[1] == f"1 runs sent to {first.address}\n"
        assert len(second.runs()) == 1


def test_runs_of_other_programs_are_left_alone(server, home, run):
    stages.train(Job(name=NAME, home=home))
    experiment = server.client.get_experiment_by_name(TWIN).experiment_id
    for tags in ({"key": "zzz"}, {"model": "hand"}):
        other = server.client.create_run(experiment, run_name="hand", tags=tags).info.run_id
        server.client.log_metric(other, "cv_score", 0.99)
        server.client.set_terminated(other)
    for asked in (["leaderboard"], ["predict", NAME, str(home.synthetic / NAME / "test.csv")], ["sync"]):
        code, out, err = run(*asked)
        assert code == 0, err
        assert "hand" not in out + err
    assert run("reproduce", "hand")[0] == 64


def test_an_address_that_is_none_is_told(home, run, monkeypatch):
    monkeypatch.setenv(ADDRESS, "databricks")
    code, _, err = run("leaderboard")
    assert code == 64
    assert "MLFLOW_TRACKING_URI takes a server's address, http://host:5000, but got 'databricks'" in err
    monkeypatch.delenv(ADDRESS)
    code, _, err = run("sync")
    assert code == 64
    assert "make sync MLFLOW_TRACKING_URI=http://host:5000" in err
