"""Whole: a run from nothing to the submission, and what is kept of it for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.sources import Source
from pipelines import stages, studies
from pipelines.blending import best, settings_of, train_and_blend
from pipelines.closing import closing
from pipelines.effort import Effort
from pipelines.job import Job
from pipelines.outside import reads_outside
from pipelines.reading import open_runs
from pipelines.stages import Trained
from pipelines.up_to_date import Answer, Command, code_files, declaration_of


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


def finish(job: Job, effort: Effort) -> Finished:
    """Ingests, searches, trains, blends and writes the submission of the best, as far as that was not done before."""
    trained = train_and_blend(job, effort)
    chosen = best(job.competition.metric, trained)
    return Finished(trained=trained, chosen=chosen, path=stages.submit(job, chosen))


def keep(command: Command, inputs: str, kept: str | None, job: Job, found: Finished) -> None:
    """Keeps what the next run of a command is to tell, unless something has changed while this one looked.

    Args:
        command: what was asked for.
        inputs: the state of what it reads, from before it began.
        kept: that of what the home keeps, from then.
        job: what was done.
        found: what it came to.
    """
    ingested = found.chosen.ingested
    if ingested.tables.source is Source.KAGGLE:  # the next run finds the files where this one has put them
        return
    if reads_outside(declaration_of(command.name), set(code_files())):
        return
    now = command.kept()
    if now is None:
        return
    trained, chosen = found.trained, found.chosen
    if now != kept or not found.hit:  # of what was changed here the next run sees the end
        trained = looked_up(job, found.trained)
        chosen = best(job.competition.metric, trained) if trained else chosen
        if not trained or chosen.key != found.chosen.key or command.kept() != now:
            return
    if command.inputs() == inputs:
        text = closing(job, trained, chosen, seconds=0.0)
        command.keep(inputs, now, Answer(text=text, path=str(found.path), warning=ingested.warning))


def looked_up(job: Job, trained: Sequence[Trained]) -> list[Trained]:
    """What the next run finds of runs that were made; none where it would train, as when a better trial has ended."""
    runs, found = open_runs(job.home.mlruns), list[Trained]()
    for each in trained:
        if each.config is None:
            settings = settings_of(found)  # of a blend, which comes last
        else:
            own = replace(job, model=each.model)
            chosen = studies.choose(own, each.ingested.tables, each.ingested.label)
            if stages.key_of(own, each.ingested, chosen.config) != each.key:
                return []
            settings = chosen.told
        run = stages.finished(job, each.ingested, each.key, runs)
        if run is None:
            return []
        found.append(replace(each, run=run, hit=True, settings=settings))
    return found
