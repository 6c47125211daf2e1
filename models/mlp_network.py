"""The networks of an `MLPConfig`, packed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.errors import UsageError
from models.columns import ColumnPack, Columns
from models.expansion import Expansion
from models.keeping import State
from models.layers import PackedEmbedding, PackedLinear, RectifiedDropout
from models.mlp import Activation, MLPConfig
from models.network import Network, Noise
from models.pack import Form, Pack

BENDS = {
    Activation.RELU: torch.relu_,  # in place: nothing else needs the layer's output
    Activation.GELU: functional.gelu,
    Activation.SILU: functional.silu,
    Activation.TANH: torch.tanh,
    Activation.SIGMOID: torch.sigmoid,
}


class MLP(Network):
    """[expand the numbers, embed the codes,] then depth x (linear, activation, dropout), then linear.

    Raises:
        UsageError: the inputs are no tables.
    """

    def __init__(self, config: MLPConfig, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        if not isinstance(form, Columns):
            raise UsageError("an MLPConfig takes tables: give the candidate a recipe that makes columns of the rows")
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
