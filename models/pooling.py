"""Pooling: the states of all tokens as one vector a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.network import drawn_uniform
from models.rnn import Pool

LARGE = 1e9  # beyond any state


class Pooling(nn.Module):
    """The states of all tokens as one vector a row.

    Shape: states [nets x directions, tokens, rows, units] to [nets, rows, pools x directions x units]
    """

    def __init__(
        self, pools: Sequence[Pool], directions: int, units: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.pools, self.directions = pools, directions
        if Pool.ATTENTION in pools:
            self.scores = drawn_uniform(generators, 1 / math.sqrt(units), directions, units, 1)

    def forward(self, states: Tensor, lengths: Tensor, held: Tensor) -> Tensor:
        """Pools; lengths int64 [nets, rows], held from `held_places`."""
        lengths, held = (each.repeat_interleave(self.directions, dim=0) for each in (lengths, held))
        pooled = torch.cat([self._pooled(pool, states, lengths, held) for pool in self.pools], dim=2)
        by_net = pooled.unflatten(0, (-1, self.directions))  # [nets, directions, rows, pools x units]
        return by_net.transpose(1, 2).flatten(2)

    def _pooled(self, pool: Pool, states: Tensor, lengths: Tensor, held: Tensor) -> Tensor:
        match pool:
            case Pool.LAST:
                at = (lengths - 1)[:, None, :, None].expand(-1, 1, -1, states.shape[3])
                return states.gather(1, at)[:, 0]
            case Pool.MEAN:
                return mean_of(states, held)
            case Pool.MAX:
                return Greatest.apply(states, held)
            case Pool.ATTENTION:
                tokens, rows = states.shape[1:3]
                scores = torch.bmm(states.flatten(1, 2), self.scores.flatten(0, 1)).unflatten(1, (tokens, rows))
                share = scores.masked_fill(held == 0, -torch.inf).softmax(dim=1)
                return (states * share).sum(dim=1)


def held_places(lengths: Tensor, tokens: int) -> Tensor:
    """1 where a row has a token, else 0; float32 [nets, tokens, rows, 1]."""
    places = torch.arange(tokens, device=lengths.device).view(1, -1, 1)
    return (places < lengths.unsqueeze(1)).float().unsqueeze(3)


def mean_of(x: Tensor, held: Tensor) -> Tensor:
    """Of the tokens that a row has; x [nets, tokens, rows, units], result [nets, rows, units]."""
    return (x * (held / held.sum(dim=1, keepdim=True))).sum(dim=1)


class Greatest(torch.autograd.Function):
    """The greatest number of each unit over the tokens that a row has; the gradient goes to all that are equal to it.

    Finding where it stands takes torch thirty times as long as finding it.

    Shape: x [nets, tokens, rows, units], held [nets, tokens, rows, 1], result [nets, rows, units]
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, held: Tensor) -> Tensor:
        """Computes."""
        masked = x + (held - 1) * LARGE  # float32
        greatest = masked.amax(dim=1, keepdim=True)
        ctx.save_for_backward(masked, greatest)
        return greatest.squeeze(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Shares the gradient among equals."""
        masked, greatest = ctx.saved_tensors
        equal = torch.eq(masked, greatest, out=torch.empty_like(masked))
        share = gradient.unsqueeze(1) / equal.sum(dim=1, keepdim=True)
        return equal.mul_(share), None
