"""Drafts: where submission files lie, each whole and named after what made it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.errors import StorageError
from data.files import beside

LATEST = "latest.csv"


def content(frame: pd.DataFrame) -> bytes:
    """A checked submission as the bytes of a CSV file."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def put(content: bytes, folder: Path, model: str, score: float, key: str, made: datetime) -> Path:
    """Writes a submission as `<time>-<model>-cv<score>-<key>.csv`, and a copy as `latest.csv`.

    Args:
        content: the bytes.
        folder: the competition's.
        model: the candidate's name.
        score: of the cross-validation.
        key: of the training; its first eight letters are used.
        made: the time in the name.

    Raises:
        StorageError: the folder can't be written.
    """
    path = folder / f"{made:%Y%m%d-%H%M%S}-{model}-cv{score:.4f}-{key[:8]}.csv"
    write(content, path)
    copy_latest(content, folder)
    return path


def copy_latest(content: bytes, folder: Path) -> None:
    """Makes `latest.csv` these bytes, where it has others."""
    latest = folder / LATEST
    if not latest.is_file() or latest.read_bytes() != content:
        write(content, latest)


def write(content: bytes, path: Path) -> None:
    """Writes a submission whole.

    Raises:
        StorageError: it can't be written.
    """
    try:
        with beside(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be written: {error.strerror}") from error


def sha256(content: bytes) -> str:
    """The hash of a submission's bytes."""
    return hashlib.sha256(content).hexdigest()
