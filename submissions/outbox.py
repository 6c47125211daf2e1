"""Outbox: what is to be sent to Kaggle and what was, in one file; whoever is killed is found where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from data.errors import StorageError, TryLaterError
from data.files import beside


class State(StrEnum):
    """How far a submission has come."""

    QUEUED = "queued"  # nobody was asked for anything
    UPLOADED = "uploaded"  # Kaggle has the file, which is no submission yet
    ASKED = "asked"  # Kaggle was asked to make a submission of it, and may have done so
    SENT = "sent"  # Kaggle lists it
    READ = "read"  # Kaggle lists it with a score or as an error
    DONE = "done"  # so, and the run knows


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One submission."""

    competition: str
    file: str  # its name, which no other submission has
    sha256: str  # of its bytes
    run: str  # the id of the run that made it
    message: str
    state: State = State.QUEUED
    token: str = ""  # of Kaggle, for what was uploaded
    after: int = 0  # Kaggle's number of the last one of this name that it listed before
    asked: float = 0.0  # seconds since 1970
    ref: int = 0  # Kaggle's number of it
    public: float | None = None
    private: float | None = None
    error: str = ""  # in Kaggle's words

    def __post_init__(self) -> None:
        if Path(self.file).name != self.file:
            raise ValueError(f"{self.file!r} is no name of a file")

    @property
    def waits(self) -> bool:
        """Whether there is something left to do."""
        return self.state is not State.DONE

    @property
    def is_asked(self) -> bool:
        """Whether Kaggle may have it."""
        return self.state not in (State.QUEUED, State.UPLOADED)

    @property
    def is_listed(self) -> bool:
        """Whether Kaggle has it."""
        return self.is_asked and self.state is not State.ASKED


ENTRIES = TypeAdapter(list[Entry])


class Outbox:
    """The submissions of a home, in the order in which they were wanted.

    Args:
        path: of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps everybody else from sending.

        Raises:
            TryLaterError: somebody does.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path.with_suffix(".lock"), timeout=0):
                yield
        except Timeout:
            raise TryLaterError("another process is sending: wait until it has ended") from None

    def read(self) -> list[Entry]:
        """All of them.

        Raises:
            StorageError: the file is damaged.
        """
        mend = "mend it, or move it away"
        try:
            return ENTRIES.validate_json(self.path.read_bytes()) if self.path.exists() else []
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be read ({error.strerror}): {mend}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "it"
            raise StorageError(f"{self.path}: cannot be read ({place}: {first['msg']}): {mend}") from None

    def put(self, entry: Entry) -> Entry:
        """Adds an entry, or takes it in the place of what was known of its file."""
        known = {each.file: each for each in self.read()}
        known[entry.file] = entry
        self._write(list(known.values()))
        return entry

    def drop(self, entry: Entry) -> None:
        """Takes an entry out."""
        self._write([each for each in self.read() if each.file != entry.file])

    def _write(self, entries: Sequence[Entry]) -> None:
        try:
            with beside(self.path) as part:
                part.write_text(json.dumps([asdict(each) for each in entries], indent=1) + "\n")
        except OSError as error:
            raise StorageError(f"{error.filename}: cannot be written: {error.strerror}") from error
