"""Files that are whole or not there: written beside their place and renamed."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PART = ".part"


@contextmanager
def beside(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Gives a path to write a file or a folder to, and renames it to `path` when the block ends well.

    A process that is killed leaves `path` as it was; what it left beside goes when the next one writes there. A folder
    that somebody else put at `path` meanwhile stays, and ours is dropped; a file is replaced unless `overwrite` is off.
    What is renamed lies on the disk, so that a power cut leaves no empty file either.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.parent / f".{path.name}.{_machine()}.{os.getpid()}{PART}"
    remove(part)  # a dead process may have had our number
    try:
        yield part
        settle(part)
        if part.is_dir():
            _move(part, path)
        elif overwrite:
            part.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(part, path)
    finally:
        remove(part)


def _move(folder: Path, path: Path) -> None:
    try:
        folder.rename(path)
    except OSError:
        if not path.is_dir():
            raise


def settle(path: Path) -> None:
    """Waits until a file, or all files of a folder, lie on the disk."""
    for each in path.rglob("*") if path.is_dir() else [path]:
        if each.is_file():
            with each.open("rb") as file:
                os.fsync(file.fileno())


@cache
def _machine() -> str:
    """A name of this machine, the same after a start, and as good as no other's: folders may be shared."""
    marks = socket.gethostname()
    with suppress(OSError):
        marks += Path("/etc/machine-id").read_text()
    return hashlib.sha256(marks.encode()).hexdigest()[:12]


def sweep(folder: Path) -> None:
    """Removes what dead processes of this machine left half written in `folder`."""
    for part in folder.glob(f".*.{_machine()}.*{PART}"):
        pid = part.name.removesuffix(PART).rpartition(".")[2]
        if pid.isdigit() and not alive(int(pid)):
            remove(part)


def alive(pid: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def remove(path: Path) -> None:
    """Removes a file or a folder; one that is not there is fine."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
