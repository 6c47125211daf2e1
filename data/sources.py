"""Where the raw files come from: your own folder, an archive, Kaggle; where none has them, a twin is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import pandas as pd

from data import fetching, kaggle_client
from data.archives import read_archive
from data.errors import BadDataError, Fault, StorageError, UsageError
from data.labelled import Labelled
from data.schema import Schema
from data.splits import Split

Read = Callable[[Collection[str]], dict[str, bytes]]  # gives the files of some names, of those that are there


class Source(StrEnum):
    """In the order in which they are asked."""

    RAW = "raw"  # data/raw/<competition>/
    ARCHIVES = "archives"  # <slug>.zip or <slug>/ in the folder named by KAGGLE_ARCHIVES, or in /kaggle/input
    KAGGLE = "kaggle"
    PACKAGE = "package"  # of those that are installed
    TWIN = "twin"


@dataclass(frozen=True, kw_only=True)
class RawFiles:
    """The bytes of a competition's files by name, and where they came from."""

    source: Source
    place: str  # for people: the folder or the archive
    files: Mapping[str, bytes]
    best: float | None = None  # the best score that any model can reach; known for a twin only

    def named(self, file: str) -> str:
        """The file's name in errors."""
        return f"{self.place}/{file}"

    @property
    def sha256(self) -> str:
        """One hash over all names and bytes."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{name} {len(self.files[name])}\n".encode())
            digest.update(self.files[name])
        return digest.hexdigest()


def locate(
    competition: str,
    slug: str,
    schema: Schema,
    raw_folder: Path,
    archives: Iterable[Path],
    tell: Callable[[str], None] = lambda line: None,  # noqa: ARG005
    uncut: Uncut | None = None,
) -> tuple[RawFiles | None, list[str]]:
    """Asks every source for the files, in order.

    Args:
        competition: the name of the folder in `raw_folder`.
        slug: the competition's name on Kaggle, and so of its archive; the folder in `raw_folder` may have it, too.
        schema: names the files that are wanted.
        raw_folder: holds the user's own files.
        archives: the folders that may hold the archive.
        tell: is told what is waited for.
        uncut: what the files may be cut from where they are not there; Kaggle has no such competition.

    Returns:
        The files of the first source that has them, or None; and a line for each source that has not.

    Raises:
        BadDataError: a source holds some of the files, or a broken archive.
        UsageError: a named folder of archives does not exist.
        StorageError: a file can't be read.
        NotAllowedError, TryLaterError, UnavailableError: Kaggle knows an account here, and refuses or is away.
    """
    look = partial(_look, schema=schema, uncut=uncut)
    misses: list[str] = []
    try:
        places = (raw_folder / competition, raw_folder / slug)
        mine = next((place for place in places if place.is_dir()), places[0])
        found = look(Source.RAW, mine, partial(read_folder, mine, slug))
        if found is not None:
            return found, misses
        there = ", ".join(sorted(path.name for path in mine.iterdir())[:3]) if mine.is_dir() else ""
        misses.append(
            f"no files in {mine}" if not there else f"none of {schema.train}, {schema.test} among {there} in {mine}"
        )
        archives = list(archives)
        if not archives:
            misses.append("KAGGLE_ARCHIVES is not set")
        for folder in archives:
            if not folder.is_dir():
                raise UsageError(f"KAGGLE_ARCHIVES names {folder}, which is not a folder; mend it or unset it")
            archive = folder / f"{slug}.zip"
            if archive.is_file():
                found = look(Source.ARCHIVES, archive, partial(read_archive, archive.read_bytes(), str(archive)))
                return found or _complete(Source.ARCHIVES, archive, {}, schema), misses
            if (folder / slug).is_dir():
                found = look(Source.ARCHIVES, folder / slug, partial(read_folder, folder / slug, slug))
                return found or _complete(Source.ARCHIVES, folder / slug, {}, schema), misses
            misses.append(f"neither {slug}.zip nor {slug}/ in {folder}")
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if uncut is not None:
        return uncut.packaged(), misses
    if not kaggle_client.has_credentials():
        misses.append("no Kaggle account is known here")
        return None, misses
    archive = fetching.fetch(slug, schema, mine, tell)
    return look(Source.KAGGLE, archive, partial(read_archive, archive.read_bytes(), str(archive))), misses


def _look(
    source: Source,
    place: Path,
    read: Callable[[Collection[str]], dict[str, bytes]],
    schema: Schema,
    uncut: Uncut | None,
) -> RawFiles | None:
    """The files where they are, or what they can be cut from."""
    if found := read({schema.train, schema.test, *schema.sample}):
        return _complete(source, place, found, schema)
    if uncut is not None and uncut.labelled.files and (found := read(uncut.labelled.files)):
        return uncut.cut(source, str(place), found)
    return None


@dataclass(frozen=True, kw_only=True)
class Uncut:
    """A labelled table, and what it is cut by."""

    labelled: Labelled
    schema: Schema
    split: Split
    blank: Callable[[list[str]], pd.DataFrame]  # makes the sample submission of a list of ids

    def cut(self, source: Source, place: str, found: Mapping[str, bytes]) -> RawFiles:
        """The files that are made of those that were found."""
        files = self.labelled.cut(found, place, self.schema, self.split, self.blank)
        return RawFiles(source=source, place=place, files=files)

    def packaged(self) -> RawFiles | None:
        """Those of the package, where it has the rows."""
        package = self.labelled.package
        return self.cut(Source.PACKAGE, package, {}) if package else None


def _complete(source: Source, place: Path, found: Mapping[str, bytes], schema: Schema) -> RawFiles:
    """Refuses a source that lacks a file; keeps one sample file."""
    samples = [name for name in schema.sample if name in found]
    missing = [name for name in (schema.train, schema.test) if name not in found]
    if not samples:
        missing.append(f"the sample file ({', '.join(schema.sample)})")
    mend = "download the competition's files again"
    faults = [Fault(file=str(place), what=f"{what} is missing", mend=mend) for what in missing]
    if faults:
        raise BadDataError(faults)
    files = {name: found[name] for name in (schema.train, schema.test, samples[0])}
    return RawFiles(source=source, place=str(place), files=files)


def read_folder(folder: Path, slug: str, wanted: Collection[str]) -> dict[str, bytes]:
    """The wanted files in a folder: plain, each in a zip of its own, or in the competition's archive."""
    found: dict[str, bytes] = {}
    if (archive := folder / f"{slug}.zip").is_file():
        found |= read_archive(archive.read_bytes(), str(archive), wanted)
    for pattern in wanted:
        for zipped in sorted(folder.glob(f"{pattern}.zip")):
            found |= read_archive(zipped.read_bytes(), str(zipped), {zipped.stem})
        found |= {plain.name: plain.read_bytes() for plain in sorted(folder.glob(pattern)) if plain.is_file()}
    return found
