"""One measurement of the packed training in a process of its own, so that its peak of memory is its own.

`python -m tests.bench_worker '{"rows": 49502}'` prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from data.datasets import Fold, TabularDataset
from models import devices
from models.config import Precision
from models.mlp import MLPConfig
from tests import bench_tools
from tests.bench_data import CLASSES, COLUMNS, counts
from tests.bench_tools import Figures


@dataclass(frozen=True, kw_only=True)
class Case(bench_tools.Case):
    """What is trained: 93-512-512-9 unless it says otherwise."""

    rows: int = 49_502
    members: int = 2
    batch: int = 512
    width: int = 512
    depth: int = 2
    dropout: float = 0.2
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
        return MLPConfig(width=self.width, depth=self.depth, **self.settings)


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


def measure(case: Case) -> Figures:
    """Seconds of an epoch of all networks, and its products."""
    if case.cores:
        devices.LARGE = 0 if case.cores == "all" else sys.maxsize
    found = case.timed(folds_of(case), case.config, CLASSES)
    trained = case.rows * (case.folds - 1) * case.members  # rows x networks of an epoch
    return {**found, "gflops": 6 * case.weights * trained / found["seconds"] / 1e9}


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    if "precision" in wanted:
        wanted["precision"] = Precision(wanted["precision"])
    print(json.dumps(measure(Case(**wanted))))
