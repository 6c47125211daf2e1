"""Lint: everything that Kaggle would refuse or score wrongly in a submission file, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.errors import BadDataError, Fault
from data.reading import FIRST_ROW, read_text
from data.schema import Schema
from submissions.layout import Labels, Layout, Numbers

COMPRESSED = (b"PK\x03\x04", b"\x1f\x8b")  # how zip and gzip files begin
SEPARATORS = {"semicolons": ";", "tabs": "\t"}
MOST = 10  # rows that are told of each kind of fault
ROUNDING = 1e-3  # that a row's probabilities may sum to more or less than 1 by
UNLIKE = 0.5  # agreement with an earlier submission below which rows or classes look shuffled


@dataclass(frozen=True, kw_only=True)
class Linted:
    """A file that fits."""

    frame: pd.DataFrame  # as text
    answers: np.ndarray  # [rows, columns], labels as text, or float
    is_shares: bool  # that sum to 1

    @property
    def told(self) -> str:
        """What it answers, in words."""
        if self.is_shares:
            return f"mean probability of the likeliest class {self.answers.max(axis=1).mean():.3f}"
        if self.answers.dtype.kind == "f":
            return f"from {self.answers.min():g} to {self.answers.max():g}, {self.answers.mean():g} in the mean"
        labels, counts = np.unique(self.answers.astype(str), return_counts=True)
        return ", ".join(
            f"{label} in {count / self.answers.size:.1%}" for label, count in zip(labels, counts, strict=True)
        )


def lint(
    content: bytes, file: str, sample: pd.DataFrame, layout: Layout, schema: Schema, *, ours: bool = False
) -> Linted:
    """Reads a submission file as Kaggle does.

    Args:
        content: its bytes.
        file: its name in faults.
        sample: the sample submission, as text.
        layout: labels or probabilities.
        schema: names the id and the classes.
        ours: a run has written it, and may answer all that the sample says: of a rare class, none.

    Raises:
        BadDataError: all that is wrong with it.
    """
    faults = list(_form(content, file, sample, schema))
    if faults:
        raise BadDataError(faults)
    found = read_text(content, file, ",")
    faults = list(_header(list(found.columns), list(sample.columns), file))
    if faults:
        raise BadDataError(faults)
    faults = list(_ids(found[schema.id], sample[schema.id], file))
    cells = found[list(layout.columns(schema))]
    if isinstance(layout, Numbers):
        answers, wrong = _numbers(cells, layout, schema, file)
    elif isinstance(layout, Labels):
        labels = tuple(map(str, layout.classes(schema)))
        answers = cells.to_numpy()
        wrong = [fault for name in cells for fault in _labels(cells[name], labels, file)]
    faults += wrong
    if not faults and found.equals(sample) and not ours:
        faults.append(Fault(file=file, what="this is the sample file", mend="send the file that a run has written"))
    if faults:
        raise BadDataError(faults)
    shares = isinstance(layout, Numbers) and layout.sums_to_one(schema)
    return Linted(frame=found, answers=answers, is_shares=shares)


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """How alike two submissions are: the share of equal labels, or the correlation of their probabilities."""
    if a.dtype.kind == "f":
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    return float((a == b).mean())


def _form(content: bytes, file: str, sample: pd.DataFrame, schema: Schema) -> Iterator[Fault]:
    """What is no file of cells and commas under a header."""
    if content.startswith(COMPRESSED):
        yield Fault(file=file, what="a compressed file", mend="unpack it")
        return
    lines = [line.strip() for line in content.decode("utf-8-sig", errors="replace").rstrip().splitlines()]
    first = lines[0] if lines else ""
    other = next((name for name, mark in SEPARATORS.items() if mark in first and "," not in first), None)
    if not lines:
        yield Fault(file=file, what="the file is empty", mend="send the file that a run has written")
    elif other is not None:
        yield Fault(file=file, row=1, what=f"{other} between the cells", mend="write it with commas")
    elif first.split(",")[0].strip('"') in set(sample[schema.id]):
        mend = f"put {','.join(sample.columns)} above it"
        yield Fault(file=file, row=1, what="the first line is no header", mend=mend)
    elif len(lines) == 1:
        yield Fault(file=file, what="a header and no rows", mend="answer every row of the test file once")
    for row in [number for number, line in enumerate(lines, 1) if not line][:MOST]:
        yield Fault(file=file, row=row, what="the line is blank", mend="remove it")


def _header(found: Sequence[str], wanted: Sequence[str], file: str) -> Iterator[Fault]:
    if list(found) == list(wanted):
        return
    if sorted(found) == sorted(wanted):
        what = f"the columns are in another order: {','.join(found)}"
        yield Fault(file=file, row=1, what=what, mend=f"the sample has {','.join(wanted)}")
        return
    for name in wanted:
        if name not in found:
            near = next((each for each in found if each.strip().lower() == name.lower()), None)
            mend = "add it" if near is None else f"rename {near!r}"
            yield Fault(file=file, row=1, column=name, what="the column is missing", mend=mend)
    for name in found:
        if name not in wanted and name.strip().lower() not in map(str.lower, wanted):
            mend = "write the file without the index" if name.startswith("Unnamed") or not name else "remove it"
            yield Fault(file=file, row=1, column=name, what="a column that the sample does not have", mend=mend)


def _ids(found: pd.Series, wanted: pd.Series, file: str) -> Iterator[Fault]:
    column = str(found.name)
    if len(found) != len(wanted):
        what = f"{len(found):,} rows, where the sample has {len(wanted):,}"
        yield Fault(file=file, what=what, mend="answer every row of the test file once")
    twice, foreign = found.duplicated().to_numpy(), ~found.isin(wanted).to_numpy()
    wholes = found.str.fullmatch(r"\d+\.0").to_numpy()
    for row in _first(foreign):
        mend = "write the ids as whole numbers" if wholes[row] else "use the ids of the test file"
        yield _at(file, row, column, f"the id {found.iloc[row]!r} is not in the sample", mend)
    for row in _first(twice & ~foreign):
        yield _at(file, row, column, f"the id {found.iloc[row]!r} stands there twice", "remove one of the two")
    gone = wanted[~wanted.isin(found)]
    if len(gone) and not foreign.any():
        what = f"{len(gone):,} ids are missing, as {gone.iloc[0]!r}"
        yield Fault(file=file, column=column, what=what, mend="answer every row of the test file once")
    if not twice.any() and not foreign.any() and len(found) == len(wanted) and list(found) != list(wanted):
        row = int((found.to_numpy(object) != wanted.to_numpy(object)).argmax())
        yield _at(file, row, column, "the ids are in another order than the sample's", "sort the rows as the sample is")


def _labels(cells: pd.Series, labels: Sequence[str], file: str) -> Iterator[Fault]:
    odd = ~cells.isin(labels).to_numpy()
    for row in _first(odd):
        text = cells.iloc[row]
        what = "the label is empty" if text == "" else f"{text!r} is no class"
        whole = text.removesuffix(".0")
        mend = (
            f"write {whole!r}: the column is of whole numbers" if whole in labels else f"one of {', '.join(labels[:9])}"
        )
        yield _at(file, row, str(cells.name), what, mend)
    if odd.sum() > MOST:
        yield Fault(file=file, what=f"{odd.sum():,} labels in all are no classes", mend="mend all of them")


def _numbers(cells: pd.DataFrame, layout: Numbers, schema: Schema, file: str) -> tuple[np.ndarray, list[Fault]]:
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)  # [rows, columns]
    bounded = layout.least is not None and layout.greatest is not None
    mend = f"write a number from {layout.least:g} to {layout.greatest:g}" if bounded else "write a number"
    faults = []
    for row, column in np.argwhere(~np.isfinite(numbers))[:MOST]:
        text = cells.iat[row, column]
        what = "the cell is empty" if text == "" else f"{text!r} is no finite number"
        faults.append(_at(file, row, cells.columns[column], what, mend))
    with np.errstate(invalid="ignore"):
        below = numbers < (-np.inf if layout.least is None else layout.least)
        above = numbers > (np.inf if layout.greatest is None else layout.greatest)
        for row, column in np.argwhere(below | above)[:MOST]:
            what = f"{numbers[row, column]:g} is out of range"
            faults.append(_at(file, row, cells.columns[column], what, mend))
        sums = numbers.sum(axis=1) if layout.sums_to_one(schema) else np.ones(len(numbers))
        faults += [
            _at(file, row, None, f"the probabilities sum to {sums[row]:.4g}", "divide the row by its sum")
            for row in _first(np.abs(sums - 1) > ROUNDING)
        ]
    return numbers, faults


def _first(wrong: np.ndarray) -> list[int]:
    return [int(row) for row in np.flatnonzero(wrong)[:MOST]]


def _at(file: str, row: int, column: str | None, what: str, mend: str) -> Fault:
    return Fault(file=file, row=int(row) + FIRST_ROW, column=column, what=what, mend=mend)
