"""Tracking: runs that end as they should, and are found again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from data.errors import StorageError, UnavailableError, UsageError
from pipelines.home import REPOSITORY
from pipelines.runs import ADDRESS, DATABASE
from pipelines.serving import serve_model, serve_pages
from pipelines.tracking import Tracker
from tests.clusters import free_port


@pytest.fixture
def tracker(home) -> Tracker:
    return Tracker(home.mlruns)


def status_of(tracker, id):
    return tracker.client.get_run(id).info.status


def test_a_run_is_found_by_its_key_once_it_is_finished(tracker, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file.txt").write_text("artifact")
    assert tracker.finished("toy", "k") is None
    with tracker.run("toy", "mlp-k", {"key": "k"}, {"width": 3, "clip": None}) as running:
        running.log({"cv_score": 0.5, "valid/accuracy/fold-0": 0.4}, step=1)
        running.log({"cv_score": 0.75}, step=2)
        running.keep(tmp_path / "kept")
        assert tracker.finished("toy", "k") is None
    found = tracker.finished("toy", "k")
    assert (found.id, found.name, found.metrics["cv_score"]) == (running.id, "mlp-k", 0.75)
    assert (found.artifacts / "file.txt").read_text() == "artifact"
    assert tracker.finished("toy", "other") is None
    assert tracker.finished("other", "k") is None
    run = MlflowClient(f"sqlite:///{tracker.folder / DATABASE}").get_run(running.id)  # what MLflow itself sees
    assert run.data.params == {"width": "3", "clip": "None"}
    history = tracker.client.get_metric_history(running.id, "cv_score")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.75)]


def test_a_run_that_two_processes_hold_is_ended_by_the_last(tracker):
    same = {"study": "s"}
    with subprocess.Popen(["sleep", "60"]) as other:
        with tracker.run("toy", "tune", same, {}, again=same) as running:
            tracker.client.set_tag(running.id, "pid", str(other.pid))  # it went on with the run, too
        assert status_of(tracker, running.id) == "RUNNING"
        other.kill()
    with tracker.run("toy", "tune", same, {}, again=same) as again:
        assert again.id == running.id
    assert status_of(tracker, running.id) == "FINISHED"


def test_a_run_that_goes_on_forgets_what_ended_it(tracker):
    same = {"study": "s"}
    with pytest.raises(ValueError, match="full"), tracker.run("toy", "tune", same, {}, again=same):
        raise ValueError("full")
    with tracker.run("toy", "tune", same, {}, again=same) as running:
        pass
    assert "error" not in tracker.client.get_run(running.id).data.tags


def test_an_experiment_that_was_deleted_in_the_pages_is_told(tracker):
    tracker.client.delete_experiment(tracker.experiment("toy"))
    with pytest.raises(StorageError, match="experiments restore"):
        tracker.experiment("toy")


def test_who_describes_an_experiment_second_is_content(tracker, monkeypatch):
    write = tracker.client.set_experiment_tag

    def slower(where, tag, value):
        if tag == "note":
            write(where, tag, value)  # by the other
        raise MlflowException("UNIQUE constraint failed")

    monkeypatch.setattr(tracker.client, "set_experiment_tag", slower)
    tracker.describe("titanic", {"note": "rows"})
    with pytest.raises(StorageError, match="an experiment's tags cannot be written"):
        tracker.describe("titanic", {"other": "rows"})


def test_a_thousand_metrics_and_more_are_written(tracker):
    with tracker.run("toy", "mlp", {"key": "k"}, {}) as running:
        for step in range(1100):
            running.log({"a": step, "b": step}, step=step)
    assert tracker.finished("toy", "k").metrics == {"a": 1099, "b": 1099}
    assert len(tracker.client.get_metric_history(running.id, "a")) == 1100


@pytest.mark.parametrize(("error", "status"), [(ValueError("why"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_is_broken_off_says_how(tracker, error, status):
    with pytest.raises(type(error)), tracker.run("toy", "mlp", {"key": "k"}, {}) as running:
        raise error
    assert status_of(tracker, running.id) == status
    assert tracker.finished("toy", "k") is None
    if status == "FAILED":
        assert tracker.client.get_run(running.id).data.tags["error"] == "why"


def test_a_database_that_breaks_with_the_run_does_not_hide_why(tracker, monkeypatch, capfd):
    def broken(*_, **__):
        raise OperationalError("UPDATE runs", {}, Exception("database or disk is full"))

    with (
        monkeypatch.context() as disk,
        pytest.raises(OSError, match="no space for the figure"),
        tracker.run("toy", "mlp", {}, {}),
    ):
        disk.setattr(tracker.client, "set_terminated", broken)
        disk.setattr(tracker.client, "log_batch", broken)
        raise OSError("no space for the figure")
    with pytest.raises(StorageError, match=r"the run's end cannot be written .*disk is full"):  # noqa: SIM117
        with tracker.run("toy", "mlp", {}, {}):
            monkeypatch.setattr(tracker.client, "set_terminated", broken)
    assert "Traceback" not in capfd.readouterr().err


def test_runs_of_killed_processes_end_when_the_next_one_starts(tracker):
    where = tracker.experiment("toy")
    dead, living, elsewhere = (
        tracker.client.create_run(where, tags={"pid": pid, "host": host}).info.run_id
        for pid, host in (
            ("999999999", socket.gethostname()),
            (str(os.getppid()), socket.gethostname()),
            ("999999999", "elsewhere"),
        )
    )
    with tracker.run("toy", "mlp", {}, {}):
        pass
    assert [status_of(tracker, run) for run in (dead, living, elsewhere)] == ["KILLED", "RUNNING", "RUNNING"]


def test_a_database_that_is_none_is_a_storage_error(tmp_path):
    (tmp_path / DATABASE).write_text("not a database, and long enough to be read as one" * 100)
    with pytest.raises(StorageError, match=r"mlflow\.db: cannot be opened: move it away .*not a database"):
        Tracker(tmp_path)


def test_a_servers_password_is_not_told(tmp_path, migrated, monkeypatch):
    monkeypatch.setenv(ADDRESS, f"http://me:secret@127.0.0.1:{free_port()}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    shutil.copy(migrated, tmp_path / DATABASE)
    tracker = Tracker(tmp_path)
    with pytest.raises(UnavailableError, match=r"^http://127\.0\.0\.1:\d+: the tracking server does not") as raised:
        tracker.pages("http://127.0.0.1:5000")
    assert "secret" not in str(raised.value)


def test_servers_are_asked_to_listen_on_this_machine_alone(home, tmp_path, monkeypatch):
    asked = []

    def call(command, **_):
        asked.append(command)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    serve_pages(home.mlruns, free_port())
    serve_model(tmp_path / "model", free_port())
    assert [command[command.index("--host") + 1] for command in asked] == ["127.0.0.1", "127.0.0.1"]


def test_the_pages_are_served_and_a_taken_port_is_told(home, tracker):
    with tracker.run("toy", "mlp", {"key": "k"}, {}):
        pass
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port} cannot be used .* name another"):
            serve_pages(home.mlruns, port)
    start = f"serve_pages(Path({str(home.mlruns)!r}), {port})"
    code = f"from pathlib import Path; from pipelines.serving import serve_pages; {start}"
    server = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (found := experiments(port)) and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=0.2)
        assert "toy" in found
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def experiments(port: int) -> list[str]:
    """The names that the server tells; none while it is not up."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        body = json.dumps({"max_results": 10})
        header = {"Content-Type": "application/json"}
        connection.request("POST", "/ajax-api/2.0/mlflow/experiments/search", body, header)
        return [found["name"] for found in json.load(connection.getresponse()).get("experiments", [])]
    except ConnectionError:
        return []
    finally:
        connection.close()


def test_paths_with_blanks_and_letters_of_any_script_are_fine_and_others_are_told(tmp_path, migrated):
    folder = tmp_path / "über all 山"
    folder.mkdir()
    shutil.copy(migrated, folder / DATABASE)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("artifact")
    tracker = Tracker(folder)
    with tracker.run("toy", "mlp", {"key": "k"}, {}) as running:
        running.keep(tmp_path / "kept")
    assert (tracker.finished("toy", "k").artifacts / "file").read_text() == "artifact"
    for name in ("50%", "what?", "#1"):
        with pytest.raises(UsageError, match="MLflow opens no path with # % \\? in it: move the folder"):
            Tracker(tmp_path / name)


def test_a_new_database_appears_whole(tmp_path):
    Tracker(tmp_path / "new")
    assert os.listdir(tmp_path / "new") == [DATABASE]
