"""Pack: the rows of several folds stacked on one device, and the batches that every network draws from its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from data.datasets import UNKNOWN, TabularDataset


@dataclass(frozen=True, kw_only=True)
class Width:
    """The columns that all folds are brought to; a fold may have learned fewer."""

    numbers: int
    cardinalities: tuple[int, ...]

    @property
    def columns(self) -> int:
        """All, those that hold codes included."""
        return self.numbers + len(self.cardinalities)


def width_of(datasets: Sequence[TabularDataset]) -> Width:
    """The least width that holds every dataset."""
    numbers = max(data.input.shape[1] - len(data.cardinalities) for data in datasets)
    cardinalities = zip(*(data.cardinalities for data in datasets), strict=True)
    return Width(numbers=numbers, cardinalities=tuple(map(max, cardinalities)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack:
    """Datasets of one kind, one a fold, padded to one size.

    Attributes:
        input: float32 [folds, rows, columns].
        target: int64 [folds, rows]; -1 in the padding.
        rows: the true rows of each fold.
    """

    input: Tensor
    target: Tensor
    rows: tuple[int, ...]


def stack(datasets: Sequence[TabularDataset], width: Width, device: torch.device) -> Pack:
    """Stacks the folds' datasets; missing columns of numbers are zeros, which a network learns nothing from."""
    rows = tuple(len(data) for data in datasets)
    stacked = torch.zeros(len(datasets), max(rows), width.columns)
    target = torch.full((len(datasets), max(rows)), UNKNOWN)
    for number, data in enumerate(datasets):
        own = data.input.shape[1] - len(data.cardinalities)
        stacked[number, : len(data), :own] = data.input[:, :own]
        stacked[number, : len(data), width.numbers :] = data.input[:, own:]
        target[number, : len(data)] = data.target
    return Pack(input=stacked.to(device), target=target.to(device), rows=rows)


class Batches:
    """The batches of an epoch: each network goes through its own fold's rows in an order of its own.

    An epoch has as many steps as the largest fold needs, and every fold spreads its rows evenly over them, so that no
    batch is a scrap; where a batch is one row short, a row of weight 0 fills it.

    Args:
        pack: the train rows.
        size: most rows of a batch.
        generators: one a network, on the CPU; network n belongs to fold n // (nets / folds).
    """

    def __init__(self, pack: Pack, size: int, generators: Sequence[torch.Generator]) -> None:
        self.pack = pack
        self.generators = generators
        self.members = len(generators) // len(pack.rows)
        self.steps = -(-max(pack.rows) // size)
        most = -(-max(pack.rows) // self.steps)
        self.slots = torch.stack([_slots(rows, self.steps, most) for rows in pack.rows])  # [folds, steps, batch]
        held = self.slots < torch.tensor(pack.rows).view(-1, 1, 1)
        weight = held / held.sum(dim=2, keepdim=True).clamp_min(1)
        self.weight = weight.repeat_interleave(self.members, dim=0).transpose(0, 1).to(pack.input.device)

    def epoch(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The row numbers of the pack, flattened over its folds, of every step, and their weights in a batch's mean.

        Shape: a step has rows int64 [nets x batch], target int64 [nets, batch], weight float32 [nets, batch].
        """
        nets, length = len(self.generators), self.pack.input.shape[1]
        found = torch.empty(nets, *self.slots.shape[1:], dtype=torch.int64)
        for fold, rows in enumerate(self.pack.rows):
            own = slice(fold * self.members, (fold + 1) * self.members)
            order = torch.zeros(self.members, rows + 1, dtype=torch.int64)  # the last is what a slot of weight 0 finds
            for line, generator in zip(order, self.generators[own], strict=True):
                torch.randperm(rows, generator=generator, out=line[:rows])
            found[own] = order[:, self.slots[fold]].add_(fold * length)
        at = found.transpose(0, 1).to(self.pack.input.device)  # [steps, nets, batch]
        target = self.pack.target.flatten()[at].clamp_min(0)
        return list(zip(at.flatten(1), target, self.weight, strict=True))

    def input_of(self, rows: Tensor) -> Tensor:
        """The input of a step's rows, float32 [nets, batch, columns]."""
        found = self.pack.input.flatten(0, 1).index_select(0, rows)
        return found.view(len(self.generators), -1, found.shape[1])


def _slots(rows: int, steps: int, most: int) -> Tensor:
    """Positions of the shuffled rows in each step's batch, int64 [steps, most]; `rows` itself means none."""
    slots = torch.full((steps, most), rows)
    for step, positions in enumerate(torch.arange(rows).tensor_split(steps)):
        slots[step, : len(positions)] = positions
    return slots
