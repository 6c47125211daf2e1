"""Syllables: made-up words of synthetic twins, and what their last letters tell."""

from __future__ import annotations

import math

import numpy as np

SYLLABLES = tuple(a + b for a in "bdfgklmnprstv" for b in "aeiou")
LENGTH = 2  # characters of a syllable
MOST = 4  # syllables of a word, unless it must be longer
VOCABULARY = 200  # words


def vocabulary(generator: np.random.Generator) -> np.ndarray:
    """Words of three syllables, str [words]."""
    syllables = generator.choice(np.array(SYLLABLES), size=(VOCABULARY * 2, 3))
    return np.unique(["".join(word) for word in syllables])[:VOCABULARY]


def spelled(words: int, least: float | None, greatest: float | None, generator: np.random.Generator) -> np.ndarray:
    """Words of random syllables, str [words].

    Args:
        words: how many; some may be alike.
        least: characters of a word; None: any number, as in the next one.
        greatest: the same at most.
        generator: draws them.
    """
    shortest = max(1, math.ceil((least or 1) / LENGTH))
    longest = MOST if greatest is None else min(MOST, int(greatest) // LENGTH)
    counts = generator.integers(shortest, max(shortest, longest), size=words, endpoint=True)
    found = ["".join(generator.choice(np.array(SYLLABLES), size=count)) for count in counts]
    return np.array(found if greatest is None else [word[-int(greatest) :] for word in found], dtype=object)


def told_by_endings(words: np.ndarray, signals: int, generator: np.random.Generator) -> np.ndarray:
    """Sums of what each of a word's last letters tells, those of one syllable, float [words, signals]."""
    told = np.zeros((len(words), signals))
    for place in range(1, LENGTH + 1):
        letters, of_word = np.unique([word[-place:][:1] for word in words], return_inverse=True)
        told += generator.normal(size=(len(letters), signals))[of_word]
    return told
