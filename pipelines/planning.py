"""Planning: what the candidates of a guessed competition read, and networks of a size that fits its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from data.errors import UsageError
from data.metrics import LOG_LOSS
from features.dates import Dates
from features.shared import Shared
from features.tabular import tabular
from models.config import Config, Loss, Precision, Schedule
from models.mlp import MLPConfig
from models.rnn import Cell, RNNConfig
from pipelines.facts import Facts, Use
from pipelines.guess import Guess, Kind

SMALL, LARGE = 3_000, 20_000  # rows of a table from which networks are wider
LONG_TEXT = 8.0  # words, in the mean, from which a network of its own reads a text beside the other columns
VALUES = 40  # distinct texts, from which one column of them is read by its characters
ALIKE = 4.0  # standard errors by which rows that share a value must fare alike
TRIED = 20_000  # rows on which that is tried
FEWEST = 50  # of them that share a value
MANY_WORDS = 500_000  # of the train rows, from which three epochs are enough
SOME = 3  # columns that are named
LOSSES = {
    Kind.BINARY: Loss.BINARY,
    Kind.MULTICLASS: Loss.CROSS_ENTROPY,
    Kind.REGRESSION: Loss.SQUARED,
    Kind.MULTILABEL: Loss.MULTILABEL,
    Kind.SHARES: Loss.DIVERGENCE,
}
BLOCKS = (Use.NUMBER, Use.COUNT, Use.CATEGORY, Use.EMBEDDED, Use.WORDS)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is read.

    Attributes:
        text: the column that a recurrent network reads; None: no network does.
        characters: whether it reads characters, and not words.
        blocks: the columns of a table by what `tabular` makes of them; empty where none is read.
        dates: columns of dates.
        shared: columns whose equal values tell of the target.
        first_words: those whose first words do.
    """

    text: str | None = None
    characters: bool = False
    blocks: Mapping[str, list[str]]
    dates: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    first_words: tuple[str, ...] = ()

    def unread(self, found: Guess) -> list[str]:
        """The columns that nothing is made of."""
        read = {self.text, found.group, *self.dates, *self.shared, *self.first_words}
        read.update(name for columns in self.blocks.values() for name in columns)
        return [each.name for each in found.facts if each.name not in read]

    @property
    def has_table(self) -> bool:
        """Whether a network over a table is drafted."""
        return bool(self.blocks or self.dates)


def plan(found: Guess) -> Plan:
    """What the columns are good for; which equal values tell of the target is tried on the train rows.

    Raises:
        UsageError: no network can read any of them.
    """
    only = found.facts[0] if len(found.facts) == 1 else None
    if only is not None and only.kind is str and only.distinct > VALUES and not only.date and not only.is_text:
        return Plan(text=only.name, characters=True, blocks={})
    useful = [each for each in found.facts if each.use is not Use.NOTHING and each.name != found.group]
    texts = found.texts
    if texts and all(each.is_text for each in useful):
        return Plan(text=texts[0].name, blocks={})
    blocks = _blocks(found)
    dates = tuple(found.of(Use.DATE))
    shared, first_words = _telling(found, blocks)
    long = texts[0].name if texts and texts[0].words >= LONG_TEXT else None
    planned = Plan(text=long, blocks=blocks, dates=dates, shared=shared, first_words=first_words)
    if not planned.has_table:
        told = ", ".join(f"{each.name} ({each.distinct:,} values in {each.rows:,} rows)" for each in found.facts[:SOME])
        mend = "; write numbers without their units" if any(each.distinct for each in found.facts) else ""
        raise UsageError(f"nothing to learn from is in {found.files.place}: {told}{mend}")
    return planned


def is_plain(found: Guess) -> bool:
    """Whether a large table is of numbers alone, of which none is missing."""
    numbers = all(each.kind is not str and not each.nullable for each in found.facts if each.name != found.group)
    return numbers and len(found.train) >= LARGE


def _blocks(found: Guess) -> dict[str, list[str]]:
    if is_plain(found):
        return {"plain": [each.name for each in found.facts if each.distinct > 1 and each.name != found.group]}
    blocks = {use.value: found.of(use) for use in BLOCKS}
    return {name: columns for name, columns in blocks.items() if columns}


