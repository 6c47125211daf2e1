"""The command line: `python -m pipelines <command>`. Heavy imports stand inside the commands that need them."""

from __future__ import annotations

import os
import statistics
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from data.errors import BadDataError, PodiumError, UsageError
from pipelines import (
    card_commands,
    compare_commands,
    new_commands,
    run_command,
    search_commands,
    send_commands,
    serve_commands,
)
from pipelines.options import (
    Again,
    Device,
    HomeFolder,
    Model,
    Name,
    Seed,
    Storage,
    home_of,
    job_of,
    print_path,
)  # fmt: skip

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

TyperUsageError: Any = typer.BadParameter.__bases__[0]  # typer does not export it
INTERRUPTED = 130


@app.callback()
def main(debug: Annotated[bool, typer.Option("--debug", help="Show where an error was raised.")] = False) -> None:
    """Kaggle competitions from the raw files to the submission, with networks."""
    main.debug = debug  # type: ignore[attr-defined]  # read where errors end


run_command.add(app)


@app.command()
def ingest(name: Name, home: HomeFolder = None) -> None:
    """Read, check and fold the raw files."""
    from pipelines import stages

    job = job_of(name, home)
    tables = stages.ingest(job).tables
    print(f"{name}: {len(tables.train):,} train rows in {job.competition.split.folds} folds, "
          f"{len(tables.test):,} test rows, from {tables.place}")  # fmt: skip


@app.command()
def train(
    name: Name,
    model: Model = None,
    seed: Seed = 0,
    device: Device = "auto",
    again: Again = False,
    storage: Storage = None,
    home: HomeFolder = None,
) -> None:
    """Train a candidate, unless a finished run of the same key is there."""
    from pipelines import stages

    job = job_of(name, home, model=model, seed=seed, device=device, again=again, storage=storage)
    trained = stages.train(job)
    found = "found" if trained.hit else "trained"
    score = f"cv {job.competition.metric.name} {trained.run.metrics['cv_score']:.4f}"
    print(f"{trained.run.name} {found}: {score}; settings {trained.settings}")


@app.command()
def submit(
    name: Name,
    model: Model = None,
    seed: Seed = 0,
    device: Device = "auto",
    storage: Storage = None,
    home: HomeFolder = None,
) -> None:
    """Write the submission of a candidate; the last line is its path."""
    from pipelines import stages

    job = job_of(name, home, model=model, seed=seed, device=device, storage=storage)
    print_path(stages.submit(job, stages.train(job)))


@app.command()
def check(
    name: Name,
    file: Annotated[
        Path | None, typer.Argument(help="A submission, whoever made it; the raw files by default.")
    ] = None,
    home: HomeFolder = None,
) -> None:
    """Check the raw files, or a submission file, against the declaration and list every fault."""
    from pipelines import checking, console

    job = job_of(name, home)
    try:
        lines = checking.check_raw(job) if file is None else checking.check_submission(job, file)
    except BadDataError as error:
        console.tell_faults(error)
        raise typer.Exit(error.exit_code) from None
    for line in lines:
        print(line)


@app.command()
def summary(name: Name, model: Model = None, home: HomeFolder = None) -> None:
    """Print the layers of a candidate's networks, their shapes and parameters."""
    from pipelines import stages
    from pipelines.fitting import encode
    from pipelines.fitting import summary as summarize
    from pipelines.workshop import KeptWorkshop

    job = job_of(name, home, model=model)
    candidate = job.competition.candidate(model)[1]
    encoded = encode(job.competition, stages.ingest(job).tables, candidate, KeptWorkshop(job.home.cache, "cpu"))
    print(summarize(job.competition, encoded, candidate.config))


