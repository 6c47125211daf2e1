"""Columns: the form of tables, and their pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from data.datasets import Rows, TabularDataset
from models.pack import Form, Pack, padded_targets


@dataclass(frozen=True, kw_only=True)
class Columns(Form):
    """The columns that all folds are brought to; a fold may have learned fewer."""

    numbers: int
    cardinalities: tuple[int, ...] = ()  # the codes of each of the last columns

    @property
    def columns(self) -> int:
        """All, those that hold codes included."""
        return self.numbers + len(self.cardinalities)

    @staticmethod
    def of(datasets: Sequence[TabularDataset]) -> Columns:
        """The fewest that hold every dataset."""
        numbers = max(data.input.shape[1] - len(data.cardinalities) for data in datasets)
        cardinalities = zip(*(data.cardinalities for data in datasets), strict=True)
        return Columns(numbers=numbers, cardinalities=tuple(map(max, cardinalities)))

    def stack(self, datasets: Sequence[Rows], device: torch.device) -> ColumnPack:
        """See `Form.stack`; missing columns of numbers are zeros, which a network learns nothing from."""
        rows = tuple(len(data) for data in datasets)
        stacked = torch.zeros(len(datasets), max(rows), self.columns)
        target = padded_targets(datasets)
        for number, data in enumerate(datasets):
            assert isinstance(data, TabularDataset)
            own = data.input.shape[1] - len(data.cardinalities)
            stacked[number, : len(data), :own] = data.input[:, :own]
            stacked[number, : len(data), self.numbers :] = data.input[:, own:]
        return ColumnPack(input=stacked.to(device), target=target.to(device), rows=rows)

    def example(self, nets: int, rows: int) -> Tensor:
        """See `Form.example`."""
        return torch.zeros(nets, rows, self.columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnPack(Pack):
    """Tables.

    Attributes:
        input: float32 [folds, rows, columns].
    """

    input: Tensor

    def input_of(self, rows: Tensor) -> Tensor:
        """See `Pack.input_of`; float32 [nets, rows, columns]."""
        return self.input.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)

    def bytes_of(self, fold: int) -> list[bytes]:
        """See `Pack.bytes_of`."""
        return [row.tobytes() for row in self.input[fold, : self.rows[fold]].cpu().numpy()]

    def drawn(self, fold: int, generator: torch.Generator) -> Tensor:
        """See `Pack.drawn`."""
        return torch.randperm(self.rows[fold], generator=generator)

    def order_of(self, steps: int, epoch: int) -> list[int]:  # noqa: ARG002  # the rows were drawn anew
        """See `Pack.order_of`: as the rows were drawn."""
        return list(range(steps))

    def parts(self, most: int) -> Iterator[Tensor]:
        """See `Pack.parts`; a row counts as one number."""
        for part in torch.arange(self.input.shape[1], device=self.input.device).split(max(1, most)):
            yield part.expand(len(self.input), -1)
