"""Reproducing: an old run, trained again from what its tags say, and whether it comes to the same predictions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import PodiumError, StorageError, UnavailableError
from models.config import Config
from models.devices import resolve
from pipelines import artifacts, fitting, keys, stages
from pipelines.checkpoints import Checkpoint
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from pipelines.origin import machine, versions
from pipelines.progress import progress
from pipelines.runs import FinishedRun, Runs
from pipelines.scoring import blend_of
from pipelines.stages import BLEND, Ingested
from pipelines.workshop import KeptWorkshop

TOLERANCE = 0.01  # mean difference of the probabilities, where another processor or other libraries compute
CHANGED = "-changed"  # behind a commit whose files were edited


class UnequalError(PodiumError):
    """A run that was trained again came to other predictions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replica:
    """What a run is made from, found again."""

    job: Job  # the run's own: its model, seed and device
    run: FinishedRun
    ingested: Ingested
    parts: Sequence[Replica]  # of a blend; (): a training

    @staticmethod
    def of(run: FinishedRun, home: Home, runs: Runs) -> Replica:
        """Finds what made a run.

        Raises:
            UsageError: the competition or the candidate is no more.
            UnavailableError: the raw files are not those of the run.
            StorageError: the run's files are damaged.
        """
        model = run.tags["model"]
        job = Job(
            name=run.tags["competition"],
            home=home,
            model=None if model == BLEND else model,
            seed=int(run.tags["seed"]),
            device=run.tags["device"],
        )
        ingested = stages.ingest(job)
        if ingested.tables.data_hash != run.tags["data_hash"]:
            source = f"{ingested.tables.source}: {ingested.tables.place}"
            was = f"the run is of {run.tags['data_source']}, {run.tags['data_hash'][:12]}"
            raise UnavailableError(f"{run.name}: the raw files are others: {was}, but {source} is found")
        parts = [Replica.of(part, home, runs) for part in _blended(run, ingested.label, runs)]
        return Replica(job=job, run=run, ingested=ingested, parts=parts)

    @property
    def config(self) -> Config:
        """The settings of the training."""
        declared = self.job.competition.candidate(self.job.model)[1].config
        return keys.config_of(declared, _read(self.run, "config.json"))

    @property
    def key(self) -> str:
        """The key that the run would have with the code as it is here."""
        if self.parts:
            return keys.blend_key([part.key for part in self.parts])
        return stages.key_of(self.job, self.ingested, self.config)

    def predict(self) -> tuple[np.ndarray, np.ndarray]:
        """Trains anew; predictions, float32 [rows, classes], of the train rows out of fold, and of the test rows."""
        if self.parts:
            found = [part.predict() for part in self.parts]
            tables, competition = self.ingested.tables.scored, self.job.competition
            hashes = [part.run.tags["fold_hash"] for part in self.parts]
            blended = blend_of(competition, tables, [oof for oof, _ in found], hashes, self.job.seed)
            return blended.oof, blended.apply([test for _, test in found])
        job, config, device = self.job, self.config, resolve(self.job.device)
        model, candidate = job.competition.candidate(job.model)
        candidate = replace(candidate, config=config)
        encoded = fitting.encode(job.competition, self.ingested.tables, candidate, KeptWorkshop(job.home.cache, device))
        checkpoint = Checkpoint(job.home.checkpoints / f"reproduce-{self.run.id}.safetensors")
        with progress(f"{job.name} {model} again", job.competition.metric, config.epochs) as show:
            fit = fitting.fit(
                job.competition, encoded, config, seed=job.seed, device=device, watch=show, keep=checkpoint
            )
        checkpoint.drop()
        return fit.oof, fit.test


