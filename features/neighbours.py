"""Neighbours: which classes the nearest train rows of a row have."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from enum import StrEnum
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from data.errors import UsageError
from data.tables import Tables
from features.latest import Latest, Uncopied
from features.recipe import ROW, Workshop

MOST_KNOWN = 2**16  # train rows among which neighbours are looked for; of more, so many are drawn
SPARE = 4.0  # standard deviations of how many of a row's neighbours a fold holds out
NOBODY = -1  # in the place of a neighbour that there is not
GROUP = 16  # known rows of which only the nearest is looked at first
BLOCK = 2**7  # rows whose distances are held at once
CHUNK = 2**13  # rows whose neighbours are counted at once
LEAST_SPREAD = 0.3  # of a column's logarithms: one that is nearly always 0 would else decide alone


class Distance(StrEnum):
    """Between two rows of counts; one that was kept in a file comes back as its text."""

    ANGLE = "angle"  # by the cosine between their square roots: which counts there are, not how many in all
    LOGS = "logs"  # between their log(1 + x), each divided by its standard deviation
    LEARNED = "learned"  # by angle, the columns weighted so that near rows are of one class: looks anew in every fold


class Known:
    """The rows that are looked among.

    Args:
        points: float32 [known, columns].
        numbers: int64 [known], of the rows.
        scale: float32 [columns], that the points were brought to.
    """

    def __init__(self, points: np.ndarray, numbers: np.ndarray, scale: np.ndarray) -> None:
        self.points, self.numbers, self.scale = points, numbers, scale
        self.latest: Latest[np.ndarray] = Latest()

    def nearest(self, points: np.ndarray, count: int) -> np.ndarray:
        """The numbers of the nearest known rows of each point, nearest first, int64 [points, count]."""
        key = hashlib.sha256(points.tobytes()).digest(), count
        return self.latest(key, lambda: self.numbers[_search(self.points, points, count)])


class Found(Uncopied):
    """The nearest train rows of all rows, int32 [rows, neighbours], by row numbers; found once for all folds."""

    def __init__(self, near: np.ndarray, train_rows: int, known: Known) -> None:
        self.near, self.train_rows, self.known = near, train_rows, known


FOUND: WeakKeyDictionary[Tables, dict[tuple[object, ...], Found]] = WeakKeyDictionary()  # the same for all candidates


class Neighbours(TransformerMixin, BaseEstimator):
    """Adds the classes' shares among the nearest train rows, as logarithms; a train row leaves itself out.

    For each `k` and class there is a column `near_<k>_<class>`, log((rows of the class among the k nearest
    + 1 / classes) / (k + 1)).

    Where the labels do not decide who is near, `prepare` looks once among all train rows; a fold then takes the
    nearest of its own train rows and their labels alone, and gives what a search among those would (but that the
    standard deviations of `Distance.LOGS` are then those of all train rows).

    Args:
        columns: counts, 0 or more.
        ks: numbers of neighbours, rising.
        distance: what near means.
        found: by `prepare`; None looks anew.

    Raises:
        ValueError: `ks` that do not rise from 1 or more, or no `Distance`.
    """

    def __init__(
        self,
        columns: Sequence[str],
        ks: Sequence[int] = (3, 10, 40, 150),
        distance: Distance = Distance.ANGLE,
        found: Found | None = None,
    ) -> None:
        if not ks or list(ks) != sorted(set(ks)) or ks[0] < 1:
            raise ValueError(f"takes rising numbers of neighbours, but got ks={ks!r}")
        if not isinstance(distance, Distance):
            raise ValueError(f"takes a Distance, but got distance={distance!r}")
        self.columns = columns
        self.ks = ks
        self.distance = distance
        self.found = found

    def names(self, classes: int) -> list[str]:
        """The columns that are added."""
        return [f"near_{k}_{number}" for k in self.ks for number in range(classes)]

    def prepare(self, tables: Tables, workshop: Workshop) -> Neighbours:  # noqa: ARG002
        """Looks for the neighbours of all rows among all train rows, so that no fold need look."""
        if self.distance == Distance.LEARNED:
            return self
        least = min(tables.trained_on(fold).mean() for fold in range(int(tables.fold.max()) + 1))
        needed = max(self.ks) / least
        count = int(needed + SPARE * needed**0.5) + 1
        known = FOUND.setdefault(tables, {})
        wanted = (*self.columns, count, self.distance)
        if wanted not in known:
            known[wanted] = self._found(tables, count)
        return Neighbours(self.columns, self.ks, self.distance, known[wanted])

    def _found(self, tables: Tables, count: int) -> Found:
        """The nearest train rows of all rows, but oneself."""
        (scale,) = self._scales(tables.train, tables.target)
        train, test = (self._points(rows, scale) for rows in (tables.train, tables.test))
        drawn = _drawn(len(train))
        known = Known(train[drawn], drawn, scale)
        near = drawn[_search(known.points, np.concatenate([train, test]), min(count, len(drawn)))]
        near[near == np.arange(len(near))[:, None]] = NOBODY
        return Found(near.astype(np.int32), len(train), known)

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Neighbours:
        """Learns from the train rows."""
        self.classes_ = int(target.max()) + 1
        if self.found is None:
            drawn = _drawn(len(rows))
            scales = self._scales(rows, target)
            self.known_ = [Known(self._points(rows.iloc[drawn], scale), drawn, scale) for scale in scales]
            self.count_ = min(max(self.ks) + 1, len(drawn))
            at, count = np.arange(len(rows)), len(rows)
        else:
            self.known_, self.count_ = [self.found.known], self.found.near.shape[1]
            at, count = rows[ROW].to_numpy(), self.found.train_rows
        self.labels_ = np.full(count + 1, NOBODY, dtype=np.int16)  # by row number; the last one is nobody's
        self.labels_[at] = target
        return self

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> pd.DataFrame:
        """Learns from the train rows, and gives each what the others say."""
        return self.fit(rows, target)._added(rows, own=np.arange(len(rows)))

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Gives other rows what the train rows say."""
        return self._added(rows, own=np.full(len(rows), NOBODY))

    def release(self) -> Neighbours:
        """See `Encoder`: looks among the same rows for the neighbours of others."""
        other = copy(self)
        other.found, other.known_ = None, self.known_[-1:]
        return other

    def _added(self, rows: pd.DataFrame, own: np.ndarray) -> pd.DataFrame:
        starts = range(0, max(len(rows), 1), CHUNK)
        counts = np.concatenate([self._counts_of(rows.iloc[at : at + CHUNK], own[at : at + CHUNK]) for at in starts])
        shares = np.log((counts + 1 / self.classes_) / (counts.sum(axis=2, keepdims=True) + 1))
        names = self.names(self.classes_)
        added = pd.DataFrame(shares.reshape(len(rows), len(names)), columns=names, index=rows.index)
        return pd.concat([rows, added], axis=1)

    def _counts_of(self, rows: pd.DataFrame, own: np.ndarray) -> np.ndarray:
        """How many of the k nearest train rows are of each class, int [rows, ks, classes]."""
        near = self._nearest(rows, own) if self.found is None else self.found.near[rows[ROW].to_numpy()]
        label = self.labels_[near]  # [rows, neighbours], nearest first; NOBODY for oneself and who is no train row
        known = label != NOBODY
        rank = known.cumsum(axis=1, dtype=np.int32)  # from 1
        known &= rank <= max(self.ks)
        step = np.searchsorted(self.ks, np.arange(max(self.ks) + 1))[rank[known]]  # the first k that reaches so far
        at = (np.nonzero(known)[0] * len(self.ks) + step) * self.classes_ + label[known]
        shape = (len(rows), len(self.ks), self.classes_)
        return np.bincount(at, minlength=int(np.prod(shape))).reshape(shape).cumsum(axis=1)

    def _nearest(self, rows: pd.DataFrame, own: np.ndarray) -> np.ndarray:
        """The nearest train rows but oneself, int64 [rows, neighbours], NOBODY in one's own place."""
        parts = len(self.known_) - 1
        part = np.where(own == NOBODY, parts, own % max(parts, 1))
        near = np.empty((len(rows), self.count_), dtype=np.int64)
        for number, known in enumerate(self.known_):
            asked = np.flatnonzero(part == number)
            near[asked] = known.nearest(self._points(rows.iloc[asked], known.scale), self.count_)
        near[near == own[:, None]] = NOBODY
        return near

    def _scales(self, rows: pd.DataFrame, target: np.ndarray) -> np.ndarray:
        """What every column is multiplied by, float32 [1 or 3, columns].

        Where the labels decide, each half of the train rows takes what the other half says, so that none sees its own
        label; rows from elsewhere take what lies between.
        """
        counts = self._counts(rows)
        if self.distance == Distance.LOGS:
            return 1 / np.log1p(counts).std(axis=0, keepdims=True).clip(min=LEAST_SPREAD)
        alike = np.ones((1, len(self.columns)), dtype=np.float32)
        if self.distance == Distance.ANGLE:
            return alike
        from features.nca import column_weights

        points = self._points(rows, alike[0])
        others = np.stack([column_weights(points[half::2], target[half::2]) for half in (1, 0)])
        return np.concatenate([others, np.exp(np.log(others).mean(axis=0, keepdims=True))])

    def _points(self, rows: pd.DataFrame, scale: np.ndarray) -> np.ndarray:
        """What is near by Euclid's distance, float32 [rows, columns]."""
        if self.distance == Distance.LOGS:
            return np.log1p(self._counts(rows)) * scale
        roots = np.sqrt(self._counts(rows)) * scale
        return roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)

    def _counts(self, rows: pd.DataFrame) -> np.ndarray:
        """The columns, float32 [rows, columns].

        Raises:
            UsageError: one of them is missing, below zero or infinite.
        """
        counts = rows[list(self.columns)].to_numpy(dtype=np.float32)
        if not ((counts >= 0) & (counts < np.inf)).all():
            row, column = np.argwhere(~((counts >= 0) & (counts < np.inf)))[0]
            name = self.columns[column]
            raise UsageError(f"neighbours are found by counts of 0 or more, but {name} holds {rows[name].iloc[row]}")
        return counts


