"""Errors that a user can mend: one line each, with the exit code of sysexits.h."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PodiumError(Exception):
    """An error whose message is one line for the user; any other exception is a bug."""

    exit_code = 70  # EX_SOFTWARE


class UsageError(PodiumError):
    """The command, or a variable it takes, makes no sense."""

    exit_code = 64  # EX_USAGE


class UnavailableError(PodiumError):
    """Something that was asked for is not there: a device, a service, a source of data."""

    exit_code = 69  # EX_UNAVAILABLE


class StorageError(PodiumError):
    """A file could not be read or written."""

    exit_code = 74  # EX_IOERR


class TryLaterError(PodiumError):
    """Something that will go by itself: too many requests, a day's budget that is spent, a server that fails."""

    exit_code = 75  # EX_TEMPFAIL


class NotAllowedError(PodiumError):
    """Somebody refuses what was asked for, until the user has done something there."""

    exit_code = 77  # EX_NOPERM


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong in a raw file, and how to mend it.

    Rows are counted as a spreadsheet does: the header is row 1.
    """

    file: str
    what: str
    mend: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {self.what}; {self.mend}"


class BadDataError(PodiumError):
    """Raw files that do not fit their declaration.

    Attributes:
        faults: everything that was found; the message names the first and counts the rest.
    """

    exit_code = 65  # EX_DATAERR

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        more = len(self.faults) - 1
        super().__init__(f"{self.faults[0]}" + (f" (and {more:,} more: `make check` lists them)" if more else ""))