@app.command()
def repeat(
    name: Name,
    times: Annotated[int, typer.Option(min=1, help="How many seeds, counted from the first.")] = 10,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    tuned: Annotated[bool, typer.Option("--tuned", help="Beside the best settings that a search found.")] = False,
    seed: Annotated[int, typer.Option(help="That of the search, with --tuned.")] = 0,
    model: Model = None,
    device: Device = "auto",
    storage: Storage = None,
    home: HomeFolder = None,
) -> None:
    """Cross-validate again over other folds, and print the spread of the score."""
    from models.devices import resolve
    from pipelines import stages
    from pipelines.repeat import repeat as fits_of
    from pipelines.repeat import versus
    from pipelines.workshop import KeptWorkshop

    job = job_of(name, home, model=model, seed=seed, storage=storage)
    seeds = range(first, first + times)
    job_of(name, home, seed=seeds[-1])  # refuses what is no seed
    metric, where = job.competition.metric.name, resolve(device)
    ingested, workshop = stages.ingest(job), KeptWorkshop(job.home.cache, where)
    if not job.competition.split.is_drawn:
        print(f"the folds are those that {job.competition.split.columns[0]} tells: a seed draws the networks alone")
    if tuned:
        for line in versus(job, ingested, seeds, where, workshop):
            print(line, flush=True)
        return
    candidate, scores = job.competition.candidate(model)[1], []
    for seed, fit in zip(
        seeds, fits_of(job.competition, ingested.tables, candidate, seeds, where, workshop), strict=True
    ):
        scores.append(fit.score)
        print(f"seed {seed}: out-of-fold {metric} {fit.score:.4f}", flush=True)
    spread = f" +- {statistics.stdev(scores):.4f}" if times > 1 else ""
    print(f"mean of {times}: {statistics.mean(scores):.4f}{spread}")


@app.command()
def leaks(
    name: Name,
    model: Model = None,
    seed: Seed = 0,
    device: Device = "auto",
    home: HomeFolder = None,
) -> None:
    """Measure how much a split that tears kin apart would flatter, on a small model."""
    from models.devices import resolve
    from pipelines import stages
    from pipelines.leaks import measure, small
    from pipelines.progress import progress
    from pipelines.workshop import KeptWorkshop

    job = job_of(name, home, model=model, seed=seed)
    competition, where = job.competition, resolve(device)
    chosen, candidate = competition.candidate(model)
    metric, group = competition.metric, competition.split.group
    leak = measure(
        competition,
        stages.ingest(job).tables,
        candidate,
        seed=seed,
        device=where,
        workshop=KeptWorkshop(job.home.cache, where),
        show=lambda title: progress(f"{name} {title}", metric, small(candidate).config.epochs),
    )
    print(f"{name} {chosen}, one small network a fold: out-of-fold {metric.name}")
    print(f"  {leak.paired.a:.4f}  rows of one {group} in one fold")
    print(f"  {leak.paired.b:.4f}  rows in folds at random")
    print(leak.told(str(group)))


card_commands.add(app)
new_commands.add(app)
search_commands.add(app)
compare_commands.add(app)
serve_commands.add(app)
send_commands.add(app)


@app.command()
def names() -> None:
    """List the competitions."""
    from pipelines.competition import names as listed

    print("\n".join(listed()))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="On 127.0.0.1.")] = 5000,
    home: HomeFolder = None,
) -> None:
    """Open MLflow's own pages over the runs, until Ctrl-C."""
    from pipelines.serving import serve_pages

    raise typer.Exit(serve_pages(home_of(home).mlruns, port))


def cli(arguments: list[str] | None = None, keeps: bool = False) -> int:
    """Runs a command and returns its exit code; an error is one line on stderr.

    Args:
        arguments: of the command; None: those of the process.
        keeps: whether a run may tell what was kept of an earlier one, and keep what it tells. That holds for the code
            as it is written, and so not for a process that has changed what it loaded.
    """
    try:
        code = app(args=arguments, prog_name="podium", standalone_mode=False, obj=keeps) or 0
        if code == INTERRUPTED:  # typer's own answer to Ctrl-C
            raise KeyboardInterrupt
        return code
    except TyperUsageError as error:
        _show(error, f"{error.format_message()} (see --help)")
        return UsageError.exit_code
    except PodiumError as error:
        _show(error, str(error))
        return error.exit_code
    except OSError as error:
        _show(error, (f"{error.filename}: " if error.filename else "") + str(error.strerror or error))
        return 74  # EX_IOERR
    except (KeyboardInterrupt, typer.Abort) as error:
        _show(error, "interrupted; the same command goes on where it can")
        return INTERRUPTED


def _show(error: BaseException, line: str) -> None:
    if getattr(main, "debug", False):
        traceback.print_exception(error)
    print(f"podium: {line}", file=sys.stderr)


def leave(code: int) -> None:
    """Ends the process without taking torch and MLflow apart piece by piece, which costs more than a second."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it was closed
        with suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(cli(keeps=True))
