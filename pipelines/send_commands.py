"""The commands that speak to Kaggle: fetch, send, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.options import HomeFolder, Name, home_of, job_of

if TYPE_CHECKING:
    from pipelines.home import Home
    from pipelines.runs import Runs
    from pipelines.sending import Parcel
    from submissions.outbox import Entry, Outbox

Yes = Annotated[bool, typer.Option("--yes", help="Send it; otherwise nothing leaves this machine.")]


def add(app: typer.Typer) -> None:
    """Adds the commands to a command line."""
    app.command()(fetch)
    app.command()(send)
    app.command()(scores)


def fetch(name: Name, home: HomeFolder = None) -> None:
    """Download the raw files from Kaggle, in the place of those that are there."""
    from data.fetching import fetch as fetch_archive
    from pipelines import console

    job = job_of(name, home)
    competition = job.competition
    print(fetch_archive(competition.slug, competition.schema, job.home.raw / name, console.tell))


def send(
    name: Annotated[str | None, typer.Argument(help="The competition; without one only the queue is sent.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Whose submission; the one written last by default.")] = None,
    message: Annotated[str, typer.Option(help="Is added to what is told of the run.")] = "",
    yes: Yes = False,
    drop: Annotated[str | None, typer.Option(help="Take this file out of the queue, and send nothing.")] = None,
    home: HomeFolder = None,
) -> None:
    """Send a submission to Kaggle and read its score back; without --yes show what would go."""
    from data.errors import UsageError
    from data.kaggle_client import has_credentials
    from pipelines import sending
    from pipelines.reading import open_runs
    from submissions.outbox import Outbox

    folders = home_of(home)
    outbox, runs = Outbox(folders.outbox), open_runs(folders.mlruns)
    if drop is not None:
        with outbox.held():
            sending.drop(drop, outbox)
        print(f"taken out of the queue: {drop}")
        return
    waiting = [each for each in outbox.read() if each.waits]
    parcel = None
    if name is not None:
        parcel = sending.parcel(job_of(name, home), runs, run, message)
        sending.refuse_twice(parcel, outbox)
        _show(parcel)
    elif not waiting:
        raise UsageError("nothing waits to be sent: say what, make send C=titanic")
    for each in waiting:
        print(f"  waits      {each.file} ({each.state})")
    known = has_credentials()
    if not yes:
        if parcel is not None and known:
            print(f"  left       {_budget(parcel.run.tags['competition'])}")
        print("dry run: nothing was sent; SEND=yes sends it" + ("" if known else ", with a Kaggle account"))
        return
    with outbox.held():
        if parcel is not None and known:
            sending.queue(parcel, outbox)  # before anything that wants the network
        _deliver(folders, outbox, runs)


def scores(name: Name, home: HomeFolder = None) -> None:
    """List all submissions with their scores, the runs that made them, and whether the board agrees with cv."""
    from data.files import beside
    from data.kaggle import Account
    from pipelines import console
    from pipelines.delivery import record_late
    from pipelines.reading import open_runs
    from pipelines.scores import figure, matched, table, verdict
    from submissions.outbox import Outbox

    job = job_of(name, home)
    outbox, runs = Outbox(job.home.outbox), open_runs(job.home.mlruns)
    listed = Account(console.tell).submissions(job.competition.slug)
    entries = [each for each in outbox.read() if each.competition == name]
    found = matched(listed, runs.trainings([name]), entries)
    with outbox.held():
        record_late(found, entries, outbox, runs, console.tell)
    console.show(table(found))
    if any(each.pair for each in found):
        from pipelines.report import write_png

        image = job.home.submissions / name / "scores.png"
        with beside(image) as part:
            write_png(figure(found, job.competition.metric), part)
        print(f"figure     {image}")
    print(verdict(found, job.competition))


def _show(parcel: Parcel) -> None:
    print(f"  file       {parcel.file}")
    print(f"  rows       {parcel.rows:,}")
    print(f"  sha256     {parcel.sha256}")
    print(f"  run        {parcel.run.name}, cv score {parcel.run.metrics['cv_score']:.4f}")
    print(f"  message    {parcel.message}")


def _deliver(home: Home, outbox: Outbox, runs: Runs) -> None:
    from data.kaggle import Account
    from pipelines import console
    from pipelines.delivery import Delivery
    from submissions.check import RefusedError

    account = Account(console.tell)
    failed = False
    for entry in Delivery(home=home, account=account, outbox=outbox, runs=runs, tell=console.tell).all():
        _tell(entry)
        failed |= bool(entry.error)
    if failed:
        raise typer.Exit(RefusedError.exit_code)


def _budget(name: str) -> str:
    from data.errors import UnavailableError
    from data.kaggle import Account
    from pipelines import console
    from pipelines.competition import find

    try:
        budget = Account(console.tell).budget(find(name).slug)
    except UnavailableError as error:
        return f"unknown: {error}"
    left = "unknown" if budget.left is None else f"{budget.left} submissions"
    return f"{left} today, {budget.today} were sent"


def _tell(entry: Entry) -> None:
    from submissions.outbox import State

    if entry.error:
        print(f"Kaggle lists {entry.file} as an error: {entry.error}")
    elif entry.public is None and entry.state is State.DONE:
        print(f"Kaggle has {entry.file}, and gave it no score")
    elif entry.public is None:
        print(f"Kaggle has {entry.file}, and no score of it yet: make scores C={entry.competition} looks again")
    else:
        private = "" if entry.private is None else f", private {entry.private:.5f}"
        print(f"Kaggle has {entry.file}: public score {entry.public:.5f}{private}")
