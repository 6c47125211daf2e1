"""Wording: names and numbers as sentences and tables say them."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 4) -> str:
    """A few names, and how many more there are."""
    more = len(names) - most
    if more > 0:
        return f"{', '.join(names[:most])} and {more} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def counted(number: int, what: str) -> str:
    """So many of something."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def shortened(text: str, longest: int) -> str:
    """A text of so many letters at most."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
