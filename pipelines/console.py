"""Console: what a person sees while the stages run. Notes and progress go to stderr, results to stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from data.metrics import Metric
from models.crossfit import Epoch

NOTES = Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One line on what is being done."""
    NOTES.print(text, style="dim", markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """One line that must not be missed."""
    NOTES.print(text, style="bold red", markup=False, soft_wrap=True)


@contextmanager
def progress(title: str, metric: Metric) -> Iterator[Callable[[Epoch], None]]:
    """A bar with the epoch, the cross-validation score and the time left; nothing where stderr is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[score]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES, transient=True, disable=not NOTES.is_terminal) as bar:
        task = bar.add_task(title, total=None, score="", completed=0)
        best: list[float] = []

        def show(epoch: Epoch) -> None:
            if not best or metric.better(epoch.score, best[0]):
                best[:] = [epoch.score]
            score = f"cv {metric.name} {epoch.score:.4f} (best {best[0]:.4f})"
            bar.update(task, completed=epoch.number, total=epoch.epochs, score=score)

        yield show