def _telling(found: Guess, blocks: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns, and texts by their first words, whose equal values tell of the target: see `Shared`."""
    beside = {name: columns for name, columns in blocks.items() if name != Use.EMBEDDED}
    target = _target_of(found)
    columns = [each.name for each in found.facts if _may_tell(each) and each.name != found.group]
    texts = [each.name for each in found.facts if each.use is Use.WORDS]
    if target is None or not beside or not (columns or texts):
        return (), ()
    rows, recipe = _typed(found), tabular(**beside)

    def tells(shared: Shared) -> bool:
        (name,) = shared.names()
        others = shared.fit_transform(rows, target)[name].to_numpy()
        known = others != 0
        if known.sum() < FEWEST or not others[known].std():
            return False
        return bool(np.corrcoef(others[known], target[known])[0, 1] * np.sqrt(known.sum()) > ALIKE)

    return (
        tuple(name for name in columns if tells(Shared([name], beside=recipe))),
        tuple(name for name in texts if tells(Shared(first_words=[name], beside=recipe))),
    )


def _may_tell(facts: Facts) -> bool:
    """Whether several rows, and not too many, share a value."""
    several = facts.rows / 50 < facts.distinct < 0.9 * facts.rows and facts.shared > 0.1
    return several and facts.use in (Use.SHARED, Use.EMBEDDED, Use.NUMBER, Use.COUNT)


def _target_of(found: Guess) -> np.ndarray | None:
    labels = found.train[found.targets[0]].str.strip()[:TRIED]
    if found.kind is Kind.BINARY:
        return (labels == str(found.classes[1])).to_numpy(np.int64)
    if found.kind is Kind.REGRESSION:
        numbers = labels.astype(float).to_numpy(np.float32)
        return np.log1p(numbers) if found.tail else numbers
    return None


def _typed(found: Guess) -> pd.DataFrame:
    """The first train rows, their numbers read."""
    rows = found.train.iloc[:TRIED]
    numbers = {
        each.name: pd.to_numeric(rows[each.name], errors="coerce") for each in found.facts if each.kind is not str
    }
    return rows.assign(**numbers)


def table_config(found: Guess) -> MLPConfig:
    """A network over a table."""
    rows = len(found.train)
    base = MLPConfig(
        loss=LOSSES[found.kind], log_target=found.tail, monitor=LOG_LOSS if found.kind is Kind.BINARY else None
    )
    if rows < SMALL:
        smoothing = 0.1 if found.classes and not found.is_probability else 0.0  # of labels, the surer ones gain nothing
        small = replace(base, width=32, depth=1, dropout=0.2, label_smoothing=smoothing)
        return replace(small, epochs=40, batch=32, lr=5e-3, weight_decay=0.1, warmup=0.1)
    if rows < LARGE:
        return replace(base, width=128, dropout=0.2, members=4, epochs=20, batch=128, lr=2e-3, weight_decay=0.05)
    large = replace(
        base,
        width=384,
        dropout=0.3,
        members=2,
        refit=2,
        epochs=20,
        patience=20,
        batch=512,
        lr=1.5e-3,
        schedule=Schedule.TRAPEZOID,
        warmup=0.02,
        precision=Precision.FAST,
    )
    return replace(large, pieces=7, sums=128, input_dropout=0.3) if is_plain(found) else large


def text_config(found: Guess, planned: Plan) -> RNNConfig:
    """A network over a column of texts."""
    base = RNNConfig(cell=Cell.GRU, loss=LOSSES[found.kind], log_target=found.tail, members=1, refit=1, batch=128)
    if planned.characters:
        alone = replace(base, embedding=32, word_dropout=0.0, tuned=1.0, dropout=0.4, input_dropout=0.2)
        repeated = found.group is not None and found.kind is Kind.MULTICLASS
        return replace(alone, epochs=8, batch=64, lr=4e-3, monitor=LOG_LOSS, distinct=repeated)
    facts = next(each for each in found.facts if each.name == planned.text)
    epochs = 3 if facts.words * len(found.train) > MANY_WORDS else 6
    return replace(
        base,
        epochs=epochs,
        patience=epochs,
        lr=2e-3,
        schedule=Schedule.TRAPEZOID,
        warmup=0.02,
        precision=Precision.FAST,
    )


def space_of(config: Config) -> dict[str, BaseDistribution]:
    """What a search may change."""
    width = getattr(config, "width")  # noqa: B009  # of both families
    return {
        "width": IntDistribution(max(4, width // 2), width * 2, log=True),
        "dropout": FloatDistribution(0.0, 0.6),
        "lr": FloatDistribution(round(config.lr / 4, 6), round(config.lr * 4, 6), log=True),
        "weight_decay": FloatDistribution(1e-3, 1.0, log=True) if config.weight_decay else FloatDistribution(0.0, 0.1),
    }


def dates_of(found: Guess, planned: Plan) -> Dates:
    """Reads the planned columns of dates."""
    return Dates(planned.dates, any(each.day_first for each in found.facts if each.name in planned.dates))
