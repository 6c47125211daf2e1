"""MLP: multi-layer perceptrons, packed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import Config
from models.network import Network, Noise, drawn_uniform

MOST_DROPOUT = 0.99  # a mask knows 256ths


class Activation(StrEnum):
    """The bend between two layers."""

    RELU = "relu"
    GELU = "gelu"
    SILU = "silu"
    TANH = "tanh"


BENDS = {
    Activation.RELU: torch.relu_,  # in place: nothing else needs the layer's output
    Activation.GELU: functional.gelu,
    Activation.SILU: functional.silu,
    Activation.TANH: torch.tanh,
}


@dataclass(frozen=True, kw_only=True)
class MLPConfig(Config):
    """Hidden layers of one width; the codes of embedded categories become vectors first."""

    width: int = 64  # units of a hidden layer
    depth: int = 2  # hidden layers
    activation: Activation = Activation.RELU
    dropout: float = 0.0  # after each hidden layer
    embedding: int = 8  # units of an embedded category

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.depth < 0 or self.embedding < 1:
            raise ValueError(f"takes layers of 1 or more units, but got {self.width=} {self.depth=} {self.embedding=}")
        if not 0 <= self.dropout <= MOST_DROPOUT:
            raise ValueError(f"takes dropout from 0 to {MOST_DROPOUT}, but got {self.dropout=}")
        if not isinstance(self.activation, Activation):
            raise ValueError(f"takes an Activation, but got activation={self.activation!r}")

    def build(
        self,
        columns: int,
        cardinalities: tuple[int, ...],
        outputs: int,
        generators: Sequence[torch.Generator],
    ) -> MLP:
        """See `Config.build`."""
        return MLP(self, columns, cardinalities, outputs, generators)


class MLP(Network):
    """[embed the codes,] then depth x (linear, activation, dropout), then linear."""

    def __init__(
        self,
        config: MLPConfig,
        columns: int,
        cardinalities: tuple[int, ...],
        outputs: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.nets = len(generators)
        self.dropout = config.dropout
        self.activation = config.activation
        self.embedding = PackedEmbedding(cardinalities, config.embedding, generators) if cardinalities else None
        numbers = columns - len(cardinalities)
        widths = [numbers + len(cardinalities) * config.embedding] + [config.width] * config.depth
        self.hidden = nn.ModuleList(PackedLinear(inside, outside, generators) for inside, outside in pairwise(widths))
        self.output = PackedLinear(widths[-1], outputs, generators)

    def forward(self, input: Tensor, noise: Noise | None = None) -> Tensor:
        """See `Network.forward`."""
        x = input if self.embedding is None else self.embedding(input)
        for layer in self.hidden:
            x = BENDS[self.activation](layer(x))
            if noise is not None:
                x = noise.dropout(x, self.dropout)
        return self.output(x)


class PackedLinear(nn.Module):
    """One linear layer of every network as one batched product.

    Shape: [nets, rows, inside] to [nets, rows, outside]
    """

    def __init__(self, inside: int, outside: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inside)  # torch.nn.Linear's own
        self.weight = drawn_uniform(generators, bound, inside, outside)
        self.bias = drawn_uniform(generators, bound, 1, outside)

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
