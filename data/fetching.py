"""Fetching: a competition's archive from Kaggle into the folder of the user's own files, whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from data.archives import read_whole
from data.errors import BadDataError, Fault, StorageError
from data.files import remove, settle
from data.kaggle import Account
from data.refusals import SITE
from data.schema import Schema

UNFINISHED = ".download"  # holds what has come so far
OLDER = "older"  # holds the files that lay there unpacked


def fetch(slug: str, schema: Schema, folder: Path, tell: Callable[[str], None]) -> Path:
    """Downloads the archive, checks it, and puts it in the place of an older one in one step.

    What a killed download has left is gone on with. An archive that came damaged is fetched once more, from its
    beginning; one that does not fit the declaration stays where it was downloaded to, to be looked at.

    Args:
        slug: the competition's name on Kaggle.
        schema: names the files and the numbers of their rows.
        folder: of the user's own files of the competition.
        tell: is told what is waited for.

    Returns:
        The archive.

    Raises:
        BadDataError: it is damaged twice, or lacks files, columns or rows that are declared.
        NotAllowedError, TryLaterError, UnavailableError, UsageError: see `data.kaggle`.
        StorageError: it cannot be written.
    """
    account = Account(tell)
    tell(f"downloading {SITE}/competitions/{slug}")
    unfinished = folder / UNFINISHED
    wanted = {schema.train, schema.test, *schema.sample}
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for last in (False, True):
            archive = account.download(slug, unfinished, show=sys.stderr.isatty())
            try:
                found = read_whole(archive, wanted)
                break
            except BadDataError as error:
                remove(unfinished)
                if last:
                    raise
                tell(f"{error.faults[0]}: once more")
                unfinished.mkdir()
        faults = list(_misfits(found, archive, schema))
        if faults:
            raise BadDataError(faults)
        place = folder / archive.name
        settle(archive)
        archive.replace(place)
        remove(unfinished)
        _set_aside([folder / each for name in wanted for each in (name, f"{name}.zip")], tell)
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return place


def _misfits(found: Mapping[str, bytes], archive: Path, schema: Schema) -> Iterator[Fault]:
    """Files that an archive lacks, and columns and rows that are not as declared."""
    mend = f"declare what Kaggle serves by now: it lies in {archive}"
    for name, rows, expected in (
        (schema.train, schema.train_rows, [*schema.names, *schema.target.columns]),
        (schema.test, schema.test_rows, schema.names),
    ):
        if name not in found:
            yield Fault(file=archive.name, what=f"{name} is missing", mend=mend)
            continue
        file = f"{archive.name}/{name}"
        try:
            counted = len(schema.read(found[name], file, expected))
        except BadDataError as error:
            yield from error.faults
        else:
            if counted != rows:
                yield Fault(file=file, what=f"holds {counted:,} rows, {rows:,} are declared", mend=mend)
    if not any(name in found for name in schema.sample):
        yield Fault(file=archive.name, what=f"the sample file ({', '.join(schema.sample)}) is missing", mend=mend)


def _set_aside(files: list[Path], tell: Callable[[str], None]) -> None:
    """Moves files that would be read in the place of the archive's."""
    for file in files:
        if file.is_file():
            older = file.parent / OLDER
            older.mkdir(exist_ok=True)
            file.replace(older / file.name)
            tell(f"{file} lies in {older} now: the archive takes its place")
