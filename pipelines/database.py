"""Database: the file in which MLflow keeps the runs of a home, wherever the home was moved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mlflow import MlflowClient

from data.errors import UsageError
from data.files import beside
from pipelines.running import errors_told
from pipelines.runs import DATABASE

UNSAFE = frozenset("#%?")  # in the path of a database that is named by an address


def opened(folder: Path) -> MlflowClient:
    """The runs of a folder, which holds `mlflow.db` and `artifacts/`; the database is made where it is not there.

    Raises:
        UsageError: MLflow cannot open the folder's path.
        StorageError: the database cannot be read.
    """
    if set(str(folder)) & UNSAFE:
        raise UsageError(f"{folder}: MLflow opens no path with {' '.join(sorted(UNSAFE))} in it: move the folder")
    database = folder / DATABASE
    with errors_told(f"{database}: cannot be opened: move it away to start a new one"):
        if not database.is_file():
            with beside(database, overwrite=False) as part:
                MlflowClient(f"sqlite:///{part}").delete_experiment("0")  # MLflow's own, which stays empty
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("SELECT name FROM sqlite_master").fetchone()  # what is none, MLflow tries for minutes
        client = MlflowClient(f"sqlite:///{database}", registry_uri=f"sqlite:///{database}")
        client.search_experiments(max_results=1)
        _bring_home(database)
    return client


def _bring_home(database: Path) -> None:
    """Points a database that was moved or copied to the artifacts beside it; MLflow keeps absolute paths."""
    home = (database.parent / "artifacts").resolve().as_uri()
    with closing(sqlite3.connect(database)) as connection, connection:
        for number, name, location in connection.execute(
            "SELECT experiment_id, name, artifact_location FROM experiments"
        ).fetchall():
            moved = f"{home}/{quote(name)}"
            if location != moved and location.endswith(f"/artifacts/{quote(name)}"):
                connection.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (moved, number)
                )
                connection.execute(
                    "UPDATE model_versions SET source = ?1 || substr(source, ?2), "
                    "storage_location = ?1 || substr(storage_location, ?2) WHERE source LIKE ?3 || '/%'",
                    (moved, len(location) + 1, location),
                )
                connection.execute(
                    "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE experiment_id = ?",
                    (moved, len(location) + 1, number),
                )
