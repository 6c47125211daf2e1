"""Characters: what a word's spelling tells, for words that no other source knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from features.vectors import WordVectors

SPREAD = 0.4  # standard deviation of the numbers, about that of GloVe's


@dataclass(frozen=True, kw_only=True)
class Characters(WordVectors):
    """The pieces of a word, each added or taken away at a unit that its hash names (Weinberger et al., 2009).

    Words that share a stem or an ending so share a part of their vector, as in fastText (Bojanowski et al., 2017).
    """

    package = "scikit-learn"

    units: int = 32
    pieces: tuple[int, int] = (3, 5)  # characters, least and most; a word's ends count as one each

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`; every word has one."""
        hashing = HashingVectorizer(
            analyzer="char_wb", ngram_range=self.pieces, n_features=self.units, lowercase=False, dtype=np.float32
        )
        found: np.ndarray = hashing.transform(words).toarray() if len(words) else np.empty((0, self.units), np.float32)
        return found * np.float32(SPREAD * np.sqrt(self.units))
