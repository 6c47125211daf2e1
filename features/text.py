"""Text recipe: the words of a column to tokens, with what is known of each word beforehand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided
from sklearn.base import BaseEstimator, TransformerMixin, clone

from data.codes import UNSEEN
from data.errors import UnavailableError, UsageError
from data.tables import Tables
from features.beside import beside_characters
from features.context import MiniLM
from features.latest import Latest, Uncopied
from features.recipe import ROW, Recipe, Workshop
from features.spans import in_longest
from features.vectors import Packaged, WordVectors

if TYPE_CHECKING:
    from data.datasets import SequenceDataset

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
    characters: bool = False,
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
        characters: whether each character, blanks included, counts as a word. The vectors are then of the word that it
            stands in, and tell of its context.
    """
    if least < 1 or longest < 1 or ngrams < 1:
        raise ValueError(f"takes words that stand somewhere and texts of some, but got {least=} {longest=} {ngrams=}")
    if ngrams > 1 and (context is not None or characters):
        raise ValueError(f"takes the context of single words, and single characters, but got {ngrams=}")
    if characters and context is not None:
        raise ValueError("takes characters, or words in their context, but got both")
    return Recipe(
        encoder=TextEncoder(column, lower, least, longest, ngrams, tuple(vectors), context, within, characters)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Known(Uncopied):
    """Words and their vectors, and the context of all rows."""

    words: pd.Index
    vectors: np.ndarray  # float32 [words, units]; NaN where nothing is known
    context: np.ndarray  # int8 [places, units]
    places: np.ndarray  # int64 [rows], of a row's first word
    axes: np.ndarray | None  # see `MiniLM.axes`
    latest: Latest[np.ndarray] = field(default_factory=Latest)  # the context of rows that came later

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


class Vocabulary:
    """The learned words.

    Args:
        words: from token 2 on.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.token = {word: number for number, word in enumerate(self.words, start=UNSEEN + 1)}

    def __len__(self) -> int:
        """The tokens, those of the padding and of the unseen included."""
        return UNSEEN + 1 + len(self.words)

    def __getstate__(self) -> dict[str, str]:
        return {"words": json.dumps(self.words)}  # one text is kept a thousand times faster than as many words

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(json.loads(state["words"]))  # type: ignore[misc]


class TextEncoder(TransformerMixin, BaseEstimator):
    """The transformer behind `text`, with its arguments.

    What it makes of rows are `Encoded`.

    Attributes:
        axes_: what the context of words is brought to, if there is any.
        beside_: the units of what tells of the word that a character stands in.
        vocabulary_: the words of the train rows, then those that have a vector only, then the learned n-grams.
        vectors_: float32 [tokens, units], NaN where nothing is known; None after `release`: the networks learned them.
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
        characters: bool = False,
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
        self.characters = characters
        self.known = known

    def prepare(self, tables: Tables, workshop: Workshop) -> TextEncoder:
        """See `Encoder`: the same with all that is known of the words of train and test looked up."""
        rows = pd.concat([tables.train, tables.test])
        return clone(self).set_params(known=self._look_up(rows, self._split(rows), workshop))

    def packages(self) -> list[str]:
        """See `Encoder`."""
        return [package for each in self._sources() for package in each.packages()]

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
        self.axes_, self.latest_, self.beside_ = known.axes, known.latest, known.context.shape[1]
        given = known.words[~np.isnan(known.vectors).all(axis=1)] if known.vectors.size else known.words[:0]
        words = (*learned, *sorted(set(given) - set(learned)))
        count = Counter(ngram for text in texts for ngram in self._ngrams(text))
        ngrams = sorted(ngram for ngram, times in count.items() if times >= self.least)
        self.vocabulary_ = Vocabulary((*words, *ngrams))
        self.units_ = known.vectors.shape[1]
        nothing = np.full((UNSEEN + 1 + len(ngrams), self.units_), np.nan, dtype=np.float32)
        self.vectors_: np.ndarray | None = np.concatenate(
            [nothing[: UNSEEN + 1], known.of(words), nothing[UNSEEN + 1 :]]
        )
        return self._encoded(texts, known.context, known.places[rows[ROW].to_numpy()] if self.known else known.places)

    @property
    def words_(self) -> tuple[str, ...]:
        """The learned words, from token 2 on."""
        return self.vocabulary_.words

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> TextEncoder:
        """Learns the words of the train rows."""
        self.fit_transform(rows, target)
        return self

    def transform(self, rows: pd.DataFrame) -> Encoded:
        """The tokens of other rows."""
        texts = self._split(rows)
        if self.known is not None:
            return self._encoded(texts, self.known.context, self.known.places[rows[ROW].to_numpy()])
        whole, places = self._whole(rows, texts)
        return self._encoded(texts, self._context_of_later(whole), places)

    def release(self) -> TextEncoder:
        """See `Encoder`: looks up the context of other rows."""
        other = copy(self)
        other.known, other.vectors_ = None, None
        other.axes_ = None if self.axes_ is None else np.array(self.axes_)  # out of a file
        return other

    def dataset(self, found: Encoded, target: np.ndarray) -> SequenceDataset:
        """See `Encoder`."""
        from data.datasets import SequenceDataset

        vectors = self.vectors_
        if vectors is None:  # one number in memory is all of them
            vectors = as_strided(np.full(1, np.nan, np.float32), (len(self.vocabulary_), self.units_), (0, 0))
        return SequenceDataset.of(
            input=found.tokens,
            offsets=found.offsets,
            target=target,
            vectors=vectors,
            context=found.context,
            places=found.places,
        )

    def _sources(self) -> tuple[Packaged, ...]:
        return self.vectors if self.context is None else (*self.vectors, self.context)

    def _split(self, rows: pd.DataFrame) -> list[list[str]]:
        """Every text's words; the word of none where it has none."""
        split = characters_of if self.characters else words_of
        return [words[: self.longest] for words in split(rows, self.column, self.lower)]

    def _ngrams(self, text: list[str]) -> list[str]:
        """All that are longer than a word."""
        return [" ".join(text[at : at + n]) for n in range(2, self.ngrams + 1) for at in range(len(text) + 1 - n)]

    def _look_up(self, rows: pd.DataFrame, texts: list[list[str]], workshop: Workshop) -> Known:
        words = sorted({word for text in texts for word in text})
        whole, places = self._whole(rows, texts)
        if self.characters:
            return self._look_up_characters(words, whole, places)
        found = [each.find(words) for each in self.vectors if each.origin() is not None]
        model = self._model
        if model is None:
            axes, context = None, _no_context(whole)
        else:
            key, device = model.key(whole), workshop.device
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

    def _look_up_characters(self, characters: list[str], whole: list[list[str]], places: np.ndarray) -> Known:
        nothing = np.empty((len(characters), 0), dtype=np.float32)
        context = beside_characters(whole, self.vectors)
        return Known(words=pd.Index(characters, dtype=str), vectors=nothing, context=context, places=places, axes=None)

    @property
    def _model(self) -> MiniLM | None:
        """What makes the context, if it is installed."""
        return self.context if self.context is not None and self.context.origin() is not None else None

    def _context_of_later(self, whole: list[list[str]]) -> np.ndarray:
        """The context of rows that came later, int8 [words, units], along the axes that were learned."""
        if self.characters:
            return self._beside_later(whole)
        axes = self.axes_
        if axes is None:
            return _no_context(whole)
        model = self._model
        if model is None:
            assert self.context is not None
            raise UnavailableError(f"{self.context.missing}: these networks learned with it")
        return self.latest_(
            model.key(whole),
            lambda: model.encode(whole, axes, Workshop().device, lambda share: None),  # noqa: ARG005
        )

    def _beside_later(self, whole: list[list[str]]) -> np.ndarray:
        found = beside_characters(whole, self.vectors)
        if found.shape[1] != self.beside_:
            missing = ", ".join(each.missing for each in self.vectors if each.origin() is None)
            raise UnavailableError(f"{missing or 'other vectors of words'}: these networks learned with other ones")
        return found

    def _whole(self, rows: pd.DataFrame, texts: list[list[str]]) -> tuple[list[list[str]], np.ndarray]:
        """The texts that are the context of words, and where each row's first word stands in them, end to end."""
        if self.within is None:
            holder, inside = np.arange(len(texts)), np.zeros(len(texts), dtype=np.int64)
        else:
            holder, inside = in_longest(texts, cells_of(rows, self.within))
        holders, own = np.unique(holder, return_inverse=True)
        starts = np.cumsum([0, *(len(texts[row]) for row in holders)])
        return [texts[row] for row in holders], starts[own] + inside

    def _encoded(self, texts: list[list[str]], context: np.ndarray, places: np.ndarray) -> Encoded:
        token = self.vocabulary_.token
        found = [
            [token.get(word, UNSEEN) for word in text]
            + [token[ngram] for ngram in self._ngrams(text) if ngram in token]
            for text in texts
        ]
        return Encoded(
            tokens=np.array([one for tokens in found for one in tokens], dtype=np.int64),
            offsets=np.cumsum([0, *map(len, found)]),
            context=context,
            places=places,
        )


def _no_context(texts: list[list[str]]) -> np.ndarray:
    return np.empty((sum(map(len, texts)), 0), dtype=np.int8)


def words_of(rows: pd.DataFrame, column: str, lower: bool = True) -> list[list[str]]:
    """Every text's words; the word of none where it has none.

    Raises:
        UsageError: there is no such column.
    """
    return [words or [NONE] for words in _texts_of(rows, column, lower).str.split()]


def characters_of(rows: pd.DataFrame, column: str, lower: bool = True) -> list[list[str]]:
    """Every text's characters, without the blanks around it; the word of none where it has none.

    Raises:
        UsageError: there is no such column.
    """
    return [list(text) or [NONE] for text in _texts_of(rows, column, lower).str.strip()]


def _texts_of(rows: pd.DataFrame, column: str, lower: bool) -> pd.Series:
    cells = cells_of(rows, column).fillna("").astype(str)
    return cells.str.lower() if lower else cells


def cells_of(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column.

    Raises:
        UsageError: there is no such column.
    """
    if column not in rows:
        raise UsageError(f"the recipe names the column {column!r}, but there are {', '.join(rows.columns)}")
    return rows[column]
