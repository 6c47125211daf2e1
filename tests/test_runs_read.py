"""Runs are read without MLflow as its own client tells them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from data.errors import StorageError, UsageError
from pipelines.home import Home
from pipelines.reading import StoredRuns, is_known, open_runs
from pipelines.runs import ADDRESS, DATABASE, WANTED
from pipelines.tracking import Tracker


def ended(tracker: Tracker, experiment: str, key: str, status: str = "FINISHED", **tags: str) -> str:
    """The id of a run that has ended."""
    told = {**dict.fromkeys(WANTED, "x"), "competition": experiment, "model": "mlp", "key": key, **tags}
    client = tracker.client
    where = tracker.experiment(experiment)
    made = client.create_run(where, run_name=f"mlp-{key}", tags=told).info.run_id
    client.log_param(made, "width", "3")
    for step, score in enumerate((0.25, 0.5)):
        client.log_metric(made, "cv_score", score, step=step)
    client.log_metric(made, "cv_std", float("nan"))
    client.log_metric(made, "cv_se", float("inf"))
    client.set_terminated(made, status)
    return made


@pytest.fixture(scope="module")
def kept(tmp_path_factory, migrated) -> dict[str, object]:
    """A home with runs of every fate, and their ids."""
    home = Home(tmp_path_factory.mktemp("kept") / "über all")
    home.mlruns.mkdir(parents=True)
    shutil.copy(migrated, home.mlruns / DATABASE)
    tracker = Tracker(home.mlruns)
    client = tracker.client
    ids = {name: ended(tracker, "toy", name) for name in ("first", "twice", "removed", "renamed", "tagged", "same")}
    ids["again"] = ended(tracker, "toy", "twice")
    ids["twin"] = ended(tracker, "toy-twin", "first")
    ids["failed"] = ended(tracker, "toy", "failed", "FAILED")
    ids["trial"] = client.create_run(tracker.experiment("toy"), run_name="trial-0").info.run_id
    client.set_terminated(ids["trial"])
    ids["strange"] = client.create_run(tracker.experiment("toy"), tags={"key": "zzz"}).info.run_id
    client.set_terminated(ids["strange"])
    ids["gone"] = ended(tracker, "gone", "gone")
    client.delete_run(ids["removed"])
    client.update_run(ids["renamed"], name="another name")
    client.set_tag(ids["tagged"], "lb", "0.7")
    client.set_tag(ids["tagged"], "key", "tagged-anew")
    client.delete_experiment(tracker.experiment("gone"))
    with closing(sqlite3.connect(home.mlruns / DATABASE)) as connection, connection:
        connection.execute("UPDATE runs SET start_time = 1, end_time = 2 WHERE name LIKE 'mlp-%'")  # all at once
    tracker.crown("toy", tracker.read(ids["first"]))
    return {"home": home, "ids": ids}


@pytest.fixture(params=["in its place", "moved"])
def both(request, kept, tmp_path) -> tuple[StoredRuns, Tracker]:
    """The two ways to read the same home."""
    folder = shutil.copytree(kept["home"].root, tmp_path / "elsewhere") / "mlruns"
    if request.param == "in its place":
        folder = kept["home"].mlruns
    runs = open_runs(folder)
    assert isinstance(runs, StoredRuns)
    assert len(runs.trainings()) > 4  # before the client mends what moved
    return runs, Tracker(folder)


def fields_of(run):
    return None if run is None else {**vars(run), "metrics": {name: repr(value) for name, value in run.metrics.items()}}


def test_both_ways_tell_the_same_in_the_same_order(both, kept):
    runs, tracker = both
    for experiments in (None, ["toy"], ["toy-twin", "toy"], ["gone"], ["nowhere"], []):
        found, wanted = runs.trainings(experiments), tracker.trainings(experiments)
        assert [fields_of(run) for run in found] == [fields_of(run) for run in wanted]
    names = [run.name for run in runs.trainings()]
    assert "another name" in names
    assert not {"mlp-removed", "mlp-failed", "mlp-gone", "trial-0"} & set(names)
    for key in ("first", "twice", "removed", "tagged", "tagged-anew", "failed", "zzz", "none"):
        assert fields_of(runs.finished("toy", key)) == fields_of(tracker.finished("toy", key))
    for each in kept["ids"].values():
        assert fields_of(runs.read(each)) == fields_of(tracker.read(each))
    assert runs.champion("toy") == tracker.champion("toy") == kept["ids"]["first"]
    assert runs.champion("toy-twin") is tracker.champion("toy-twin") is None
    assert set(runs.experiments()) == set(tracker.experiments())


def test_files_of_a_moved_home_are_looked_for_where_it_is_now(kept, tmp_path):
    folder = shutil.copytree(kept["home"].root, tmp_path / "elsewhere") / "mlruns"
    assert all(run.artifacts.is_relative_to(folder.resolve()) for run in open_runs(folder).trainings())


@pytest.mark.parametrize("text", ["mlp-first", "toy/mlp", "mlp-none", "mlp-", "another name", ""])
def test_a_run_is_found_by_the_same_words(both, text):
    told = []
    for runs in both:
        try:
            told.append(runs.find(text).id)
        except UsageError as error:
            told.append(str(error))
    assert told[0] == told[1]


def test_a_deleted_experiment_is_told_in_the_same_words(both):
    told = []
    for runs in both:
        with pytest.raises(StorageError, match="experiments restore") as error:
            runs.finished("gone", "gone")
        told.append(str(error.value))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'another'",
        "INSERT INTO alembic_version VALUES ('another')",
        "UPDATE experiments SET workspace = 'team' WHERE name = 'toy'",
        "DROP TABLE alembic_version",
    ],
)
def test_what_only_mlflow_can_judge_is_left_to_it(kept, tmp_path, change):
    database = shutil.copy(kept["home"].mlruns / DATABASE, tmp_path / DATABASE)
    assert is_known(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(change)
    assert not is_known(database)


def test_a_server_or_a_home_without_a_database_is_left_to_mlflow(kept, tmp_path, monkeypatch):
    assert not is_known(tmp_path / DATABASE)
    (tmp_path / DATABASE).write_text("not a database" * 100)
    assert not is_known(tmp_path / DATABASE)
    monkeypatch.setenv(ADDRESS, "http://127.0.0.1:1")
    assert isinstance(open_runs(kept["home"].mlruns), Tracker)


def test_the_schema_is_that_of_the_pinned_mlflow(migrated):
    assert is_known(migrated)
