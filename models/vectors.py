"""Vectors: what a network knows of each token, given or learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import drawn_uniform
from models.tokens import TokenPack, Tokens

SAMPLE = 20_000  # tokens that axes are learned from
SPREAD = 0.3  # standard deviation along the axes, about that of GloVe's numbers
SMALL = 0.1  # bound of the vectors of tokens that nothing is known of


class TokenVectors(nn.Module):
    """A vector for each token: given, or drawn and learned.

    Shape: tokens int64 [nets, tokens, rows] to float32 [nets, tokens, rows, units]
    """

    def __init__(self, form: Tokens, units: int, learns: bool, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        table = drawn_uniform(generators, SMALL, form.vocabulary, units)
        self.learns = learns or not form.units
        if self.learns:
            self.table = table
        else:
            self.register_buffer("table", table.detach())

    def learned(self) -> list[nn.Parameter]:
        """The table, where it is learned."""
        return list(self.parameters())

    @torch.no_grad()
    def take(self, vectors: Tensor) -> None:
        """Takes over what is known, float32 [folds, vocabulary, units], NaN where nothing is."""
        if vectors.shape[2]:
            given = vectors.repeat_interleave(len(self.table) // len(vectors), dim=0)
            self.table.copy_(torch.where(given.isnan(), self.table, given))

    def forward(self, tokens: Tensor) -> Tensor:
        """Looks up."""
        return LookUp.apply(self.table, tokens)


class PrincipalAxes(nn.Module):
    """Numbers along the axes in which they differ most, learned from the train rows of each fold.

    Shape: [nets, ..., inside] to [nets, ..., units]
    """

    def __init__(self, inside: int, units: int, nets: int) -> None:
        super().__init__()
        self.units = min(inside, units)
        self.center: Tensor
        self.axes: Tensor
        self.register_buffer("center", torch.zeros(nets, 1, inside))
        self.register_buffer("axes", torch.zeros(nets, inside, self.units))

    @torch.no_grad()
    def fit(self, pack: TokenPack) -> None:
        """Learns from some tokens of every fold, as many of them as `SAMPLE` at most."""
        members = len(self.axes) // len(pack.rows)
        for fold, rows in enumerate(pack.rows):
            own = slice(fold * members, (fold + 1) * members)
            lengths, places = pack.lengths[fold, :rows], pack.places[fold, :rows]
            ends = lengths.cumsum(dim=0)
            chosen = torch.arange(0, int(ends[-1]), max(1, int(ends[-1]) // SAMPLE), device=ends.device)
            row = torch.searchsorted(ends, chosen, right=True)
            x = pack.context[places[row] + chosen - (ends - lengths)[row]].double()
            center = x.mean(dim=0)
            values, axes = torch.linalg.eigh((x - center).T @ (x - center) / len(x))
            spread = values[-self.units :].clamp_min(1e-12).mean().sqrt()
            self.center[own] = center.float()
            self.axes[own] = (axes[:, -self.units :].flip(1) * (SPREAD / spread)).float()

    def forward(self, x: Tensor) -> Tensor:
        """Turns."""
        return torch.baddbmm(-self.center @ self.axes, x.flatten(1, -2), self.axes).unflatten(1, x.shape[1:-1])


class LookUp(torch.autograd.Function):
    """Rows of each network's own table; the gradient is sparse, for a batch holds few of them.

    Shape: table float32 [nets, vocabulary, units], at int64 [nets, ...], result [nets, ..., units]
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, at: Tensor) -> Tensor:
        """Looks up."""
        ctx.save_for_backward(at)
        ctx.shape = table.shape
        net = torch.arange(len(table), device=at.device).view(-1, *[1] * (at.ndim - 1)) * table.shape[1]
        return functional.embedding(at + net, table.flatten(0, 1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """A row a token; equal tokens are summed by whoever uses it."""
        (at,) = ctx.saved_tensors
        net = torch.arange(len(at), device=at.device).view(-1, *[1] * (at.ndim - 1)).expand_as(at)
        indices = torch.stack([net.flatten(), at.flatten()])
        values = gradient.flatten(0, -2)
        return torch.sparse_coo_tensor(indices, values, ctx.shape, check_invariants=False), None
