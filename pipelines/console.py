"""Console: what a person sees while the stages run. Warnings and progress go to stderr, results to stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from data.metrics import Metric
from models.crossfit import Epoch

STDERR = Console(stderr=True, highlight=False)


def warn(text: str) -> None:
    """One line that must not be missed."""
    STDERR.print(text, style="bold red", markup=False, soft_wrap=True)


@contextmanager
def progress(title: str, metric: Metric, epochs: int) -> Iterator[Callable[[Epoch], None]]:
    """A bar with the epoch, the score over all out-of-fold rows and the time left; nothing without a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[score]}"),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=STDERR, transient=True, disable=not STDERR.is_terminal) as bar:
        task = bar.add_task(title, total=epochs, score="")
        best: list[float] = []

        def show(epoch: Epoch) -> None:
            if not best or metric.better(epoch.score, best[0]):
                best[:] = [epoch.score]
            score = f"{metric.name} {epoch.score:.4f}, best {best[0]:.4f}"
            bar.update(task, completed=epoch.number, score=score)

        yield show
