"""RNN: recurrent networks over tokens, packed: plain, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data.datasets import PADDING, UNSEEN
from data.errors import UsageError
from models.config import Config
from models.layers import MOST_DROPOUT, PackedLinear, RectifiedDropout
from models.network import Network, Noise
from models.pack import Form, Pack
from models.pooling import Greatest, Pool, Pooling, held_places, mean_of
from models.recurrence import Cell, Recurrence, backwards
from models.tokens import Texts, TokenPack, Tokens
from models.vectors import TokenVectors


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

    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> RNN:
        """See `Config.networks`."""
        if not isinstance(form, Tokens):
            raise UsageError("an RNNConfig takes texts: give the candidate a recipe made by features.text")
        return RNN(self, form, outputs, generators)


class RNN(Network):
    """Tokens to vectors, layers of recurrence, pooling, [a hidden layer,] logits."""

    def __init__(self, config: RNNConfig, form: Tokens, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.nets, self.config, self.longest = len(generators), config, form.longest
        self.sparse_rate = config.tuned
        self.embedding = TokenVectors(form, form.units or config.embedding, config.tuned > 0, generators)
        units = (form.units or config.embedding) + form.context
        across = config.directions * config.width
        self.recurrence = nn.ModuleList(
            Recurrence(config.cell, inside, config.width, config.directions, generators)
            for inside in (units, *[across] * (config.layers - 1))[: config.layers]
        )
        pools = config.pooling if config.layers else ()
        self.pool = Pooling(pools, config.directions, config.width, generators)
        pooled = len(pools) * across + 2 * units * config.bag
        self.hidden = PackedLinear(pooled, config.head, generators) if config.head else None
        self.output = PackedLinear(config.head or pooled, outputs, generators)

    def sparse_parameters(self) -> list[nn.Parameter]:
        """See `Network.sparse_parameters`."""
        return self.embedding.learned()

    def fit(self, pack: Pack) -> None:
        """See `Network.fit`: takes over the vectors that are known."""
        assert isinstance(pack, TokenPack)
        self.embedding.take(pack.vectors)

    def forward(self, input: Texts, noise: Noise | None = None) -> Tensor:
        """See `Network.forward`."""
        config = self.config
        lengths = (input.tokens != PADDING).sum(dim=1).clamp_min(1)  # [nets, rows]
        x = self._same_for_all_tokens(self._vectors(input, noise), noise)  # [nets, tokens, rows, units]
        back = backwards(lengths, x.shape[1]) if config.bidirectional else None
        held = held_places(lengths, x.shape[1])
        pooled = [mean_of(x, held), Greatest.apply(x, held)] if config.bag else []
        states = x.new_empty(0)
        for number, layer in enumerate(self.recurrence):
            assert isinstance(layer, Recurrence)
            if number:
                x = self._same_for_all_tokens(layer.joined(states, back), noise)
            states = layer(x, back)
        if len(self.recurrence):
            pooled = [self.pool(states, lengths, held), *pooled]
        return self._logits(torch.cat(pooled, dim=2), noise)

    def _logits(self, pooled: Tensor, noise: Noise | None) -> Tensor:
        """Through the hidden layer, if there is one; pooled [nets, rows, units]."""
        p = self.config.dropout
        if noise is not None:
            pooled = noise.dropout(pooled, p)
        if self.hidden is None:
            return self.output(pooled)
        if noise is not None and p:
            kept, scale = noise.kept((*pooled.shape[:2], self.config.head), p)
            return self.output(RectifiedDropout.apply(pooled, self.hidden.weight, self.hidden.bias, kept, scale))
        return self.output(self.hidden(pooled).relu())

    def _vectors(self, input: Texts, noise: Noise | None) -> Tensor:
        """What is known of each token, float32 [nets, tokens, rows, units]."""
        tokens, context = input.tokens, input.context
        if noise is not None and self.config.word_dropout:
            kept, _ = noise.kept((self.nets, self.longest, tokens.shape[2]), self.config.word_dropout)
            here = (kept[:, : tokens.shape[1]] > 0) | (tokens == PADDING)
            tokens = tokens.where(here, UNSEEN)
            context = context * here.unsqueeze(3)
        return torch.cat([self.embedding(tokens), context], dim=3)

    def _same_for_all_tokens(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Drops units of a row (Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287).

        Shape: x [nets, tokens, rows, units], and so the result
        """
        if noise is None or not self.config.input_dropout:
            return x
        kept, _ = noise.kept((len(x), *x.shape[2:]), self.config.input_dropout)
        return x * kept.unsqueeze(1)
