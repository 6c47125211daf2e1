"""Expansion: what a network makes of its numbers before the first layer that learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.columns import ColumnPack

TERMS = (2, 5)  # least and most numbers in a signed sum
CHUNK = 2**14  # rows of which sums are computed at once


class Expansion(nn.Module):
    """Piecewise-linear pieces of every number, and random signed sums of the numbers, each network's own.

    A piece rises from 0 to 1 between two neighbouring quantiles of the column's train rows, and is flat elsewhere
    (Gorishniy et al., 2022, https://arxiv.org/abs/2203.05556). The quantiles are those of the values above the
    least one, so that a column of counts, mostly zeros, has its pieces where its values are. A signed sum adds and
    subtracts two to five numbers, and its signed square root is standardised.

    The numbers themselves pass where there are no pieces, or not at all; columns after them always pass. Nothing here
    is trained: `fit` learns the quantiles and the scale of the sums from the train rows. A column with few values has
    fewer pieces, and those that no fold has are left out.

    Shape: [nets, rows, numbers + passed] to [nets, rows, at most numbers x max(pieces, 1) + sums + passed]; without
        the numbers, [nets, rows, sums + passed]

    Args:
        numbers: the first columns, that are expanded.
        passed: the columns after them.
        pieces: of a number; 0 passes the numbers as they are, None does not.
        sums: of a network.
        generators: one a network; draws the terms of its sums.
    """

    counts: Tensor  # int64 [nets, pieces]: how many of the numbers have a first piece, a second, ...; alike in all nets
    order: Tensor  # int64 [nets, numbers]: the numbers, those with most pieces first; the same for all networks
    least: Tensor  # [nets, 1, numbers], in that order
    slopes: Tensor  # [nets, 1, used]: all first pieces, then all second ones, ...; 0 where a fold lacks one
    offsets: Tensor  # [nets, 1, used]: minus where a piece starts above the least value, times its slope
    terms: Tensor  # [nets, numbers, sums], -1, 0 or 1
    center: Tensor  # [nets, 1, sums]
    scale: Tensor  # [nets, 1, sums]

    def __init__(
        self, numbers: int, passed: int, pieces: int | None, sums: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        nets = len(generators)
        self.numbers, self.sums = numbers, sums
        outputs = 0 if pieces is None else numbers * max(pieces, 1)
        pieces = pieces or 0
        self.lengths = [numbers] * pieces  # a row of `counts`
        self.widths = (outputs, sums, passed)
        self.register_buffer("counts", torch.tensor(self.lengths).repeat(nets, 1))
        self.register_buffer("order", torch.arange(numbers).repeat(nets, 1))
        self.register_buffer("least", torch.zeros(nets, 1, numbers))
        self.register_buffer("slopes", torch.zeros(nets, 1, numbers * pieces))
        self.register_buffer("offsets", torch.zeros(nets, 1, numbers * pieces))
        self.register_buffer("terms", torch.stack([_terms(numbers, sums, generator) for generator in generators]))
        self.register_buffer("center", torch.zeros(nets, 1, sums))
        self.register_buffer("scale", torch.ones(nets, 1, sums))

    @torch.no_grad()
    def fit(self, pack: ColumnPack) -> Tensor:
        """Learns from the train rows of every fold; the positions of the outputs that stay, int64 [kept]."""
        members = len(self.terms) // len(pack.rows)
        own_rows = [pack.input[fold, :rows, : self.numbers] for fold, rows in enumerate(pack.rows)]
        for fold, x in enumerate(own_rows if self.sums else ()):
            own = slice(fold * members, (fold + 1) * members)
            self.center[own], self.scale[own] = self._moments(x, self.terms[own])
        kept = torch.arange(sum(self.widths), device=pack.input.device)
        if self.lengths:
            pieces = self._fit_pieces(torch.stack([_edges(x, len(self.lengths)) for x in own_rows]), members)
            kept = torch.cat([pieces, kept[self.widths[0] :]])
            self.widths = (len(pieces), *self.widths[1:])
        return kept

    def _fit_pieces(self, edges: Tensor, members: int) -> Tensor:
        """Takes over the edges [folds, pieces + 1, numbers]; the positions of the pieces that some fold has."""
        rise = edges.diff(dim=1)
        slopes = torch.where(rise > 0, 1 / rise.clamp_min(1e-30), 0)  # [folds, pieces, numbers]
        used = (slopes > 0).any(dim=0)  # [pieces, numbers]
        order = used.sum(dim=0).argsort(descending=True, stable=True)
        self.lengths = used.sum(dim=1).tolist()
        self.counts = used.sum(dim=1).repeat(len(self.counts), 1)
        numbers = torch.cat([order[:length] for length in self.lengths])
        piece = torch.arange(len(self.lengths), device=edges.device).repeat_interleave(used.sum(dim=1))
        least = edges[:, :1]
        found = {
            "order": order.expand(len(edges), -1),
            "least": least[:, :, order],
            "slopes": slopes[:, piece, numbers].unsqueeze(1),
            "offsets": ((least - edges[:, :-1]) * slopes)[:, piece, numbers].unsqueeze(1),
        }
        for name, value in found.items():
            setattr(self, name, value.repeat_interleave(members, dim=0))
        return piece * self.numbers + numbers

    def settle(self, counts: Tensor) -> None:
        """Goes to the shapes that `fit` led to, by the `counts` of that time."""
        self.lengths = counts[0].tolist()
        pieces = sum(self.lengths)
        self.counts = torch.empty_like(counts)
        self.slopes, self.offsets = (torch.empty(len(counts), 1, pieces) for _ in range(2))
        if self.lengths:
            self.widths = (pieces, *self.widths[1:])

    def _moments(self, x: Tensor, terms: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of every sum of these rows, and 1 / its standard deviation, both float32 [members, 1, sums]."""
        total, squares = torch.zeros(2, len(terms), 1, self.sums, dtype=torch.float64, device=x.device)
        for part in x.split(CHUNK):
            found = self._sums(part.expand(len(terms), -1, -1), terms).double()
            total += found.sum(dim=1, keepdim=True)
            squares += found.square().sum(dim=1, keepdim=True)
        center = total / len(x)
        spread = (squares / len(x) - center.square()).clamp_min(0).sqrt()
        return center.float(), torch.where(spread > 0, 1 / spread.clamp_min(1e-6), 0).float()

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Expands."""
        found = x.new_empty(*x.shape[:2], sum(self.widths))
        pieces, sums, passed = found.split(self.widths, dim=2)
        passed.copy_(x[:, :, self.numbers :])
        x = x[:, :, : self.numbers]
        if self.sums:
            torch.sub(self._sums(x, self.terms), self.center, out=sums).mul_(self.scale)
        if not self.lengths:
            pieces.copy_(x[:, :, : self.widths[0]])
            return found
        above = x.index_select(2, self.order[0]).sub_(self.least)
        parts = (each.split(self.lengths, dim=2) for each in (self.offsets, self.slopes, pieces))
        for length, offset, slope, into in zip(self.lengths, *parts, strict=True):
            torch.addcmul(offset, above[:, :, :length], slope, out=into)
        pieces.clamp_(0, 1)
        return found

    @staticmethod
    def _sums(x: Tensor, terms: Tensor) -> Tensor:
        """The signed square roots of the signed sums, [nets, rows, sums]."""
        found = torch.bmm(x, terms)
        return found.abs().sqrt_().copysign_(found)


def _terms(numbers: int, sums: int, generator: torch.Generator) -> Tensor:
    """The terms of random signed sums, float32 [numbers, sums]; fewer where there are not enough numbers."""
    terms = torch.zeros(numbers, sums)
    for column in range(sums):
        count = int(torch.randint(TERMS[0], TERMS[1] + 1, (1,), generator=generator))
        at = torch.randperm(numbers, generator=generator)[:count]
        terms[at, column] = torch.randint(0, 2, (len(at),), generator=generator).float() * 2 - 1
    return terms


def _edges(x: Tensor, pieces: int) -> Tensor:
    """The least value, and quantiles of those above it; where some are equal, the greatest is repeated.

    Shape: x [rows, numbers], result [pieces + 1, numbers]
    """
    edges = x.new_empty(pieces + 1, x.shape[1])
    shares = torch.linspace(0, 1, pieces + 1, dtype=torch.float64, device=x.device)[1:]
    for column, values in enumerate(x.T):
        least = values.min()
        above = values[values > least].sort().values
        if len(above) == 0:
            above = least.reshape(1)
        at = (shares * (len(above) - 1)).round().long()  # torch.quantile takes no more than 16 million values
        found = torch.cat([least.reshape(1), above[at]]).unique()
        edges[: len(found), column] = found
        edges[len(found) :, column] = found[-1]
    return edges
