"""Card: what a person should know of a competition's rows before they model them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.sources import Source
from data.tables import Tables
from data.targets import Number
from pipelines.card_codes import NUMBER, TEXT, WORDS, Coded, encode, hashes_of, kind_of
from pipelines.card_columns import Column, columns_of
from pipelines.card_drift import Drift, drift_of
from pipelines.card_duplicates import Duplicates, Repeats, duplicates_of
from pipelines.card_shapes import Shape, shape_of, target_shape
from pipelines.card_suspects import Tells, tells_of
from pipelines.competition import Competition
from pipelines.scoring import memory_columns

MOST_CELLS = 1_500_000  # rows times columns that are looked at for drift and for suspects; duplicates are of all rows
MOST_ROWS, LEAST_ROWS = 4_000, 500  # of each file
DRAWN = 2  # columns whose bars are kept
ORDER = "order of the rows"
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a competition's rows."""

    name: str
    twin: bool  # made-up rows
    train_rows: int
    test_rows: int
    target: str  # its kind: Classes, Number, Flags or Shares
    spread: Shape  # of the target
    skew: float | None  # of a number, -1 to 1: where its median is between 5% and 95%; above 0: a long tail upward
    columns: tuple[Column, ...]
    drift: Drift
    tells: Tells
    duplicates: Duplicates
    shapes: tuple[Shape, ...]  # of the columns that are drawn

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def read(plain: Mapping[str, Any]) -> Card:
    """What `Card.plain` gave.

    Raises:
        TypeError, KeyError, AttributeError: it is something else.
    """
    repeats = {name: Repeats(**plain["duplicates"][name]) for name in ("exact", "near")}
    parts = {
        "spread": _shape(plain["spread"]),
        "columns": tuple(Column(**_tuples(column)) for column in plain["columns"]),
        "drift": Drift(**plain["drift"]),
        "tells": Tells(**plain["tells"]),
        "duplicates": Duplicates(columns=plain["duplicates"]["columns"], **repeats),
        "shapes": tuple(map(_shape, plain["shapes"])),
    }
    return Card(**{**plain, **parts})


def _shape(plain: Mapping[str, Any]) -> Shape:
    return Shape(**_tuples(plain))


def _tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


def make(name: str, competition: Competition, tables: Tables, seed: int = SEED) -> Card:
    """The card of some tables.

    Args:
        name: the competition's.
        competition: the declaration.
        tables: what it reads.
        seed: of the rows that are looked at, and of the folds.
    """
    schema = competition.schema
    columns = columns_of(schema, tables)
    generator = np.random.default_rng(seed)
    drift = _drift(competition, tables, columns, generator)
    tells = _tells(competition, tables, columns, generator)
    return Card(
        name=name,
        twin=tables.source is Source.TWIN,
        train_rows=len(tables.train),
        test_rows=len(tables.test),
        target=type(schema.target).__name__,
        spread=target_shape(schema.target, tables.target),
        skew=_skew(tables.target) if isinstance(schema.target, Number) else None,
        columns=tuple(columns),
        drift=drift,
        tells=tells,
        duplicates=duplicates_of(tables.train, tables.test, tables.target, memory_columns(competition)),
        shapes=tuple(
            shape_of(each, tables.train[each.name], tables.test[each.name]) for each in _drawn(columns, drift)
        ),
    )


def _drift(
    competition: Competition, tables: Tables, columns: Sequence[Column], generator: np.random.Generator
) -> Drift:
    """Of some rows of each file."""
    most = _most(len(columns)) // 2
    train, test = (_some(rows, most, generator) for rows in (tables.train, tables.test))
    rows = pd.concat([tables.train.iloc[train], tables.test.iloc[test]], ignore_index=True)
    own, apart = _coded(competition, rows, columns)
    group = None if competition.split.group is None else rows[competition.split.group].to_numpy()
    is_test = np.arange(len(rows)) >= len(train)
    return drift_of(own, apart, is_test, group, int(generator.integers(2**31)))


def _tells(
    competition: Competition, tables: Tables, columns: Sequence[Column], generator: np.random.Generator
) -> Tells:
    """Of some of the train rows that a fold holds out."""
    scored = tables.scored
    some = _some(scored.train, _most(len(columns)), generator)
    own, apart = _coded(competition, scored.train.iloc[some].reset_index(drop=True), columns)
    order = encode(ORDER, NUMBER, pd.Series(some))
    name, *by = apart  # what the split goes by, as the time, may be a feature
    return tells_of([*own, *by], [name, order], competition.schema.target, scored.target[some], scored.fold[some])


def _most(columns: int) -> int:
    return max(2 * LEAST_ROWS, min(2 * MOST_ROWS, MOST_CELLS // columns))


def _some(rows: pd.DataFrame, most: int, generator: np.random.Generator) -> np.ndarray:
    """Positions of rows, at random and in their order, int64 [rows]."""
    return np.sort(generator.permutation(len(rows))[:most])


def _coded(competition: Competition, rows: pd.DataFrame, columns: Sequence[Column]) -> tuple[list[Coded], list[Coded]]:
    """The columns of some rows, and, apart from them, the id and what the split goes by."""
    hashes = hashes_of(sum(column.kind == TEXT for column in columns))
    coded = {column.name: encode(column.name, column.kind, rows[column.name], hashes) for column in columns}
    apart = [coded.pop(name) for name in competition.split.columns if name in coded]
    return list(coded.values()), [_id(competition, rows[competition.schema.id]), *apart]


def _id(competition: Competition, ids: pd.Series) -> Coded:
    """The id as a number, where all are."""
    numbers = pd.to_numeric(ids, errors="coerce").astype(np.float64)
    if np.isfinite(numbers).all():
        return encode(competition.schema.id, NUMBER, numbers)
    return encode(competition.schema.id, kind_of(competition.schema, competition.schema.id, ids), ids)


def _skew(numbers: np.ndarray) -> float:
    low, middle, high = np.quantile(numbers.astype(np.float64), [0.05, 0.5, 0.95])
    return float((low + high - 2 * middle) / (high - low)) if high > low else 0.0


def _drawn(columns: Sequence[Column], drift: Drift) -> list[Column]:
    """The columns that are worth a look: the longest texts, then those that tell the files apart best."""
    texts = [column for column in columns if column.unit == WORDS and column.train is not None]
    longest = sorted(texts, key=lambda column: -(column.train or (0.0, 0.0, 0.0))[1])[:1]
    others = [column for column in columns if column.name in drift.alone and column not in longest]
    others = [column for column in others if column.distinct > 0]
    return [*longest, *sorted(others, key=lambda column: -drift.alone[column.name])][:DRAWN]
