"""Spans: texts that are parts of other texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def in_longest(texts: Sequence[Sequence[str]], groups: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Where each text stands in the longest one of its group; a text that does not stand there is found in itself.

    Args:
        texts: of words.
        groups: a value a text, equal for those that belong together.

    Returns:
        The rows of the longest texts, and the places of the first words in them, int64 [texts] each.
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    holder, start = np.arange(len(texts)), np.zeros(len(texts), dtype=np.int64)
    members = pd.Series(range(len(texts))).groupby(np.asarray(groups), sort=False).indices
    for found in members.values():
        rows = [int(row) for row in found]
        longest = max(rows, key=lengths.__getitem__)
        whole = _spaced(texts[longest])
        for row in rows:
            at = whole.find(_spaced(texts[row]))
            if at >= 0:
                holder[row], start[row] = longest, whole.count(" ", 0, at)
    return holder, start


def _spaced(text: Sequence[str]) -> str:
    return f" {' '.join(text)} "
