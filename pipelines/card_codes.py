"""Codes of a card: columns of any kind as few small whole numbers, on which trees and tables of means can work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import HashingVectorizer

from data.reading import kind
from data.schema import Schema

NUMBER, CATEGORY, TEXT = "number", "category", "text"
WORDS, CHARACTERS = "words", "characters"
MOST_CATEGORIES = 50  # distinct values; a column of more is one of texts
BINS = 32  # of a number, with about as many rows in each
BIN_ROWS = 10  # at least, in a bin
BAG = 32  # hashes of a text's words or characters
MOST_HASHES = 256  # of all columns of texts together
WORDY = 3  # words of the middle text, from which a bag is one of words
MISSING = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded:
    """A column's rows, in codes.

    Shape: values [rows]; parts [rows, 1] of a number or a category, [rows, parts] of texts
    """

    name: str
    kind: str
    values: np.ndarray  # int64: the bin of a number, the number of a value; MISSING where there is none
    parts: np.ndarray  # float32: what trees see, NaN where there is none

    @property
    def varies(self) -> bool:
        """Whether there is something to tell rows by."""
        return len(np.unique(self.values)) > 1


def kind_of(schema: Schema, name: str, cells: pd.Series) -> str:
    """What a column holds: numbers, few values (categories) or texts."""
    declared = schema.columns.columns.get(name)
    if declared is not None and kind(declared) is not str:
        return NUMBER
    return CATEGORY if cells.nunique() <= MOST_CATEGORIES else TEXT


def missing(cells: pd.Series) -> np.ndarray:
    """Which cells hold nothing, bool [rows]; an empty text is nothing, too."""
    return (cells.isna() | (cells == "")).to_numpy(bool)


def encode(name: str, held: str, cells: pd.Series, hashes: int = BAG) -> Coded:
    """A column in codes.

    Args:
        name: its own.
        held: what `kind_of` gave.
        cells: [rows].
        hashes: of the bag of a text.
    """
    if held == NUMBER:
        values = bins(cells.to_numpy(np.float64))
    else:
        values = np.asarray(pd.factorize(cells.mask(missing(cells)))[0], dtype=np.int64)
    parts = _texts(cells.fillna("").astype(str), hashes) if held == TEXT else values[:, None]
    return Coded(
        name=name, kind=held, values=values, parts=np.where(parts == MISSING, np.nan, parts).astype(np.float32)
    )


def bins(numbers: np.ndarray) -> np.ndarray:
    """The bin of each number, int64 [rows], in their order; few values are a bin each, NaN is MISSING.

    Shape: numbers float64 [rows]
    """
    known = ~np.isnan(numbers)
    found = np.full(len(numbers), MISSING, dtype=np.int64)
    values = np.unique(numbers[known])
    if len(values) > BINS:
        most = min(BINS, max(2, int(known.sum()) // BIN_ROWS))
        shares = np.arange(1, most) / most
        values = np.unique(np.quantile(numbers[known], shares, method="lower"))  # no sums, which may overflow
    found[known] = np.searchsorted(values, numbers[known])
    return found


def unit_of(texts: pd.Series) -> str:
    """What the length of some texts is told in: words, or characters where most have no three words."""
    counted = lengths(texts, WORDS)
    return WORDS if len(counted) and np.median(counted) >= WORDY else CHARACTERS


def lengths(texts: pd.Series, unit: str) -> np.ndarray:
    """How many words, which blanks part, or characters each text has, int64 [rows]."""
    counted = texts.str.len() if unit == CHARACTERS else [len(text.split()) for text in texts]
    return np.asarray(counted, dtype=np.int64)


def hashes_of(texts: int) -> int:
    """How many hashes each of several columns of texts gets."""
    return min(BAG, MOST_HASHES // max(texts, 1))


def _texts(texts: pd.Series, hashes: int) -> np.ndarray:
    """Characters, words, and which words or characters stand in each text, by their hashes: [rows, 2 + hashes]."""
    parts = [bins(lengths(texts, unit).astype(np.float64)) for unit in (CHARACTERS, WORDS)]
    if not hashes:
        return np.stack(parts, axis=1)
    how = {"analyzer": "word", "token_pattern": r"\w+"} if unit_of(texts) == WORDS else {"analyzer": "char"}
    bag = HashingVectorizer(n_features=hashes, norm=None, alternate_sign=False, binary=True, **how)
    return np.column_stack([*parts, bag.transform(texts).toarray()])
