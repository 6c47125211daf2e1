"""Effort: how long a run searches for settings first, and whether that was done before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data.errors import PodiumError, UsageError
from models.trials import best_of, finished, reason_of
from models.tuning import Budget
from pipelines import studies
from pipelines.job import Job
from pipelines.stages import Ingested
from pipelines.workers import Crew

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long a command searches, and with whom."""

    trials: int | None = None  # None: as many as the competition says
    minutes: float | None = None
    crew: Crew = field(default_factory=Crew)

    def budget(self, job: Job) -> Budget | None:
        """For each candidate; None: nothing is searched."""
        trials = self.trials
        if trials is None and self.minutes is None:
            trials = job.competition.trials
        if trials == 0:
            return None
        return Budget(trials=trials, seconds=None if self.minutes is None else 60 * self.minutes)


def search(jobs: Sequence[Job], ingested: Ingested, effort: Effort) -> None:
    """Searches the spaces of all jobs that have one, where so many trials have not been made yet.

    Raises:
        UsageError: trials are wanted, and none has a space.
    """
    tunable = [job for job in jobs if job.competition.candidate(job.model)[1].space]
    if not tunable and (effort.trials or effort.minutes):
        models = ", ".join(job.competition.candidate(job.model)[0] for job in jobs)
        raise UsageError(f"{jobs[0].name} has nothing to tune in {models}: give the Candidate a space")
    for job in tunable:
        budget = effort.budget(job)
        if budget is None:
            continue
        study = studies.find(job, ingested.tables, ingested.label)
        if study is None or budget.trials is None or len(finished(study)) < budget.trials:
            from pipelines.tuning import tune  # what a search that is done does without

            tune(job, ingested, budget, effort.crew)
        else:
            check_scored(job, study)


def check_scored(job: Job, study: optuna.Study) -> None:
    """Refuses a study all of whose trials failed."""
    done = finished(study)
    if done and best_of(study) is None:
        told = f"none of {len(done)} trials came to a score; the last one: {reason_of(done[-1])}"
        raise PodiumError(f"{job.name} {job.competition.candidate(job.model)[0]}: {told}")
