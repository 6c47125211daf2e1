"""Guess: what a declaration would say of files that nobody has declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd

from pipelines.facts import MISSING, Facts, Use
from pipelines.undeclared import Undeclared

FOLDS = 5


class Kind(StrEnum):
    """What is predicted."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    MULTILABEL = "multilabel"
    SHARES = "shares"


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a declaration says.

    Attributes:
        files: the files.
        train: the train rows, every cell as text.
        test: the test rows; None where one labelled table is all there is.
        id: the column; "Id" where there is none, and rows are counted.
        counted_from: the first number, where they are.
        apart: whether train and test count their ids apart.
        kind: what is predicted.
        targets: its columns.
        answer: the sample's name of the one target column.
        classes: the labels, as int or str.
        prefix: before each class in the sample's columns.
        is_probability: whether the sample asks for probabilities.
        a_column_each: whether it asks for one of each class.
        tail: whether the number has a long tail.
        least: 0 where no number is below it.
        facts: of the features.
        ignored: other columns, of the train file or the test file alone.
        group: the column whose equal values are kin.
        time: the column by whose order the rows are split.
        verbatim: whether test rows repeat train rows.
        folds: at most as many as the rarest class has rows.
        notes: what to look at, a line each.
    """

    files: Undeclared
    train: pd.DataFrame
    test: pd.DataFrame | None
    id: str
    counted_from: int | None = None
    apart: bool = False
    kind: Kind
    targets: tuple[str, ...]
    answer: str | None = None
    classes: tuple[int | str, ...] = ()
    prefix: str = ""
    is_probability: bool = False
    a_column_each: bool = False
    tail: bool = False
    least: float | None = None
    facts: tuple[Facts, ...]
    ignored: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    verbatim: bool = False
    folds: int = FOLDS
    notes: tuple[str, ...] = field(default=())

    @property
    def texts(self) -> list[Facts]:
        """The columns that are more than names, the longest texts first."""
        return sorted((each for each in self.facts if each.is_text), key=lambda each: -each.words)

    def of(self, *uses: Use) -> list[str]:
        """The columns of some uses."""
        return [each.name for each in self.facts if each.use in uses and each.name != self.group]


def missing_texts(found: Guess) -> tuple[str, ...]:
    """The texts that say in columns of numbers that a cell is empty."""
    said = {text for facts in found.facts for text in facts.missing}
    return tuple(text for text in MISSING if text in said)
