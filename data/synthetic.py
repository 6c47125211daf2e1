"""Synthetic twins: files of a competition's own shape, drawn from its declaration, with a known best score.

The target depends on some of the columns through a linear rule: a softmax of it gives the probabilities that labels are
drawn from, a sigmoid those of flags, and noise is added to a number. So the best predictions are known, and no model
can be expected to score better than they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
import pandera.pandas as pa

from data.metrics import Metric
from data.reading import kind
from data.schema import Schema
from data.splits import Split
from data.syllables import spelled, told_by_endings, vocabulary
from data.targets import Classes, Flags, Number, Target

MOST_ROWS = 4000  # of train and of test
MOST_CELLS = 800_000  # of either, so that of a wide table fewer rows are drawn
SIGNALS = 5  # columns that the classes depend on, where there are so many
SHARE_OF_SIGNALS = 1 / 4  # of the columns of a wide table, whose signals then repeat each other
PIXELS = 500  # columns that are declared alike, from which on neighbours repeat each other, as pixels do
SURENESS = 0.9  # mean probability of the likeliest class
MISSING = 0.1  # share of empty cells where a column allows them
KIN = 4  # rows of a group
NOISE = 0.3  # of a number, in standard deviations of the rule
RATERS = 20  # whose votes are the shares of a row


@dataclass(frozen=True, kw_only=True)
class Twin:
    """The files by name, and the score of what the target was drawn from."""

    files: dict[str, bytes]
    best: float


def draw(
    schema: Schema,
    metric: Metric,
    blank: Callable[[list[str]], pd.DataFrame],
    split: Split | None = None,
    seed: int = 0,
) -> Twin:
    """Draws train, test and sample files.

    Args:
        schema: the columns, the target and the numbers of rows (at most 4,000 of each are drawn, fewer of wide tables).
        metric: scores what the target was drawn from, on the train rows.
        blank: makes the sample submission of a list of ids.
        split: names the columns that it goes by, if there are some.
        seed: the same seed draws the same bytes.
    """
    generator = np.random.default_rng(seed)
    split = split or Split()
    group = split.group
    most = min(MOST_ROWS, MOST_CELLS // len(schema.names))
    train_rows, test_rows = min(schema.train_rows, most), min(schema.test_rows, most)
    rows = train_rows + test_rows
    words = vocabulary(generator)
    repeated = _repeated(schema, group)
    drawn = {
        name: _kin(column, rows, _is_spelled(schema, group), generator)
        if name == group
        else _times(column, rows)
        if name == split.time
        else _column(column, rows, words, generator)
        for name, column in schema.columns.columns.items()
        if name in repeated.values()
    }
    signals = _signals(schema, drawn, split, words, generator)
    target, best = _target(schema.target, signals, generator)

    ids = [str(row + 1) for row in range(rows)]
    columns = {name: drawn[other] for name, other in repeated.items()}
    frame = pd.DataFrame({schema.id: ids, **columns})
    train = frame[:train_rows].assign(**_cells(schema.target, target[:train_rows]))
    if split.column is not None and split.column not in frame:
        train = train.assign(**{split.column: np.arange(train_rows) % split.folds})
    tables = {schema.train: train, schema.test: frame[train_rows:]}
    files = {name: table.to_csv(index=False, sep=schema.separator).encode() for name, table in tables.items()}
    files[schema.sample[0]] = blank(ids[train_rows:]).to_csv(index=False).encode()
    return Twin(files=files, best=metric.score(target[:train_rows], best[:train_rows]))


def _repeated(schema: Schema, group: str | None) -> dict[str, str]:
    """Of each column the one whose cells it holds: itself, but in images, of which some rows of pixels are the same.

    So many numbers of their own would leave nothing that a model could learn of some thousand rows.
    """
    columns, found = schema.columns.columns, dict[str, str]()

    def declared(name: str) -> tuple[object, ...]:
        return name == group, str(_bounds(columns[name])), columns[name].dtype, columns[name].nullable

    for _, alike in groupby(columns, key=declared):
        names = list(alike)
        run = -(-len(names) // SIGNALS) if len(names) > PIXELS else 1
        found |= {name: names[number - number % run] for number, name in enumerate(names)}
    return found


def _target(target: Target, signals: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What is drawn, int64 or float32 [rows, ...], and the best predictions, float [rows, outputs]."""
    rows, outputs = len(signals), len(target.outputs)
    if isinstance(target, Number):
        return _number(target, signals, generator)
    if isinstance(target, Flags):
        rule = signals @ generator.normal(scale=2, size=(signals.shape[1], outputs)) - 1  # most are not set
        probability = 1 / (1 + np.exp(-rule))
        return (generator.random((rows, outputs)) < probability).astype(np.float32), probability
    probability = _probabilities(signals, outputs, generator)
    if isinstance(target, Classes):
        return (generator.random((rows, 1)) > probability.cumsum(axis=1)[:, :-1]).sum(axis=1), probability
    counts = generator.multinomial(RATERS, probability)
    return (counts / RATERS).astype(np.float32), probability


