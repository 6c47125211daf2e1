"""Vectors: what a network knows of each token, given or learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import drawn_uniform
from models.tokens import Tokens

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
    def take(self, vectors: Sequence[Tensor]) -> None:
        """Takes over what is known in each fold, float32 [its vocabulary, units], NaN where nothing is."""
        members = len(self.table) // len(vectors)
        for fold, own in enumerate(vectors):
            if own.shape[1]:
                given, drawn = own.to(self.table.device), self.table[fold * members : (fold + 1) * members, : len(own)]
                drawn.copy_(torch.where(given.isnan(), drawn, given))

    def forward(self, tokens: Tensor) -> Tensor:
        """Looks up."""
        return LookUp.apply(self.table, tokens)


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
