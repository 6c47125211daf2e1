"""Fetching: a competition's archive from Kaggle into the folder of the user's own files, whole or not at all."""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from data.archives import read_archive
from data.errors import BadDataError, Fault, StorageError
from data.files import remove
from data.kaggle import Account
from data.reading import read_text
from data.refusals import SITE
from data.schema import Schema

UNFINISHED = ".download"  # holds what has come so far


def fetch(slug: str, schema: Schema, folder: Path, tell: Callable[[str], None]) -> Path:
    """Downloads the archive, checks it, and puts it in the place of an older one in one step.

    What a killed download has left is gone on with. An archive that came damaged is fetched once more, from its
    beginning.

    Args:
        slug: the competition's name on Kaggle.
        schema: names the files and the numbers of their rows.
        folder: of the user's own files of the competition.
        tell: is told what is waited for.

    Returns:
        The archive.

    Raises:
        BadDataError: it is damaged twice, or its rows are not as many as are declared.
        NotAllowedError, TryLaterError, UnavailableError, UsageError: see `data.kaggle`.
        StorageError: it cannot be written.
    """
    account = Account(tell)
    tell(f"downloading {SITE}/competitions/{slug}")
    unfinished = folder / UNFINISHED
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for last in (False, True):
            archive = account.download(slug, unfinished, show=sys.stderr.isatty())
            faults = _faults(archive, schema)
            if not faults:
                break
            remove(unfinished)
            if last:
                raise BadDataError(faults)
            tell(f"{faults[0]}: once more")
            unfinished.mkdir()
        place = folder / archive.name
        archive.replace(place)
        remove(unfinished)
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return place


def _faults(archive: Path, schema: Schema) -> list[Fault]:
    """What is wrong with an archive: bytes that are not those which were zipped, or rows too many or too few."""
    mend = "download it again"
    try:
        with zipfile.ZipFile(archive) as whole:
            broken = whole.testzip()
        found = read_archive(archive.read_bytes(), archive.name, {schema.train, schema.test})
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        return [Fault(file=archive.name, what=f"not a whole zip archive ({error})", mend=mend)]
    except BadDataError as error:
        return list(error.faults)
    if broken is not None:
        return [Fault(file=f"{archive.name}/{broken}", what="is damaged (its CRC is another)", mend=mend)]
    try:
        rows = {name: len(read_text(found[name], name, schema.separator)) for name in found}
    except BadDataError as error:
        return list(error.faults)
    mend = "download it again, or declare what Kaggle serves by now"
    return [
        Fault(file=f"{archive.name}/{name}", what=f"holds {rows[name]:,} rows, {wanted:,} are declared", mend=mend)
        for name, wanted in ((schema.train, schema.train_rows), (schema.test, schema.test_rows))
        if rows.get(name, wanted) != wanted
    ]
