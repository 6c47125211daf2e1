"""Recurrence: packed layers of a recurrent cell, in one direction or both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.network import drawn_uniform
from models.rnn import Cell
from models.scans import GRUScan, LSTMScan, RNNScan

GATES = {Cell.RNN: 1, Cell.LSTM: 4, Cell.GRU: 3}
SCANS: dict[Cell, Any] = {Cell.RNN: RNNScan, Cell.LSTM: LSTMScan, Cell.GRU: GRUScan}


class Recurrence(nn.Module):
    """One layer, in one direction or both; each direction counts the tokens in its own order.

    Shape: [nets, tokens, rows, inside] to [nets x directions, tokens, rows, units]
    """

    def __init__(
        self, cell: Cell, inside: int, units: int, directions: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.cell, self.directions, self.units = cell, directions, units
        bound = 1 / math.sqrt(units)  # torch.nn.LSTM's own
        width = GATES[cell] * units
        self.input_weight = drawn_uniform(generators, bound, directions, inside, width)
        self.weight = drawn_uniform(generators, bound, directions, units, width)
        self.bias = drawn_uniform(generators, bound, directions, 1, width + units * (cell is Cell.GRU))

    def forward(self, x: Tensor, back: Tensor | None) -> Tensor:
        """Scans.

        Args:
            x: see above.
            back: from `backwards`, when there are two directions.
        """
        tokens, rows = x.shape[1:3]
        if back is not None:
            x = torch.stack([x, Reordered.apply(x, back)], dim=1).flatten(0, 1)
        gates = torch.bmm(x.flatten(1, 2), self.input_weight.flatten(0, 1)).unflatten(1, (tokens, rows))
        return SCANS[self.cell].apply(gates, self.weight.flatten(0, 1), self.bias.flatten(0, 1))

    @staticmethod
    def joined(states: Tensor, back: Tensor | None) -> Tensor:
        """The states of both directions side by side, in the tokens' order.

        Shape: states as `forward` gives them, result [nets, tokens, rows, directions x units]
        """
        if back is None:
            return states
        ahead, behind = states.unflatten(0, (-1, 2)).unbind(dim=1)
        return torch.cat([ahead, Reordered.apply(behind, back)], dim=3)


class Reordered(torch.autograd.Function):
    """Tokens in an order that is its own inverse, as backwards is.

    Shape: x [nets, tokens, rows, units], order int64 [nets x tokens x rows], result as x
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        """Reorders."""
        ctx.save_for_backward(order)
        return x.flatten(0, 2).index_select(0, order).view(x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Reorders again."""
        (order,) = ctx.saved_tensors
        return gradient.flatten(0, 2).index_select(0, order).view(gradient.shape), None


def backwards(lengths: Tensor, tokens: int) -> Tensor:
    """Where each place finds its token when rows are read from their ends, the padding left where it is.

    Shape: lengths int64 [nets, rows], result int64 [nets x tokens x rows], places in a tensor [nets, tokens, rows]
    """
    nets, rows = lengths.shape
    place = torch.arange(tokens, device=lengths.device).view(1, -1, 1)
    last = lengths.unsqueeze(1) - 1  # [nets, 1, rows]
    mirrored = torch.where(place <= last, last - place, place)  # [nets, tokens, rows]
    net = torch.arange(nets, device=lengths.device).view(-1, 1, 1)
    row = torch.arange(rows, device=lengths.device)
    return ((net * tokens + mirrored) * rows + row).flatten()
