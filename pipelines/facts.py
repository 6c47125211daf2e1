"""Facts: what the cells of a column say of it, and what a table can make of it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import skew

from data.splits import in_order

MISSING = (
    *("NA", "N/A", "n/a", "N.A.", "NaN", "nan", "NAN", "NULL", "Null", "null", "None", "none", "?", "-", "#N/A"),
    *("missing", "Missing"),
)
WHOLE = r"[+-]?\d{1,18}"
CODE = r"0\d+"  # a number with a zero before it is a name
DATE = re.compile(  # with points, the last number has two digits at least: that of a version has one
    r"(?!\d+\.\d+\.\d$)(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}.*"
)
MOSTLY = 0.9  # of the cells, that are numbers, where the others are likely a mistake
LOOKED_AT = 1_000  # distinct cells, for what a date is
MONTHS = 12
FEW, FEW_NUMBERS = 30, 6  # distinct values of a category
MANY = 1_000  # distinct values that a vector each can be learned for
LONG_TAIL = 2.0  # skewness


class Use(StrEnum):
    """What a table makes of a column."""

    NUMBER = "numbers"
    COUNT = "counts"
    CATEGORY = "categories"
    EMBEDDED = "embedded"
    WORDS = "words"
    SHARED = "shared"
    DATE = "dates"
    NOTHING = "left out"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a column of the train and the test file.

    Attributes:
        kind: int, float or str.
        nullable: whether a cell is empty.
        values: the distinct texts, where they are few.
        distinct: how many there are.
        rows: how many have one.
        shared: of the rows that have one, the share whose value another row has.
        words: the mean of a text.
        longest: characters of a text.
        skew: of numbers.
        least: of numbers.
        missing: the texts that say that a cell is empty.
        date: whether the texts are dates.
        day_first: whether their first number is the day.
        sortable: whether the order of the texts is that of the dates.
        odd: a cell that is no number, where nearly all are.
        odds: how many are none.
    """

    name: str
    kind: type
    nullable: bool
    values: tuple[str, ...]
    distinct: int
    rows: int
    shared: float
    words: float = 0.0
    longest: int = 0
    skew: float = 0.0
    least: float = 0.0
    missing: frozenset[str] = field(default_factory=frozenset)
    date: bool = False
    day_first: bool = False
    sortable: bool = False
    odd: str = ""
    odds: int = 0

    @property
    def use(self) -> Use:
        """What a table makes of it."""
        if self.distinct < 2:
            return Use.NOTHING
        if self.date:
            return Use.DATE
        if self.kind is not str:
            if self.kind is int and self.distinct <= FEW_NUMBERS:
                return Use.CATEGORY
            return Use.COUNT if self.least >= 0 and self.skew > LONG_TAIL else Use.NUMBER
        if self.distinct <= FEW:
            return Use.CATEGORY
        if self.words >= 2 and self.distinct > self.rows / 2:
            return Use.WORDS
        if self.distinct <= min(MANY, self.rows / 10):
            return Use.EMBEDDED
        return Use.SHARED if self.shared > 0.1 else Use.NOTHING

    @property
    def is_text(self) -> bool:
        """Whether it is more than a name: a phrase or longer."""
        return self.kind is str and not self.date and self.words >= 2 and self.distinct > max(FEW, self.rows / 3)


def facts_of(cells: pd.Series) -> Facts:
    """The facts of a column whose every cell is text, of all files that have it.

    Blanks around a number do not count, as they do not when it is read; around a text they do.
    """
    trimmed = _counted(cells.str.strip())
    number = _number(*trimmed)
    if isinstance(number, Facts):
        return number
    base, filled = _counted(cells)
    words = [len(value.split()) for value in filled]
    longest = int(cells.str.len().max()) if len(cells) else 0
    values = [str(value) for value in filled.unique()]
    mean = float(np.mean(words)) if words else 0.0
    return replace(base, words=mean, longest=longest, odd=number[0], odds=len(number), **_dates(values))


def _counted(cells: pd.Series) -> tuple[Facts, pd.Series]:
    """The facts of any column, and its cells that are not empty."""
    filled = cells[cells != ""]
    count = filled.value_counts()
    values = [str(value) for value in count.index]
    facts = Facts(
        name=str(cells.name),
        kind=str,
        nullable=len(filled) < len(cells),
        values=tuple(sorted(values)) if len(values) <= FEW else (),
        distinct=len(values),
        rows=len(filled),
        shared=float(count[count > 1].sum() / max(1, len(filled))),
    )
    return facts, filled


def _number(base: Facts, filled: pd.Series) -> Facts | list[str]:
    """The facts of a column of numbers; where it is none, the cells that keep it from that, [""] where most do."""
    said = filled.isin(MISSING)
    numbers = pd.to_numeric(filled[~said], errors="coerce")
    wrong = ~np.isfinite(numbers.to_numpy())
    if not len(numbers) or wrong.any() or filled.str.fullmatch(CODE).any():
        few = 0 < wrong.sum() < (1 - MOSTLY) * len(numbers)
        return list(map(str, filled[~said][wrong])) if few else [""]
    missing = frozenset(map(str, filled[said]))
    nullable = base.nullable or bool(missing)
    whole = bool(filled[~said].str.fullmatch(WHOLE).all())
    return replace(
        base,
        kind=int if whole and not nullable else float,
        nullable=nullable,
        missing=missing,
        values=tuple(value for value in base.values if value not in missing),
        distinct=base.distinct - len(missing),
        rows=len(numbers),
        skew=float(skew(numbers)) if len(numbers) > 2 and base.distinct > 1 else 0.0,
        least=float(numbers.min()),
    )


def _dates(values: list[str]) -> dict[str, Any]:
    """Whether distinct texts are dates, and of which kind."""
    some = values[:: max(1, len(values) // LOOKED_AT)]
    found = [DATE.fullmatch(each) for each in some]
    if not some or not all(found):
        return {}
    firsts = [int(each[1]) for each in found if each is not None and each[1]]
    day_first = any(MONTHS < first <= 31 for first in firsts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = pd.to_datetime(pd.Series(some), errors="coerce", format="mixed", dayfirst=day_first, utc=True)
    if read.isna().any():
        return {}
    return {"date": True, "day_first": day_first, "sortable": _in_order(values)}


def _in_order(values: list[str]) -> bool:
    """Whether the order of the texts is that of the dates."""
    try:
        in_order(pd.Series(values))
    except ValueError:
        return False
    return True
