"""Running: a training under way, and one that has ended, as MLflow's client knows them."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from sqlalchemy.exc import SQLAlchemyError

from data.errors import StorageError, UnavailableError
from pipelines import console
from pipelines.runs import FinishedRun
from pipelines.server import BATCH, Server

FLUSH_SECONDS = 10  # between two writes of a running training's metrics


@contextmanager
def errors_told(line: str) -> Iterator[None]:
    """Turns MLflow's and the database's errors into one line."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        database = re.search(r"\(sqlite3\.\w+\) (.*)", str(error))  # what lies below MLflow's and SQLAlchemy's words
        told = database[1] if database else str(error).splitlines()[0]
        raise StorageError(f"{line} ({told})") from error


def finished_run(run: Run, elsewhere: Path | None = None) -> FinishedRun:
    """A run of MLflow; one of a server has its files elsewhere."""
    return FinishedRun(
        id=run.info.run_id,
        name=run.info.run_name,
        metrics=run.data.metrics,
        params=run.data.params,
        tags=run.data.tags,
        artifacts=elsewhere or Path(local_file_uri_to_path(run.info.artifact_uri)),
        ended=run.info.end_time or 0,
        elsewhere=elsewhere is not None,
    )


class RunningRun:
    """A training under way: metrics gather in memory and are written in batches, to a server too where there is one.

    A server that is away is told once, and gets the rest when the run has ended.
    """

    def __init__(self, client: MlflowClient, run: Run, shown: Server | None, lock: Path) -> None:
        self.client = client
        self.id: str = run.info.run_id
        self.shown, self.twin, self.lock = shown, "", lock
        self._metrics: list[Metric] = []
        self._flushed = time.monotonic()

    def log(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Notes figures, and writes them when the last write is some seconds ago."""
        now = int(time.time() * 1000)
        self._metrics += [Metric(name, float(value), now, step) for name, value in metrics.items()]
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes all that was noted."""
        with errors_told("the run's metrics cannot be written"):
            for start in range(0, len(self._metrics), BATCH):
                self.client.log_batch(self.id, metrics=self._metrics[start : start + BATCH])
        self._show()
        self._metrics = []
        self._flushed = time.monotonic()

    def _show(self) -> None:
        if self.shown is not None:
            try:
                self.twin = self.twin or self.shown.begin(self.client, self.id, self.lock)
                self.shown.log(self.twin, self._metrics)
            except UnavailableError as error:
                console.warn(f"{error}: the run is kept here")
                self.shown = None

    def keep(self, folder: Path) -> None:
        """Copies a folder's files to the run's artifacts."""
        with errors_told("the run's files cannot be written"):
            self.client.log_artifacts(self.id, str(folder))


def as_params(params: Mapping[str, object]) -> list[Param]:
    """As MLflow takes them."""
    return [Param(key, str(value)) for key, value in params.items()]
