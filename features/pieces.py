"""Pieces recipe: texts as the pieces of words of a language model, for networks that tune its upper layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from safetensors.numpy import load_file
from sklearn.base import BaseEstimator, TransformerMixin, clone

from data.codes import CONTEXT_STEP, UNSEEN
from data.errors import UnavailableError
from data.tables import Tables
from features.latest import Latest, Uncopied
from features.minilm import TEXTS, OfMiniLM, Texts, folder
from features.recipe import ROW, Recipe, Workshop
from features.text import words_of

if TYPE_CHECKING:
    from data.datasets import SequenceDataset
    from features.reader import Reader

SAMPLE = 2**12  # texts, about, that the spread of the states is learned from
SPREAD = 0.3  # standard deviation of the numbers that are kept; four of them fit
OF_LAYER = re.compile(r"(?:bert\.)?encoder\.layer\.(\d+)\.(.+)")
LAYERS = 6
VOCABULARY = 30_522 + UNSEEN + 1  # the model's pieces, after the padding and the unseen


def pieces(column: str, *, layer: int = 4) -> Recipe:
    """A recipe for one column of texts: what the lower layers of MiniLM make of their pieces, and the upper layers.

    Args:
        column: its name.
        layer: the last of the six that stay as they are; 0: the pieces' own vectors.
    """
    if not 0 <= layer < LAYERS:
        raise ValueError(f"takes a layer below the last, from 0 to {LAYERS - 1}, but got {layer=}")
    return Recipe(encoder=PieceEncoder(column, layer))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces(Uncopied):
    """Rows as pieces, and what the lower layers make of them.

    Attributes:
        tokens: int64 [pieces], end to end.
        offsets: int64 [rows + 1].
        context: int8 [places, units].
        places: int64 [rows], of the context of a row's first piece.
        weights: of the layers above, by the names that BERT's have; and by which numbers, `scale` and `center`, float32
            [units], the context becomes the states: context x scale + center.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    context: np.ndarray
    places: np.ndarray
    weights: Mapping[str, np.ndarray]
    latest: Latest[Pieces] = field(default_factory=Latest)  # of rows that came later

    def of(self, rows: np.ndarray) -> Pieces:
        """Some of the rows."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.cumsum([0, *lengths])
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return replace(self, tokens=self.tokens[at], offsets=offsets, places=self.places[rows])


class PieceEncoder(TransformerMixin, BaseEstimator):
    """The transformer behind `pieces`, with its arguments.

    Attributes:
        spread_: the mean and the scale by which states are written as whole numbers, float32 [2, units].
    """

    def __init__(self, column: str, layer: int = 4, known: Pieces | None = None) -> None:
        self.column = column
        self.layer = layer
        self.known = known

    def prepare(self, tables: Tables, workshop: Workshop) -> PieceEncoder:
        """See `Encoder`: the same with the pieces of train and test read."""
        texts = words_of(pd.concat([tables.train, tables.test]), self.column)
        return clone(self).set_params(known=self._lower.read(texts, workshop))

    def packages(self) -> tuple[str, ...]:
        """See `Encoder`."""
        return self._lower.packages()

    def origins(self) -> list[str]:
        """See `Encoder`."""
        origin = self._lower.origin()
        return [] if origin is None else [origin]

    def require(self) -> None:
        """See `Encoder`."""
        self._lower.require()

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> Pieces:  # noqa: ARG002
        """The pieces of the train rows."""
        found = self._of(rows)
        self.spread_ = np.stack([found.weights[name] for name in ("center", "scale")])
        self.latest_ = found.latest
        return found

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> PieceEncoder:
        """Learns how the states are written."""
        self.fit_transform(rows, target)
        return self

    def transform(self, rows: pd.DataFrame) -> Pieces:
        """The pieces of other rows."""
        return self._of(rows, self.spread_)

    def release(self) -> PieceEncoder:
        """See `Encoder`: reads other rows."""
        other = copy(self)
        other.known = None
        return other

    def dataset(self, found: Pieces, target: np.ndarray) -> SequenceDataset:
        """See `Encoder`."""
        from data.datasets import SequenceDataset

        return SequenceDataset.of(
            input=found.tokens,
            offsets=found.offsets,
            target=target,
            vectors=np.empty((VOCABULARY, 0), dtype=np.float32),
            context=found.context,
            places=found.places,
            weights=found.weights,
        )

    @property
    def _lower(self) -> LowerLayers:
        return LowerLayers(layer=self.layer)

    def _of(self, rows: pd.DataFrame, spread: np.ndarray | None = None) -> Pieces:
        if self.known is not None:
            return self.known.of(rows[ROW].to_numpy())
        texts = words_of(rows, self.column)
        if spread is None:
            return self._lower.read(texts, Workshop())
        return self.latest_(self._lower.key(texts), lambda: self._lower.read(texts, Workshop(), spread))


@dataclass(frozen=True, kw_only=True)
class LowerLayers(OfMiniLM):
    """The model, cut in two above a layer."""

    layer: int

    def require(self) -> None:
        """Raises UnavailableError where the package is not there."""
        if self.origin() is None:
            raise UnavailableError(f"{self.missing}: this model tunes its layers")

    def read(self, texts: Texts, workshop: Workshop, spread: np.ndarray | None = None) -> Pieces:
        """Cuts texts into pieces, and sends them through the lower layers.

        Args:
            texts: of words.
            workshop: what keeps the states.
            spread: the `center` and the `scale` of the states, float32 [2, units], if they are known already.

        Raises:
            UnavailableError: the package is not there.
        """
        self.require()
        reader, key = self.reader(workshop.device, self.layer), self.key(texts)
        cut = [each for first in range(0, len(texts), TEXTS) for each in _ids(reader, texts[first : first + TEXTS])]
        offsets = np.cumsum([0, *map(len, cut)])
        sample = cut[:: max(1, len(texts) // SAMPLE)]
        if spread is None:
            spread = workshop.array(f"{key}-spread", lambda _: self._spread(reader, sample))
        center, scale = spread

        def states(watch: Callable[[float], None]) -> np.ndarray:
            found = np.empty((offsets[-1], len(center)), dtype=np.int8)
            for first in range(0, len(texts), TEXTS):
                for rows, made in reader.states(cut[first : first + TEXTS], [self.layer]):
                    at = (offsets[first + rows][:, None] + np.arange(made.shape[1])).ravel()
                    whole = (made.flatten(0, 1).cpu().numpy() - center) / (scale * CONTEXT_STEP)
                    found[at] = np.rint(whole).clip(-127, 127)
                watch(min(1.0, (first + TEXTS) / len(texts)))
            return found

        context = workshop.array(f"{key}-states", states, self.title(texts))
        weights = {"center": center, "scale": scale} | _upper(self.layer)
        return Pieces(
            tokens=np.concatenate([np.empty(0, dtype=np.int64), *cut]) + UNSEEN + 1,
            offsets=offsets,
            context=context,
            places=offsets[:-1],
            weights={name: np.array(weight) for name, weight in weights.items()},
        )

    def _spread(self, reader: Reader, texts: Sequence[np.ndarray]) -> np.ndarray:
        """The mean of each unit, and what a standard deviation of `SPREAD` is multiplied by; float32 [2, units]."""
        mean, deviation = reader.spread(texts, self.layer)
        return np.stack([mean, deviation / SPREAD]).astype(np.float32)


@lru_cache(maxsize=1)
def _upper(layer: int) -> dict[str, np.ndarray]:
    """The weights of the layers above one, which are counted anew from 0."""
    found = {}
    for name, weight in load_file(folder() / "model.safetensors").items():
        if (part := OF_LAYER.fullmatch(name)) and int(part[1]) >= layer:
            found[f"{int(part[1]) - layer}.{part[2]}"] = weight.astype(np.float32)
    return found


def _ids(reader: Reader, texts: Texts) -> list[np.ndarray]:
    """The pieces' numbers, int32 [pieces] a text."""
    return [np.array(each.ids, dtype=np.int32) for each in reader.pieces(texts)]
