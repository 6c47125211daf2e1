"""Tune: the stage that searches a candidate's space, in this process or by workers."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from data.errors import PodiumError, StorageError, UnavailableError, UsageError
from data.metrics import Metric
from models.config import Config
from models.crossfit import CrossFit
from models.devices import resolve
from models.epochs import Epoch, Told, Watch
from models.pulse import StoppedError, Worker, stop
from models.trials import best_of, finished, reason_of
from models.tuning import Budget, Tuning
from pipelines import console, fitting, keys, search_report, studies, workers
from pipelines.checkpoints import Checkpoint
from pipelines.competition import Candidate
from pipelines.job import Job
from pipelines.mirror import Mirror
from pipelines.origin import tags_of
from pipelines.presence import is_dead, own_name
from pipelines.stages import Ingested
from pipelines.storage import DATABASE, PatientStorage
from pipelines.studies import BORN, STUDY
from pipelines.tracking import Tracker, scratch
from pipelines.workers import Crew
from pipelines.workshop import KeptWorkshop

LOOK = 1.0  # seconds between two looks at what the workers have done
MOST_NAMED = 4  # trials under way
ROLE = "optuna.role"  # tag of a study's own run

Show = Callable[[int, str], None]  # how many trials are finished, and what there is to say


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
        model, candidate = job.competition.candidate(job.model)
        if not candidate.space:
            raise UsageError(f"{job.name} {model} has nothing to tune: give its Candidate a space")
        resolve(job.device)
        (candidate.recipe or job.competition.recipe).require()
        name = studies.study_name(job, ingested.tables, ingested.label)
        study, storage = studies.begin(job, name, candidate)
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


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a search came to."""

    hunt: Hunt
    new: int  # trials that finished in this search
    seconds: float


def tune(job: Job, ingested: Ingested, budget: Budget, crew: Crew) -> Tuned:
    """Searches the space of a job's candidate until the budget is used up; what was searched before counts.

    Raises:
        UsageError: the candidate has no space.
        UnavailableError: no worker could work.
        StoppedError: the search was stopped.
        PodiumError: no trial could be trained.
    """
    started = time.monotonic()
    hunt = Hunt.begin(job, ingested, budget)
    study, metric = hunt.study, hunt.metric
    before = len(finished(study))
    tracker = Tracker(job.home.mlruns)
    same = {STUDY: study.study_name, BORN: study.user_attrs[BORN], ROLE: "study"}
    tags = tags_of(job, hunt.model, ingested.tables, resolve(job.device).type)
    tags |= {"sampler": hunt.candidate.search.sampler.value, "pruner": hunt.candidate.search.pruner.value}
    title = f"tune-{hunt.model}-{study.study_name[-16:][:8]}"
    with tracker.run(ingested.label, title, tags | same, _params(hunt), same) as running:
        mirror = Mirror(tracker, ingested.label, running.id, study, hunt.model, metric, job.competition.metric)
        with console.counted(f"{job.name} {hunt.model}, trials", budget.trials) as show:
            try:
                _alone(hunt, mirror, show) if crew.alone else _together(hunt, crew, mirror, show)
            except (KeyboardInterrupt, StoppedError):
                console.tell(f"{len(finished(study))} finished trials are kept: the same command goes on")
                raise
            finally:
                mirror.update()
        running.log(_figures(hunt))
        with scratch() as folder:
            search_report.write(folder, study, metric)
            running.keep(folder)
    if job.storage is None and not (job.home.mlruns / DATABASE).is_file():
        raise StorageError(f"{hunt.storage.name} was removed while it was in use: its trials are lost")
    _check_scored(job, study)
    return Tuned(hunt=hunt, new=len(finished(study)) - before, seconds=time.monotonic() - started)


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
            tune(job, ingested, budget, effort.crew)
        else:
            _check_scored(job, study)


def _check_scored(job: Job, study: optuna.Study) -> None:
    """Refuses a study all of whose trials failed."""
    done = finished(study)
    if done and best_of(study) is None:
        told = f"none of {len(done)} trials came to a score; the last one: {reason_of(done[-1])}"
        raise PodiumError(f"{job.name} {job.competition.candidate(job.model)[0]}: {told}")


def work(job: Job, ingested: Ingested, budget: Budget, name: str, session: str, share: float, parent: int) -> None:
    """What a worker does: trials of a study that somebody else began, until its budget is used up.

    Args:
        job: what to train.
        ingested: on what.
        budget: of the whole search.
        name: the study's, as whoever began it found it.
        session: that may be stopped.
        share: of a GPU's memory that is this worker's.
        parent: the process without which it ends.

    Raises:
        UsageError: the data or the code of this machine are others.
    """
    own = studies.study_name(job, ingested.tables, ingested.label)
    if own != name:
        raise UsageError(f"the data or the code of this machine are others: its study is {own}, but {name} is searched")
    if resolve(job.device).type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share)
    worker = Worker(name=own_name(), dead=is_dead, session=session, orphaned=lambda: os.getppid() != parent)
    Hunt.begin(job, ingested, budget).run(worker, told=lambda: None)


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
        """See `models.tuning.Fit`; a trial that was cut off goes on where it was."""
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


