"""Tokens: the form of texts, and their pack, whose batches hold rows of about one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.datasets import PADDING, UNKNOWN, UNSEEN, Rows, SequenceDataset
from models.pack import Form, Pack


@dataclass(frozen=True, kw_only=True)
class Tokens(Form):
    """The tokens that all folds can have between them."""

    vocabulary: int  # tokens, those of the padding and of the unseen included
    units: int  # of the vectors that are known beforehand; 0: none are
    longest: int  # tokens of a train row

    @staticmethod
    def of(datasets: Sequence[SequenceDataset]) -> Tokens:
        """The least form that holds every dataset."""
        units = {data.vectors.shape[1] for data in datasets}
        if len(units) > 1:
            raise ValueError(f"the vectors of all folds have the same units, but got {sorted(units)}")
        return Tokens(
            vocabulary=max(len(data.vectors) for data in datasets),
            units=units.pop(),
            longest=max([1, *(int(data.offsets.diff().max()) for data in datasets if len(data))]),
        )

    def stack(self, datasets: Sequence[Rows], device: torch.device) -> TokenPack:
        """See `Form.stack`."""
        rows = tuple(len(data) for data in datasets)
        shape = (len(datasets), max(rows))
        starts, lengths, target = torch.zeros(shape).long(), torch.zeros(shape).long(), torch.full(shape, UNKNOWN)
        vectors = torch.full((len(datasets), self.vocabulary, self.units), torch.nan)
        tokens = []
        first = 0
        for number, data in enumerate(datasets):
            assert isinstance(data, SequenceDataset)
            starts[number, : len(data)] = first + data.offsets[:-1]
            lengths[number, : len(data)] = data.offsets.diff()
            target[number, : len(data)] = data.target
            vectors[number, : len(data.vectors)] = data.vectors
            tokens.append(data.input)
            first += len(data.input)
        tokens.append(torch.tensor([PADDING]))  # there is one to point at
        parts = (torch.cat(tokens), starts, lengths, target, vectors)
        names = ("tokens", "starts", "lengths", "target", "vectors")
        return TokenPack(rows=rows, **{name: part.to(device) for name, part in zip(names, parts, strict=True)})

    def example(self, nets: int, rows: int) -> Tensor:
        """See `Form.example`: rows of one token."""
        return torch.full((nets, rows, 1), UNSEEN)


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenPack(Pack):
    """Texts, end to end.

    Attributes:
        tokens: int64 [tokens of all rows of all folds, and one more].
        starts: int64 [folds, rows], of a row in the tokens.
        lengths: int64 [folds, rows]; 0 in the padding.
        vectors: float32 [folds, vocabulary, units]; NaN where nothing is known.
    """

    tokens: Tensor
    starts: Tensor
    lengths: Tensor
    vectors: Tensor

    def input_of(self, rows: Tensor) -> Tensor:
        """See `Pack.input_of`; int64 [n, longest of these rows], padded at the end."""
        lengths = self.lengths.flatten()[rows].unsqueeze(1)
        places = torch.arange(int(lengths.max().clamp_min(1)), device=rows.device)
        at = (self.starts.flatten()[rows].unsqueeze(1) + places).clamp_max(len(self.tokens) - 1)
        return torch.where(places < lengths, self.tokens[at], PADDING)

    def drawn(self, fold: int, generator: torch.Generator) -> Tensor:
        """See `Pack.drawn`: by length, rows of one length at random."""
        shuffled = torch.randperm(self.rows[fold], generator=generator)
        return shuffled[self.lengths[fold, : self.rows[fold]].cpu()[shuffled].argsort(stable=True)]

    def order_of(self, steps: int, epoch: int) -> list[int]:
        """See `Pack.order_of`: at random, for the pieces come by length."""
        return np.random.default_rng(epoch).permutation(steps).tolist()

    def parts(self, most: int) -> Iterator[Tensor]:
        """See `Pack.parts`; the rows by length, and a row counts as its tokens."""
        order = self.lengths.argsort(dim=1, stable=True)
        longest = self.lengths.gather(1, order).amax(dim=0).clamp_min(1).tolist()
        start = 0
        for end in range(1, len(longest) + 1):
            if end == len(longest) or longest[end] * (end + 1 - start) > most:
                yield order[:, start:end]
                start = end
