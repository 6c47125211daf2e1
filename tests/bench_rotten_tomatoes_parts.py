"""What was tried on the movie reviews and did not pay, kept to be measured again: no part of the product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from data.codes import CONTEXT_STEP, PADDING, UNSEEN
from features.spans import in_longest
from features.text import Encoded, TextEncoder
from models.network import Noise
from models.pack import Form
from models.pooling import Greatest, mean_of
from models.recurrence import Recurrence, backwards
from models.rnn import RNNConfig
from models.rnn_network import RNN
from models.tokens import Texts, Tokens
from tests.averaging import Averaging

CLASSES = 5
ONE = round(1 / CONTEXT_STEP)


@dataclass(frozen=True, kw_only=True)
class OrdinalConfig(RNNConfig):
    """Classes in their order: each logit asks whether the class is higher still (continuation ratios)."""

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> RNN:
        assert isinstance(form, Tokens)
        return Ordinal(self, form, outputs, generators)


class Ordinal(RNN):
    """Gives the logarithms of the classes' probabilities in the place of logits."""

    def forward(self, input: Texts, noise: Noise | None = None) -> Tensor:
        asked = super().forward(input, noise)[..., :-1]
        stays, rises = logsigmoid(asked), logsigmoid(-asked).cumsum(dim=-1)
        return torch.cat([stays[..., :1], stays[..., 1:] + rises[..., :-1], rises[..., -1:]], dim=-1)


@dataclass(frozen=True, kw_only=True)
class AveragedConfig(RNNConfig):
    """Predicts with a running mean of its weights."""

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> RNN:
        assert isinstance(form, Tokens)
        return Averaged(self, form, outputs, generators)


class Averaged(Averaging, RNN):
    """See `Averaging`."""


class PhraseEncoder(TextEncoder):
    """The context of a word are the labels of the longest train phrase around it, and whether there is one.

    Phrases of the same sentence do not count, so that a train row knows no more than others do.
    """

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> Encoded:
        self.book_ = defaultdict(list)
        for text, sentence, label in zip(self._split(rows), rows["SentenceId"], target, strict=True):
            self.book_[" ".join(text)].append((sentence, label))
        return self._with_labels(super().fit_transform(rows, target), rows)

    def transform(self, rows: pd.DataFrame) -> Encoded:
        return self._with_labels(super().transform(rows), rows)

    def _with_labels(self, found: Encoded, rows: pd.DataFrame) -> Encoded:
        context = np.zeros((len(found.tokens), CLASSES + 1), dtype=np.int8)
        texts = zip(self._split(rows), rows["SentenceId"], found.offsets[:-1], strict=True)
        for text, sentence, first in texts:
            own = context[first : first + len(text)]
            for length in range(len(text), 0, -1):
                for start in range(len(text) + 1 - length):
                    place = own[start : start + length]
                    if place[:, -1].all():
                        continue
                    known = self.book_.get(" ".join(text[start : start + length]), ())
                    labels = [label for of, label in known if of != sentence]
                    if labels:
                        share = np.bincount(labels, minlength=CLASSES) / len(labels)
                        place[place[:, -1] == 0] = [*(share * ONE), ONE]
        return replace(found, context=context, places=found.offsets[:-1])


class SpanEncoder(TextEncoder):
    """Every phrase is its whole sentence, whose context says which words are the phrase's."""

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> Encoded:
        found = super().fit_transform(rows, target)
        return self._whole_of(found, rows)

    def transform(self, rows: pd.DataFrame) -> Encoded:
        return self._whole_of(super().transform(rows), rows)

    def _whole_of(self, found: Encoded, rows: pd.DataFrame) -> Encoded:
        texts = self._split(rows)
        holder, start = in_longest(texts, rows["SentenceId"])
        lengths = np.diff(found.offsets)
        tokens = [found.tokens[found.offsets[row] : found.offsets[row + 1]] for row in holder]
        offsets = np.cumsum([0, *map(len, tokens)])
        context = np.zeros((offsets[-1], 1), dtype=np.int8)
        for first, own, length in zip(offsets[:-1], start, lengths, strict=True):
            context[first + own : first + own + length] = ONE
        return Encoded(tokens=np.concatenate(tokens), offsets=offsets, context=context, places=offsets[:-1])


@dataclass(frozen=True, kw_only=True)
class SpanConfig(RNNConfig):
    """Pools the states of those tokens alone that the context marks, by mean and max."""

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> RNN:
        assert isinstance(form, Tokens)
        return SpanRNN(self, form, outputs, generators)


class SpanRNN(RNN):
    """One layer."""

    def forward(self, input: Texts, noise: Noise | None = None) -> Tensor:
        lengths = (input.tokens != PADDING).sum(dim=1).clamp_min(1)
        held = ((input.context > 0.5) & (input.tokens.unsqueeze(3) >= UNSEEN)).float()
        x = self._same_for_all_tokens(self._vectors(input, noise), noise)
        back = backwards(lengths, x.shape[1])
        (layer,) = self.recurrence
        assert isinstance(layer, Recurrence)
        states = layer.joined(layer(x, back), back)
        pooled = [pool(each, held) for each in (states, x) for pool in (mean_of, Greatest.apply)]
        return self._logits(torch.cat(pooled, dim=2), noise)
