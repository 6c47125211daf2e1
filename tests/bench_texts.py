"""Bench of texts: tokens a second of packed recurrent networks, their share of the peak, and the peers beside them.

`python -m tests.bench_texts '{"cell": "lstm"}'` measures one case in this process and prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch

from data.datasets import Fold, SequenceDataset
from models.config import Precision
from models.devices import rounds
from models.recurrence import GATES
from models.rnn import Cell, RNNConfig
from tests import bench_tools
from tests.bench_data import FIFTHS, WORDS, texts
from tests.bench_tools import CPU, ROUNDS, Figures, beside, in_own_process, in_turn, of_peer, peak

PEER_ROWS = 31_212  # a fifth: the peers take minutes an epoch


@dataclass(frozen=True, kw_only=True)
class TextCase(bench_tools.Case):
    """What is trained: 156,060 phrases, 50 units a word, 96 units each way, states pooled three ways, 128 units, 5."""

    cell: Cell = Cell.LSTM
    rows: int = 156_060
    embedding: int = 50
    width: int = 96
    head: int = 128

    @property
    def config(self) -> RNNConfig:
        """For the product."""
        return RNNConfig(
            cell=self.cell,
            width=self.width,
            embedding=self.embedding,
            head=self.head,
            bag=False,
            input_dropout=0.0,
            word_dropout=0.0,
            tuned=1.0,
            **self.settings,
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


def measure(case: TextCase) -> Figures:
    """Seconds of an epoch of all networks, its tokens and its products."""
    folds = folds_of(case)
    found = case.timed(folds, case.config, FIFTHS)
    tokens = sum(len(fold.train.input) for fold in folds) * case.members  # of an epoch of all networks
    every = int(texts(case.rows)[1][-1])
    products = case.products(every) * (case.folds - 1) * case.members
    return {
        **found,
        "tokens_a_second": tokens / found["seconds"],
        "gflops": 6 * products / found["seconds"] / 1e9,
    }


def section() -> str:
    """Measures, and tells it in Markdown."""
    precisions = [Precision.FULL, *([Precision.FAST] if rounds(Precision.FAST, CPU) else [])]
    lines = []
    for cell, precision in product((Cell.LSTM, Cell.GRU), precisions):
        case = TextCase(cell=cell, precision=precision)
        before = peak()
        found = measured(case)
        limit = (before + peak()) / 2
        lines.append(
            f"| {cell}, `precision={precision.name}` | {case.folds * case.members} | {found['seconds']:.1f} "
            f"| {found['tokens_a_second']:,.0f} | {found['gflops']:.0f} | {limit:.0f} | {found['gflops'] / limit:.0%} |"
        )
    small = TextCase(rows=PEER_ROWS)
    ways: dict[str, Callable[[], Figures]] = {
        "Podium": lambda: measured(small),
        "PyTorch loop, DataLoader": lambda: of_peer("loop", small),
        "skorch": lambda: of_peer("skorch", small),
        "Lightning": lambda: of_peer("lightning", small),
    }
    if Precision.FAST in precisions:
        ways["Podium, `precision=FAST`"] = lambda: measured(replace(small, precision=Precision.FAST))
    table = beside(in_turn(ways), {name: small.epochs for name in ways if name.startswith("Podium")})
    return f"""## Recurrent networks

Made-up phrases, {TextCase.rows:,} of them and as long as the movie reviews':
({small.embedding} units a word, {small.width} units each way, the states
pooled by last, mean and max, {small.head} units, {FIFTHS} classes), 5 folds by sentence, batches of {small.batch},
dropout .3, AdamW: an epoch of all networks with its scoring. Tokens are those of the texts, without padding, and so are
the products that GFLOP/s count, six for each weight; the peak is that of float32 matrix products.

| cell | networks | seconds an epoch | tokens a second | GFLOP/s | peak | share |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}

The LSTM on {PEER_ROWS:,} of the rows beside the same network by other tools, as their users write it: random batches,
each padded to its longest text; medians of {ROUNDS} rounds in turn.

{table}
"""


def measured(case: TextCase) -> Figures:
    """A case in a process of its own."""
    return in_own_process("tests.bench_texts", case)


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    wanted |= {"cell": Cell(wanted["cell"]), "precision": Precision(wanted.get("precision", "full"))}
    print(json.dumps(measure(TextCase(**wanted))))
