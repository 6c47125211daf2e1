"""Frequencies: how often languages use a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from features.vectors import WordVectors, version_of

GREATEST = 9.0  # on the Zipf scale, the logarithm of how often a word stands among a billion
HALF = 2  # so that the most frequent words are at four, where most numbers of other sources are below one
LONGEST = 24  # characters of a word that is looked up


@dataclass(frozen=True, kw_only=True)
class WordFreq(WordVectors):
    """How often each of some languages uses a word (Speer, 2022, https://github.com/rspeer/wordfreq).

    Words are told apart by their Latin letters alone, those of other scripts as they are romanised.

    Args:
        languages: by their codes of two letters.
    """

    package = "wordfreq"
    romanising: ClassVar[str] = "anyascii"

    languages: tuple[str, ...] = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")

    @property
    def missing(self) -> str:
        """See `WordVectors.missing`."""
        return f"{super().missing[:-1]} {self.romanising})"

    def packages(self) -> tuple[str, ...]:
        """See `WordVectors.packages`."""
        return (self.package, self.romanising)

    def origin(self) -> str | None:
        """See `WordVectors.origin`."""
        found = [version_of(package) for package in self.packages()]
        return None if None in found else ", ".join(filter(None, found))

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`; 0 for a language that does not use a word, and NaN where none does."""
        asked = np.array(_romanised(list(words)), dtype=f"S{LONGEST}")
        found = np.empty((len(words), len(self.languages)), dtype=np.float32)
        for number, language in enumerate(self.languages):
            listed, frequencies = _list_of(language)
            place = listed.searchsorted(asked).clip(max=len(listed) - 1)
            found[:, number] = np.where(listed[place] == asked, frequencies[place], 0) / HALF
        return np.where(found.any(axis=1, keepdims=True), found, np.float32(np.nan))


@cache
def _list_of(language: str) -> tuple[np.ndarray, np.ndarray]:
    """The words that a language uses, bytes [words] in alphabetical order, and how often it does, float32 [words]."""
    from wordfreq import get_frequency_list

    ranks = get_frequency_list(language, wordlist="best")  # words of one frequency each, the greatest first
    words = np.array(_romanised([word for rank in ranks for word in rank]), dtype=f"S{LONGEST}")
    rank = np.repeat(np.arange(len(ranks)), [len(rank) for rank in ranks])
    get_frequency_list.cache_clear()  # it would keep hundreds of megabytes
    listed, first = np.unique(words, return_index=True)
    used = listed != b""
    return listed[used], (GREATEST - rank[first[used]] / 100).astype(np.float32)


def _romanised(words: list[str]) -> list[str]:
    """Lower case, and Latin letters without accents; nothing of a word that is too long."""
    odd = iter(_latin([word for word in words if not word.isascii()]))
    found = (word.lower() if word.isascii() else next(odd) for word in words)
    return [word if len(word) <= LONGEST else "" for word in found]


def _latin(words: list[str]) -> list[str]:
    """Words of other letters in lower case Latin ones."""
    from anyascii import anyascii

    text = "\n".join(words)
    latin = {ord(each): anyascii(each).replace("\n", " ") for each in set(text) if each != "\n"}
    return text.translate(latin).lower().split("\n") if words else []
