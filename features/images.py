"""Images: recipes of columns that are pixels."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sklearn.preprocessing import FunctionTransformer

from data.errors import UsageError
from features.recipe import Recipe
from features.tabular import select, tabular


def pixels(columns: Sequence[str], greatest: float = 255.0) -> Recipe:
    """A recipe of images, whose input is between 0 and 1; it learns nothing of the rows.

    Args:
        columns: the pixels in the order that networks take them in: channel by channel, and each row by row.
        greatest: a pixel's value, which becomes 1; 0 stays 0.

    Raises:
        ValueError: `greatest` is not above 0.
    """
    if not greatest > 0:
        raise ValueError(f"takes a greatest value above 0, but got {greatest=}")
    share = FunctionTransformer(share_of, kw_args={"columns": list(columns), "greatest": float(greatest)})
    return tabular(derive=[share], plain=columns)


def share_of(rows: pd.DataFrame, columns: list[str], greatest: float) -> pd.DataFrame:
    """The columns as shares of the greatest value.

    Raises:
        UsageError: a column is not there, or holds a value below 0 or above the greatest.
    """
    found = select(rows, columns)
    inside = ((found >= 0) & (found <= greatest)).all()
    if not inside.all():
        name = inside.idxmin()
        raise UsageError(
            f"a pixel is from 0 to {greatest:g}, but {name} holds {found[name].min()} to {found[name].max()}"
        )
    return found / greatest
