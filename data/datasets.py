"""Torch datasets whose tensors lie on one device, and the fold that is made of three of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from data.codes import PADDING


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularDataset(Dataset[tuple[Tensor, Tensor]]):
    """Rows of numbers, followed by rows of category codes.

    Attributes:
        input: float32 [rows, numbers + codes]; the last `len(cardinalities)` columns hold whole codes.
        target: int64 [rows], the class, or -1 where it is unknown.
        cardinalities: how many codes each of the last columns can hold; 0 is the code of the unseen.
    """

    input: Tensor
    target: Tensor
    cardinalities: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.input.ndim != 2 or len(self.input) != len(self.target):
            raise ValueError(f"takes input [rows, columns] and target [rows], but got {self.input.shape=}")

    @staticmethod
    def of(*, input: np.ndarray, target: np.ndarray, cardinalities: tuple[int, ...] = ()) -> TabularDataset:
        """The dataset of arrays, whose memory it shares."""
        return TabularDataset(
            input=torch.from_numpy(input), target=torch.from_numpy(target), cardinalities=cardinalities
        )

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.input[row], self.target[row]

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """A batch in one go, for a DataLoader."""
        at = torch.as_tensor(rows, device=self.input.device)
        return list(zip(self.input[at], self.target[at], strict=True))

    def to(self, device: torch.device | str) -> TabularDataset:
        """The same rows on another device."""
        return replace(self, input=self.input.to(device), target=self.target.to(device))

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows once, `size` at a time; shuffled when a generator is given.

        Shape: input [size, columns], target [size]; the last batch may be smaller.
        """
        for rows in _order(len(self), generator).split(size):
            at = rows.to(self.input.device)
            yield self.input[at], self.target[at]


@dataclass(frozen=True, kw_only=True, eq=False)
class SequenceDataset(Dataset[tuple[Tensor, Tensor]]):
    """Rows of tokens of any length, end to end, so that memory is the tokens' and no more.

    Token 0 (`PADDING`) fills up a batch and stands in no row; token 1 (`UNSEEN`) is any that was not learned.

    Attributes:
        input: int64 [tokens of all rows].
        offsets: int64 [rows + 1]; row i is input[offsets[i]:offsets[i + 1]].
        target: int64 [rows], the class, or -1 where it is unknown.
        vectors: float32 [vocabulary, units], what is known of each token beforehand; NaN where nothing is.
        context: int8 [places, units], what is known of tokens in their texts, in `CONTEXT_STEP`s; may be shared.
        places: int64 [rows], where the context of a row's first token stands.
        weights: of layers that were trained elsewhere, by name; networks may start from them.
    """

    input: Tensor
    offsets: Tensor
    target: Tensor
    vectors: Tensor
    context: Tensor
    places: Tensor
    weights: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.offsets) != len(self.target) + 1:
            raise ValueError(f"takes one offset more than rows, but got {len(self.offsets)=} {len(self.target)=}")

    @staticmethod
    def of(*, weights: Mapping[str, np.ndarray] | None = None, **arrays: np.ndarray) -> SequenceDataset:
        """The dataset of arrays by the names of its attributes, whose memory it shares."""
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return SequenceDataset(
            **tensors, weights={name: torch.from_numpy(array) for name, array in (weights or {}).items()}
        )

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        row = range(len(self))[row]  # so that -1 is the last row, and one too far an IndexError
        return self.input[self.offsets[row] : self.offsets[row + 1]], self.target[row]

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """A batch in one go, for a DataLoader with a `collate_fn` that pads."""
        return [self[row] for row in rows]

    def to(self, device: torch.device | str) -> SequenceDataset:
        """The same rows on another device."""
        names = ("input", "offsets", "target", "vectors", "context", "places")
        moved = {name: getattr(self, name).to(device) for name in names}
        return replace(self, **moved, weights={name: each.to(device) for name, each in self.weights.items()})

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """All rows once, `size` at a time; shuffled when a generator is given.

        Shape: tokens [size, longest of the batch], lengths [size], target [size].
        """
        for rows in _order(len(self), generator).split(size):
            at = rows.to(self.input.device)
            tokens = [self[int(row)][0] for row in rows]
            lengths = self.offsets[at + 1] - self.offsets[at]
            yield pad_sequence(tokens, batch_first=True, padding_value=PADDING), lengths, self.target[at]


Rows = TabularDataset | SequenceDataset


def _order(rows: int, generator: torch.Generator | None) -> Tensor:
    return torch.arange(rows) if generator is None else torch.randperm(rows, generator=generator)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """One fold of a cross-validation, encoded: every transformer was fitted on `train` alone.

    `valid_rows`, int64 [valid rows], says where the valid rows stand among all train rows.
    """

    train: Rows
    valid: Rows
    test: Rows
    valid_rows: Tensor

    @staticmethod
    def of(*, train: Rows, valid: Rows, test: Rows, valid_rows: np.ndarray) -> Fold:
        """The fold of an array of row numbers, whose memory it shares."""
        return Fold(train=train, valid=valid, test=test, valid_rows=torch.from_numpy(valid_rows))
