"""Forms: which one datasets have."""

from __future__ import annotations

from collections.abc import Sequence

from data.datasets import Rows, SequenceDataset, TabularDataset
from models.columns import Columns
from models.pack import Form
from models.tokens import Tokens


def form_of(datasets: Sequence[Rows]) -> Form:
    """The least form that holds every dataset.

    Raises:
        TypeError: tables and texts side by side.
    """
    tables = [data for data in datasets if isinstance(data, TabularDataset)]
    texts = [data for data in datasets if isinstance(data, SequenceDataset)]
    if tables and texts:
        raise TypeError("the folds of a recipe are all tables or all texts, but got both")
    return Tokens.of(texts) if texts else Columns.of(tables)