def _alone(hunt: Hunt, mirror: Mirror, show: Show) -> None:
    """Runs all trials in this process."""
    warned = _Warned(hunt.study)
    done, text = _standing(hunt)

    def told() -> None:
        nonlocal done, text
        warned.update()
        mirror.update()
        done, text = _standing(hunt)
        show(done, text)

    def within(epoch: Told) -> None:
        if isinstance(epoch, Epoch):
            show(done, f"{text}, epoch {epoch.number}")

    hunt.run(Worker(name=own_name(), dead=is_dead), told, within)


def _together(hunt: Hunt, crew: Crew, mirror: Mirror, show: Show) -> None:
    """Has workers run the trials, and looks on."""
    warned, session = _Warned(hunt.study), uuid.uuid4().hex[:12]
    codes: list[int] = []
    failures: list[PodiumError] = []
    ended = threading.Event()

    def employ() -> None:
        try:
            codes.extend(workers.employ(crew, _arguments(hunt, crew, session), _environment(hunt)))
        except PodiumError as error:
            failures.append(error)
        finally:
            ended.set()

    threading.Thread(target=employ, name="crew", daemon=True).start()
    try:
        while not ended.wait(LOOK):  # and not `join`: an interrupted one holds its thread for ended
            warned.update()
            mirror.update()
            done, text = _standing(hunt)
            show(done, ", ".join([text, *_running(hunt)]))
    except KeyboardInterrupt:
        console.tell("stopping: the workers end within some seconds; a second Ctrl-C does not wait for them")
        stop(hunt.study, session)
        ended.wait()
        raise
    if failures:
        raise failures[0]
    if any(codes):
        raise UnavailableError(f"workers ended with the exit codes {', '.join(map(str, codes))}: see their lines above")


def _arguments(hunt: Hunt, crew: Crew, session: str) -> list[str]:
    """The worker's command; addresses with a password stay out of it, since everybody may list processes."""
    job, budget = hunt.job, hunt.budget
    wanted = {
        "--model": hunt.model,
        "--seed": job.seed,
        "--device": job.device,
        "--trials": budget.trials,
        "--until": None if budget.seconds is None else time.time() + budget.seconds,
        "--study": hunt.study.study_name,
        "--session": session,
        "--share": 1 / crew.workers,
        "--home": None if job.home == type(job.home)() else job.home.root,
    }
    return ["work", job.name, *(str(each) for pair in wanted.items() if pair[1] is not None for each in pair)]


def _environment(hunt: Hunt) -> dict[str, str]:
    """What a worker needs to find what this process found."""
    found = {} if hunt.job.storage is None else {"STORAGE": hunt.job.storage}
    archives = os.environ.get("KAGGLE_ARCHIVES")
    return found if archives is None else {**found, "KAGGLE_ARCHIVES": os.path.abspath(archives)}  # noqa: PTH100


class _Warned:
    """Tells of every trial that fails, once."""

    def __init__(self, study: optuna.Study) -> None:
        self.study = study
        self.told = {trial.number for trial in finished(study)}

    def update(self) -> None:
        """Tells of those that failed since."""
        for trial in finished(self.study):
            if trial.number not in self.told:
                self.told.add(trial.number)
                if trial.state is TrialState.FAIL:
                    console.tell(f"trial {trial.number} failed: {reason_of(trial)}")


def _standing(hunt: Hunt) -> tuple[int, str]:
    """How many trials are finished, and what they came to."""
    done = finished(hunt.study)
    best = best_of(hunt.study)
    texts = [] if best is None else [f"best {hunt.metric.name} {best.values[0]:.4f} (trial {best.number})"]
    texts += [f"{count} {word}" for word, count in counts(done).items() if count and word != "complete"]
    return len(done), ", ".join(texts) or "no score yet"


def _running(hunt: Hunt) -> list[str]:
    """The trials under way, and the last epoch that each of them told; of many, how many they are."""
    running = hunt.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if len(running) > MOST_NAMED:
        return [f"{len(running)} running"]
    return [f"trial {trial.number} in epoch {(trial.last_step or 0) + 1}" for trial in running]


def counts(done: list[FrozenTrial]) -> dict[str, int]:
    """How many trials ended in which way."""
    names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    return {name: sum(trial.state is state for trial in done) for state, name in names.items()}


def _figures(hunt: Hunt) -> dict[str, float]:
    """What the study's run is told by."""
    done, best = finished(hunt.study), best_of(hunt.study)
    declared = studies.trial_of_default(hunt.study, hunt.candidate)
    found = {"trials": float(len(done)), **{f"trials_{word}": float(count) for word, count in counts(done).items()}}
    if best is not None:
        found[f"best_{hunt.metric.name}"] = best.values[0]
    if declared is not None:
        found[f"declared_{hunt.metric.name}"] = declared.values[0]
    return found


def _params(hunt: Hunt) -> dict[str, str]:
    return {f"space/{field}": str(each) for field, each in hunt.candidate.space.items()}
