"""Job: what a command is asked to do, and where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from data.errors import UsageError
from pipelines.competition import Competition, find
from pipelines.home import Home


@dataclass(frozen=True, kw_only=True)
class Job:
    """A competition, the model that is wanted, and the folders."""

    name: str  # the competition's
    home: Home
    model: str | None = None  # None: the competition's default
    seed: int = 0
    device: str = "auto"
    again: bool = False  # train even where a finished run is found

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"SEED takes a whole number from 0 to {2**32 - 1}, but got {self.seed}")

    @cached_property
    def competition(self) -> Competition:
        """The declaration."""
        return find(self.name)
