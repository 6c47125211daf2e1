"""Runs: what a run is to the stages, and how those of a home are asked for. Nothing here imports MLflow."""

from __future__ import annotations

import difflib
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import StorageError, UsageError

if TYPE_CHECKING:
    from data.metrics import Metric
    from pipelines.server import Server
    from pipelines.tracking import Tracker

WANTED = {"competition", "data_hash", "data_source", "device", "fold_hash", "git_commit", "key", "model", "seed"}
PUBLIC, PRIVATE = "lb_public", "lb_private"  # metrics: a run's scores on Kaggle's leaderboards
MOST_NAMED = 6  # runs in an error
DATABASE = "mlflow.db"
ADDRESS = "MLFLOW_TRACKING_URI"  # variable that names a server
CHAMPION = "champion"  # alias of the model of the best run

# MLflow's own tags and ours.
NOTE = "mlflow.note.content"  # of a run or an experiment: what its page says, in Markdown
KIND = "mlflow.experimentKind"  # of an experiment
VIEW_NAME = "by-score"  # in the address of a page
VIEW = f"mlflow.sharedViewState.{VIEW_NAME}"  # of an experiment: a view of its runs
ORIGIN = "podium.run"  # of a run that came from elsewhere: its id there
SENT = "podium.sent"  # of a run that a server has all of: the server's address


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


class Runs(ABC):
    """The runs of one home, to be read."""

    server: Server | None = None  # where runs of others are found

    @abstractmethod
    def finished(self, experiment: str, key: str) -> FinishedRun | None:
        """The newest finished run of a key; None where there is none.

        Raises:
            StorageError: the experiment was deleted.
        """

    @abstractmethod
    def trainings(self, experiments: Sequence[str] | None = None) -> list[FinishedRun]:
        """The finished trainings and blends, the newest first; of a key that was trained again, the newest alone.

        Args:
            experiments: their names; None: all.
        """

    @abstractmethod
    def read(self, id: str) -> FinishedRun:
        """A run by its id."""

    @abstractmethod
    def champion(self, name: str) -> str | None:
        """The id of the run whose model is registered under a name as the champion; None: there is none."""

    @abstractmethod
    def writable(self) -> Tracker:
        """The same runs by MLflow's client, which is imported and opened for it."""

    @abstractmethod
    def experiments(self) -> list[str]:
        """The names of the experiments that may hold runs."""

    def fetch(self, run: FinishedRun) -> FinishedRun:
        """A run with its files here."""
        return run

    def find(self, text: str) -> FinishedRun:
        """The training whose name, id or key is a text, or begins with it; of `competition/model` the newest one.

        Raises:
            UsageError: there is none, or more than one.
        """
        runs = self.trainings()
        found = [run for run in runs if text in (run.name, run.id)]
        found = found or [run for run in runs if text == f"{run.tags['competition']}/{run.tags['model']}"][:1]
        begins = [run for run in runs if any(each.startswith(text) for each in (run.name, run.id, run.tags["key"]))]
        found = found or (begins if text else [])
        if len(found) == 1:
            return self.fetch(found[0]) if found[0].elsewhere else found[0]
        names = [run.name for run in found or runs]
        told = f"there is no finished run {text!r}" if not found else f"{text!r} is the beginning of {len(found)} runs"
        near = difflib.get_close_matches(text, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names[:MOST_NAMED]) or 'none yet'}"
        raise UsageError(f"{told}: {hint}")


def newest_of_each_key(runs: Iterable[FinishedRun]) -> list[FinishedRun]:
    """Those of some runs that are ours, the newest first; of a key that was trained again, the newest alone."""
    newest: dict[str, FinishedRun] = {}
    for run in sorted(runs, key=lambda run: -run.ended):
        if run.is_whole:
            newest.setdefault(run.tags["key"], run)
    return list(newest.values())


def deleted(name: str, id: str) -> StorageError:
    """Says that an experiment was deleted, and how it comes back."""
    mend = f"`.venv/bin/mlflow experiments restore -x {id}` brings it back"
    return StorageError(f"the experiment {name} was deleted in MLflow's pages: {mend}")


def is_scored_by(tags: Mapping[str, str], metric: Metric) -> bool:
    """Whether a run's score is of a metric, as far as it tells; its competition may have had another one then."""
    return tags.get("metric", metric.name) == metric.name


def cv_error(run: FinishedRun, folds: int) -> float:
    """Standard error of a run's out-of-fold score: over rows or groups of kin, or over folds where it is no mean."""
    if "cv_se" in run.metrics:
        return run.metrics["cv_se"]
    return run.metrics["cv_std"] / (folds - 1) ** 0.5


def owner() -> dict[str, str]:
    """Tags that name the process to whom a run belongs."""
    return {"host": socket.gethostname(), "pid": str(os.getpid())}
