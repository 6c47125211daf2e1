"""RNN: the config of recurrent networks over tokens: plain, LSTM and GRU."""

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


class Cell(StrEnum):
    """What carries the state from a token to the next."""

    RNN = "rnn"  # one tanh layer (Elman, 1990)
    LSTM = "lstm"  # Hochreiter and Schmidhuber, 1997
    GRU = "gru"  # Cho et al., 2014


class Pool(StrEnum):
    """How the states of all tokens become one vector."""

    LAST = "last"  # the state after the last token; of the way back, after the first
    MEAN = "mean"
    MAX = "max"  # unit by unit
    ATTENTION = "attention"  # a mean weighted by a softmax of learned scores (Yang et al., 2016)


@dataclass(frozen=True, kw_only=True)
class RNNConfig(Config):
    """Tokens' vectors, layers of a recurrent cell over them, pooled states, and a hidden layer."""

    cell: Cell = Cell.LSTM
    width: int = 96  # units of a layer and direction
    layers: int = 1  # 0: none, so that a bag of tokens is left
    bidirectional: bool = True
    pooling: tuple[Pool, ...] = (Pool.LAST, Pool.MEAN, Pool.MAX)
    bag: bool = True  # the tokens' own vectors are pooled too, by mean and max
    head: int = 128  # units of the hidden layer after the pooling; 0: none
    embedding: int = 50  # units of a token's vector where none are given
    tuned: float = 0.5  # learning rate of the vectors, as a share of lr; 0: those that are given stay as they are
    dropout: float = 0.3  # of the pooled states, and after the hidden layer
    input_dropout: float = 0.15  # of the vectors' units and between layers, the same for all tokens of a row
    word_dropout: float = 0.05  # of whole tokens, which then are as unseen

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("width", 1), ("layers", 0), ("head", 0), ("embedding", 1), ("tuned", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"takes {name} of {least} or more, but got {name}={getattr(self, name)}")
        for name in ("dropout", "input_dropout", "word_dropout"):
            if not 0 <= getattr(self, name) <= MOST_DROPOUT:
                raise ValueError(f"takes {name} from 0 to {MOST_DROPOUT}, but got {name}={getattr(self, name)}")
        if not self.layers and not self.bag:
            raise ValueError(f"takes layers or a bag, but got {self.layers=} {self.bag=}")
        if not isinstance(self.cell, Cell):
            raise ValueError(f"takes a Cell, but got cell={self.cell!r}")
        if not self.pooling or not all(isinstance(pool, Pool) for pool in self.pooling):
            raise ValueError(f"takes one Pool or more, but got pooling={self.pooling!r}")

    @property
    def directions(self) -> int:
        """1 or 2."""
        return 2 if self.bidirectional else 1

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> Network:
        """See `Config.networks`."""
        from models.rnn_network import RNN

        return RNN(self, form, outputs, generators)
