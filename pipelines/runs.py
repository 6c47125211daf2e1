"""Runs: what a run of MLflow is to the stages, under way and ended."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from sqlalchemy.exc import SQLAlchemyError

from data.errors import StorageError, UnavailableError
from pipelines import console
from pipelines.server import BATCH, Server

WANTED = {"competition", "data_hash", "data_source", "device", "fold_hash", "git_commit", "key", "model", "seed"}
PUBLIC, PRIVATE = "lb_public", "lb_private"  # metrics: a run's scores on Kaggle's leaderboards
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


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A training that ended well."""

    id: str
    name: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    artifacts: Path
    ended: int  # ms since 1970
    elsewhere: bool = False  # on a server alone; `Tracker.find` fetches it

    @classmethod
    def of(cls, run: Run, elsewhere: Path | None = None) -> FinishedRun:
        """A run of MLflow; one of a server has its files elsewhere."""
        return cls(
            id=run.info.run_id,
            name=run.info.run_name,
            metrics=run.data.metrics,
            params=run.data.params,
            tags=run.data.tags,
            artifacts=elsewhere or Path(local_file_uri_to_path(run.info.artifact_uri)),
            ended=run.info.end_time or 0,
            elsewhere=elsewhere is not None,
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is one of ours: somebody else's program may have written another into the same experiment."""
        return set(self.tags) >= WANTED and "cv_score" in self.metrics


@dataclass(frozen=True, kw_only=True)
class Child:
    """A run that has ended, told at once."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, object]
    series: Mapping[str, Mapping[int, float]]  # metrics: their values by step
    status: str  # FINISHED, FAILED or KILLED
    started: int  # ms since 1970
    ended: int


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


def owner() -> dict[str, str]:
    """Tags that name the process to whom a run belongs."""
    return {"host": socket.gethostname(), "pid": str(os.getpid())}


def as_params(params: Mapping[str, object]) -> list[Param]:
    """As MLflow takes them."""
    return [Param(key, str(value)) for key, value in params.items()]
