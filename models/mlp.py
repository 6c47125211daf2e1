"""MLP: multi-layer perceptrons, packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.errors import UsageError
from models.columns import ColumnPack, Columns
from models.config import Config
from models.expansion import Expansion
from models.keeping import State
from models.layers import MOST_DROPOUT, PackedEmbedding, PackedLinear, RectifiedDropout
from models.network import Network, Noise
from models.pack import Form, Pack


class Activation(StrEnum):
    """The bend between two layers."""

    RELU = "relu"
    GELU = "gelu"
    SILU = "silu"
    TANH = "tanh"
    SIGMOID = "sigmoid"


BENDS = {
    Activation.RELU: torch.relu_,  # in place: nothing else needs the layer's output
    Activation.GELU: functional.gelu,
    Activation.SILU: functional.silu,
    Activation.TANH: torch.tanh,
    Activation.SIGMOID: torch.sigmoid,
}


@dataclass(frozen=True, kw_only=True)
class MLPConfig(Config):
    """Hidden layers; numbers may be expanded first, and codes of embedded categories become vectors."""

    width: int = 64  # units of a hidden layer
    depth: int = 2  # hidden layers
    widths: tuple[int, ...] = ()  # of each hidden layer, where they differ: in the place of width and depth
    activation: Activation = Activation.RELU
    dropout: float = 0.0  # after each hidden layer
    embedding: int = 8  # units of an embedded category
    pieces: int | None = 0  # piecewise-linear pieces that stand for a number; 0: itself does; None: its sums alone
    sums: int = 0  # random signed sums of the numbers, a network's own
    expanded: int | None = None  # how many of the numbers, the first, have pieces and sums; None: all
    input_dropout: float = 0.0  # of the inputs, expanded

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.pieces or 0) < 0 or self.sums < 0 or (self.expanded is not None and self.expanded < 1):
            raise ValueError(f"takes no or some, but got {self.pieces=} {self.sums=} {self.expanded=}")
        if self.pieces is None and not self.sums:
            raise ValueError("takes some sums where no number passes, but got pieces=None, sums=0")
        if self.width < 1 or self.depth < 0 or self.embedding < 1:
            raise ValueError(f"takes layers of 1 or more units, but got {self.width=} {self.depth=} {self.embedding=}")
        if not isinstance(self.widths, tuple) or any(type(each) is not int or each < 1 for each in self.widths):
            raise ValueError(f"takes a tuple of layers of 1 or more units, but got {self.widths=}")
        for name in ("dropout", "input_dropout"):
            if not 0 <= getattr(self, name) <= MOST_DROPOUT:
                raise ValueError(f"takes {name} from 0 to {MOST_DROPOUT}, but got {name}={getattr(self, name)}")
        if not isinstance(self.activation, Activation):
            raise ValueError(f"takes an Activation, but got activation={self.activation!r}")

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> MLP:
        """See `Config.networks`."""
        if not isinstance(form, Columns):
            raise UsageError("an MLPConfig takes tables: give the candidate a recipe that makes columns of the rows")
        return MLP(self, form, outputs, generators)


class MLP(Network):
    """[expand the numbers, embed the codes,] then depth x (linear, activation, dropout), then linear."""

    def __init__(
        self,
        config: MLPConfig,
        form: Columns,
        outputs: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.nets = len(generators)
        self.config = config
        self.numbers, cardinalities = form.numbers, form.cardinalities
        expands = config.pieces or config.sums
        expanded = self.numbers if config.expanded is None else min(config.expanded, self.numbers)
        sizes = (expanded, self.numbers - expanded, config.pieces, config.sums)
        self.expansion = Expansion(*sizes, generators) if expands else None
        self.embedding = PackedEmbedding(cardinalities, config.embedding, generators) if cardinalities else None
        inside = sum(self.expansion.widths) if self.expansion is not None else self.numbers
        hidden = config.widths or [config.width] * config.depth
        widths = [inside + len(cardinalities) * config.embedding, *hidden]
        self.hidden = nn.ModuleList(PackedLinear(inside, outside, generators) for inside, outside in pairwise(widths))
        self.output = PackedLinear(widths[-1], outputs, generators)

    def fit(self, pack: Pack) -> None:
        """See `Network.fit`."""
        assert isinstance(pack, ColumnPack)
        if self.expansion is None:
            return
        expanded, first = sum(self.expansion.widths), self._first_layer
        kept = self.expansion.fit(pack)
        first.take(torch.cat([kept, torch.arange(expanded, first.weight.shape[1], device=kept.device)]))

    def settle(self, state: State) -> None:
        """See `Network.settle`."""
        if self.expansion is not None:
            before = sum(self.expansion.widths)
            self.expansion.settle(state["expansion.counts"])
            inputs = self._first_layer.weight.shape[1] - before + sum(self.expansion.widths)
            self._first_layer.take(torch.arange(inputs))
        super().settle(state)

    @property
    def _first_layer(self) -> PackedLinear:
        first = self.hidden[0] if len(self.hidden) else self.output
        assert isinstance(first, PackedLinear)
        return first

    def forward(self, input: Tensor, noise: Noise | None = None) -> Tensor:
        """See `Network.forward`."""
        x = self._first(input)
        if noise is not None:
            x = noise.dropout(x, self.config.input_dropout)
        for layer in self.hidden:
            assert isinstance(layer, PackedLinear)
            if noise is None:
                x = BENDS[self.config.activation](layer(x))
            elif self.config.activation is Activation.RELU and self.config.dropout:
                kept = noise.kept((*x.shape[:2], layer.weight.shape[2]), self.config.dropout)
                x = RectifiedDropout.apply(x, layer.weight, layer.bias, *kept)
            else:
                x = noise.dropout(BENDS[self.config.activation](layer(x)), self.config.dropout)
        return self.output(x)

    def _first(self, input: Tensor) -> Tensor:
        """The input with its numbers expanded and its codes looked up."""
        if self.expansion is None:
            return input if self.embedding is None else self.embedding(input)
        expanded = self.expansion(input[:, :, : self.numbers])
        if self.embedding is None:
            return expanded
        return self.embedding(torch.cat([expanded, input[:, :, self.numbers :]], dim=2))
