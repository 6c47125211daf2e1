"""MLP: the config of multi-layer perceptrons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from models.config import MOST_DROPOUT, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from models.network import Network
    from models.pack import Form


class Activation(StrEnum):
    """The bend between two layers."""

    RELU = "relu"
    GELU = "gelu"
    SILU = "silu"
    TANH = "tanh"
    SIGMOID = "sigmoid"


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

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> Network:
        """See `Config.networks`."""
        from models.mlp_network import MLP

        return MLP(self, form, outputs, generators)
