"""Expansion: what a network makes of its numbers before the first layer that learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.pack import Pack

TERMS = (2, 5)  # least and most numbers in a signed sum
CHUNK = 2**14  # rows of which sums are computed at once


class Expansion(nn.Module):
    """Piecewise-linear pieces of every number, and random signed sums of the numbers, each network's own.

    A piece rises from 0 to 1 between two neighbouring quantiles of the column's train rows, and is flat elsewhere
    (Gorishniy et al., 2022, https://arxiv.org/abs/2203.05556). The quantiles are those of the values above the
    least one, so that a column of counts, mostly zeros, has its pieces where its values are. A signed sum adds and
    subtracts two to five numbers, and its signed square root is standardised.

    The numbers themselves pass only where there are no pieces; columns after them always pass. Nothing here is
    trained: `fit` learns the quantiles and the scale of the sums from the train rows.

    Shape: [nets, rows, numbers + passed] to [nets, rows, numbers x max(pieces, 1) + sums + passed]

    Args:
        numbers: the first columns, that are expanded.
        passed: the columns after them.
        pieces: of a number; 0 passes the numbers as they are.
        sums: of a network.
        generators: one a network; draws the terms of its sums.
    """

    edges: Tensor  # [nets, pieces, numbers], where each piece starts
    slopes: Tensor  # [nets, pieces, numbers]; 0 where a column has fewer pieces
    terms: Tensor  # [nets, numbers, sums], -1, 0 or 1
    center: Tensor  # [nets, 1, sums]
    scale: Tensor  # [nets, 1, sums]

    def __init__(
        self, numbers: int, passed: int, pieces: int, sums: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        nets = len(generators)
        self.numbers, self.pieces, self.sums = numbers, pieces, sums
        self.widths = (numbers * max(pieces, 1), sums, passed)
        self.register_buffer("edges", torch.zeros(nets, pieces, numbers))
        self.register_buffer("slopes", torch.zeros(nets, pieces, numbers))
        self.register_buffer("terms", torch.stack([_terms(numbers, sums, generator) for generator in generators]))
        self.register_buffer("center", torch.zeros(nets, 1, sums))
        self.register_buffer("scale", torch.ones(nets, 1, sums))

    @torch.no_grad()
    def fit(self, pack: Pack) -> None:
        """Learns from the train rows of every fold."""
        members = len(self.terms) // len(pack.rows)
        for fold, rows in enumerate(pack.rows):
            x = pack.input[fold, :rows, : self.numbers]
            own = slice(fold * members, (fold + 1) * members)
            if self.pieces:
                edges = _edges(x, self.pieces)
                self.edges[own] = edges[:-1]
                rise = edges[1:] - edges[:-1]
                self.slopes[own] = torch.where(rise > 0, 1 / rise.clamp_min(1e-30), 0)
            if self.sums:
                total, squares = torch.zeros(2, *self.center[own].shape, dtype=torch.float64, device=x.device)
                for part in x.split(CHUNK):
                    found = self._sums(part.expand(members, -1, -1), self.terms[own]).double()
                    total += found.sum(dim=1, keepdim=True)
                    squares += found.square().sum(dim=1, keepdim=True)
                center = total / rows
                spread = (squares / rows - center.square()).clamp_min(0).sqrt()
                self.center[own] = center.float()
                self.scale[own] = torch.where(spread > 0, 1 / spread.clamp_min(1e-6), 0).float()

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Expands."""
        found = x.new_empty(*x.shape[:2], sum(self.widths))
        pieces, sums, passed = found.split(self.widths, dim=2)
        passed.copy_(x[:, :, self.numbers :])
        x = x[:, :, : self.numbers]
        if self.pieces:
            into = pieces.unflatten(2, (self.pieces, self.numbers))
            torch.sub(x.unsqueeze(2), self.edges.unsqueeze(1), out=into)
            into.mul_(self.slopes.unsqueeze(1)).clamp_(0, 1)
        else:
            pieces.copy_(x)
        if self.sums:
            torch.sub(self._sums(x, self.terms), self.center, out=sums).mul_(self.scale)
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
