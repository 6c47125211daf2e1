"""Beside: what is known of the word that a character stands in."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.codes import CONTEXT_STEP
from features.vectors import WordVectors

BLANK = " "
SPREAD = 0.4  # of GloVe's numbers, so that four standard deviations fit into what is kept


def beside_characters(texts: Sequence[Sequence[str]], vectors: Sequence[WordVectors]) -> np.ndarray:
    """The vectors of the word around every character, end to end, and whether there are some.

    Words are looked up in lower case and without accents. Blanks have none.

    Args:
        texts: of characters.
        vectors: those that are not installed are left out.

    Returns:
        int8 [characters, units], in `CONTEXT_STEP`s; 0 where nothing is known.
    """
    words: list[str] = []
    for text in texts:
        own = [each for word in "".join(text).split(BLANK) for each in (*[plain(word)] * len(word), BLANK)]
        words += own[: len(text)]  # no blank follows the last word
    distinct = pd.Index(sorted(set(words)), dtype=str)
    units = told(list(distinct), vectors)
    limits = np.iinfo(np.int8)
    return np.clip(np.round(units / CONTEXT_STEP), limits.min, limits.max).astype(np.int8)[
        distinct.get_indexer(pd.Index(words, dtype=str))
    ]


def told(words: Sequence[str], vectors: Sequence[WordVectors]) -> np.ndarray:
    """Vectors brought to a common spread, each followed by 1 where there is one; 0 where nothing is known.

    Args:
        words: as the vectors have them.
        vectors: those that are not installed are left out.

    Returns:
        float [words, units].
    """
    found = [each.find(words) for each in vectors if each.origin() is not None]
    return np.concatenate([np.empty((len(words), 0)), *(_spread(each) for each in found)], axis=1)


def _spread(found: np.ndarray) -> np.ndarray:
    known = ~np.isnan(found).any(axis=1, keepdims=True)
    return np.concatenate([np.where(known, found, 0) * SPREAD, known], axis=1)


def plain(word: str) -> str:
    """Lower case and without accents."""
    apart = unicodedata.normalize("NFD", word.lower())
    return "".join(each for each in apart if not unicodedata.combining(each))
