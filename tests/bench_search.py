"""Bench: the search beside a plain loop over scikit-learn's cross-validation, and two workers beside one.

`python -m tests.bench_search` prints the section of docs/benchmarks.md that `make bench` writes (KAGGLE_ARCHIVES names
the folder of titanic.zip; the twin stands in otherwise).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import torch
from optuna.trial import FrozenTrial, TrialState
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from features.recipe import Workshop
from models.config import Config
from models.mlp import MLPConfig
from models.trials import finished
from models.tuning import Budget, applied
from pipelines import fitting, stages
from pipelines.home import Home
from pipelines.job import Job
from pipelines.tracking import Tracker
from pipelines.tuning import tune
from pipelines.workers import Crew
from tests.bench_tools import ROUNDS
from tests.search_kills import copy_repository, start, study_of

TRIALS, SAMPLE = 50, 10  # of the search, and of those the ones that the plain loop runs
SHARED, SHARED_EPOCHS = 16, 300  # trials that one worker and two run, and their epochs


def plain_net(
    config: MLPConfig, seed: int, train: tuple[np.ndarray, np.ndarray], valid: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """A network as PyTorch's tutorials train it, at its best epoch by the rows held out; their probabilities [rows]."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    inside = train[0].shape[1]
    for _ in range(config.depth):
        layers += [nn.Linear(inside, config.width), nn.ReLU(), nn.Dropout(config.dropout)]
        inside = config.width
    network = nn.Sequential(*layers, nn.Linear(inside, 1))
    rows = TensorDataset(torch.from_numpy(train[0]), torch.from_numpy(train[1]).float())
    loader = DataLoader(rows, batch_size=config.batch, shuffle=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.lr, total_steps=config.epochs * len(loader), pct_start=config.warmup
    )
    criterion = nn.BCEWithLogitsLoss()
    best, least, waited = np.zeros(len(valid[0])), np.inf, 0
    for _ in range(config.epochs):
        network.train()
        for x, target in loader:
            smooth = target * (1 - config.label_smoothing) + config.label_smoothing / 2
            loss = criterion(network(x).squeeze(1), smooth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            found = torch.sigmoid(network(torch.from_numpy(valid[0])).squeeze(1)).double().numpy()
        score = log_loss(valid[1], found, labels=[0, 1])
        best, least, waited = (found, score, 0) if score < least else (best, least, waited + 1)
        if waited >= config.patience:
            break
    return best


def plain_trial(config: Config, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Seconds of a trial, every fold and member one after another, and its out-of-fold log loss."""
    assert isinstance(config, MLPConfig)
    started = time.perf_counter()
    oof = np.zeros(len(y))
    for train, valid in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        for member in range(config.members):
            oof[valid] += plain_net(config, member, (x[train], y[train]), (x[valid], y[valid])) / config.members
    return time.perf_counter() - started, float(log_loss(y, oof))


def beside_a_plain_loop() -> str:
    """A whole search by Podium, and some of its settings by the plain loop."""
    torch.set_num_threads(1)  # which is faster for networks of this size
    with tempfile.TemporaryDirectory() as folder:
        job = Job(name="titanic", home=Home(Path(folder)))
        ingested = stages.ingest(job)
        Tracker(job.home.mlruns)  # an empty database takes seconds to make, once
        tuned = tune(job, ingested, Budget(trials=TRIALS), Crew())
        done, candidate = finished(tuned.hunt.study), tuned.hunt.candidate
        encoded = fitting.encode(job.competition, ingested.tables, candidate, Workshop())
    assert len(done) == TRIALS
    assert encoded.whole is not None
    config = candidate.search.config(candidate.config)
    x, y = encoded.whole.train.input.numpy(), encoded.whole.train.target.numpy()
    chosen = [done[number] for number in range(0, TRIALS, TRIALS // SAMPLE)]
    plain = [plain_trial(applied(config, trial.params), x, y) for trial in chosen]
    ours, theirs = tuned.seconds / TRIALS, statistics.mean(seconds for seconds, _ in plain)
    pruned = sum(trial.state is TrialState.PRUNED for trial in done)
    score = statistics.median(trial.values[0] for trial in chosen if trial.values is not None)
    their_score = statistics.median(score for _, score in plain)
    their_line = f"{theirs:.2f} | {TRIALS * theirs:.0f} (from {SAMPLE}) | {theirs / ours:.1f} | {their_score:.3f}"
    return f"""## The search

Titanic ({ingested.tables.source}), {TRIALS} trials of 5 folds x {config.members} members, from the first trial to the
figures, with storage and MLflow; {pruned} trials were pruned. The plain loop goes over the folds of scikit-learn's
`StratifiedKFold` and the members, and trains an equal network in PyTorch with a DataLoader, to its best epoch, with one
thread, without pruning, storage or tracking: {SAMPLE} of the same settings, every {TRIALS // SAMPLE}th. Its features
are those of all rows, so that its log loss only tells that it learns.

| | seconds a trial | seconds for {TRIALS} trials | times Podium | median log loss of the {SAMPLE} |
|---|---|---|---|---|
| Podium | {ours:.2f} | {tuned.seconds:.1f} | 1.0 | {score:.3f} |
| scikit-learn and a PyTorch loop | {their_line} |"""


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
