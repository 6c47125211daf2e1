"""Recipe: how rows become a network's input, fitted on the train rows of a fold and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from sklearn.base import clone

from data.codes import UNKNOWN
from data.tables import Tables

if TYPE_CHECKING:
    import torch

    from data.datasets import Fold, Rows

ROW = "_row"  # a column beside the declared ones: which row it is, train rows first, then test rows


Make = Callable[[Callable[[float], None]], np.ndarray]  # is told whom to tell what share is done


class Workshop:
    """Where a recipe is prepared; this one keeps nothing.

    Args:
        device: where to compute what is worth it.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        import torch

        self.device = torch.device(device)

    def array(self, key: str, make: Make, title: str = "") -> np.ndarray:  # noqa: ARG002  # for those that keep
        """What `make` makes; a key names one content for all times, a title tells what is waited for."""
        return make(lambda share: None)  # noqa: ARG005


class Encoder(Protocol):
    """A scikit-learn transformer of rows to what a dataset is made of, such as numbers [rows, columns].

    It may have a method `prepare(tables, workshop)`, which gives an encoder that knows what is the same in every fold,
    as which rows are alike; it is called once, and sees no target. It may have methods for what it reads
    beside the rows: `packages()`, that hold it, by their names on the index; `origins()`, the names and versions of
    what is there; `notices()`, a line for each that is not; and `require()`, which raises UnavailableError where it
    cannot do without something. And it may have a method `release()`, which gives a fitted one for rows that come
    later, without what it was prepared with.

    `fit_transform` of the train rows may differ from `transform` of others: features that use the target leave the
    row itself out of its own.
    """

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> Any:
        """Learns from the train rows and gives their input."""
        ...

    def transform(self, rows: pd.DataFrame) -> Any:
        """The input of rows that were not learned from, if there are any."""
        ...

    def dataset(self, found: Any, target: np.ndarray) -> Rows:
        """What `fit_transform` or `transform` gave, as a dataset; target int64 or float32 [rows, ...].

        Raises:
            UsageError: it makes no sense, as numbers that are not finite.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An encoder that has learned nothing; every fold fits a copy of its own."""

    encoder: Encoder

    @property
    def text(self) -> str | None:
        """The column whose words are read; None where there is none."""
        return getattr(self.encoder, "column", None)

    def prepare(self, tables: Tables, workshop: Workshop) -> Recipe:
        """The recipe with that done which is the same in every fold, from rows whose target is hidden."""
        prepare = getattr(self.encoder, "prepare", None)
        hidden = replace(tables, target=np.full_like(tables.target, UNKNOWN))
        return self if prepare is None else Recipe(encoder=prepare(hidden, workshop))

    def packages(self) -> tuple[str, ...]:
        """The packages that hold what the encoder reads beside the rows, by their names on the index."""
        return tuple(self.encoder.packages()) if hasattr(self.encoder, "packages") else ()

    def origins(self) -> tuple[str, ...]:
        """What the encoder reads beside the rows, by name and version."""
        return tuple(self.encoder.origins()) if hasattr(self.encoder, "origins") else ()

    def notices(self) -> tuple[str, ...]:
        """A line for each such thing that is not there."""
        return tuple(self.encoder.notices()) if hasattr(self.encoder, "notices") else ()

    def require(self) -> None:
        """Raises UnavailableError where something is not there that the encoder cannot do without."""
        if hasattr(self.encoder, "require"):
            self.encoder.require()

    def encode(self, tables: Tables, fold: int | None) -> Fold:
        """See `fit`: what was encoded."""
        return self.fit(tables, fold)[1]

    def fit(self, tables: Tables, fold: int | None) -> tuple[Encoder, Fold]:
        """Fits on the train rows of a fold, and encodes those, the rows held out, and the test rows.

        Args:
            tables: all rows.
            fold: its number; None holds nothing out, and so fits on all train rows.

        Returns:
            The encoder, for rows that come later, and what it made of the rows.

        Raises:
            UsageError: the recipe does not fit the columns, or makes numbers that are not finite in float32.
        """
        from data.datasets import Fold

        held_out, trained_on = tables.held_out(fold), tables.trained_on(fold)
        encoder = clone(self.encoder)
        target = tables.target[trained_on]
        numbered = tables.train.assign(**{ROW: np.arange(len(tables.train))})
        test = tables.test.assign(**{ROW: len(numbered) + np.arange(len(tables.test))})
        train = encoder.fit_transform(numbered[trained_on].reset_index(drop=True), target)
        valid = numbered[held_out].reset_index(drop=True)
        unknown = np.full((len(tables.test), *target.shape[1:]), UNKNOWN, dtype=target.dtype)
        encoded = Fold.of(
            train=encoder.dataset(train, target),
            valid=encoder.dataset(encoder.transform(valid), tables.target[held_out]),
            test=encoder.dataset(encoder.transform(test), unknown),
            valid_rows=np.flatnonzero(held_out),
        )
        return released(encoder), encoded


def released(encoder: Any) -> Any:
    """An encoder, or a transformer, for rows that come later."""
    return encoder.release() if hasattr(encoder, "release") else encoder


def encode_later(encoder: Encoder, rows: pd.DataFrame) -> Rows:
    """Rows that come later, whose target nobody knows, by a released encoder."""
    return encoder.dataset(encoder.transform(rows), np.full(len(rows), UNKNOWN))
