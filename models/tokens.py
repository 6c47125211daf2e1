"""Tokens: the form of texts, and their pack, whose batches hold rows of about one length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from data.codes import CONTEXT_STEP, PADDING, UNSEEN
from data.datasets import Rows, SequenceDataset
from models.pack import Form, Pack, padded_targets


@dataclass(frozen=True, kw_only=True)
class Tokens(Form):
    """The tokens that all folds can have between them."""

    vocabulary: int  # tokens, those of the padding and of the unseen included
    units: int  # of the vectors that are known beforehand; 0: none are
    context: int  # units of what is known of a token in its text; 0: nothing is
    longest: int  # tokens of a train row
    weights: Mapping[str, Tensor] = field(default_factory=dict, compare=False)  # of layers that were trained elsewhere

    @staticmethod
    def of(datasets: Sequence[SequenceDataset]) -> Tokens:
        """The least form that holds every dataset."""
        units = {(data.vectors.shape[1], data.context.shape[1]) for data in datasets}
        if len(units) > 1:
            raise ValueError(f"the vectors of all folds have the same units, but got {sorted(units)}")
        ((of_vectors, of_context),) = units
        return Tokens(
            vocabulary=max(len(data.vectors) for data in datasets),
            units=of_vectors,
            context=of_context,
            longest=max([1, *(int(data.offsets.diff().max()) for data in datasets if len(data))]),
            weights=datasets[0].weights,
        )

    def stack(self, datasets: Sequence[Rows], device: torch.device) -> TokenPack:
        """See `Form.stack`."""
        rows = tuple(len(data) for data in datasets)
        shape = (len(datasets), max(rows))
        starts, lengths, places = (torch.zeros(shape, dtype=torch.int64) for _ in range(3))
        tokens, vectors, contexts, first = [], [], _Shared(), 0
        for number, data in enumerate(datasets):
            assert isinstance(data, SequenceDataset)
            starts[number, : len(data)] = first + data.offsets[:-1]
            lengths[number, : len(data)] = data.offsets.diff()
            places[number, : len(data)] = data.places + contexts.add(data.context)
            tokens.append(data.input)
            vectors.append(data.vectors)
            first += len(data.input)
        tokens.append(torch.tensor([PADDING]))  # there is one to point at
        parts = (torch.cat(tokens), starts, lengths, padded_targets(datasets), contexts.whole(), places)
        names = ("tokens", "starts", "lengths", "target", "context", "places")
        moved = {name: part.to(device) for name, part in zip(names, parts, strict=True)}
        return TokenPack(rows=rows, vectors=tuple(vectors), **moved)

    def example(self, nets: int, rows: int) -> Texts:
        """See `Form.example`: rows of one token."""
        return Texts(tokens=torch.full((nets, 1, rows), UNSEEN), context=torch.zeros(nets, 1, rows, self.context))


@dataclass(frozen=True, kw_only=True, eq=False)
class Texts:
    """The input of rows of texts.

    Attributes:
        tokens: int64 [nets, longest of these rows, rows], padded at the end.
        context: float32 [nets, longest, rows, units]; anything in the padding.
    """

    tokens: Tensor
    context: Tensor

    def to(self, device: torch.device) -> Texts:
        """The same on another device."""
        return Texts(tokens=self.tokens.to(device), context=self.context.to(device))


class _Shared:
    """Tensors end to end, equal ones once, for they may be large."""

    def __init__(self) -> None:
        self.parts: dict[tuple[int, int], tuple[int, Tensor]] = {}  # by where they lie: their place, and they
        self.length = 0

    def add(self, part: Tensor) -> int:
        """Where the part begins."""
        key = (part.data_ptr(), len(part))
        if key not in self.parts:
            self.parts[key] = (self.length, part)
            self.length += len(part)
        return self.parts[key][0]

    def whole(self) -> Tensor:
        """All of them; the part itself where there is one."""
        parts = [part for _, part in self.parts.values()]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenPack(Pack):
    """Texts, end to end.

    Attributes:
        tokens: int64 [tokens of all rows of all folds, and one more].
        starts: int64 [folds, rows], of a row in the tokens.
        lengths: int64 [folds, rows]; 0 in the padding.
        vectors: of each fold, float32 [its vocabulary, units]; NaN where nothing is known.
        context: int8 [places, units], in `CONTEXT_STEP`s.
        places: int64 [folds, rows], where the context of a row begins.
    """

    tokens: Tensor
    starts: Tensor
    lengths: Tensor
    vectors: tuple[Tensor, ...]
    context: Tensor
    places: Tensor

    def input_of(self, rows: Tensor) -> Texts:
        """See `Pack.input_of`."""
        lengths, starts, places = (each.take(rows).unsqueeze(1) for each in (self.lengths, self.starts, self.places))
        step = torch.arange(int(lengths.max().clamp_min(1)), device=rows.device).view(1, -1, 1)
        held = step < lengths  # [nets, longest, rows]
        tokens = self.tokens.take(torch.where(held, starts + step, len(self.tokens) - 1))  # the last one is padding
        if not self.context.shape[1]:
            return Texts(tokens=tokens, context=torch.zeros(*held.shape, 0, device=rows.device))
        at = torch.where(held, places + step, 0)
        context = self.context.index_select(0, at.flatten()) * CONTEXT_STEP
        return Texts(tokens=tokens, context=context.unflatten(0, at.shape))

    def bytes_of(self, fold: int) -> list[bytes]:
        """See `Pack.bytes_of`: the tokens, whatever their context."""
        tokens, rows = self.tokens.cpu().numpy(), self.rows[fold]
        starts, lengths = (each[fold, :rows].tolist() for each in (self.starts, self.lengths))
        return [tokens[start : start + length].tobytes() for start, length in zip(starts, lengths, strict=True)]

    def drawn(self, fold: int, generator: torch.Generator) -> Tensor:
        """See `Pack.drawn`: by length, rows of one length at random."""
        shuffled = torch.randperm(self.rows[fold], generator=generator)
        return shuffled[self.lengths[fold, : self.rows[fold]].cpu()[shuffled].argsort(stable=True)]

    def order_of(self, steps: int, epoch: int) -> list[int]:
        """See `Pack.order_of`: at random, for the pieces come by length; of fewer steps the same without the others."""
        return np.random.default_rng(epoch).random(steps).argsort().tolist()

    def parts(self, most: int) -> Iterator[Tensor]:
        """See `Pack.parts`; the rows by length, and a row counts as its tokens."""
        order = self.lengths.argsort(dim=1, stable=True)
        longest = self.lengths.gather(1, order).amax(dim=0).clamp_min(1).tolist()
        start = 0
        for end in range(1, len(longest) + 1):
            if end == len(longest) or longest[end] * (end + 1 - start) > most:
                yield order[:, start:end]
                start = end
