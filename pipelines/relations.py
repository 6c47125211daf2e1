"""Relations: what rows of undeclared files tell of each other: kin, times, repeats, and how many folds there can be."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from data.errors import UsageError
from data.labelled import Labelled
from data.splits import Split
from pipelines.facts import Use
from pipelines.guess import FOLDS, Guess, Kind

GROUPS = re.compile(r"(?i:.*(_id|group|subject|patient|household|family))|.*[a-z]I[dD]")
MOST_KIN = 20  # rows of a value, in the mean, where no test rows tell whether they are kin
REPEATED = 0.05  # of the test rows that repeat train rows, from which their labels are taken over
AGREED = 0.9  # of the repeated train rows, that have the label of the others


def related(found: Guess) -> Guess:
    """With what the rows tell of each other: kin, time, repeated rows; and folds that the classes can fill."""
    group = _group(found)
    found = replace(found, group=group, verbatim=_is_verbatim(found, group))
    found = _folded(found) if found.classes else found
    odd = [
        f"{each.name} is read as text: {each.odds:,} of its {each.rows:,} cells are no numbers, as {each.odd!r}"
        for each in found.facts
        if each.odd
    ]
    return replace(found, time=None if group else _time(found), notes=(*found.notes, *odd))


def _folded(found: Guess) -> Guess:
    """With as many folds as the rarest class can fill, of those rows that a cut into train and test leaves.

    Raises:
        UsageError: it cannot fill two.
    """
    labels = found.train[found.targets[0]].str.strip()
    if found.test is None:
        cut = Labelled(files=("any",), read=lambda files: found.train)  # noqa: ARG005
        labels = labels[~cut.held_back(found.train, Split(group=found.group))]
    counts = labels.value_counts().reindex(list(map(str, found.classes)), fill_value=0)
    rarest, least = counts.idxmin(), int(counts.min())
    if least < 2:
        told = f"the class {rarest!r} of {found.targets[0]} stands in {least or 'no'} row{'s' * (least != 1)}"
        raise UsageError(f"{told} to learn from: add rows of it, or take it out of the files")
    if least >= FOLDS:
        return found
    note = f"the class {rarest!r} of {found.targets[0]} stands in {least} rows: so few folds"
    return replace(found, folds=least, notes=(*found.notes, note))


def _group(found: Guess) -> str | None:
    """A column whose values name kin: several rows have each, and the test rows have others than the train rows."""
    for facts in found.facts:
        several = found.train[facts.name].nunique() >= 2 * FOLDS and not facts.nullable
        repeated = several and facts.distinct < 0.8 * facts.rows
        if facts.kind is float or facts.date or not repeated or not GROUPS.fullmatch(facts.name):
            continue
        if found.test is None:
            if facts.rows <= MOST_KIN * facts.distinct:
                return facts.name
        elif not found.test[facts.name].isin(found.train[facts.name]).any():
            return facts.name
    alone = found.facts[0] if len(found.facts) == 1 else None
    named = alone is not None and alone.kind is str and alone.use is not Use.CATEGORY
    return alone.name if alone is not None and named and alone.shared > REPEATED else None


def _time(found: Guess) -> str | None:
    """A column of dates after all of which in the train file those of the test file come."""
    dates = [each for each in found.facts if each.date and each.sortable and not each.nullable]
    if found.test is None or len(dates) != 1:
        return None
    name = dates[0].name
    if found.test[name].min() < found.train[name].max():
        return None
    try:
        Split(folds=found.folds, time=name).assign(np.zeros(len(found.train)), found.train)
    except ValueError:  # too few times, or too many rows of one
        return None
    return name


def _is_verbatim(found: Guess, group: str | None) -> bool:
    """Whether test rows repeat train rows, in all columns but the group's, whose labels agree."""
    names = [each.name for each in found.facts if each.name != group]
    if found.test is None or found.kind not in (Kind.BINARY, Kind.MULTICLASS) or not names:
        return False
    labels = found.train[found.targets[0]]
    keys, asked = (pd.util.hash_pandas_object(rows[names], index=False) for rows in (found.train, found.test))
    if asked.isin(keys).mean() < REPEATED:
        return False
    several = keys.duplicated(keep=False)
    if not several.any():
        return True
    usual = labels[several].groupby(keys[several]).transform(lambda each: each.mode().iloc[0])
    return bool((usual == labels[several]).mean() > AGREED)
