"""Rows for the benches, in Otto's shape; needs NumPy alone, so that the peers' environment can draw them too."""

from __future__ import annotations

import numpy as np

COLUMNS, CLASSES = 93, 9
ZEROS = 0.79  # share of Otto's cells


def counts(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts, mostly zeros, and classes that depend on them: float32 [rows, 93] and int64 [rows]."""
    generator = np.random.default_rng(seed)
    x = generator.geometric(0.4, size=(rows, COLUMNS)).astype(np.float32)
    x[generator.random((rows, COLUMNS), dtype=np.float32) < ZEROS] = 0
    rule = generator.normal(size=(COLUMNS, CLASSES)).astype(np.float32)
    scores = np.log1p(x) @ rule + generator.gumbel(size=(rows, CLASSES))
    return np.log1p(x), scores.argmax(axis=1)
