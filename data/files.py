"""Files that are whole or not there: written beside their place and renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = ".part"


@contextmanager
def beside(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Gives a path to write a file or a folder to, and renames it to `path` when the block ends well.

    A process that is killed leaves `path` as it was; what it left beside goes when the next one writes there. A folder
    that somebody else put at `path` meanwhile stays, and ours is dropped; a file is replaced unless `overwrite` is off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = path.parent / f".{path.name}.{os.getpid()}{PART}"
    remove(part)  # a dead process may have had our number
    try:
        yield part
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


def sweep(folder: Path) -> None:
    """Removes what dead processes left half written in `folder`."""
    for part in folder.glob(f".*{PART}"):
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