def _drawn(rows: int) -> np.ndarray:
    """The positions of the rows that are looked among; the same for the same number of rows."""
    if rows <= MOST_KNOWN:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, MOST_KNOWN, replace=False))


def _search(known: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The positions of the nearest known rows, nearest first, int64 [rows, count].

    Of two known rows y the nearer to x is that of the greater x y - y y / 2. The known rows are taken in groups: all
    that are among the nearest lie in the `count` groups whose own nearest are the nearest, and only those are sorted.
    """
    import torch
    from torch.nn.functional import pad

    groups = -(-len(known) // GROUP)
    points = torch.from_numpy(known)
    ahead = torch.full((groups * GROUP,), -torch.inf)  # fills the last group up with what is never near
    ahead[: len(known)] = -points.square().sum(dim=1) / 2
    points = pad(points, (0, 0, 0, groups * GROUP - len(known))).T
    first = torch.arange(GROUP)[:, None] * groups  # group i holds the rows i, i + groups, i + 2 * groups, ...
    near = np.empty((len(rows), count), dtype=np.int64)
    for at in range(0, len(rows), BLOCK):
        closeness = torch.addmm(ahead, torch.from_numpy(rows[at : at + BLOCK]), points)  # [block, known rows]
        best = closeness.unflatten(1, (GROUP, groups)).amax(dim=1).topk(min(count, groups), sorted=False).indices
        candidates = (first + best[:, None]).flatten(1)
        order = closeness.gather(1, candidates).topk(count).indices
        near[at : at + BLOCK] = candidates.gather(1, order)
    return near