def _number(target: Number, signals: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A linear rule and noise within the bounds that the checks say; e to the power of both where one is 0 or more."""
    rule = signals @ generator.normal(size=signals.shape[1])
    rule /= max(float(rule.std()), 1e-9)
    least, greatest, _ = _bounds(pa.Column(float, target.checks))
    noisy = rule + NOISE * generator.normal(size=len(rule))
    if least is not None and greatest is not None:
        middle, half = (least + greatest) / 2, (greatest - least) / 2
        best, drawn = middle + half * np.tanh(rule / 2), middle + half * np.tanh(noisy / 2)
    elif least is not None:
        best, drawn = least + np.exp(rule + NOISE**2 / 2), least + np.exp(noisy)  # the first is the other's mean
    elif greatest is not None:
        best, drawn = greatest - np.exp(rule + NOISE**2 / 2), greatest - np.exp(noisy)
    else:
        best, drawn = rule, noisy
    return drawn.round(4).astype(np.float32), best[:, None]


def _cells(target: Target, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of the train file."""
    if isinstance(target, Classes):
        return {target.column: np.array(target.outputs)[drawn]}
    if isinstance(target, Flags):
        drawn = drawn.astype(int)
    return dict(zip(target.columns, np.atleast_2d(drawn.T), strict=True))


def _kin(column: pa.Column, rows: int, is_spelled: bool, generator: np.random.Generator) -> np.ndarray:
    """Some rows after another share a value, [rows]; a made-up word where it is spelled."""
    groups = np.arange(rows) // KIN
    least, greatest, allowed = _bounds(column)
    if allowed is not None:
        return np.array(allowed, dtype=object)[groups % len(allowed)]
    if is_spelled:
        return spelled(groups[-1] + 1, least, greatest, generator)[groups]
    first = int(np.ceil(least or 0))
    groups = first + (groups if greatest is None else groups % max(1, int(greatest) - first + 1))
    return groups.astype(str if kind(column) is str else kind(column))


def _times(column: pa.Column, rows: int) -> np.ndarray:
    """Some rows after another are of one time, and each time is later than those before it, [rows]."""
    at = np.arange(rows) // KIN
    if kind(column) is str:
        return (np.datetime64("2024-01-01") + at).astype(str)
    least, greatest, _ = _bounds(column)
    first = np.ceil(least or 0)
    last = first + at[-1] if greatest is None else greatest
    return np.floor(np.linspace(first, last, at[-1] + 1))[at].astype(kind(column))


def _is_spelled(schema: Schema, group: str | None) -> bool:
    """Whether texts that name groups are all there is, so that their spelling must tell the target."""
    column = schema.columns.columns[schema.names[0]]
    return schema.names == (group,) and kind(column) is str and _bounds(column)[2] is None


def _bounds(column: pa.Column) -> tuple[float | None, float | None, list | None]:
    """Least and greatest value, and the allowed ones, as far as a column's checks say; other checks are not known."""
    least, greatest, allowed = None, None, None
    step = 1 if kind(column) is int else 0.001  # away from a bound that is not allowed itself
    for check in column.checks:
        said = check.statistics or {}
        if "min_value" in said:
            inside = check.name != "greater_than" and said.get("include_min", True)
            least = said["min_value"] + (0 if inside else step)
        if "max_value" in said:
            inside = check.name != "less_than" and said.get("include_max", True)
            greatest = said["max_value"] - (0 if inside else step)
        allowed = said.get("allowed_values", allowed)
    return least, greatest, None if allowed is None else list(allowed)


def _column(column: pa.Column, rows: int, words: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Cells that the column's declaration accepts, [rows]; None where empty."""
    least, greatest, allowed = _bounds(column)
    if allowed is not None:
        cells = np.array(allowed, dtype=object)[generator.integers(len(allowed), size=rows)]
    elif kind(column) is str:
        lengths = generator.integers(1, 8, size=rows)
        cells = np.array([" ".join(generator.choice(words, size=length)) for length in lengths], dtype=object)
    else:
        is_int = kind(column) is int
        if is_int:  # rounded down, every whole number within the bounds can come
            least, greatest = least if least is None else np.ceil(least), greatest if greatest is None else greatest + 1
        values = _values(least, greatest, rows, generator)
        cells = (np.floor(values).astype(int) if is_int else values.round(4)).astype(object)
    if column.nullable:
        cells[generator.random(rows) < MISSING] = None
    return cells


def _values(least: float | None, greatest: float | None, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Numbers within the bounds, float [rows], most of them away from a bound that is far."""
    if least is not None and greatest is not None:
        return least + (greatest - least) * generator.beta(2, 2, size=rows)
    if least is not None:
        return least + generator.exponential(scale=3, size=rows)
    if greatest is not None:
        return greatest - generator.exponential(scale=3, size=rows)
    return 3 * generator.normal(size=rows)


def _signals(
    schema: Schema, drawn: dict[str, np.ndarray], split: Split, words: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """What the classes depend on, standardised, float [rows, signals].

    Two categories where there are two, since every recipe sees the first ones; else a category and numbers; the words
    of free text where there is nothing else; and the endings of texts that name groups where those are all there is.
    """
    if _is_spelled(schema, split.group):
        return _standardised(told_by_endings(drawn[schema.names[0]], SIGNALS, generator))
    categories: list[pd.Series] = []
    numbers: list[pd.Series] = []
    texts: list[pd.Series] = []
    effects = dict(zip(words, generator.normal(size=len(words)), strict=True))
    for name in drawn:
        cells, column = pd.Series(drawn[name]), schema.columns.columns[name]
        least, greatest, allowed = _bounds(column)
        if name in (split.group, split.time):
            continue
        if allowed is not None:
            steps = generator.permutation(np.linspace(-1, 1, len(allowed)))
            categories.append(cells.map(dict(zip(allowed, steps, strict=True))).astype(float))
        elif kind(column) is str:
            texts.append(pd.Series([sum(effects[word] for word in str(text or "").split()) for text in drawn[name]]))
        elif least is not None and greatest is None:
            numbers.append(pd.Series(np.log1p(cells.astype(float) - least)))  # a long tail
        else:
            numbers.append(cells.astype(float))
    found = (
        categories[:2] if len(categories) > 1 else categories + numbers or texts or [pd.Series(np.zeros(len(cells)))]
    )
    most = max(SIGNALS, int(len(drawn) * SHARE_OF_SIGNALS))
    return _standardised(np.stack([column.fillna(column.mean()).to_numpy() for column in found[:most]], axis=1))


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)


def _probabilities(signals: np.ndarray, classes: int, generator: np.random.Generator) -> np.ndarray:
    """A softmax of a linear rule over the signals, float [rows, classes], its classes about equally frequent."""
    rule = signals @ generator.normal(size=(signals.shape[1], classes))
    low, high = 0.0, 100.0  # the scale is found by bisection
    for _ in range(30):
        scale = (low + high) / 2
        bias = np.zeros(classes)
        for _ in range(20):
            logits = rule * scale + bias
            probability = np.exp(logits - logits.max(axis=1, keepdims=True))
            probability /= probability.sum(axis=1, keepdims=True)
            bias -= np.log(np.maximum(probability.mean(axis=0) * classes, 1e-9))
        low, high = (scale, high) if probability.max(axis=1).mean() < SURENESS else (low, scale)
    return probability
