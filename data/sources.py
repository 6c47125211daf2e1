"""Where the raw files come from: your own folder, an archive, Kaggle; where none has them, a twin is drawn."""

from __future__ import annotations

import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from data import kaggle
from data.errors import BadDataError, Fault, StorageError, UnavailableError, UsageError
from data.schema import Schema


class Source(StrEnum):
    """In the order in which they are asked."""

    RAW = "raw"  # data/raw/<competition>/
    ARCHIVES = "archives"  # <slug>.zip or <slug>/ in the folder named by KAGGLE_ARCHIVES, or in /kaggle/input
    KAGGLE = "kaggle"
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
    competition: str, slug: str, schema: Schema, raw_folder: Path, archives: Iterable[Path]
) -> tuple[RawFiles | None, list[str]]:
    """Asks every source for the files, in order.

    Args:
        competition: the name of the folder in `raw_folder`.
        slug: the competition's name on Kaggle, and so of its archive.
        schema: names the files that are wanted.
        raw_folder: holds the user's own files.
        archives: the folders that may hold the archive.

    Returns:
        The files of the first source that has them, or None; and a line for each source that has not.

    Raises:
        BadDataError: a source holds some of the files, or a broken archive.
        UsageError: a named folder of archives does not exist.
        StorageError: a file can't be read.
    """
    wanted = {schema.train, schema.test, *schema.sample}
    misses: list[str] = []
    try:
        mine = raw_folder / competition
        found = _read_folder(mine, slug, wanted)
        if found:
            return _complete(Source.RAW, mine, found, schema), misses
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
                found = read_archive(archive.read_bytes(), str(archive), wanted)
                return _complete(Source.ARCHIVES, archive, found, schema), misses
            if (folder / slug).is_dir():
                found = _read_folder(folder / slug, slug, wanted)
                return _complete(Source.ARCHIVES, folder / slug, found, schema), misses
            misses.append(f"neither {slug}.zip nor {slug}/ in {folder}")
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    try:
        return _complete(Source.KAGGLE, Path(slug), kaggle.download(slug), schema), misses
    except UnavailableError as error:
        misses.append(str(error))
    return None, misses


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


def _read_folder(folder: Path, slug: str, wanted: Collection[str]) -> dict[str, bytes]:
    """The wanted files in a folder: plain, each in a zip of its own, or in the competition's archive."""
    found: dict[str, bytes] = {}
    if (archive := folder / f"{slug}.zip").is_file():
        found |= read_archive(archive.read_bytes(), str(archive), wanted)
    for name in wanted:
        if (plain := folder / name).is_file():
            found[name] = plain.read_bytes()
        elif (zipped := folder / f"{name}.zip").is_file():
            found |= read_archive(zipped.read_bytes(), str(zipped), {name})
    return found


def read_archive(raw: bytes, place: str, wanted: Collection[str]) -> dict[str, bytes]:
    """The wanted files of a zip, by their base names, zips within it opened too; nothing is unpacked to disk.

    Raises:
        BadDataError: the archive is truncated, corrupt, encrypted, or names a file outside itself.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return _members(archive, place, wanted)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        fault = Fault(file=place, what=f"not a whole zip archive ({error})", mend="download it again")
        raise BadDataError([fault]) from error
    except (RuntimeError, NotImplementedError) as error:  # what zipfile raises for a password, an unknown method
        fault = Fault(file=place, what=f"cannot be unpacked ({error})", mend="zip it plainly or download it again")
        raise BadDataError([fault]) from error


def _members(archive: zipfile.ZipFile, place: str, wanted: Collection[str]) -> dict[str, bytes]:
    names = {info: info.filename.replace("\\", "/") for info in archive.infolist() if not info.is_dir()}
    paths = {info: PurePosixPath(name) for info, name in names.items() if not name.startswith("__MACOSX/")}
    for info, path in paths.items():
        if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
            what = f"the archive holds {info.filename!r}, a path outside itself"
            raise BadDataError([Fault(file=place, what=what, mend="do not trust it: download it from Kaggle")])
    found: dict[str, bytes] = {}
    for info, path in sorted(paths.items(), key=lambda item: len(item[1].parts)):  # of two, the one nearer the top
        if path.name in wanted:
            found.setdefault(path.name, archive.read(info))
        elif path.suffix == ".zip" and path.stem in wanted and path.stem not in found:
            found |= read_archive(archive.read(info), f"{place}/{path}", wanted)
    return found