def reproduce(run: FinishedRun, home: Home, runs: Runs, here: bool = False) -> Iterator[str]:
    """Trains a run again, and tells line by line what is as it was, and how far the predictions are from its own.

    Args:
        run: a finished training or blend.
        home: where it lies.
        runs: of that home.
        here: whether code that has changed since is an error; otherwise the run's own is taken from the repository's
            history.

    Raises:
        UnavailableError: the raw files or the code are not there any more.
        UnequalError: the predictions are others.
    """
    replica = Replica.of(run, home, runs)
    if replica.key != run.tags["key"]:
        if here:
            raise UnavailableError(f"{run.name}: neither this code nor these settings make it: another key comes out")
        yield f"  code         has changed since: that of {_commit(run)[:8]} is taken from the history"
        _in_a_copy(run, home)
        return
    yield "  code         the same: all that the run depends on"
    yield f"  data         the same: {replica.ingested.tables.place}"
    same = {"versions": versions(), "machine": machine()}
    for name, today in same.items():
        was = run.tags.get(name, "not told")
        yield f"  {name:<11}  " + (f"the same: {today}" if was == today else f"now {today}; then {was}")
    oof, test = replica.predict()
    schema = replica.job.competition.schema
    exact = all(run.tags.get(name) == today for name, today in same.items())
    old = artifacts.read_oof(run.artifacts, schema), artifacts.read_test_predictions(run.artifacts, schema)[1]
    for rows, before, now in (("train rows", old[0], oof), ("test rows", old[1], test)):
        yield f"  {rows:<11}  {_compared(run, before, now, exact)}"


def _compared(run: FinishedRun, before: np.ndarray, now: np.ndarray, exact: bool) -> str:
    """How far two predictions of the same rows are from each other.

    Raises:
        UnequalError: further than they may be: not at all where all is the same, else by `TOLERANCE` on average.
    """
    if np.array_equal(before, now):
        return f"{len(now):,} predictions, equal to the bit"
    off = np.abs(before.astype(np.float64) - now)
    told = f"predictions differ by {off.mean():.2g} on average and {off.max():.2g} at most"
    if exact:
        raise UnequalError(f"{run.name}: {told}, on the same machine with the same libraries")
    if not off.mean() <= TOLERANCE:
        raise UnequalError(f"{run.name}: {told}, which is more than another machine explains ({TOLERANCE} on average)")
    return f"{len(now):,} {told}, as another machine or other libraries may make them (up to {TOLERANCE})"


def _commit(run: FinishedRun) -> str:
    """The commit that made a run.

    Raises:
        UnavailableError: it is none that the repository could hold.
    """
    commit = run.tags["git_commit"]
    if not commit:
        raise UnavailableError(f"{run.name}: the code has changed since, and the run was made without git")
    if commit.endswith(CHANGED):
        edited = commit.removesuffix(CHANGED)[:8]
        raise UnavailableError(
            f"{run.name}: the code has changed since, and was made of edits of {edited} that are lost"
        )
    return commit


def _in_a_copy(run: FinishedRun, home: Home) -> None:
    """Reproduces a run by the code of its own commit, in a folder that is removed afterwards.

    Raises:
        PodiumError: that did not succeed; the lines of the other process say why.
    """
    archives = {name: str(Path(os.environ[name]).absolute()) for name in ("KAGGLE_ARCHIVES",) if os.environ.get(name)}
    with tempfile.TemporaryDirectory(prefix="podium-") as folder:
        git = ["git", "-c", "advice.detachedHead=false"]
        for command in (
            [*git, "clone", "--quiet", "--shared", "--no-checkout", str(REPOSITORY), folder],
            [*git, "-C", folder, "checkout", "--quiet", _commit(run)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnavailableError(f"{run.name}: {done.stderr.strip().splitlines()[-1]}")
        again = [sys.executable, "-m", "pipelines", "reproduce", run.id, "--home", str(home.root), "--here"]
        code = subprocess.call(again, cwd=folder, env={**os.environ, **archives})
    if code:
        error = UnavailableError(f"{run.name}: the code of its commit does not make it: see above")
        error.exit_code = code
        raise error


def _blended(run: FinishedRun, experiment: str, runs: Runs) -> list[FinishedRun]:
    """The runs of a blend; of a training none."""
    if run.tags["model"] != BLEND:
        return []
    found = []
    for model, part in _read(run, "blend.json")["models"].items():
        key = part.get("key")  # its id is another in a home that it was fetched to
        other = runs.finished(experiment, key) if key else runs.read(str(part["run"]))
        if other is None:
            raise UnavailableError(f"{run.name}: the run of {model} that it blends is not here")
        found.append(other)
    return found


def _read(run: FinishedRun, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run.artifacts / name).read_text())
    except (OSError, ValueError) as error:
        raise StorageError(f"{run.artifacts / name}: cannot be read ({error})") from error
    return found
