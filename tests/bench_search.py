"""Bench: the search beside a plain loop over scikit-learn's cross-validation, and two workers beside one.

`python -m tests.bench_search` prints the section of docs/benchmarks.md (KAGGLE_ARCHIVES names the folder of
titanic.zip; the twin stands in otherwise).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import torch
from optuna.trial import FrozenTrial, TrialState
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from features.recipe import Workshop
from models.config import Config
from models.mlp import MLPConfig
from models.trials import finished
from models.tuning import applied
from pipelines import fitting, stages, studies
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from tests.bench_tools import ROUNDS
from tests.search_kills import copy_repository, start, study_of

TRIALS, SAMPLE = 50, 10  # of the search, and of those the ones that the plain loop runs
SHARED, SHARED_EPOCHS = 16, 300  # trials that one worker and two run, and their epochs


class PlainNet(ClassifierMixin, BaseEstimator):
    """An MLP as PyTorch's tutorials train it, for scikit-learn; one logit, as Titanic's."""

    def __init__(self, config: Config, seed: int) -> None:
        self.config, self.seed = config, seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> PlainNet:
        """Trains for all epochs."""
        config = self.config
        assert isinstance(config, MLPConfig)
        torch.manual_seed(self.seed)
        self.classes_ = np.unique(y)
        layers: list[nn.Module] = []
        inside = x.shape[1]
        for _ in range(config.depth):
            layers += [nn.Linear(inside, config.width), nn.ReLU(), nn.Dropout(config.dropout)]
            inside = config.width
        self.network_ = nn.Sequential(*layers, nn.Linear(inside, 1))
        loader = DataLoader(
            TensorDataset(torch.from_numpy(x), torch.from_numpy(y).float()), batch_size=config.batch, shuffle=True
        )
        optimizer = torch.optim.AdamW(self.network_.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.lr, total_steps=config.epochs * len(loader), pct_start=config.warmup
        )
        criterion = nn.BCEWithLogitsLoss()
        self.network_.train()
        for _ in range(config.epochs):
            for rows, target in loader:
                smooth = target * (1 - config.label_smoothing) + config.label_smoothing / 2
                loss = criterion(self.network_(rows).squeeze(1), smooth)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """[rows]."""
        return self.predict_proba(x).argmax(axis=1)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """[rows, 2]."""
        self.network_.eval()
        with torch.no_grad():
            second = torch.sigmoid(self.network_(torch.from_numpy(x))).numpy()
        return np.concatenate([1 - second, second], axis=1)


def plain_trial(config: Config, x: np.ndarray, y: np.ndarray) -> float:
    """Seconds of a trial: every fold and member one after another."""
    started = time.perf_counter()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for member in range(config.members):
        cross_val_predict(PlainNet(config, member), x, y, cv=folds, method="predict_proba")
    return time.perf_counter() - started


def beside_a_plain_loop() -> str:
    """A whole search by Podium, and some of its settings by the plain loop."""
    torch.set_num_threads(1)  # which is faster for networks of this size
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipelines", "tune", "titanic", "--trials", str(TRIALS), "--home", folder],
            cwd=REPOSITORY, check=True, capture_output=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        job = Job(name="titanic", home=home)
        ingested = stages.ingest(job)
        study = studies.find(job, ingested.tables, ingested.label)
        assert study is not None
        done = finished(study)
        candidate = job.competition.candidate(None)[1]
        config = candidate.search.config(candidate.config)
        encoded = fitting.encode(job.competition, ingested.tables, candidate, Workshop())
    assert len(done) == TRIALS
    assert encoded.whole is not None
    x, y = encoded.whole.train.input.numpy(), encoded.whole.train.target.numpy()
    plain = [plain_trial(applied(config, done[number].params), x, y) for number in range(0, TRIALS, TRIALS // SAMPLE)]
    ours, theirs = seconds / TRIALS, statistics.mean(plain)
    pruned = sum(trial.state is TrialState.PRUNED for trial in done)
    return f"""## The search

Titanic ({ingested.tables.source}), {TRIALS} trials of 5 folds x {config.members} members: the whole command from its
start to its figures, with storage and MLflow, {pruned} trials pruned. The plain loop is scikit-learn's
`cross_val_predict` over as many folds and members with an equal network in PyTorch, one thread, without pruning,
storage or tracking: {SAMPLE} of the same settings, every {TRIALS // SAMPLE}th.

| | seconds a trial | seconds for {TRIALS} trials | times Podium |
|---|---|---|---|
| Podium | {ours:.2f} | {seconds:.1f} | 1.0 |
| scikit-learn and a PyTorch loop | {theirs:.2f} | {TRIALS * theirs:.0f} (from {SAMPLE}) | {theirs / ours:.1f} |"""


def span(trials: list[FrozenTrial]) -> float:
    """Seconds from the first start to the last end."""
    starts = [trial.datetime_start for trial in trials if isinstance(trial.datetime_start, datetime)]
    ends = [trial.datetime_complete for trial in trials if isinstance(trial.datetime_complete, datetime)]
    return (max(ends) - min(starts)).total_seconds()


def rate(workers: int) -> float:
    """Trials a minute of so many workers, once they have started."""
    with tempfile.TemporaryDirectory() as folder:
        search = "sampler=Sampler.RANDOM, pruner=Pruner.NONE"
        repository = copy_repository(Path(folder), SHARED_EPOCHS, search=search)
        process = start(repository, "--workers", str(workers), "--trials", str(SHARED))
        out = process.communicate()[0]
        assert process.returncode == 0, out
        with study_of(repository) as study:
            return 60 * SHARED / span(finished(study))


def beside_two_workers() -> str:
    """One worker and two, in turn."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, rates in found.items():
            rates.append(rate(workers))
    one, two = (statistics.median(rates) for rates in found.values())
    return f"""Two workers beside one, {os.cpu_count()} cores, one thread each, {SHARED} trials of {SHARED_EPOCHS}
epochs with the same settings, from the start of the first trial to the end of the last; medians of {ROUNDS} rounds:

| workers | trials a minute | times one |
|---|---|---|
| 1 | {one:.1f} | 1.00 |
| 2 | {two:.1f} | {two / one:.2f} |"""


def section() -> str:
    """All of it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return f"{beside_a_plain_loop()}\n\n{beside_two_workers()}"


if __name__ == "__main__":
    print(section())
