"""Guessing: from the files of a competition to what its declaration says, with the reason for each guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from data.errors import UsageError
from pipelines.facts import Facts, Use, facts_of
from pipelines.guess import Guess, Kind
from pipelines.relations import related
from pipelines.undeclared import Undeclared

TARGETS = ("target", "label", "class", "outcome", "y", "saleprice", "price", "survived", "category", "species")
IDS = re.compile(r"(?i:(row_?|_)?(id|index)|.*_id)|.*[a-z]I[dD]")
AMOUNT = re.compile(r"^\W*\d[\d.,]*\W*\w?$")  # a number as people write it
MOST_CLASSES = 30  # that whole numbers can be
MOST_RARE = 10  # classes that whole numbers can be where some are rarer than the folds
LEAST_ROWS = 5  # of each class, where there are five folds
LABEL, TEXT = "Label", "Text"  # columns of a table made of lines
RARE = 0.1  # share of the rows of one of two classes that accuracy hardly sees
TAIL = 1.0  # skewness of a number from which its logarithm is predicted


def guess(files: Undeclared, target: str | None = None, id: str | None = None) -> Guess:
    """Looks at the files.

    Args:
        files: the files.
        target: the column that is predicted, where it is known.
        id: the column that names a row, where it is known.

    Raises:
        UsageError: nobody can tell what is predicted, or a named column is not there.
    """
    if files.lines:
        rows = [(line, name.rpartition(".")[0]) for name, lines in files.lines.items() for line in lines]
        train = pd.DataFrame(rows, columns=[TEXT, LABEL], dtype=str)
        return related(_predicted(files, train, None, "Id", (LABEL,), None))
    train = files.tables[files.train]
    columns = list(map(str, train))
    for name in filter(None, (target, id)):
        if name not in train:
            raise UsageError(f"{files.train} has no column {name!r}: there are {', '.join(columns)}")
    if id is not None and id == target:
        raise UsageError(f"{id} cannot both name a row and be predicted")
    if not files.test:
        named = target or _likely_target(train)
        if id == named:
            raise UsageError(f"{id} cannot name a row, as it is predicted: say --target for another column")
        own = id or next(
            (name for name in columns if IDS.fullmatch(name) and train[name].is_unique and name != named), "Id"
        )
        found = related(_predicted(files, train, None, own, (named,), None))
        return found if target else replace(found, notes=(f"{named} is what is predicted", *found.notes))
    return related(_of_three(files, target, id))


def _of_three(files: Undeclared, target: str | None, id: str | None) -> Guess:
    """What train, test and sample tell together."""
    train, test, sample = (files.tables[name] for name in (files.train, files.test, files.sample))
    only = [str(name) for name in train if name not in test]
    asked = list(map(str, sample.columns))
    own = id or next((name for name in asked if name in test), asked[0])
    answers = [name for name in asked if name != own]
    _check_id(files, own, answers, test)
    if not only:
        raise UsageError(f"{files.train} has no column that {files.test} lacks: which is predicted?")
    targets: tuple[str, ...]
    if target is not None:
        if target in test or target == own:
            why = f"{files.test} has it, too" if target in test else "it names a row"
            raise UsageError(f"{target} cannot be predicted, as {why}")
        targets = (target,)
    elif set(answers) <= set(only):
        targets = tuple(answers)
    elif len(only) == 1:
        targets = (only[0],)
    else:
        near = [name for name in only if name.lower() in {each.lower() for each in answers} or name.lower() in TARGETS]
        if len(near) != 1:
            raise UsageError(f"which column is predicted: {', '.join(only)}? Say --target NAME")
        targets = (near[0],)
    found = _predicted(files, train, test, own, targets, answers)
    if own in test and facts_of(test[own]).date:
        note = f"{own} names a row and is a date, too: a copy of it as a column would tell the hour and the season"
        found = replace(found, notes=(*found.notes, note))
    if own in test and own in train:
        return replace(found, apart=bool(test[own].isin(train[own]).any()))
    first = str((test if own in test else sample)[own].iloc[0])
    if own not in test and not first.isdigit():
        raise UsageError(
            f"{files.sample} begins with {own}, which {files.test} lacks: which column names a row? Say --id"
        )
    lacking = " and ".join(name for name, table in ((files.train, train), (files.test, test)) if own not in table)
    counted_from = int(first) if first.isdigit() else 1
    note = f"the rows of {lacking} have no {own}: they are counted from {counted_from}"
    return replace(found, counted_from=counted_from, notes=(*found.notes, note))


def _check_id(files: Undeclared, own: str, answers: Sequence[str], test: pd.DataFrame) -> None:
    """Refuses a sample that does not say what names a row, or what is predicted of it."""
    if not own.strip():
        raise UsageError(f"the column of {files.sample} that names a row has no name: write id before its first comma")
    if not answers:
        raise UsageError(
            f"{files.sample} has no column beside {own!r}: it holds an id and what is asked for, with commas"
        )
    if own not in test:
        other = next((str(name) for name in test if str(name).lower() == own.lower()), None)
        if other is not None:
            raise UsageError(f"{files.sample} says {own} where {files.test} says {other}: write it the same way in all")


def _likely_target(train: pd.DataFrame) -> str:
    """Of one labelled table: a usual name, else the last column; a text is none where another column has few values."""
    columns = list(map(str, train))
    usual = {name.lower(): name for name in columns}
    named = next((usual[name] for name in TARGETS if name in usual), None)
    if named is not None:
        return named
    if facts_of(train[columns[-1]]).use not in (Use.NOTHING, Use.WORDS, Use.SHARED):
        return columns[-1]
    uses = {name: facts_of(train[name]).use for name in columns}
    return next((name for name in columns if uses[name] is Use.CATEGORY), columns[-1])


def _predicted(
    files: Undeclared,
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    own: str,
    targets: tuple[str, ...],
    answers: list[str] | None,
) -> Guess:
    """The kind of the target, and the facts of the features."""
    beside = {own, *targets}
    unnamed = {name for name in train if not str(name).strip()}  # as pandas writes an index
    shared = [str(n) for n in train if n not in {*beside, *unnamed} and (test is None or n in test)]
    if not shared:
        raise UsageError(f"{files.train or files.place} has no column beside {', '.join(beside)}")
    facts = tuple(facts_of(train[name] if test is None else pd.concat([train[name], test[name]])) for name in shared)
    others = [] if test is None else [*train, *test]
    ignored = tuple(dict.fromkeys(str(n) for n in others if n not in {*beside, *shared}))
    base = Guess(
        files=files, train=train, test=test, id=own, kind=Kind.BINARY, targets=targets, facts=facts, ignored=ignored
    )
    if len(targets) > 1:
        return _several(base)
    return _single(base, facts_of(train[targets[0]]), answers)


def _several(found: Guess) -> Guess:
    numbers = found.train[list(found.targets)].apply(pd.to_numeric, errors="coerce")
    if numbers.isin([0, 1]).all(axis=None):
        return replace(found, kind=Kind.MULTILABEL)
    if numbers.ge(0).all(axis=None) and np.allclose(numbers.sum(axis=1), 1, atol=1e-3):
        return replace(found, kind=Kind.SHARES)
    raise UsageError(
        f"{', '.join(found.targets)} are neither flags nor shares of a whole; several numbers are predicted one by one:"
        f" leave one of them in {found.files.train} and {found.files.sample}"
    )


def _single(found: Guess, target: Facts, answers: list[str] | None) -> Guess:
    """A class or a number."""
    (column,), asked = found.targets, answers or list(found.targets)
    if target.nullable or target.distinct < 2:
        what = "has empty cells" if target.nullable else "is the same in all rows"
        mend = "take their rows out" if target.nullable else "there is nothing to predict"
        raise UsageError(f"{column} {what}: {mend}, or say --target for another column")
    counts = found.train[column].str.strip().value_counts()
    if target.kind is str and target.distinct > MOST_CLASSES and counts.index.str.contains(AMOUNT, regex=True).all():
        example = counts.index[0]
        raise UsageError(
            f"{column} holds {example!r}, which is no number as 1234.5 is: write it without commas and units"
        )
    if len(asked) > 1:
        prefix = _prefix(asked, set(counts.index))
        if prefix is None:
            these = ", ".join(asked)
            raise UsageError(f"{found.files.sample} has the columns {these}, which are no classes of {column}")
        classes = [name.removeprefix(prefix) for name in asked]
        return _classes(replace(found, prefix=prefix, is_probability=True, a_column_each=True), target, classes, counts)
    cells = pd.Series(dtype=str) if answers is None else found.files.tables[found.files.sample][asked[0]]
    if _is_amount(target, counts, cells):
        return _number(found, target, answers)
    numbers = pd.to_numeric(cells, errors="coerce")
    known = cells.isin(counts.index) | numbers.isin(pd.to_numeric(pd.Series(counts.index), errors="coerce"))
    is_share = not known.all() and bool(numbers.between(0, 1).all())
    if is_share and target.kind is not int and len(counts) > 2:
        raise UsageError(f"{found.files.sample} asks for one share of {len(counts)} classes: say --target")
    answer = asked[0] if asked[0] != column else None
    named = replace(found, answer=answer, is_probability=is_share and len(counts) == 2)
    return _classes(named, target, sorted(counts.index), counts)


def _is_amount(target: Facts, counts: pd.Series, asked: pd.Series) -> bool:
    """Whether a target is how much of something, and not which: of its rows' values, and the sample's cells."""
    if target.kind is not int or target.distinct == 2:
        return target.kind is float and target.distinct > 2
    rare = counts.min() < (LEAST_ROWS if target.distinct > MOST_RARE else 2)
    return target.distinct > MOST_CLASSES or rare or bool((pd.to_numeric(asked, errors="coerce") % 1 > 0).any())


def _classes(found: Guess, target: Facts, labels: Sequence[str], counts: pd.Series) -> Guess:
    """Of labels, in the sample's order where it has a column of each."""
    (column,), least = found.targets, int(counts.min())
    classes: Sequence[int | str] = [int(label) for label in labels] if target.kind is int else labels
    notes = list(found.notes)
    if target.kind is int and len(classes) > 2:
        notes.append(
            f"{column} is {len(classes)} classes; where their order counts, KAPPA scores them, and Number predicts it"
        )
    ordered = tuple(classes if found.a_column_each else sorted(classes))
    if found.is_probability and not found.a_column_each and target.kind is str:
        notes.append(f"the probability asked for is that of {ordered[1]!r}; turn the classes round for {ordered[0]!r}")
    if len(classes) == 2 and not found.is_probability and least < RARE * counts.sum():
        notes.append(f"{least:,} of {counts.sum():,} rows are {counts.idxmin()!r}: accuracy hardly sees them; F1 does")
    return replace(
        found,
        kind=Kind.BINARY if len(classes) == 2 else Kind.MULTICLASS,
        classes=ordered,
        notes=tuple(notes),
    )


def _number(found: Guess, target: Facts, answers: list[str] | None) -> Guess:
    tail = target.least >= 0 and target.skew > TAIL
    return replace(
        found,
        kind=Kind.REGRESSION,
        answer=answers[0] if answers and answers[0] != found.targets[0] else None,
        tail=tail,
        least=0.0 if target.least >= 0 else None,
        notes=(*found.notes, *(["its tail is long: its logarithm is predicted, and RMSLE scores it"] if tail else [])),
    )


def _prefix(asked: Sequence[str], labels: set[str]) -> str | None:
    """What stands before each class in the sample's columns; None where they are no classes."""
    for label in sorted(labels, key=len, reverse=True):
        prefix = asked[0].removesuffix(label)
        if asked[0].endswith(label) and {name.removeprefix(prefix) for name in asked} == labels:
            return prefix
    return None
