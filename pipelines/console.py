"""Console: what a person sees while the stages run. Warnings and progress go to stderr, results to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from data.errors import BadDataError, UsageError
from data.files import beside

WIDE = 160  # columns of a table that goes to no terminal
MOST_FAULTS = 50  # that are told
QUIET = 30.0  # seconds between two lines where there is no terminal
STDERR = Console(stderr=True, highlight=False)


def hush() -> None:
    """Shows nothing from here on: others tell what there is to tell."""
    STDERR.quiet = True


def warn(text: str) -> None:
    """One line that must not be missed."""
    STDERR.print(text, style="bold red", markup=False, soft_wrap=True)


def tell(text: str) -> None:
    """One line that is good to know."""
    STDERR.print(text, markup=False, soft_wrap=True)


def tell_faults(error: BadDataError) -> None:
    """Everything that is wrong with some rows, a line each."""
    for fault in error.faults[:MOST_FAULTS]:
        print(f"podium: {fault}", file=sys.stderr)
    if len(error.faults) > MOST_FAULTS:
        print(f"podium: and {len(error.faults) - MOST_FAULTS:,} more", file=sys.stderr)


def show(table: Table) -> None:
    """A table on stdout, as wide as it needs where that is no terminal."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(table)
    console.print()


def write(path: Path, text: str) -> None:
    """A file that was asked for, with a line that names it; `-` is stdout."""
    if str(path) == "-":
        print(text, end="")
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file")
    with beside(path) as part:
        part.write_text(text)
    tell(f"written: {path}")


@contextmanager
def share(title: str) -> Iterator[Callable[[float], None]]:
    """Shows what share of something is done: a bar on a terminal, elsewhere a line at most every half minute."""
    if STDERR.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=10), TextColumn("left"))
        with Progress(*columns, TimeRemainingColumn(compact=True), console=STDERR, transient=True) as bar:
            task = bar.add_task(title, total=1.0)
            yield lambda done: bar.update(task, completed=done)
        return
    told = time.monotonic()

    def tell_share(done: float) -> None:
        nonlocal told
        if time.monotonic() - told > QUIET:
            tell(f"{title}: {done:.0%}")
            told = time.monotonic()

    yield tell_share


@contextmanager
def counted(title: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """Shows how many of some things are done, and a text: live on a terminal, elsewhere a line every half minute."""
    of = "" if total is None else f"/{total}"
    if STDERR.is_terminal:
        head = Column(no_wrap=True, min_width=len(title) + 2 * len(of) + 2)  # what a narrow terminal keeps
        columns = (
            TextColumn("{task.description} {task.completed}" + of, table_column=head),
            TextColumn("left"),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
            TextColumn("{task.fields[text]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        )
        with Progress(*columns, console=STDERR, transient=True) as bar:
            task = bar.add_task(title, total=total, text="")
            yield lambda done, text: bar.update(task, completed=done, text=text)
        return
    told = time.monotonic()

    def tell_count(done: int, text: str) -> None:
        nonlocal told
        if time.monotonic() - told > QUIET:
            tell(f"{title} {done}{of}: {text}")
            told = time.monotonic()

    yield tell_count
