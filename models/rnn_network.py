"""The networks of an `RNNConfig`, packed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from data.codes import PADDING, UNSEEN
from data.errors import UsageError
from models.layers import PackedLinear, RectifiedDropout
from models.network import Network, Noise
from models.pack import Form, Pack
from models.pooling import Greatest, Pooling, held_places, mean_of
from models.recurrence import Recurrence, backwards
from models.rnn import RNNConfig
from models.tokens import Texts, TokenPack, Tokens
from models.vectors import TokenVectors


class RNN(Network):
    """Tokens to vectors, layers of recurrence, pooling, [a hidden layer,] logits.

    Raises:
        UsageError: the inputs are no texts.
    """

    def __init__(self, config: RNNConfig, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        if not isinstance(form, Tokens):
            raise UsageError("an RNNConfig takes texts: give the candidate a recipe made by features.text")
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
