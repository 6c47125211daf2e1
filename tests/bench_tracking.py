"""Bench: what MLflow costs a training and a trial: whole processes that track, and that do not.

`python -m tests.bench_tracking` prints the section of docs/benchmarks.md that `make bench` writes (KAGGLE_ARCHIVES
names the folder of the archives).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from data import sources, tables
from data.errors import UnavailableError
from models.tuning import Budget
from pipelines import fitting
from pipelines.__main__ import leave
from pipelines.home import Home
from pipelines.job import Job
from pipelines.workshop import KeptWorkshop
from tests.bench_tools import Figures, in_own_process, in_turn

TRIALS = 30
WAYS = ("tracked", "files", "nothing")
ROUNDS_OF = {"titanic": 5, "otto": 3}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A training."""

    name: str
    model: str
    epochs: int
    home: str
    way: str = "tracked"


def train(case: Case) -> Figures:
    """Trains, and predicts the test rows: with a run, or with its files alone, or with nothing that is kept."""
    job = Job(name=case.name, home=Home(Path(case.home)), model=case.model, again=True, declared=True)
    candidates, candidate = job.competition.candidates, job.competition.candidates[case.model]
    shorter = replace(candidate, config=replace(candidate.config, epochs=case.epochs), space={})
    candidates[case.model] = shorter  # type: ignore[index]  # it is a dict
    if case.way == "tracked":
        from pipelines import stages

        stages.train(job)
        return {}
    schema = job.competition.schema
    raw, misses = sources.locate(job.name, job.competition.slug, schema, job.home.raw, job.home.archives())
    if raw is None:
        raise UnavailableError(f"this bench takes the real files: {'; '.join(misses)}")
    (folder,) = (each for each in job.home.cache.iterdir() if (each / tables.MANIFEST).is_file())
    found = tables.load(folder, raw)
    assert found is not None
    workshop = KeptWorkshop(job.home.cache, torch.device("cpu"))
    encoded = fitting.encode(job.competition, found, shorter, workshop)
    fit = fitting.fit(job.competition, encoded, shorter.config, seed=0, device=torch.device("cpu"))
    if case.way == "files":
        from pipelines import artifact_writing, pipeline

        layers = fitting.summary(job.competition, encoded, shorter.config)
        with tempfile.TemporaryDirectory() as name:
            artifact_writing.write(Path(name), job.competition, found, shorter.config, fit, fit.oof, layers)
            into = Path(name) / "pipeline"
            pipeline.write(into, case.name, case.model, job.competition, found, encoded, shorter.config, fit)
    assert case.way == "tracked" or "mlflow" not in sys.modules
    return {}


def trial_seconds(home: Home) -> float:
    """The median of the seconds that a search spends in MLflow for each trial."""
    from pipelines import stages
    from pipelines.tracking import Tracker
    from pipelines.tuning import tune
    from pipelines.workers import Crew

    spent: list[float] = []
    add_child = Tracker.add_child

    def timed(*arguments: Any) -> None:
        started = time.perf_counter()
        add_child(*arguments)
        spent.append(time.perf_counter() - started)

    Tracker.add_child = timed  # type: ignore[method-assign, assignment]
    job = Job(name="titanic", home=home)
    tune(job, stages.ingest(job), Budget(trials=TRIALS), Crew())
    Tracker.add_child = add_child  # type: ignore[method-assign]
    return statistics.median(spent)


def section() -> str:
    """All of it."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, model, epochs in (("titanic", "mlp", 30), ("otto", "sums", 3)):
            case = Case(name=name, model=model, epochs=epochs, home=f"{folder}/{name}")
            in_own_process("tests.bench_tracking", case)  # reads the raw files
            ways = {way: partial(in_own_process, "tests.bench_tracking", replace(case, way=way)) for way in WAYS}
            found = in_turn(ways, ROUNDS_OF[name])
            seconds = [found[way]["all_seconds"] for way in WAYS]
            told = " | ".join(f"{each:.1f}" for each in (*seconds, seconds[0] - seconds[1], seconds[0] - seconds[2]))
            lines.append(f"| {name} {model}, {epochs} epochs | {told} |")
        a_trial = trial_seconds(Home(Path(folder) / "titanic"))
    rows = "\n".join(lines)
    return f"""## Tracking

Seconds of a process from its start to its end: cross-validation, networks on all rows, test predictions. "Tracked" is
the command; "files" writes the same predictions, figures, encoders and networks into a folder without MLflow; "nothing"
keeps none. Medians of processes in turn.

| training | tracked | files | nothing | MLflow adds | all that is kept adds |
|---|---|---|---|---|---|
{rows}

A trial of a search is shown as a run in {a_trial:.3f} s, the median of {TRIALS}."""


if __name__ == "__main__":
    if not sys.argv[1:]:
        print(section())
    else:
        print(json.dumps(train(Case(**json.loads(sys.argv[1])))), flush=True)
        leave(0)  # as the command does
