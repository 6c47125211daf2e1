"""Kaggle as a source of raw files."""

from __future__ import annotations

from data.errors import UnavailableError


def download(slug: str) -> dict[str, bytes]:
    """The files of a competition, by name.

    Raises:
        UnavailableError: always: fetching from Kaggle is not built yet.
    """
    raise UnavailableError(f"downloading from kaggle.com/c/{slug} is unavailable in this version")
