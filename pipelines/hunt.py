"""Hunt: a search as one process sees it that runs its trials."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError

from data.errors import StorageError, UnavailableError, UsageError
from data.metrics import Metric
from models.config import Config
from models.crossfit import CrossFit
from models.devices import resolve
from models.epochs import Told, Watch
from models.pulse import StoppedError, Worker
from models.tuner import Tuning
from models.tuning import Budget
from pipelines import fitting, keys, studies
from pipelines.checkpoints import Checkpoint
from pipelines.competition import Candidate
from pipelines.job import Job
from pipelines.presence import is_dead, own_name
from pipelines.stages import Ingested
from pipelines.storage import PatientStorage
from pipelines.workshop import KeptWorkshop


@dataclass(frozen=True, kw_only=True)
class Hunt:
    """A search under way, as one process sees it."""

    job: Job
    ingested: Ingested
    study: optuna.Study
    storage: PatientStorage
    budget: Budget

    @staticmethod
    def begin(job: Job, ingested: Ingested, budget: Budget) -> Hunt:
        """Finds or makes the study.

        Raises:
            UsageError: the candidate has no space.
        """
        candidate = job.competition.candidate(job.model)[1]
        studies.check_tunable(job)
        resolve(job.device)
        job.competition.recipe_of(candidate).require()
        name = studies.study_name(job, ingested.tables, ingested.label)
        study, storage = studies.begin(job, name, candidate)
        return Hunt(job=job, ingested=ingested, study=study, storage=storage, budget=budget)

    @staticmethod
    def join(job: Job, ingested: Ingested, budget: Budget, name: str, born: str) -> Hunt:
        """Finds a study that somebody else began.

        Args:
            job: what to train.
            ingested: on what.
            budget: of the whole search.
            name: the study's.
            born: the mark of its birth.

        Raises:
            UsageError: the data or the code of this machine are others.
            UnavailableError: the study does not lie in the storage that is reached from here.
        """
        own = studies.study_name(job, ingested.tables, ingested.label)
        if own != name:
            told = f"its study is {own}, but {name} is searched"
            raise UsageError(f"the data or the code of this machine are others: {told}")
        study, storage = studies.join(job, name, born)
        return Hunt(job=job, ingested=ingested, study=study, storage=storage, budget=budget)

    @property
    def model(self) -> str:
        """The candidate's name."""
        return self.job.competition.candidate(self.job.model)[0]

    @property
    def candidate(self) -> Candidate:
        """What is searched."""
        return self.job.competition.candidate(self.job.model)[1]

    @property
    def metric(self) -> Metric:
        """What is searched for."""
        return studies.searched_metric(self.job, self.candidate)

    def run(self, worker: Worker, told: Callable[[], None], show: Watch | None = None) -> None:
        """Runs trials in this process until the budget is used up."""
        candidate = self.candidate
        trials = _Trials(self, show)
        Tuning(
            self.study, self.storage, candidate.config, candidate.space, candidate.search,
            self.budget, worker, told, self.job.seed,
        ).run(trials.fit)  # fmt: skip


def work(hunt: Hunt, session: str, share: float, parent: int) -> None:
    """What a worker does: trials of a study that somebody else began, until its budget is used up.

    Args:
        hunt: what it joined.
        session: that may be stopped.
        share: of a GPU's memory that is this worker's.
        parent: the process without which it ends.
    """
    if resolve(hunt.job.device).type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share)
    worker = Worker(name=own_name(), dead=is_dead, session=session, orphaned=lambda: os.getppid() != parent)
    hunt.run(worker, told=lambda: None)


class _Trials:
    """Trains the trials of a search; the folds are encoded at the first one."""

    def __init__(self, hunt: Hunt, show: Watch | None) -> None:
        self.hunt, self.show = hunt, show
        self.device = resolve(hunt.job.device)

    @cached_property
    def encoded(self) -> fitting.Encoded:
        """The folds, without the one of all rows."""
        job, candidate = self.hunt.job, self.hunt.candidate
        candidate = replace(candidate, config=replace(candidate.config, refit=0))
        workshop = KeptWorkshop(job.home.cache, self.device)
        return fitting.encode(job.competition, self.hunt.ingested.tables, candidate, workshop)

    def fit(self, config: Config, watch: Watch) -> CrossFit:
        """See `models.tuner.Fit`; a trial that was cut off goes on where it was."""
        job = self.hunt.job
        name = f"{self.hunt.ingested.label}-{self.hunt.model}-{keys.trial_key(self.hunt.study.study_name, config)[:16]}"
        checkpoint = Checkpoint(job.home.checkpoints / f"{name}.safetensors")

        def tell(epoch: Told) -> None:
            watch(epoch)
            if self.show is not None:
                self.show(epoch)

        try:
            found = fitting.fit(
                job.competition, self.encoded, config, seed=job.seed, device=self.device, watch=tell, keep=checkpoint
            )
        except (KeyboardInterrupt, StoppedError, StorageError, UnavailableError, UpdateFinishedTrialError):
            raise  # it goes on from there, or another worker does
        except BaseException:
            checkpoint.drop()
            raise
        checkpoint.drop()
        return found
