"""One measurement of the packed training in a process of its own, so that its peak of memory is its own.

`python -m tests.bench_worker '{"rows": 49502}'` prints a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from data.datasets import Fold, TabularDataset
from data.metrics import LOG_LOSS
from models import devices
from models.config import Precision, Schedule
from models.crossfit import crossfit
from models.mlp import MLPConfig
from tests.bench_data import CLASSES, COLUMNS, counts


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is trained: 93-512-512-9 unless it says otherwise."""

    rows: int = 49_502
    folds: int = 5
    members: int = 2
    epochs: int = 2
    batch: int = 512
    width: int = 512
    depth: int = 2
    dropout: float = 0.2
    precision: Precision = Precision.FULL
    cores: str = ""  # "one" or "all"; "": as the product chooses

    @property
    def products(self) -> int:
        """Of a step, as the product counts them to choose the cores."""
        return self.weights * self.folds * self.members * self.batch

    @property
    def weights(self) -> int:
        """Of the linear layers of one network."""
        widths = [COLUMNS, *[self.width] * self.depth, CLASSES]
        return sum(inside * outside for inside, outside in pairwise(widths))

    @property
    def config(self) -> MLPConfig:
        """For the product."""
        return MLPConfig(
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
            members=self.members,
            epochs=self.epochs,
            batch=self.batch,
            schedule=Schedule.CONSTANT,
            refit=0,
            precision=self.precision,
        )


def folds_of(case: Case) -> list[Fold]:
    """Folds whose test rows are none."""
    x, y = (torch.from_numpy(part) for part in counts(case.rows))
    fold = torch.from_numpy(np.arange(case.rows) % case.folds)

    def dataset(rows: torch.Tensor) -> TabularDataset:
        return TabularDataset(input=x[rows], target=y[rows])

    return [
        Fold(
            train=dataset(fold != number),
            valid=dataset(fold == number),
            test=dataset(fold < 0),
            valid_rows=torch.where(fold == number)[0],
        )
        for number in range(case.folds)
    ]


def measure(case: Case) -> dict[str, float]:
    """Seconds of an epoch, its scoring included; the share of time that products took is for the caller to find."""
    if case.cores:
        devices.LARGE = 0 if case.cores == "all" else sys.maxsize
    folds = folds_of(case)
    ends = [time.perf_counter()]
    fit = crossfit(folds, None, case.config, CLASSES, LOG_LOSS, watch=lambda _: ends.append(time.perf_counter()))
    seconds = (ends[-1] - ends[1]) / (len(ends) - 2)  # the first epoch warms up
    trained = case.rows * (case.folds - 1) / case.folds * case.folds * case.members  # rows x networks of an epoch
    return {
        "seconds": seconds,
        "gflops": 6 * case.weights * trained / seconds / 1e9,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "score": fit.score,
    }


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    if "precision" in wanted:
        wanted["precision"] = Precision(wanted["precision"])
    print(json.dumps(measure(Case(**wanted))))
