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
from features.recipe import Recipe
from features.vectors import WordVectors

LONGEST = 256  # words of a text
NONE = ""  # the one word of a text without any


def text(
    column: str,
    *,
    lower: bool = True,
    least: int = 1,
    longest: int = LONGEST,
    vectors: Sequence[WordVectors] = (),
) -> Recipe:
    """A recipe for one column of texts, whose words are parted by blanks.

    Args:
        column: its name.
        lower: whether "The" is the word "the".
        least: how often a word stands in the train rows, at least, to be learned; a rarer one is as unseen, if no
            vector is known of it.
        longest: words that a text is cut after.
        vectors: what is known of words beforehand, side by side; a source that is not installed adds nothing.
    """
    if least < 1 or longest < 1:
        raise ValueError(f"takes words that stand somewhere and texts of some, but got {least=} {longest=}")
    return Recipe(encoder=TextEncoder(column, lower, least, longest, tuple(vectors)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """Words and their vectors."""

    words: pd.Index
    vectors: np.ndarray  # float32 [words, units]; NaN where nothing is known

    def of(self, words: Sequence[str]) -> np.ndarray:
        """The vectors of some of them, float32 [words, units]."""
        return self.vectors[self.words.get_indexer(pd.Index(words, dtype=str))]


class TextEncoder(TransformerMixin, BaseEstimator):
    """The transformer behind `text`, with its arguments.

    What it makes of rows are their tokens, end to end, int64 [tokens], and the offsets, int64 [rows + 1].

    Attributes:
        words_: the learned words, from token 2 on: those of the train rows, then those that have a vector only.
        vectors_: float32 [tokens, units], NaN where nothing is known.
    """

    def __init__(
        self,
        column: str,
        lower: bool = True,
        least: int = 1,
        longest: int = LONGEST,
        vectors: tuple[WordVectors, ...] = (),
        known: Known | None = None,
    ) -> None:
        self.column = column
        self.lower = lower
        self.least = least
        self.longest = longest
        self.vectors = vectors
        self.known = known

    def prepare(self, tables: Tables) -> TextEncoder:
        """See `Encoder`: the same with the vectors of all words of train and test looked up."""
        rows = pd.concat([tables.train, tables.test])
        return clone(self).set_params(
            known=self._look_up(sorted({word for words in self._split(rows) for word in words}))
        )

    def origins(self) -> list[str]:
        """See `Encoder`."""
        return [origin for each in self.vectors if (origin := each.origin()) is not None]

    def notices(self) -> list[str]:
        """See `Encoder`."""
        return [f"{each.missing}: words are learned without it" for each in self.vectors if each.origin() is None]

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        """Learns the words of the train rows; their tokens."""
        texts = self._split(rows)
        count = Counter(word for words in texts for word in words)
        learned = sorted(word for word, times in count.items() if times >= self.least)
        known = self.known or self._look_up(sorted(count))
        given = known.words[~np.isnan(known.vectors).all(axis=1)] if known.vectors.size else known.words[:0]
        self.words_ = (*learned, *sorted(set(given) - set(learned)))
        reserved = np.full((UNSEEN + 1, known.vectors.shape[1]), np.nan, dtype=np.float32)
        self.vectors_ = np.concatenate([reserved, known.of(self.words_)])
        return self._tokens(texts)

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> TextEncoder:
        """Learns the words of the train rows."""
        self.fit_transform(rows, target)
        return self

    def transform(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of other rows."""
        return self._tokens(self._split(rows))

    def dataset(self, found: tuple[np.ndarray, np.ndarray], target: torch.Tensor) -> SequenceDataset:
        """See `Encoder`."""
        tokens, offsets = map(torch.from_numpy, found)
        return SequenceDataset(input=tokens, offsets=offsets, target=target, vectors=torch.from_numpy(self.vectors_))

    def _split(self, rows: pd.DataFrame) -> list[list[str]]:
        """Every text's words; the word of none where it has none."""
        if self.column not in rows:
            raise UsageError(f"the recipe names the column {self.column!r}, but there are {', '.join(rows.columns)}")
        texts = rows[self.column].fillna("").astype(str)
        texts = texts.str.lower() if self.lower else texts
        return [words[: self.longest] or [NONE] for words in texts.str.split()]

    def _look_up(self, words: list[str]) -> Known:
        found = [each.find(words) for each in self.vectors if each.origin() is not None]
        vectors = np.concatenate([np.empty((len(words), 0), dtype=np.float32), *found], axis=1)
        return Known(words=pd.Index(words, dtype=str), vectors=vectors)

    def _tokens(self, texts: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        token = {word: number for number, word in enumerate(self.words_, start=UNSEEN + 1)}
        tokens = np.array([token.get(word, UNSEEN) for words in texts for word in words], dtype=np.int64)
        return tokens, np.cumsum([0, *map(len, texts)])
