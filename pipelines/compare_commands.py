"""The commands that compare runs: leaderboard, compare, reproduce, and sync, which sends them to a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import HomeFolder, home_of

Run = Annotated[str, typer.Argument(help="A run's name, id or key, or its beginning; titanic/mlp: the newest.")]
OptionalName = Annotated[str | None, typer.Argument(help="The competition; all of them by default.")]


def add(app: typer.Typer) -> None:
    """Adds the commands to a command line."""
    app.command()(leaderboard)
    app.command()(compare)
    app.command()(reproduce)
    app.command()(sync)


def leaderboard(
    name: OptionalName = None,
    csv: Annotated[Path | None, typer.Option(help="Write it as CSV to this file; - prints it.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as one page with all figures to this file.")] = None,
    home: HomeFolder = None,
) -> None:
    """Rank all finished trainings, and say where each would stand on the real board."""
    from pipelines import console
    from pipelines import leaderboard as board
    from pipelines.reading import open_runs

    listed = board.entries(open_runs(home_of(home).mlruns), name)
    for path, write in ((csv, board.csv), (html, board.page)):
        if path is not None:
            console.write(path, write(listed))
    if csv is None and html is None:
        for label, group in listed.items():
            console.show(board.table(label, group))
            print(board.best_line(group), end="\n\n" if board.best_line(group) else "\n")


def compare(a: Run, b: Run, home: HomeFolder = None) -> None:
    """Tell whether run B is better than run A, or lucky: a paired bootstrap over the same out-of-fold rows."""
    from pipelines import comparing, console
    from pipelines.reading import open_runs

    runs = open_runs(home_of(home).mlruns)
    found = comparing.compared(runs.find(a), runs.find(b))
    for table in comparing.tables(found):
        console.show(table)
    print(found.advice)


def reproduce(
    run: Run,
    here: Annotated[bool, typer.Option("--here", hidden=True, help="With this code alone.")] = False,
    home: HomeFolder = None,
) -> None:
    """Train an old run again by its own code, data and settings, and compare the predictions."""
    from pipelines.reading import open_runs
    from pipelines.reproducing import reproduce as again

    folders = home_of(home)
    runs = open_runs(folders.mlruns)
    for line in again(runs.find(run), folders, runs, here):
        print(line, flush=True)


def sync(home: HomeFolder = None) -> None:
    """Send the runs that the server of MLFLOW_TRACKING_URI lacks, as those that ended while it was away."""
    from data.errors import PodiumError, UnavailableError, UsageError
    from pipelines import champion, console
    from pipelines.competition import find, names
    from pipelines.stages import TWIN_SUFFIX
    from pipelines.tracking import Tracker

    tracker = Tracker(home_of(home).mlruns)
    if tracker.server is None:
        raise UsageError("say where to: make sync MLFLOW_TRACKING_URI=http://host:5000")
    address, waiting, lost = tracker.server.named, tracker.unsent(), []
    if not waiting:
        tracker.server.experiments()  # says so where it is away
    with console.counted(f"runs to {address}", len(waiting)) as show:
        for number, run in enumerate(waiting, start=1):
            try:
                tracker.send(run.id)
            except PodiumError as error:
                lost.append(f"{run.name}: {error}")
                if not tracker.server.answers():
                    lost += [each.name for each in waiting[number:]]
                    break
            show(number, run.name)
    for name in {run.tags.get("competition", "") for run in waiting} & set(names()):
        for label in (name, name + TWIN_SUFFIX):
            champion.crown(label, find(name).metric, tracker)
    print(f"{len(waiting) - len(lost)} runs sent to {address}")
    if lost:
        raise UnavailableError(f"{len(lost)} runs wait here: {lost[0]}")
