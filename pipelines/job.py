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
    full: bool = False  # all that the competition declares for whoever has the time
    seed: int = 0
    device: str = "auto"
    again: bool = False  # train even where a finished run is found
    declared: bool = False  # train the declared settings, whatever a search found
    storage: str | None = None  # the address of the searches' database; None: the home's own

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"SEED takes a whole number from 0 to {2**32 - 1}, but got {self.seed}")

    @cached_property
    def competition(self) -> Competition:
        """The declaration."""
        return find(self.name)

    @property
    def models(self) -> tuple[str, ...]:
        """The candidates to train; several are blended."""
        if self.model is not None:
            return (self.model,)
        competition = self.competition
        wanted = competition.full if self.full else competition.blend
        return wanted or (competition.candidate(None)[0],)
