"""Pulse: a worker's signs of life, and its ear for those who stop the search."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
from optuna.storages import RDBStorage
from optuna.trial import Trial

from data.errors import PodiumError

TICK = 2.0  # seconds between two signs of life
GRACE = 30.0  # seconds without one until a trial counts as abandoned
STOPPED = "stopped"  # attribute of a study, with the session behind it


class StoppedError(PodiumError):
    """The search was stopped from outside; its trials wait to be run again."""

    exit_code = 130


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Who runs trials."""

    name: str  # tells it from all others
    dead: Callable[[str], bool]  # whether the worker of a name is known to have died
    session: str = ""  # of the command that started it, by which it is stopped
    orphaned: Callable[[], bool] = lambda: False  # whether whoever started it is gone


class Pulse:
    """Gives signs of life of a worker's trial while it runs, and notices when the search is stopped.

    Optuna gives them within `Study.optimize` alone, which has no place for a budget that workers share.

    Args:
        study: the one that is searched.
        storage: where it lies; with heartbeats.
        worker: who works here.
    """

    def __init__(self, study: optuna.Study, storage: RDBStorage, worker: Worker) -> None:
        self.study, self.storage, self.worker = study, storage, worker
        self._trial: int | None = None
        self._stopped: PodiumError | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(TICK)

    @contextmanager
    def of(self, trial: Trial) -> Iterator[None]:
        """A block in which a trial lives."""
        self.storage.record_heartbeat(trial._trial_id)
        self._trial = trial._trial_id
        try:
            yield
        finally:
            self._trial = None

    def check(self) -> None:
        """Raises `StoppedError` when the search was stopped, and what went wrong with the signs of life."""
        if self._stopped is not None:
            raise self._stopped

    def wait(self, seconds: float) -> None:
        """Lets some time pass."""
        self._ended.wait(seconds)

    def _beat(self) -> None:
        while self._stopped is None and not self._ended.wait(TICK):
            try:
                self._tick()
            except PodiumError as error:
                self._stopped = error

    def _tick(self) -> None:
        if self.worker.orphaned():
            self._stopped = StoppedError("whoever started this worker is gone")
            return
        trial = self._trial
        if trial is not None:
            self.storage.record_heartbeat(trial)
        if self.worker.session and stopped(self.study, self.worker.session):
            self._stopped = StoppedError("the search was stopped")


def stop(study: optuna.Study, session: str) -> None:
    """Asks the workers of a session to end, wherever they are; they hear it within some seconds."""
    study.set_user_attr(f"{STOPPED}/{session}", True)


def stopped(study: optuna.Study, session: str) -> bool:
    """Whether the workers of a session were asked to end."""
    return f"{STOPPED}/{session}" in study.user_attrs
