"""RNN: recurrent networks over tokens, packed: plain, LSTM and GRU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.datasets import PADDING, UNSEEN
from data.errors import UsageError
from models.config import Config
from models.layers import MOST_DROPOUT, PackedLinear, RectifiedDropout
from models.network import Network, Noise, drawn_uniform
from models.pack import Form, Pack
from models.scans import GRUScan, LSTMScan, RNNScan
from models.tokens import Texts, TokenPack, Tokens

LARGE = 1e9  # beyond any state
SAMPLE = 20_000  # tokens that axes are learned from
SPREAD = 0.3  # standard deviation along the axes, about that of GloVe's numbers
SMALL = 0.1  # bound of the vectors of tokens that nothing is known of


class Cell(StrEnum):
    """What carries the state from a token to the next."""

    RNN = "rnn"  # one tanh layer (Elman, 1990)
    LSTM = "lstm"  # Hochreiter and Schmidhuber, 1997
    GRU = "gru"  # Cho et al., 2014


GATES = {Cell.RNN: 1, Cell.LSTM: 4, Cell.GRU: 3}
SCANS: dict[Cell, Any] = {Cell.RNN: RNNScan, Cell.LSTM: LSTMScan, Cell.GRU: GRUScan}


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
    context: int = 128  # units that what is known of a token in its text is brought to
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

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> RNN:
        """See `Config.build`."""
        if not isinstance(form, Tokens):
            raise UsageError("an RNNConfig takes texts: give the candidate a recipe made by features.text")
        return RNN(self, form, outputs, generators)


class RNN(Network):
    """Tokens to vectors, layers of recurrence, pooling, [a hidden layer,] logits."""

    def __init__(self, config: RNNConfig, form: Tokens, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.nets, self.config, self.longest = len(generators), config, form.longest
        self.sparse_rate = config.tuned
        units = form.units or config.embedding
        self.embedding = TokenVectors(form, units, config.tuned > 0, generators)
        self.axes = PrincipalAxes(form.context, config.context, self.nets) if form.context else None
        units += self.axes.units if self.axes is not None else 0
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
        """See `Network.fit`: takes over the vectors that are known, and learns the axes of the context."""
        assert isinstance(pack, TokenPack)
        self.embedding.take(pack.vectors)
        if self.axes is not None:
            self.axes.fit(pack)

    def forward(self, input: Texts, noise: Noise | None = None) -> Tensor:
        """See `Network.forward`."""
        config = self.config
        lengths = (input.tokens != PADDING).sum(dim=1).clamp_min(1)  # [nets, rows]
        x = self._same_for_all_tokens(self._vectors(input, noise), noise)  # [nets, tokens, rows, units]
        back = _backwards(lengths, x.shape[1]) if config.bidirectional else None
        held = _held(lengths, x.shape[1])
        pooled = [_mean(x, held), Greatest.apply(x, held)] if config.bag else []
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
        tokens = input.tokens
        context = [] if self.axes is None else [self.axes(input.context)]
        if noise is not None and self.config.word_dropout:
            kept, _ = noise.kept((self.nets, self.longest, tokens.shape[2]), self.config.word_dropout)
            here = (kept[:, : tokens.shape[1]] > 0) | (tokens == PADDING)
            tokens = tokens.where(here, UNSEEN)
            context = [each * here.unsqueeze(3) for each in context]
        return torch.cat([self.embedding(tokens), *context], dim=3)

    def _same_for_all_tokens(self, x: Tensor, noise: Noise | None) -> Tensor:
        """Drops units of a row (Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287).

        Shape: x [nets, tokens, rows, units], and so the result
        """
        if noise is None or not self.config.input_dropout:
            return x
        kept, _ = noise.kept((len(x), *x.shape[2:]), self.config.input_dropout)
        return x * kept.unsqueeze(1)


class TokenVectors(nn.Module):
    """A vector for each token: given, or drawn and learned.

    Shape: tokens int64 [nets, tokens, rows] to float32 [nets, tokens, rows, units]
    """

    def __init__(self, form: Tokens, units: int, learns: bool, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        table = drawn_uniform(generators, SMALL, form.vocabulary, units)
        self.learns = learns or not form.units
        if self.learns:
            self.table = table
        else:
            self.register_buffer("table", table.detach())

    def learned(self) -> list[nn.Parameter]:
        """The table, where it is learned."""
        return list(self.parameters())

    @torch.no_grad()
    def take(self, vectors: Tensor) -> None:
        """Takes over what is known, float32 [folds, vocabulary, units], NaN where nothing is."""
        if vectors.shape[2]:
            given = vectors.repeat_interleave(len(self.table) // len(vectors), dim=0)
            self.table.copy_(torch.where(given.isnan(), self.table, given))

    def forward(self, tokens: Tensor) -> Tensor:
        """Looks up."""
        return LookUp.apply(self.table, tokens)


class PrincipalAxes(nn.Module):
    """Numbers along the axes in which they differ most, learned from the train rows of each fold.

    Shape: [nets, ..., inside] to [nets, ..., units]
    """

    def __init__(self, inside: int, units: int, nets: int) -> None:
        super().__init__()
        self.units = min(inside, units)
        self.center: Tensor
        self.axes: Tensor
        self.register_buffer("center", torch.zeros(nets, 1, inside))
        self.register_buffer("axes", torch.zeros(nets, inside, self.units))

    @torch.no_grad()
    def fit(self, pack: TokenPack) -> None:
        """Learns from some tokens of every fold, as many of them as `SAMPLE` at most."""
        members = len(self.axes) // len(pack.rows)
        for fold, rows in enumerate(pack.rows):
            own = slice(fold * members, (fold + 1) * members)
            lengths, places = pack.lengths[fold, :rows], pack.places[fold, :rows]
            ends = lengths.cumsum(dim=0)
            chosen = torch.arange(0, int(ends[-1]), max(1, int(ends[-1]) // SAMPLE), device=ends.device)
            row = torch.searchsorted(ends, chosen, right=True)
            x = pack.context[places[row] + chosen - (ends - lengths)[row]].double()
            center = x.mean(dim=0)
            values, axes = torch.linalg.eigh((x - center).T @ (x - center) / len(x))
            spread = values[-self.units :].clamp_min(1e-12).mean().sqrt()
            self.center[own] = center.float()
            self.axes[own] = (axes[:, -self.units :].flip(1) * (SPREAD / spread)).float()

    def forward(self, x: Tensor) -> Tensor:
        """Turns."""
        return torch.baddbmm(-self.center @ self.axes, x.flatten(1, -2), self.axes).unflatten(1, x.shape[1:-1])


class LookUp(torch.autograd.Function):
    """Rows of each network's own table; the gradient is sparse, for a batch holds few of them.

    Shape: table float32 [nets, vocabulary, units], at int64 [nets, ...], result [nets, ..., units]
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, at: Tensor) -> Tensor:
        """Looks up."""
        ctx.save_for_backward(at)
        ctx.shape = table.shape
        net = torch.arange(len(table), device=at.device).view(-1, *[1] * (at.ndim - 1)) * table.shape[1]
        return functional.embedding(at + net, table.flatten(0, 1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """A row a token; equal tokens are summed by whoever uses it."""
        (at,) = ctx.saved_tensors
        net = torch.arange(len(at), device=at.device).view(-1, *[1] * (at.ndim - 1)).expand_as(at)
        indices = torch.stack([net.flatten(), at.flatten()])
        values = gradient.flatten(0, -2)
        return torch.sparse_coo_tensor(indices, values, ctx.shape, check_invariants=False), None


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
            back: from `_backwards`, when there are two directions.
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


def _backwards(lengths: Tensor, tokens: int) -> Tensor:
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
        """Pools; lengths int64 [nets, rows], held from `_held`."""
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
                return _mean(states, held)
            case Pool.MAX:
                return Greatest.apply(states, held)
            case Pool.ATTENTION:
                tokens, rows = states.shape[1:3]
                scores = torch.bmm(states.flatten(1, 2), self.scores.flatten(0, 1)).unflatten(1, (tokens, rows))
                share = scores.masked_fill(held == 0, -torch.inf).softmax(dim=1)
                return (states * share).sum(dim=1)


def _held(lengths: Tensor, tokens: int) -> Tensor:
    """1 where a row has a token, else 0; float32 [nets, tokens, rows, 1]."""
    places = torch.arange(tokens, device=lengths.device).view(1, -1, 1)
    return (places < lengths.unsqueeze(1)).float().unsqueeze(3)


def _mean(x: Tensor, held: Tensor) -> Tensor:
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
