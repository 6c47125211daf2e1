"""Tables of a card, for a terminal, each with the line above it that says what its figures are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich import box
from rich.table import Table
from rich.text import Text

from pipelines.card import Card
from pipelines.card_columns import Column, Range
from pipelines.card_duplicates import STEP
from pipelines.wording import counted, shortened

MOST = 15  # rows of a table, unless all are wanted
LONGEST = 28  # letters of a name or of checks
Row = TypeVar("Row")


def tables(card: Card, every: bool = False) -> list[tuple[str, Table | None]]:
    """The target, the columns, what each column tells alone, and rows that repeat others: titles and tables.

    Args:
        card: to be shown.
        every: all columns, and not those alone that are most worth a look.
    """
    return [_target(card, every), _columns(card, every), _alone(card, every), _duplicates(card)]


def _table(left: Sequence[str], right: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table without the columns that would be empty in every row."""
    told = list(rows)
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown = [at for at in range(len(left) + len(right)) if any(row[at] for row in told)]
    for at in shown:
        name = [*left, *right][at]
        found.add_column(Text(name), justify="left" if at < len(left) else "right", no_wrap=True)
    for row in told:
        found.add_row(*(Text(row[at]) for at in shown))  # names are no markup
    return found


def _cut(rows: Sequence[Row], every: bool) -> tuple[Sequence[Row], str]:
    """The first rows, and a remark for the title where that is not all."""
    if every or len(rows) <= MOST:
        return rows, ""
    return rows[:MOST], f"; {MOST} of {len(rows):,}, --all shows all"


def _target(card: Card, every: bool) -> tuple[str, Table | None]:
    spread, rows = card.spread, card.train_rows
    if not spread.labels:
        low, high = _number(spread.edges[0]), _number(spread.edges[-1])
        skew = f"skew {card.skew:+.2f}, from -1 to 1" if card.skew is not None else ""
        return f"{spread.name}: a number, in 99% of the rows from {low} to {high}; {skew}", None
    told, cut = _cut(list(zip(spread.labels, spread.train, strict=True)), every)
    counted = card.target != "Shares"
    cells = [[shortened(label, LONGEST), f"{share * rows:,.0f}" * counted, f"{share:.1%}"] for label, share in told]
    what = {"Classes": "a class of each row", "Flags": "flags of each row"}.get(
        card.target, "shares of each row, on average"
    )
    return f"{spread.name}: {what}{cut}", _table([""], ["rows", "share"], cells)


def _columns(card: Card, every: bool) -> tuple[str, Table]:
    ordered = list(card.columns)
    if len(ordered) > MOST and not every:
        ordered.sort(key=lambda column: -_worth(card, column))
    told, cut = _cut(ordered, every)
    title = f"{counted(len(ordered), 'column')}{cut}; least / middle / greatest, of texts their lengths"
    left = ["column", "kind", "checks"]
    right = ["distinct", "missing", "in test", "new in test", "train", "test"]
    return title, _table(left, right, map(_column, told))


def _column(column: Column) -> list[str]:
    return [
        shortened(column.name, LONGEST),
        column.kind,
        shortened(", ".join(column.checks), LONGEST),
        f"{column.distinct:,}",
        _share(column.missing_train),
        _share(column.missing_test),
        "" if column.new is None else _share(column.new),
        _range(column.train, column.unit),
        _range(column.test, ""),
    ]


def _worth(card: Card, column: Column) -> float:
    """How much a column is worth a look, from 0 to 1 and more."""
    told = _told(card, column.name)
    return max(told, column.missing_train, column.missing_test, column.new or 0, column.constant)


def _told(card: Card, name: str) -> float:
    """The more of what a column tells alone of the file, which weighs more, and of the target: above 0."""
    tells = card.tells.alone.get(name, 0.0)
    return max(2 * (2 * card.drift.alone.get(name, 0.5) - 1), tells if card.tells.by_rank else 2 * tells - 1)


def _alone(card: Card, every: bool) -> tuple[str, Table]:
    drift, tells = card.drift, card.tells
    told, cut = _cut(sorted(drift.alone, key=lambda name: -_told(card, name)), every)
    files, targets = {**drift.alone, **drift.apart}, {**tells.alone, **tells.apart}
    rows = [["together, but for the id and the split's", _score(drift.auc), ""]]
    names = dict.fromkeys([*drift.apart, *tells.apart, *told])  # each once
    rows += [[shortened(name, LONGEST), _score(files.get(name)), _score(targets.get(name))] for name in names]
    title = f"what each column tells alone{cut}: of train and test the file (AUC, .5 is chance), of train the target"
    return title, _table(["column"], ["train or test", f"target: {tells.score}"], rows)


def _duplicates(card: Card) -> tuple[str, Table]:
    exact, near = card.duplicates.exact, card.duplicates.near
    rows = [
        ("train rows that repeat another", exact.train, near.train),
        ("  one of another target", exact.disagree, near.disagree),
        ("test rows that repeat another", exact.test, near.test),
        ("test rows that repeat a train row", exact.across, near.across),
    ]
    columns = counted(card.duplicates.columns, "column")
    title = (
        f"rows that are equal in {columns}, or nearly: texts but for case, blanks and punctuation, "
        f"numbers but for {STEP} standard deviations"
    )
    return title, _table([""], ["equal", "nearly, too"], ([name, f"{a:,}", f"{b:,}"] for name, a, b in rows))


def _share(share: float) -> str:
    return "" if share == 0 else f"{share:.1%}"


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) and abs(number) < 1e9 else f"{number:.4g}"


def _range(found: Range | None, unit: str) -> str:
    return "" if found is None else " ".join(filter(None, (" / ".join(map(_number, found)), unit)))
