"""Pack: the rows of several folds on one device, and the batches that every network draws from its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from data.codes import UNKNOWN
from data.datasets import Rows


@dataclass(frozen=True, kw_only=True)
class Form(ABC):
    """What the inputs of all folds have in common, and so what a network is built for."""

    @abstractmethod
    def stack(self, datasets: Sequence[Rows], device: torch.device) -> Pack:
        """The folds' datasets as a pack on the device."""

    @abstractmethod
    def example(self, nets: int, rows: int) -> Any:
        """An input of nothing in particular, as `Pack.input_of` gives them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack(ABC):
    """Datasets of one kind, one a fold.

    A row has a number, which counts over the folds' rows, each fold padded to the longest.

    Attributes:
        target: int64 or float32 [folds, rows, ...]; -1 in the padding.
        rows: the true rows of each fold.
    """

    target: Tensor
    rows: tuple[int, ...]

    @abstractmethod
    def input_of(self, rows: Tensor) -> Any:
        """What a network takes of rows, by their numbers, int64 [nets, rows]."""

    @abstractmethod
    def bytes_of(self, fold: int) -> list[bytes]:
        """The input of each true row of a fold, alike where networks take the same of rows."""

    def repeats(self, fold: int) -> Tensor:
        """How often each row stands in its fold with its target; int64 [rows of the fold], on the CPU."""
        inputs, targets = self.bytes_of(fold), self.target[fold, : self.rows[fold]].tolist()
        count = Counter(zip(inputs, targets, strict=True))
        return torch.tensor([count[row] for row in zip(inputs, targets, strict=True)])

    @abstractmethod
    def drawn(self, fold: int, generator: torch.Generator) -> Tensor:
        """An order of a fold's rows for one epoch, whose pieces become batches; int64 [rows of the fold]."""

    @abstractmethod
    def order_of(self, steps: int, epoch: int) -> list[int]:
        """An order of an epoch's steps, the same for all networks; that of fewer is the same without the others."""

    @abstractmethod
    def parts(self, most: int) -> Iterator[Tensor]:
        """Positions of all rows of every fold, int64 [folds, part], so that a part has about `most` numbers a fold."""


def padded_targets(datasets: Sequence[Rows]) -> Tensor:
    """The targets of all datasets, [datasets, longest, ...], `UNKNOWN` in the padding."""
    return pad_sequence([data.target for data in datasets], batch_first=True, padding_value=UNKNOWN)


class Batches:
    """The batches of an epoch: each network goes through its own fold's rows in an order of its own.

    A fold takes as many steps as its rows need, and spreads them evenly, so that no batch is a scrap; where a batch is
    short, rows of weight 0 fill it. An epoch has the steps of the largest fold; a smaller one rests in the last.

    Args:
        pack: the train rows.
        size: most rows of a batch.
        generators: one a network, on the CPU; network n belongs to fold n // (nets / folds).
        distinct: whether rows that repeat each other weigh as one.
    """

    def __init__(self, pack: Pack, size: int, generators: Sequence[torch.Generator], distinct: bool = False) -> None:
        self.pack = pack
        self.generators = generators
        self.members = len(generators) // len(pack.rows)
        self.own = [-(-rows // size) for rows in pack.rows]  # steps of each fold
        self.steps = max(self.own)
        most = max(-(-rows // steps) for rows, steps in zip(pack.rows, self.own, strict=True))
        slots = [_slots(rows, steps, self.steps, most) for rows, steps in zip(pack.rows, self.own, strict=True)]
        self.slots = torch.stack(slots)  # [folds, steps, batch]
        held = self.slots < torch.tensor(pack.rows).view(-1, 1, 1)
        weight = held / held.sum(dim=2, keepdim=True).clamp_min(1)
        self.weight = weight.repeat_interleave(self.members, dim=0).transpose(0, 1).to(pack.target.device)
        self.share = _shares(pack).to(pack.target.device) if distinct else None  # [folds, rows]

    def epoch(self, number: int) -> list[Step]:
        """The steps of an epoch."""
        nets, length = len(self.generators), self.pack.target.shape[1]
        found = torch.empty(nets, *self.slots.shape[1:], dtype=torch.int64)
        for fold, rows in enumerate(self.pack.rows):
            own = slice(fold * self.members, (fold + 1) * self.members)
            order = torch.zeros(self.members, rows + 1, dtype=torch.int64)  # the last is what a slot of weight 0 finds
            for line, generator in zip(order, self.generators[own], strict=True):
                line[:rows] = self.pack.drawn(fold, generator)
            order[:, rows] = order[:, 0]
            found[own] = order[:, self.slots[fold]].add_(fold * length)
        at = found.transpose(0, 1).to(self.pack.target.device)  # [steps, nets, batch]
        target = self.pack.target.flatten(0, 1)[at]
        if not target.is_floating_point():
            target = target.clamp_min(0)  # of the row in a slot of weight 0, which a loss refuses
        weight = self.weight if self.share is None else self.weight * self.share.flatten()[at]
        done, steps = [0] * len(self.own), []
        for step in self.pack.order_of(self.steps, number):
            places = [place if step < own else None for place, own in zip(done, self.own, strict=True)]
            steps.append(Step(rows=at[step], target=target[step], weight=weight[step], places=places))
            done = [place + (step < own) for place, own in zip(done, self.own, strict=True)]
        return steps


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """A batch of every network."""

    rows: Tensor  # int64 [nets, batch]: their numbers
    target: Tensor  # [nets, batch, ...]
    weight: Tensor  # float32 [nets, batch]: in the mean of the batch
    places: list[int | None]  # of each fold: which of its own steps of the epoch it is, from 0; None: it rests


def _slots(rows: int, own: int, steps: int, most: int) -> Tensor:
    """Positions of the shuffled rows in each step's batch, int64 [steps, most]; `rows` itself means none."""
    slots = torch.full((steps, most), rows)
    for step, positions in enumerate(torch.arange(rows).tensor_split(own)):
        slots[step, : len(positions)] = positions
    return slots


def _shares(pack: Pack) -> Tensor:
    """What each row weighs, so that those of a kind weigh as one, and all of a fold 1 on average; float32 as target."""
    shares = torch.zeros(pack.target.shape[:2])
    for fold, rows in enumerate(pack.rows):
        own = 1 / pack.repeats(fold)
        shares[fold, :rows] = own / own.mean()
    return shares
