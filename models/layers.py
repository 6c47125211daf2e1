"""Layers: what packed networks are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import drawn_uniform


class RectifiedDropout(torch.autograd.Function):
    """dropout(relu(x @ weight + bias)) in one step, which keeps one tensor for the way back where three would be.

    Shape: x [nets, rows, inside], weight [nets, inside, outside], bias [nets, 1, outside]; kept (0 or `scale`) and the
    result [nets, rows, outside]
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kept: Tensor, scale: float) -> Tensor:
        """Computes."""
        output = torch.baddbmm(bias, x, weight).relu_().mul_(kept)
        ctx.save_for_backward(x, weight, output)
        ctx.scale = scale
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """A unit that was negative or dropped is 0, and passes nothing back."""
        x, weight, output = ctx.saved_tensors
        passed = torch.ops.aten.threshold_backward(gradient, output, 0)
        none = x.new_empty(1)

        def product(a: Tensor, b: Tensor) -> Tensor:
            return torch.baddbmm(none, a, b, beta=0, alpha=ctx.scale)

        of_x = product(passed, weight.transpose(1, 2)) if ctx.needs_input_grad[0] else None
        return of_x, product(x.transpose(1, 2), passed), passed.sum(dim=1, keepdim=True).mul_(ctx.scale), None, None


class PackedLinear(nn.Module):
    """One linear layer of every network as one batched product.

    Shape: [nets, rows, inside] to [nets, rows, outside]
    """

    def __init__(self, inside: int, outside: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inside)  # torch.nn.Linear's own
        self.weight = drawn_uniform(generators, bound, inside, outside)
        self.bias = drawn_uniform(generators, bound, 1, outside)

    def take(self, inputs: Tensor) -> None:
        """Leaves out all inputs but these, int64 [kept]."""
        self.weight = nn.Parameter(self.weight.detach()[:, inputs])

    def forward(self, x: Tensor) -> Tensor:
        """Multiplies and adds."""
        return torch.baddbmm(self.bias, x, self.weight)


class PackedEmbedding(nn.Module):
    """Vectors for the codes in the last columns; the numbers before them pass unchanged.

    Shape: [nets, rows, numbers + codes] to [nets, rows, numbers + codes x units]
    """

    def __init__(self, cardinalities: tuple[int, ...], units: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.codes = len(cardinalities)
        self.table = drawn_uniform(generators, 1 / math.sqrt(units), sum(cardinalities), units)
        first = torch.tensor((0, *cardinalities[:-1])).cumsum(0)  # where each column's vectors start
        self.register_buffer("first", first, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Looks the codes up."""
        nets, _, columns = x.shape
        numbers, codes = x.split([columns - self.codes, self.codes], dim=2)
        net = torch.arange(nets, device=x.device).view(-1, 1, 1) * self.table.shape[1]
        at = codes.long() + self.first + net  # [nets, rows, codes]
        vectors = functional.embedding(at, self.table.flatten(0, 1))
        return torch.cat([numbers, vectors.flatten(2)], dim=2)
