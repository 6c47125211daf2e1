"""Predictions of later rows by networks of all folds in time, of the last, or of all rows.

    python -m tests.bench_time

Rows of a toy whose class depends on 20 columns, by weights that stay or that drift from the first row to the last.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from data.datasets import Fold, TabularDataset
from data.metrics import LOG_LOSS
from data.splits import Split, may_teach
from models.crossfit import CrossFit, crossfit
from models.ensemble import Ensemble
from models.mlp import MLPConfig

ROWS, LATER, COLUMNS, SEEDS = 1200, 4000, 20, 6
SPLIT = Split(folds=5, time="when")
CONFIG = MLPConfig(width=64, depth=2, members=4, epochs=40, batch=64, lr=0.005, dropout=0.2, monitor=LOG_LOSS)


def folds_of(seed: int, drift: float) -> tuple[list[Fold], Fold, np.ndarray]:
    """The folds, the one that holds nothing out, and the classes of the later rows, which are the folds' test rows."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(ROWS + LATER, COLUMNS)).astype(np.float32)
    first, last = generator.normal(size=(2, COLUMNS))
    share = drift * np.minimum(np.arange(ROWS + LATER) / ROWS, 1.0)[:, None]
    scores = (x * ((1 - share) * first + share * last)).sum(axis=1)
    target = (scores + generator.logistic(size=len(x)) > 0).astype(np.int64)
    fold = SPLIT.assign(np.zeros(ROWS), pd.DataFrame({"when": np.arange(ROWS)}))

    def dataset(rows: np.ndarray) -> TabularDataset:
        return TabularDataset.of(input=x[rows], target=target[rows])

    def made(train: np.ndarray, valid: np.ndarray) -> Fold:
        parts = [dataset(np.flatnonzero(rows)) for rows in (train, valid)]
        return Fold.of(train=parts[0], valid=parts[1], test=later, valid_rows=np.flatnonzero(valid))

    later = dataset(np.arange(ROWS, ROWS + LATER))
    folds = [made(may_teach(fold, number, True), fold == number) for number in range(SPLIT.folds)]
    return folds, made(fold >= -1, fold < -1), target[ROWS:]


def answers(fit: CrossFit, folds: list[Fold], whole: Fold) -> dict[str, np.ndarray]:
    """The predictions of the later rows by several networks."""
    found = {"as it is": fit.test}
    members = CONFIG.members
    for name, some, refit in (
        ("all folds and all rows", range(5), True),
        ("last fold and all rows", range(4, 5), True),
        ("all rows alone", range(0), True),
        ("last fold alone", range(4, 5), False),
    ):
        weights = {key: each[some.start * members : some.stop * members] for key, each in fit.weights.items()}
        rows = [folds[fold].test for fold in some]
        ensemble = Ensemble(rows, whole.test if refit else None, CONFIG, 2, weights, fit.refit_weights)
        found[name] = ensemble.predict(rows, whole.test if refit else None).numpy()
    return found


def main() -> None:
    """Prints a table."""
    torch.set_num_threads(1)
    for drift in (0.0, 1.0):
        scores: dict[str, list[float]] = {}
        for seed in range(SEEDS):
            folds, whole, target = folds_of(seed, drift)
            fit = crossfit(folds, whole, CONFIG, 2, LOG_LOSS, split=SPLIT, seed=seed)
            print(f"seed {seed}: epochs {fit.fold_epochs}, out of fold {fit.score:.4f}")
            for name, found in answers(fit, folds, whole).items():
                scores.setdefault(name, []).append(LOG_LOSS.score(target, found))
        print(f"log loss of the later rows, {'with' if drift else 'without'} drift, {SEEDS} seeds")
        for name, values in scores.items():
            print(f"  {name:<24} {np.mean(values):.4f}   {' '.join(f'{value:.4f}' for value in values)}")


if __name__ == "__main__":
    main()
