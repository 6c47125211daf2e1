"""Bench of texts: tokens a second of packed recurrent networks, their share of the peak, and the peers beside them.

`python -m tests.bench_texts '{"cell": "lstm"}'` measures one case in this process and prints a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch

from data.datasets import Fold, SequenceDataset
from data.metrics import LOG_LOSS
from models.config import Precision, Schedule
from models.crossfit import crossfit
from models.recurrence import GATES, Cell
from models.rnn import RNNConfig
from tests.bench_data import FIFTHS, WORDS, texts


@dataclass(frozen=True, kw_only=True)
class TextCase:
    """What is trained: 156,060 phrases, 50 units a word, 96 units each way, states pooled three ways, 128 units, 5."""

    cell: Cell = Cell.LSTM
    rows: int = 156_060
    folds: int = 5
    members: int = 1
    epochs: int = 2
    batch: int = 128
    embedding: int = 50
    width: int = 96
    head: int = 128
    dropout: float = 0.3
    precision: Precision = Precision.FULL

    @property
    def config(self) -> RNNConfig:
        """For the product."""
        return RNNConfig(
            cell=self.cell,
            width=self.width,
            embedding=self.embedding,
            head=self.head,
            bag=False,
            dropout=self.dropout,
            input_dropout=0.0,
            word_dropout=0.0,
            tuned=1.0,
            members=self.members,
            epochs=self.epochs,
            batch=self.batch,
            schedule=Schedule.CONSTANT,
            refit=0,
            precision=self.precision,
        )

    def products(self, tokens: int) -> int:
        """Of a weight and a number, of so many tokens and all rows, for one network."""
        of_token = 2 * (self.embedding + self.width) * GATES[self.cell] * self.width
        return of_token * tokens + (6 * self.width * self.head + self.head * FIFTHS) * self.rows


def folds_of(case: TextCase) -> list[Fold]:
    """Folds whose test row is one; kin are on one side."""
    tokens, offsets, target, group = texts(case.rows)
    fold = group % case.folds

    def dataset(rows: np.ndarray) -> SequenceDataset:
        lengths = np.diff(offsets)[rows]
        own = np.repeat(rows, np.diff(offsets))
        return SequenceDataset(
            input=torch.from_numpy(tokens[own]),
            offsets=torch.from_numpy(np.cumsum([0, *lengths])),
            target=torch.from_numpy(target[rows]),
            vectors=torch.empty(2 + WORDS, 0),
            context=torch.empty(0, 0, dtype=torch.int8),
            places=torch.zeros(len(lengths), dtype=torch.int64),
        )

    return [
        Fold(
            train=dataset(fold != number),
            valid=dataset(fold == number),
            test=dataset(np.arange(case.rows) == 0),
            valid_rows=torch.from_numpy(np.flatnonzero(fold == number)),
        )
        for number in range(case.folds)
    ]


def measure(case: TextCase) -> dict[str, float]:
    """Seconds of an epoch of all networks, its scoring included."""
    folds = folds_of(case)
    ends = [time.perf_counter()]
    fit = crossfit(folds, None, case.config, FIFTHS, LOG_LOSS, watch=lambda _: ends.append(time.perf_counter()))
    seconds = (ends[-1] - ends[1]) / (len(ends) - 2)  # the first epoch warms up
    tokens = sum(len(fold.train.input) for fold in folds) * case.members  # of an epoch of all networks
    share = (case.folds - 1) / case.folds
    every = int(texts(case.rows)[1][-1])
    return {
        "seconds": seconds,
        "tokens_a_second": tokens / seconds,
        "gflops": 6 * case.products(every) * share * case.folds * case.members / seconds / 1e9,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "score": fit.score,
    }


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    wanted |= {"cell": Cell(wanted["cell"]), "precision": Precision(wanted.get("precision", "full"))}
    print(json.dumps(measure(TextCase(**wanted))))
