"""The commands of the search: tune, adopt, ablate, and what a worker runs."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated

import typer

from pipelines.options import (
    Address,
    Backend,
    Device,
    HomeFolder,
    Minutes,
    Model,
    Name,
    Seed,
    Storage,
    Trials,
    Workers,
    job_of,
)  # fmt: skip

TRIALS = 30  # where neither trials nor minutes are given


def add(app: typer.Typer) -> None:
    """Adds the commands to a command line."""
    app.command()(tune)
    app.command()(adopt)
    app.command()(ablate)
    app.command(hidden=True)(work)


def tune(
    name: Name,
    model: Model = None,
    trials: Trials = None,
    minutes: Minutes = None,
    workers: Workers = 1,
    backend: Backend = None,
    address: Address = None,
    storage: Storage = None,
    seed: Seed = 0,
    device: Device = "auto",
    home: HomeFolder = None,
) -> None:
    """Search a candidate's space for better settings; the same command goes on where it was stopped."""
    from models.tuning import Budget
    from pipelines import stages
    from pipelines.search_closing import closing_of_search
    from pipelines.tuning import tune as search
    from pipelines.workers import Crew

    job = job_of(name, home, model=model, seed=seed, device=device, storage=storage)
    wanted = TRIALS if trials is None and minutes is None else trials
    budget = Budget(trials=wanted, seconds=None if minutes is None else 60 * minutes)
    crew = Crew(workers=workers, backend=backend, address=address)
    print(closing_of_search(search(job, stages.ingest(job), budget, crew)))


def adopt(name: Name, model: Model = None, seed: Seed = 0, storage: Storage = None, home: HomeFolder = None) -> None:
    """Print the best trial as the line of Python that declares its settings."""
    from pipelines import stages, studies
    from pipelines.adopting import declaration

    job = job_of(name, home, model=model, seed=seed, storage=storage)
    chosen_model, _ = job.competition.candidate(model)
    ingested = stages.ingest(job)
    chosen = studies.choose_tuned(job, ingested.tables, ingested.label)
    print(f"# {chosen_model}: {chosen.told}")
    print(declaration(chosen.config))


def ablate(
    name: Name,
    over: Annotated[str, typer.Option(help="A field of the candidate's config, as optimizer, loss or lr.")],
    values: Annotated[str | None, typer.Option(help="Values with commas between; all of an enum by default.")] = None,
    model: Model = None,
    seed: Seed = 0,
    device: Device = "auto",
    home: HomeFolder = None,
) -> None:
    """Cross-validate every value of one setting, and draw their loss and score curves in one figure."""
    from pipelines import stages
    from pipelines.ablation import ablate as compare

    job = job_of(name, home, model=model, seed=seed, device=device)
    print(compare(job, stages.ingest(job), over, values))


def work(
    name: Name,
    study: Annotated[str, typer.Option(help="The study's name, which this machine has to come to, too.")],
    born: Annotated[str, typer.Option(help="The mark of the study's birth.")],
    session: Annotated[str, typer.Option(help="The search that may be stopped.")],
    share: Annotated[float, typer.Option(help="Of a GPU's memory.")],
    parent: Annotated[int, typer.Option(help="The process without which it ends.")],
    model: Model = None,
    trials: Trials = None,
    until: Annotated[float | None, typer.Option(help="Begin no trial after this time, in seconds since 1970.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    storage: Storage = None,
    home: HomeFolder = None,
) -> None:
    """Run trials of a study that `tune` began; what `tune` starts itself."""
    from models.pulse import StoppedError
    from models.tuning import Budget
    from pipelines import console, stages
    from pipelines.hunt import Hunt
    from pipelines.hunt import work as run_trials

    console.hush()
    job = job_of(name, home, model=model, seed=seed, device=device, storage=storage)
    if until is not None and until <= time.time():
        return
    budget = Budget(trials=trials, seconds=None if until is None else until - time.time())
    with suppress(StoppedError):  # told by whoever stopped it
        run_trials(Hunt.join(job, stages.ingest(job), budget, study, born), session, share, parent)
