"""Whole: a run from nothing to the submission, and what is kept of it for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.sources import Source
from pipelines import stages
from pipelines.blending import best, train_and_blend
from pipelines.closing import closing
from pipelines.effort import Effort
from pipelines.job import Job
from pipelines.stages import Ingested, Trained
from pipelines.up_to_date import Answer, Command


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run came to."""

    trained: Sequence[Trained]
    chosen: Trained
    path: Path  # of the submission

    @property
    def hit(self) -> bool:
        """Whether all was there before."""
        return all(each.hit for each in self.trained)


def finish(job: Job, effort: Effort, ingested: Ingested | None = None) -> Finished:
    """Ingests, searches, trains, blends and writes the submission of the best, as far as that was not done before."""
    trained = train_and_blend(job, effort, ingested)
    chosen = best(job.competition.metric, trained)
    return Finished(trained=trained, chosen=chosen, path=stages.submit(job, chosen))


def keep(command: Command, inputs: str, kept: str | None, job: Job, effort: Effort, found: Finished) -> None:
    """Keeps what the next run of a command is to tell, unless something has changed while this one looked.

    Args:
        command: what was asked for.
        inputs: the state of what it reads, from before it began.
        kept: that of what the home keeps, from then.
        job: what was done.
        effort: how much was searched.
        found: what it came to.
    """
    ingested = found.chosen.ingested
    if ingested.tables.source is Source.KAGGLE:  # the next run finds the files where this one has put them
        return
    now = command.kept()
    if now is None:
        return
    if now != kept or not found.hit:  # of what was changed here the next run sees the end
        before, found = found, finish(job, effort, ingested)
        if not found.hit or found.path != before.path or command.kept() != now:
            return
    if command.inputs() == inputs:
        text = closing(job, found.trained, found.chosen, seconds=0.0)
        command.keep(inputs, now, Answer(text=text, path=str(found.path), warning=ingested.warning))
