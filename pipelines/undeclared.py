"""Undeclared: the files of a competition that nobody has declared yet, and which of them is what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd

from data.archives import read_archive
from data.errors import UsageError
from data.reading import header_of, read_lines, read_text
from data.sources import read_folder
from pipelines.home import Home

TABLES = ("*.csv", "*.tsv")
LINES = ("*.txt",)
SEPARATORS = (",", "\t", ";", "|")


@dataclass(frozen=True, kw_only=True)
class Undeclared:
    """What was found.

    Attributes:
        place: the folder or the archive.
        train: the name of the train file; it may be the only one. "" where there are lines.
        test: the test file's; "" where there is none.
        sample: the sample submission's.
        separator: of train and test.
        tables: by their names, every cell as text.
        lines: of each class, by the names of its files; no tables are there then.
    """

    place: str
    train: str = ""
    test: str = ""
    sample: str = ""
    separator: str = ","
    tables: Mapping[str, pd.DataFrame]
    lines: Mapping[str, list[str]]


def look(home: Home, name: str, slug: str) -> Undeclared:
    """The files in data/raw/, or in a folder of archives.

    Raises:
        UsageError: there are none, or nobody can tell which is which.
        BadDataError: one of them cannot be read.
    """
    place, files = _files(home, name, slug)
    tables = {file: content for file, content in files.items() if PurePath(file).suffix != ".txt"}
    if not tables:
        return Undeclared(place=place, tables={}, lines=_lines(files, place))
    train, test, sample = roles(list(tables), place)
    separator = _separator(tables[train])
    texts = {
        file: read_text(tables[file], f"{place}/{file}", "," if file == sample else separator)
        for file in (train, test, sample)
        if file
    }
    return Undeclared(place=place, train=train, test=test, sample=sample, separator=separator, tables=texts, lines={})


def _files(home: Home, name: str, slug: str) -> tuple[str, dict[str, bytes]]:
    looked = []
    wanted = (*TABLES, *LINES)
    for folder in dict.fromkeys((home.raw / name, home.raw / slug)):
        looked.append(str(folder))
        if found := read_folder(folder, slug, wanted):
            return str(folder), found
    for archives in home.archives():
        for archive in (archives / f"{slug}.zip", archives / slug):
            looked.append(str(archive))
            if archive.is_file() and (found := read_archive(archive.read_bytes(), str(archive), wanted)):
                return str(archive), found
            if archive.is_dir() and (found := read_folder(archive, slug, wanted)):
                return str(archive), found
    hint = "" if home.archives() else ", or name a folder of archives: KAGGLE_ARCHIVES=~/Downloads"
    raise UsageError(f"no CSV files in {', '.join(looked)}: put them into {home.raw / name}/{hint}")


def roles(names: list[str], place: str) -> tuple[str, str, str]:
    """The train, the test and the sample file; the last two are "" where one table is all there is.

    Raises:
        UsageError: the names do not tell.
    """
    if len(names) == 1:
        return names[0], "", ""
    lower = {name: name.lower() for name in sorted(names)}
    samples = [name for name, said in lower.items() if "sample" in said or "submission" in said]
    trains = [name for name, said in lower.items() if "train" in said and name not in samples]
    tests = [name for name, said in lower.items() if "test" in said and name not in (*samples, *trains)]
    for what, found in (("train", trains), ("test", tests), ("sample submission", samples)):
        if len(found) != 1:
            said = f"none of {', '.join(sorted(names))}" if not found else " and ".join(found)
            mend = "name them train.csv, test.csv and sample_submission.csv, or leave one labelled table alone"
            raise UsageError(f"which is the {what} file in {place}? {said}: {mend}")
    return trains[0], tests[0], samples[0]


def _separator(content: bytes) -> str:
    return max(SEPARATORS, key=lambda each: len(header_of(content, each)))


def _lines(files: Mapping[str, bytes], place: str) -> dict[str, list[str]]:
    """The lines of each file that are not blank."""
    lines = {name: read_lines(content, f"{place}/{name}") for name, content in sorted(files.items())}
    if len(lines) < 2 or not all(lines.values()):
        raise UsageError(f"no CSV files in {place}, and no text file a class with a row a line: put train.csv there")
    return lines
