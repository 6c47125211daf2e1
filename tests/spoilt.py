"""Spoilt files: what a person can get wrong in the raw files of any competition, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data.reading import kind
from data.schema import Schema

Files = dict[str, bytes]


def _lines(files: Mapping[str, bytes], name: str) -> list[str]:
    return files[name].decode().splitlines()


def _written(files: Mapping[str, bytes], name: str, lines: list[str]) -> Files:
    return {**files, name: ("\n".join(lines) + "\n").encode()}


def _cell(files: Mapping[str, bytes], schema: Schema, column: str, text: str, name: str = "") -> Files:
    """The files with another text in the first row of a column; no cell before it holds a separator."""
    name = name or schema.train
    header, first, *rest = _lines(files, name)
    cells = first.split(schema.separator)
    cells[header.split(schema.separator).index(column)] = text
    return _written(files, name, [header, schema.separator.join(cells), *rest])


def spoilt(files: Mapping[str, bytes], schema: Schema) -> Iterator[tuple[str, Files, str]]:
    """What was done, the files, and a part of what must be told."""
    train, test, separator = schema.train, schema.test, schema.separator
    (sample,) = {*files} - {train, test}
    yield "a train file without a byte", {**files, train: b""}, f"{train}: the file is empty"
    yield "a header alone", _written(files, test, _lines(files, test)[:1]), f"{test}: a header and no rows"
    header, *rows = _lines(files, train)
    column = schema.names[0]
    yield (
        "a column less",
        _written(files, train, [header.replace(column, "other", 1), *rows]),
        f"row 1, column {column}: the column is missing",
    )
    yield (
        "a column twice",
        _written(files, train, [f"{header}{separator}{column}", *(f"{row}{separator}1" for row in rows)]),
        f"column {column}: the column stands twice",
    )
    yield (
        "a column more",
        _written(files, test, [f"{line}{separator}odd" for line in _lines(files, test)]),
        "column odd: a column that is not declared",
    )
    yield "a cell more", _written(files, train, [header, rows[0] + separator, *rows[1:]]), "row 2: "
    broken = files[train].replace(rows[0].encode(), rows[0].encode() + b"\xff", 1)
    yield "a byte that is no UTF-8", {**files, train: broken}, "row 2, column "
    first_id, second = rows[0].split(separator)[0], rows[1].partition(separator)[2]
    twice = _written(files, train, [header, rows[0], f"{first_id}{separator}{second}", *rows[2:]])
    yield "an id twice", twice, f"row 3, column {schema.id}: the id {first_id!r} stands in row 2 too"
    yield (
        "a sample less a row",
        _written(files, sample, _lines(files, sample)[:-1]),
        f"column {schema.id}: the id",
    )
    target = schema.target.columns[0]
    yield "a label that is none", _cell(files, schema, target, "nobody"), f"row 2, column {target}: "
    yield "an empty label", _cell(files, schema, target, ""), f"row 2, column {target}: "
    numbers = [name for name, each in schema.columns.columns.items() if kind(each) is not str]
    if numbers:
        yield (
            "a number that is none",
            _cell(files, schema, numbers[0], "1,5" if separator != "," else "x"),
            (f"row 2, column {numbers[0]}: "),
        )
