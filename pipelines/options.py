"""Options: what the commands take, in one wording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.home import Home

Name = Annotated[str, typer.Argument(help="The competition: a file's name in pipelines/competitions/.")]
Model = Annotated[str | None, typer.Option(help="The candidate; the first one declared by default.")]
Seed = Annotated[int, typer.Option(help="Of weights, batches and dropout; the folds have their own.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Again = Annotated[bool, typer.Option("--again", help="Train even where a finished run is found.")]
Full = Annotated[bool, typer.Option("--full", help="All that the competition declares for whoever has the time.")]
Trials = Annotated[int | None, typer.Option(min=0, help="Finish so many trials, those of earlier searches included.")]
Minutes = Annotated[float | None, typer.Option(help="Begin no trial after so many minutes.")]
Workers = Annotated[int, typer.Option(help="Processes that run trials, with one thread each.")]
Backend = Annotated[str | None, typer.Option(help="ray or dask: where the workers run; this machine by default.")]
Address = Annotated[str | None, typer.Option(help="Of the cluster.")]
Storage = Annotated[
    str | None,
    typer.Option(envvar="STORAGE", help="Of the searches: postgresql://user:password@host/database."),
]
HomeFolder = Annotated[
    Path | None,
    typer.Option("--home", envvar="PODIUM_HOME", help="Holds data/, submissions/, mlruns/; the repository by default."),
]


def home_of(folder: Path | None) -> Home:
    """The folders of a command."""
    from pipelines.home import Home

    return Home(folder.resolve()) if folder else Home()


def job_of(name, home, **wanted):  # type: ignore[no-untyped-def]  # typed by Job itself
    """What a command is asked to do."""
    from pipelines.job import Job

    if wanted.get("storage"):
        from pipelines.storage import located

        wanted["storage"] = located(wanted["storage"])
    else:
        wanted["storage"] = None  # make hands on what is empty, too
    return Job(name=name, home=home_of(home), **wanted)


def print_path(path: Path) -> None:
    """Prints a path as one would write it here."""
    here = Path.cwd()
    print(path.relative_to(here) if path.is_relative_to(here) else path)
