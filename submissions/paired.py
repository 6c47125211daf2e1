"""Paired: two predictions of the same rows, and whether the lead of one is more than luck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from data.metrics import Metric

RESAMPLES = 4000
RESAMPLES_WHOLE = 400  # of a metric that is no mean over rows, and is scored anew each time
CHUNK = 5_000_000  # draws held at once
LEVEL = 0.95  # of the interval
SURE = 0.975  # probability from which a lead counts: that of the interval's ends
POWER = 0.8  # chance to tell a lead of this size, with the rows that are said to be able to


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Scores of A and B over the same rows; gains are B's over A, above 0 where B is better."""

    metric: Metric
    a: float
    b: float
    low: float  # ends of the gain's interval
    high: float
    error: float  # standard error of the gain
    probability: float  # that B is better
    rows: int
    clusters: int  # of rows that are drawn together; as many as rows where each stands alone
    by_fold: Mapping[int, tuple[float, float]]  # A's and B's scores
    by_class: Mapping[int, tuple[float, float]]  # empty where the target has none

    @property
    def gain(self) -> float:
        """How much B is better."""
        return self.b - self.a if self.metric.greater_is_better else self.a - self.b

    @property
    def verdict(self) -> str:
        """B against A: better, worse, or cannot tell."""
        if self.probability >= SURE:
            return "better"
        return "worse" if self.probability <= 1 - SURE else "cannot tell"

    @property
    def needed(self) -> int | None:
        """Rows that could tell a lead of this size in four of five draws; None where there is no lead."""
        if self.gain == 0 or self.error == 0:
            return None
        wanted = norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER)
        return math.ceil(self.rows * (wanted * self.error / abs(self.gain)) ** 2)


def compare(
    target: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    fold: np.ndarray,
    metric: Metric,
    generator: np.random.Generator,
    group: np.ndarray | None = None,
) -> Paired:
    """Scores two predictions of the same rows, and draws the rows again and again to see how the gain varies.

    A paired bootstrap, as of two systems over one test set (Koehn, 2004, https://aclanthology.org/W04-3250); rows of
    one group are drawn together (Davison and Hinkley, 1997, section 3.8), and equal scores count half for either.

    Args:
        target: [rows, ...], see `data.targets`.
        a: float [rows, columns], of A.
        b: the same of B.
        fold: int [rows].
        metric: scores them.
        generator: of the draws.
        group: [rows], equal where rows are kin; None: each row stands alone.
    """
    cluster = np.arange(len(target)) if group is None else np.unique(group, return_inverse=True)[1]
    gains = _resampled(target, a, b, cluster, metric, generator)
    low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])

    def scores(rows: np.ndarray) -> tuple[float, float]:
        return metric.score(target[rows], a[rows]), metric.score(target[rows], b[rows])

    return Paired(
        metric=metric,
        a=metric.score(target, a),
        b=metric.score(target, b),
        low=float(low),
        high=float(high),
        error=float(gains.std(ddof=1)),
        probability=float(np.mean(gains > 0) + np.mean(gains == 0) / 2),
        rows=len(target),
        clusters=int(cluster.max()) + 1,
        by_fold={int(number): scores(fold == number) for number in np.unique(fold)},
        by_class={} if target.dtype.kind == "f" else {int(each): scores(target == each) for each in np.unique(target)},
    )


def _resampled(
    target: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    cluster: np.ndarray,
    metric: Metric,
    generator: np.random.Generator,
) -> np.ndarray:
    """Gains, float64 [resamples]."""
    sign = 1.0 if metric.greater_is_better else -1.0
    clusters = int(cluster.max()) + 1
    if metric.rows is not None:
        gain = np.bincount(cluster, sign * (metric.rows(target, b) - metric.rows(target, a)), clusters)
        count = np.bincount(cluster, minlength=clusters)
        step = max(1, CHUNK // clusters)
        parts = []
        for start in range(0, RESAMPLES, step):
            drawn = generator.integers(clusters, size=(min(step, RESAMPLES - start), clusters))
            parts.append(gain[drawn].sum(axis=1) / count[drawn].sum(axis=1))
        return np.concatenate(parts)
    order = np.argsort(cluster, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(cluster))[:-1])
    found = []
    for _ in range(RESAMPLES_WHOLE):
        rows = np.concatenate([rows_of[each] for each in generator.integers(clusters, size=clusters)])
        found.append(sign * (metric.score(target[rows], b[rows]) - metric.score(target[rows], a[rows])))
    return np.array(found)


def standard_error(
    target: np.ndarray, predictions: np.ndarray, metric: Metric, group: np.ndarray | None = None
) -> float | None:
    """Of a score that is a mean over rows; rows of one group count as drawn together. None of another metric.

    Args:
        target: [rows, ...], see `data.targets`.
        predictions: float [rows, columns].
        metric: scores them.
        group: as in `compare`.
    """
    if metric.rows is None:
        return None
    rows = metric.rows(target, predictions)
    cluster = np.arange(len(rows)) if group is None else np.unique(group, return_inverse=True)[1]
    off = np.bincount(cluster, rows - rows.mean())
    return float(np.sqrt(np.sum(off**2) * len(off) / max(len(off) - 1, 1)) / len(rows))
