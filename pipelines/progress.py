"""Progress: how far a training has come, on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from data.metrics import Metric
from models.epochs import RefitEpoch, Told, Watch, Within
from pipelines import console


def progress(title: str, metric: Metric, epochs: int) -> AbstractContextManager[Watch]:
    """Shows the epoch, the score over all out-of-fold rows and the best of them.

    On a terminal it is a bar with the time left; elsewhere a line at most every half minute.
    """
    said = _Said(title, metric, epochs)
    return _bar(said) if console.STDERR.is_terminal else _lines(said)


class _Said:
    """What there is to say of an epoch; the networks that train on all rows count anew."""

    def __init__(self, title: str, metric: Metric, epochs: int) -> None:
        self.title, self.metric, self.total = title, metric, epochs
        self.description, self.number, self.score, self.share = title, 0, "", 0.0
        self.best: float | None = None

    def take(self, epoch: Told) -> None:
        """Brings all up to date."""
        self.number, self.share = epoch.number, 1.0
        if isinstance(epoch, Within):
            self.share = epoch.share
            if epoch.refit:
                self._refit(epoch.of)
            return
        if isinstance(epoch, RefitEpoch):
            self._refit(epoch.of)
            self.score = f"train loss {epoch.train_loss:.4f}"
            return
        if self.best is None or self.metric.better(epoch.score, self.best):
            self.best = epoch.score
        self.score = f"{self.metric.name} {epoch.score:.4f}, best {self.best:.4f}"

    def _refit(self, epochs: int) -> None:
        description = f"{self.title}, all rows"
        if description != self.description:
            self.description, self.total, self.score = description, epochs, ""


@contextmanager
def _bar(said: _Said) -> Iterator[Watch]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TextColumn("epoch {task.fields[number]}/{task.total:.0f}"),
        TextColumn("{task.fields[score]}"),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console.STDERR, transient=True) as bar:
        task = bar.add_task(said.title, total=said.total, number=1, score="")

        def show(epoch: Told) -> None:
            before = said.description
            said.take(epoch)
            if said.description != before:
                bar.reset(task, total=said.total, description=said.description)
            bar.update(task, completed=said.number - 1 + said.share, number=said.number, score=said.score)

        yield show


@contextmanager
def _lines(said: _Said) -> Iterator[Watch]:
    told = time.monotonic()

    def show(epoch: Told) -> None:
        nonlocal told
        said.take(epoch)
        if time.monotonic() - told > console.QUIET:
            share = f" at {said.share:.0%}" if said.share < 1 else ""
            console.tell(
                f"{said.description}: epoch {said.number}/{said.total}{share}" + f", {said.score}" * bool(said.score)
            )
            told = time.monotonic()

    yield show
