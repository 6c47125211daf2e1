"""Text recipe: the words of a column to tokens, with what is known of each word beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone

from data.datasets import UNSEEN, SequenceDataset
from data.errors import UsageError
from data.tables import Tables
from features.context import MiniLM
from features.recipe import ROW, Recipe, Workshop
from features.spans import in_longest
from features.vectors import Packaged, WordVectors

LONGEST = 256  # words of a text
NONE = ""  # the one word of a text without any


def text(
    column: str,
    *,
    lower: bool = True,
    least: int = 1,
    longest: int = LONGEST,
    ngrams: int = 1,
    vectors: Sequence[WordVectors] = (),
    context: MiniLM | None = None,
    within: str | None = None,
) -> Recipe:
    """A recipe for one column of texts, whose words are parted by blanks.

    Args:
        column: its name.
        lower: whether "The" is the word "the".
        least: how often a word stands in the train rows, at least, to be learned; a rarer one is as unseen, if no
            vector is known of it.
        longest: words that a text is cut after.
        ngrams: 2 makes tokens of all pairs of words side by side too, after the words, 3 of threes; those that were
            not learned are left out.
        vectors: what is known of words beforehand, side by side; a source that is not installed adds nothing.
        context: what makes vectors of words in their text; nothing where it is not installed.
        within: a column that names the texts which belong together; the context is then that of the longest of them,
            for those that are a part of it.
    """
    if least < 1 or longest < 1 or ngrams < 1:
        raise ValueError(f"takes words that stand somewhere and texts of some, but got {least=} {longest=} {ngrams=}")
    if ngrams > 1 and context is not None:
        raise ValueError(f"takes the context of single words, but got {ngrams=}")
    return Recipe(encoder=TextEncoder(column, lower, least, longest, ngrams, tuple(vectors), context, within))


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """Words and their vectors, and the context of all rows."""

    words: pd.Index
    vectors: np.ndarray  # float32 [words, units]; NaN where nothing is known
    context: np.ndarray  # int8 [places, units]
    places: np.ndarray  # int64 [rows], of a row's first word
    axes: np.ndarray | None  # see `MiniLM.axes`

    def __deepcopy__(self, memo: object) -> Known:
        """Nothing changes it, so that a cloned encoder need not copy it."""
        return self

    def of(self, words: Sequence[str]) -> np.ndarray:
        """The vectors of some of them, float32 [words, units]."""
        return self.vectors[self.words.get_indexer(pd.Index(words, dtype=str))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """Rows as tokens."""

    tokens: np.ndarray  # int64 [tokens], end to end
    offsets: np.ndarray  # int64 [rows + 1]
    context: np.ndarray  # int8 [places, units]
    places: np.ndarray  # int64 [rows], of the context of a row's first token


class TextEncoder(TransformerMixin, BaseEstimator):
    """The transformer behind `text`, with its arguments.

    What it makes of rows are `Encoded`.

    Attributes:
        axes_: what the context of words is brought to, if there is any.
        words_: the learned words, from token 2 on: those of the train rows, then those that have a vector only, then
            the learned n-grams.
        vectors_: float32 [tokens, units], NaN where nothing is known.
    """

    def __init__(
        self,
        column: str,
        lower: bool = True,
        least: int = 1,
        longest: int = LONGEST,
        ngrams: int = 1,
        vectors: tuple[WordVectors, ...] = (),
        context: MiniLM | None = None,
        within: str | None = None,
        known: Known | None = None,
    ) -> None:
        self.column = column
        self.lower = lower
        self.least = least
        self.longest = longest
        self.ngrams = ngrams
        self.vectors = vectors
        self.context = context
        self.within = within
        self.known = known

    def prepare(self, tables: Tables, workshop: Workshop) -> TextEncoder:
        """See `Encoder`: the same with all that is known of the words of train and test looked up."""
        rows = pd.concat([tables.train, tables.test])
        return clone(self).set_params(known=self._look_up(rows, self._split(rows), workshop))

    def origins(self) -> list[str]:
        """See `Encoder`."""
        return [origin for each in self._sources() if (origin := each.origin()) is not None]

    def notices(self) -> list[str]:
        """See `Encoder`."""
        return [f"{each.missing}: words are learned without it" for each in self._sources() if each.origin() is None]

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> Encoded:  # noqa: ARG002
        """Learns the words of the train rows; their tokens."""
        texts = self._split(rows)
        count = Counter(word for words in texts for word in words)
        learned = sorted(word for word, times in count.items() if times >= self.least)
        known = self.known or self._look_up(rows, texts, Workshop())
        self.axes_ = known.axes
        given = known.words[~np.isnan(known.vectors).all(axis=1)] if known.vectors.size else known.words[:0]
        words = (*learned, *sorted(set(given) - set(learned)))
        count = Counter(ngram for text in texts for ngram in self._ngrams(text))
        ngrams = sorted(ngram for ngram, times in count.items() if times >= self.least)
        self.words_ = (*words, *ngrams)
        nothing = np.full((UNSEEN + 1 + len(ngrams), known.vectors.shape[1]), np.nan, dtype=np.float32)
        self.vectors_ = np.concatenate([nothing[: UNSEEN + 1], known.of(words), nothing[UNSEEN + 1 :]])
        return self._encoded(rows, texts, known)

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> TextEncoder:
        """Learns the words of the train rows."""
        self.fit_transform(rows, target)
        return self

    def transform(self, rows: pd.DataFrame) -> Encoded:
        """The tokens of other rows."""
        texts = self._split(rows)
        return self._encoded(rows, texts, self.known or self._look_up(rows, texts, Workshop(), self.axes_))

    def dataset(self, found: Encoded, target: torch.Tensor) -> SequenceDataset:
        """See `Encoder`."""
        return SequenceDataset(
            input=torch.from_numpy(found.tokens),
            offsets=torch.from_numpy(found.offsets),
            target=target,
            vectors=torch.from_numpy(self.vectors_),
            context=torch.from_numpy(found.context),
            places=torch.from_numpy(found.places),
        )

    def _sources(self) -> tuple[Packaged, ...]:
        return self.vectors if self.context is None else (*self.vectors, self.context)

    def _split(self, rows: pd.DataFrame) -> list[list[str]]:
        """Every text's words; the word of none where it has none."""
        return [words[: self.longest] for words in words_of(rows, self.column, self.lower)]

    def _ngrams(self, text: list[str]) -> list[str]:
        """All that are longer than a word."""
        return [" ".join(text[at : at + n]) for n in range(2, self.ngrams + 1) for at in range(len(text) + 1 - n)]

    def _look_up(
        self, rows: pd.DataFrame, texts: list[list[str]], workshop: Workshop, axes: np.ndarray | None = None
    ) -> Known:
        words = sorted({word for text in texts for word in text})
        found = [each.find(words) for each in self.vectors if each.origin() is not None]
        model = self.context if self.context is not None and self.context.origin() is not None else None
        whole, places = self._whole(rows, texts)
        if model is None:
            context = np.empty((sum(map(len, whole)), 0), dtype=np.int8)
        else:
            key, device = model.key(whole), workshop.device
            if axes is None:
                axes = workshop.array(f"{key}-axes", lambda _: model.axes(whole, device))
            title = model.title(whole)
            context = workshop.array(key, lambda watch: model.encode(whole, axes, device, watch), title)
        return Known(
            words=pd.Index(words, dtype=str),
            vectors=np.concatenate([np.empty((len(words), 0), dtype=np.float32), *found], axis=1),
            context=context,
            places=places,
            axes=axes,
        )

    def _whole(self, rows: pd.DataFrame, texts: list[list[str]]) -> tuple[list[list[str]], np.ndarray]:
        """The texts that are the context of words, and where each row's first word stands in them, end to end."""
        if self.within is None:
            holder, inside = np.arange(len(texts)), np.zeros(len(texts), dtype=np.int64)
        else:
            holder, inside = in_longest(texts, cells_of(rows, self.within))
        holders, own = np.unique(holder, return_inverse=True)
        starts = np.cumsum([0, *(len(texts[row]) for row in holders)])
        return [texts[row] for row in holders], starts[own] + inside

    def _encoded(self, rows: pd.DataFrame, texts: list[list[str]], known: Known) -> Encoded:
        token = {word: number for number, word in enumerate(self.words_, start=UNSEEN + 1)}
        found = [
            [token.get(word, UNSEEN) for word in text]
            + [token[ngram] for ngram in self._ngrams(text) if ngram in token]
            for text in texts
        ]
        return Encoded(
            tokens=np.array([one for tokens in found for one in tokens], dtype=np.int64),
            offsets=np.cumsum([0, *map(len, found)]),
            context=known.context,
            places=known.places[rows[ROW].to_numpy()] if self.known is not None else known.places,
        )


def words_of(rows: pd.DataFrame, column: str, lower: bool = True) -> list[list[str]]:
    """Every text's words; the word of none where it has none.

    Raises:
        UsageError: there is no such column.
    """
    cells = cells_of(rows, column).fillna("").astype(str)
    return [words or [NONE] for words in (cells.str.lower() if lower else cells).str.split()]


def cells_of(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column.

    Raises:
        UsageError: there is no such column.
    """
    if column not in rows:
        raise UsageError(f"the recipe names the column {column!r}, but there are {', '.join(rows.columns)}")
    return rows[column]
