"""Report: the figures of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from data.metrics import AVERAGE_PRECISION, Metric
from models.epochs import Epoch

SIZE = (9.0, 4.2)  # inches
LENGTHS = (0, 2, 3, 4, 5, 7, 9, 12, 16, 21, 31, 2**31)  # words where a bar begins
MOST_NAMED_CLASSES = 30  # on the axes of a confusion matrix
BLUE, GREY, ORANGE = "#1f5fa8", "#b8c4d0", "#d9741a"


def learning_curves(history: Sequence[Epoch], fold_epochs: Sequence[int], metric: Metric, monitor: Metric) -> Figure:
    """Train loss, and the out-of-fold scores by epoch: each fold thin, all rows thick, the chosen epochs as dots."""
    drawn = [(metric, "score", "fold_scores")]
    if monitor.name != metric.name:
        drawn.append((monitor, "monitor", "fold_monitors"))
    figure = Figure(figsize=(SIZE[0] * (1 + len(drawn)) / 2.4, SIZE[1]), layout="constrained")
    axes = figure.subplots(1, 1 + len(drawn))
    numbers = [epoch.number for epoch in history]
    axes[0].plot(numbers, [epoch.train_loss for epoch in history], color=ORANGE)
    axes[0].set(title="train loss", xlabel="epoch")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for ax, (drawn_metric, all_rows, by_fold) in zip(axes[1:], drawn, strict=True):
        scores = np.array([getattr(epoch, by_fold) for epoch in history])  # [epochs, folds]
        ax.plot(numbers, scores, color=GREY, linewidth=0.9)
        for fold, chosen in enumerate(fold_epochs):
            ax.plot(chosen, scores[chosen - 1, fold], "o", color=GREY, markersize=4)
        ax.plot(numbers, [getattr(epoch, all_rows) for epoch in history], color=BLUE, linewidth=2, label="all rows")
        ax.plot([], [], color=GREY, marker="o", markersize=4, label="a fold, and its epoch")
        ax.set(title=f"out-of-fold {drawn_metric.name}", xlabel="epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)
    quiet(axes)
    return figure


def confusion_matrix(target: np.ndarray, predictions: np.ndarray, labels: Sequence[str]) -> Figure:
    """Out-of-fold rows by true and predicted class; the shade is the share of the true class.

    Args:
        target: int64 [rows].
        predictions: float [rows, classes], probabilities.
        labels: the classes' names.
    """
    count = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(count, (target, predictions.argmax(axis=1)), 1)
    share = count / count.sum(axis=1, keepdims=True).clip(1)
    side = min(3.6 + 0.45 * len(labels), 12.0)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if len(labels) <= MOST_NAMED_CLASSES:
        ax.set_xticks(range(len(labels)), labels, rotation=45 if len(labels) > 5 else 0)
        ax.set_yticks(range(len(labels)), labels)
        for (row, column), rows in np.ndenumerate(count):
            shade = "white" if share[row, column] > 0.5 else "black"
            ax.text(
                column, row, f"{rows:,}\n{share[row, column]:.0%}", ha="center", va="center", color=shade, fontsize=8
            )
    ax.set(xlabel="predicted", ylabel="true", title=f"out-of-fold rows: {len(target):,}")
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    return figure


def predicted(target: np.ndarray, predictions: np.ndarray, name: str) -> Figure:
    """Out-of-fold rows by their true and their predicted number; the line is where they are equal.

    Args:
        target: float [rows].
        predictions: float [rows].
        name: of the number.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(target, predictions, ".", color=BLUE, markersize=3, alpha=0.5)
    middle = float(np.median(target))
    left.axline((middle, middle), slope=1, color=ORANGE, linewidth=1)
    left.set(xlabel=f"true {name}", ylabel="predicted", title=f"out-of-fold rows: {len(target):,}")
    right.hist(predictions - target, bins=50, color=BLUE)
    right.axvline(0, color=ORANGE, linewidth=1)
    right.set(xlabel="predicted - true", title="errors")
    quiet(np.array([left, right]))
    return figure


def score_by_flag(target: np.ndarray, predictions: np.ndarray, names: Sequence[str]) -> Figure:
    """Out-of-fold average precision of each flag, and how often it is set, which is that of a guess.

    Args:
        target: float [rows, flags].
        predictions: float [rows, flags].
        names: the flags.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    ax = figure.subplots()
    scores = [AVERAGE_PRECISION.score(target[:, [flag]], predictions[:, [flag]]) for flag in range(len(names))]
    bars = ax.bar(names, scores, color=BLUE)
    ax.bar_label(bars, [f"{score:.3f}" for score in scores])
    ax.plot(
        target.mean(axis=0), "_", color=ORANGE, markersize=30, markeredgewidth=3, label="share of rows that have it"
    )
    ax.set(title="out-of-fold average precision by flag")
    ax.margins(y=0.25)
    ax.legend(frameon=False, loc="upper right")
    quiet(np.array([ax]))
    return figure


def score_by_length(words: np.ndarray, target: np.ndarray, predictions: np.ndarray, metric: Metric) -> Figure:
    """Out-of-fold score of texts by their number of words, each bar with how many texts it stands for.

    Args:
        words: int64 [rows].
        target: int64 [rows].
        predictions: float [rows, classes], probabilities.
        metric: scores them.
    """
    group = np.searchsorted(LENGTHS, words, side="right") - 1
    groups = np.unique(group)
    names = [_named(LENGTHS[number], LENGTHS[number + 1] - 1) for number in groups]
    scores = [metric.score(target[group == number], predictions[group == number]) for number in groups]
    figure = Figure(figsize=SIZE, layout="constrained")
    ax = figure.subplots()
    bars = ax.bar(names, scores, color=BLUE)
    ax.bar_label(
        bars, [f"{score:.3f}\n{(group == number).sum():,}" for score, number in zip(scores, groups, strict=True)]
    )
    ax.axhline(metric.score(target, predictions), color=ORANGE, linewidth=1, label="all rows", zorder=0)
    ax.set(title=f"out-of-fold {metric.name} by length, and rows", xlabel="words")
    ax.margins(y=0.2)
    ax.legend(frameon=False, loc="upper right")
    quiet(np.array([ax]))
    return figure


def _named(least: int, most: int) -> str:
    if most >= LENGTHS[-1] - 1:
        return f"{least}+"
    return str(least) if least == most else f"{least}-{most}"


def write_png(figure: Figure, path: Path) -> None:
    """Renders a figure."""
    FigureCanvasAgg(figure).print_png(path)


def quiet(axes: np.ndarray) -> None:
    """Takes away what a figure does not need."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
