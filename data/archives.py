"""Archives: zips in memory; nothing is unpacked to disk."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from data.errors import BadDataError, Fault


def read_archive(raw: bytes, place: str, wanted: Collection[str]) -> dict[str, bytes]:
    """The wanted files of a zip, by their base names, zips within it opened too; nothing is unpacked to disk.

    Args:
        raw: the zip.
        place: its name in errors.
        wanted: names, * standing for anything.

    Raises:
        BadDataError: the archive is truncated, corrupt, encrypted, or names a file outside itself.
    """
    with _damage(place), zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return _members(archive, place, wanted)


def read_whole(path: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """As `read_archive`, once every file of the zip is known to be what was zipped, by its CRC.

    Raises:
        BadDataError: as there.
    """
    with _damage(path.name), zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
        if broken is not None:
            what = "is damaged (its CRC is another)"
            raise BadDataError([Fault(file=f"{path.name}/{broken}", what=what, mend="download it again")])
        return _members(archive, path.name, wanted)


@contextmanager
def _damage(place: str) -> Iterator[None]:
    try:
        yield
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
        if _is_wanted(path.name, wanted):
            found.setdefault(path.name, archive.read(info))
        elif path.suffix == ".zip" and _is_wanted(path.stem, wanted) and path.stem not in found:
            found |= read_archive(archive.read(info), f"{place}/{path}", wanted)
    return found


def _is_wanted(name: str, wanted: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in wanted)
