"""Reading: the runs of a home without MLflow, whose import and opening take seconds.

MLflow's database is read as it is by the standard library, as far as reading goes: finished runs with their tags,
params and latest metrics. That holds for the one schema below. Whatever else is found there, or a server that is
named, goes the way through MLflow's client.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pipelines.runs import ADDRESS, CHAMPION, DATABASE, FinishedRun, Runs, deleted, newest_of_each_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.tracking import Tracker

SCHEMA = "dc11669786a5"  # the last migration of the MLflow that requirements.txt pins
MOST_AT_ONCE = 500  # values in one question
WAIT = 1.0  # seconds for a writer
TABLES = ("tags", "params")
RUNS = (
    "SELECT run.run_uuid, run.name, run.artifact_uri, run.end_time, experiment.name, artifact_location "
    "FROM runs AS run JOIN experiments AS experiment USING (experiment_id)"
)
FINISHED = "run.status = 'FINISHED' AND run.lifecycle_stage = 'active'"
KEY = "EXISTS (SELECT 1 FROM tags WHERE run_uuid = run.run_uuid AND key = 'key'"  # of trainings and blends

Answer = TypeVar("Answer")


def open_runs(folder: Path) -> Runs:
    """The runs of a folder that holds `mlflow.db` and `artifacts/`, which are made where they are not there.

    Raises:
        UsageError: the server's address is none, or the folder's.
        StorageError: the database cannot be read.
    """
    if not os.environ.get(ADDRESS) and is_known(folder / DATABASE):
        return StoredRuns(folder)
    from pipelines.tracking import Tracker

    return Tracker(folder)


def is_known(database: Path) -> bool:
    """Whether a file is a database of the pinned MLflow, with nothing in it that only MLflow can judge."""
    try:
        with connected(database) as connection:
            versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            others = connection.execute("SELECT 1 FROM experiments WHERE workspace != 'default' LIMIT 1").fetchone()
    except sqlite3.Error:
        return False
    return versions == [(SCHEMA,)] and others is None


@contextmanager
def connected(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, and sees one state of the database.

    Raises:
        sqlite3.Error: there is none, or it is damaged or held.
    """
    address = f"file:{quote(str(database.absolute()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=WAIT, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield connection


class StoredRuns(Runs):
    """The runs in a database of MLflow, as SQLite has them.

    Args:
        folder: holds the database and the artifacts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder, folder / DATABASE
        self._artifacts = (folder / "artifacts").resolve().as_uri()

    @cached_property
    def _tracker(self) -> Tracker:
        from pipelines.tracking import Tracker

        return Tracker(self.folder)

    def writable(self) -> Tracker:
        """See `Runs.writable`."""
        return self._tracker

    def experiments(self) -> list[str]:
        """See `Runs.experiments`."""
        return self._asked(_active, lambda tracker: tracker.experiments())

    def finished(self, experiment: str, key: str) -> FinishedRun | None:
        """See `Runs.finished`."""

        def ask(connection: sqlite3.Connection) -> FinishedRun | None:
            found = connection.execute(
                "SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ?", (experiment,)
            ).fetchone()
            if found is None:
                return None
            if found[1] != "active":
                raise deleted(experiment, str(found[0]))
            where = f"{FINISHED} AND run.experiment_id = ? AND {KEY} AND value = ?)"
            return next(iter(self._runs(connection, where, found[0], key)), None)

        return self._asked(ask, lambda tracker: tracker.finished(experiment, key))

    def trainings(self, experiments: Sequence[str] | None = None) -> list[FinishedRun]:
        """See `Runs.trainings`."""

        def ask(connection: sqlite3.Connection) -> list[FinishedRun]:
            wanted = [name for name in _active(connection) if experiments is None or name in experiments]
            marks = ", ".join("?" * len(wanted))
            where = f"{FINISHED} AND {KEY} AND value IS NOT NULL) AND experiment.name IN ({marks})"
            return newest_of_each_key(self._runs(connection, where, *wanted))

        return self._asked(ask, lambda tracker: tracker.trainings(experiments))

    def read(self, id: str) -> FinishedRun:
        """See `Runs.read`."""
        found = self._asked(lambda connection: self._runs(connection, "run.run_uuid = ?", id), lambda _: [])
        return found[0] if found else self._tracker.read(id)

    def champion(self, name: str) -> str | None:
        """See `Runs.champion`."""

        def ask(connection: sqlite3.Connection) -> str | None:
            found = connection.execute(
                "SELECT run_id FROM registered_model_aliases AS alias JOIN model_versions AS version "
                "USING (workspace, name, version) WHERE workspace = 'default' AND name = ? AND alias = ? "
                "AND current_stage != 'Deleted_Internal'",
                (name, CHAMPION),
            ).fetchone()
            return None if found is None else found[0]

        return self._asked(ask, lambda tracker: tracker.champion(name))

    def _asked(self, ask: Callable[[sqlite3.Connection], Answer], otherwise: Callable[[Tracker], Answer]) -> Answer:
        """What the database answers; where it does not, as while somebody writes for long, MLflow waits and tells."""
        try:
            with connected(self.database) as connection:
                return ask(connection)
        except sqlite3.Error:
            return otherwise(self._tracker)

    def _runs(self, connection: sqlite3.Connection, where: str, *values: object) -> list[FinishedRun]:
        """The runs of which a condition holds, in MLflow's order: the one that began last first."""
        rows = connection.execute(f"{RUNS} WHERE {where} ORDER BY start_time DESC, run.run_uuid", values).fetchall()
        ids = [row[0] for row in rows]
        tags, params = (_by_run(connection, table, "value", ids) for table in TABLES)
        metrics = _by_run(connection, "latest_metrics", "CASE WHEN is_nan THEN 'nan' ELSE value END", ids)
        return [
            FinishedRun(
                id=run,
                name=name or tags[run].get("mlflow.runName", name),
                metrics={key: float(value) for key, value in metrics[run].items()},
                params=params[run],
                tags=tags[run],
                artifacts=self._path(uri, experiment, location),
                ended=ended or 0,
            )
            for run, name, uri, ended, experiment, location in rows
        ]

    def _path(self, uri: str, experiment: str, location: str) -> Path:
        """Where a run's files lie, in a home that may have been moved; see `pipelines.database`."""
        moved = f"{self._artifacts}/{quote(experiment)}"
        if location != moved and location.endswith(f"/artifacts/{quote(experiment)}"):
            uri = moved + uri[len(location) :]
        return Path(unquote(urlsplit(uri).path) if uri.startswith("file:") else uri)


def _active(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM experiments WHERE lifecycle_stage = 'active'")
    return [name for (name,) in rows]


def _by_run(connection: sqlite3.Connection, table: str, value: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each run what a table tells of it: values by their keys."""
    found: dict[str, dict[str, Any]] = {run: {} for run in ids}
    for start in range(0, len(ids), MOST_AT_ONCE):
        some = ids[start : start + MOST_AT_ONCE]
        marks = ", ".join("?" * len(some))
        question = f"SELECT run_uuid, key, {value} FROM {table} WHERE run_uuid IN ({marks})"  # noqa: S608  # ours
        for run, key, each in connection.execute(question, some):
            found[run][key] = each
    return found
