"""The command of the whole run, which is told again at once where it has nothing to do."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from data.errors import PodiumError
from pipelines.options import (
    Address,
    Again,
    Backend,
    Device,
    Full,
    HomeFolder,
    Minutes,
    Model,
    Name,
    Seed,
    Storage,
    Trials,
    Workers,
    home_of,
    job_of,
    print_path,
)  # fmt: skip

if TYPE_CHECKING:
    from pipelines.up_to_date import Command


def add(app: typer.Typer) -> None:
    """Adds the command to a command line."""
    app.command()(run)


def run(
    context: typer.Context,
    name: Name,
    model: Model = None,
    seed: Seed = 0,
    device: Device = "auto",
    again: Again = False,
    full: Full = False,
    trials: Trials = None,
    minutes: Minutes = None,
    workers: Workers = 1,
    backend: Backend = None,
    address: Address = None,
    storage: Storage = None,
    home: HomeFolder = None,
) -> None:
    """From nothing to the submission, with the best settings that were found; the last line is its path."""
    started = time.perf_counter()
    known = inputs = kept = None
    if context.obj and not again and minutes is None and not storage:
        known = _command(name, home, context)
        inputs, kept = known.inputs(), known.kept()
        if _told_again(known, inputs, kept, started):
            return
    from pipelines.closing import closing
    from pipelines.effort import Effort
    from pipelines.whole import finish, keep
    from pipelines.workers import Crew

    job = job_of(
        name, home, model=model, seed=seed, device=device, again=again, full=full, storage=storage, declared=trials == 0
    )
    effort = Effort(trials=trials, minutes=minutes, crew=Crew(workers=workers, backend=backend, address=address))
    found = finish(job, effort)
    print(closing(job, found.trained, found.chosen, seconds=time.perf_counter() - started))
    print_path(found.path)
    if known is not None and inputs is not None:
        sys.stdout.flush()
        with suppress(PodiumError, OSError):  # all is done and told: the next run looks again
            keep(known, inputs, kept, job, found)


def _command(name: str, home: Path | None, context: typer.Context) -> Command:
    from pipelines.up_to_date import Command

    options = {option: value for option, value in context.params.items() if option not in ("name", "home")}
    return Command(name=name, home=home_of(home), options=options)


def _told_again(known: Command, inputs: str | None, kept: str | None, started: float) -> bool:
    """Whether an answer was kept, which is told."""
    from pipelines import console
    from pipelines.up_to_date import timed

    answer = known.answer(inputs, kept)
    if answer is None:
        return False
    if answer.warning:
        console.warn(answer.warning)
    print(timed(answer.text, time.perf_counter() - started))
    print_path(Path(answer.path))
    return True
