"""Rows for the benches, in the shape of Otto's and of the movie reviews; the peers' environment has NumPy alone."""

from __future__ import annotations

import numpy as np

COLUMNS, CLASSES = 93, 9
WORDS, KIN, FIFTHS = 16_000, 18, 5  # of texts: the words there are, the phrases of a sentence, and the classes
ZEROS = 0.79  # share of Otto's cells


def counts(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts, mostly zeros, and classes that depend on them: float32 [rows, 93] and int64 [rows]."""
    generator = np.random.default_rng(seed)
    x = generator.geometric(0.4, size=(rows, COLUMNS)).astype(np.float32)
    x[generator.random((rows, COLUMNS), dtype=np.float32) < ZEROS] = 0
    rule = generator.normal(size=(COLUMNS, CLASSES)).astype(np.float32)
    scores = np.log1p(x) @ rule + generator.gumbel(size=(rows, CLASSES))
    return np.log1p(x), scores.argmax(axis=1)


def texts(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Made-up phrases of the movie reviews' kind: as long as those, kin of a sentence side by side.

    The class is how good its words are, in fifths.

    Returns:
        Tokens end to end int64 [tokens], from 2 on; offsets int64 [rows + 1]; class and sentence int64 [rows].
    """
    generator = np.random.default_rng(0)
    lengths = np.minimum(np.rint(np.exp(generator.normal(1.55, 0.9, rows))).clip(1), 52).astype(np.int64)
    offsets = np.cumsum([0, *lengths])
    tokens = 2 + np.minimum(generator.zipf(1.25, offsets[-1]) - 1, WORDS - 1)
    good = generator.normal(size=WORDS)[tokens - 2]
    score = np.add.reduceat(good, offsets[:-1]) / np.sqrt(lengths) + generator.normal(0, 0.5, rows)
    target = np.searchsorted(np.quantile(score, [0.2, 0.4, 0.6, 0.8]), score)
    return tokens, offsets, target, np.arange(rows) // KIN
