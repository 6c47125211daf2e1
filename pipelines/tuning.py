"""Tune: the stage that searches a candidate's space, in this process or by workers."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from data.errors import PodiumError, UnavailableError
from models.devices import resolve
from models.pulse import StoppedError, Worker, stop
from models.trials import best_of, finished
from models.tuning import Budget
from pipelines import console, search_report, studies, workers
from pipelines.effort import check_scored
from pipelines.home import scratch
from pipelines.hunt import Hunt
from pipelines.job import Job
from pipelines.lookout import Lookout, counts
from pipelines.mirror import Mirror
from pipelines.origin import tags_of
from pipelines.presence import is_dead, own_name
from pipelines.stages import Ingested
from pipelines.studies import BORN, STUDY
from pipelines.tracking import Tracker
from pipelines.training import describe
from pipelines.workers import Crew

LOOK = 1.0  # seconds between two looks at what the workers have done
ROLE = "optuna.role"  # tag of a study's own run


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
    describe(job, ingested, tracker)
    with tracker.run(ingested.label, title, tags | same, _params(hunt), same) as running:
        mirror = Mirror(tracker, ingested.label, running.id, study, hunt.model, metric, job.competition.metric)
        with console.counted(f"{job.name} {hunt.model}, trials", budget.trials) as show:
            lookout = Lookout(hunt, mirror, show)
            try:
                _alone(hunt, lookout) if crew.alone else _together(hunt, crew, lookout)
            except (KeyboardInterrupt, StoppedError):
                console.tell(f"{len(finished(study))} finished trials are kept: the same command goes on")
                raise
            finally:
                lookout.look()
        running.log(_figures(hunt))
        with scratch() as folder:
            search_report.write(folder, study, metric)
            running.keep(folder)
    check_scored(job, study)
    return Tuned(hunt=hunt, new=len(finished(study)) - before, seconds=time.monotonic() - started)


def _alone(hunt: Hunt, lookout: Lookout) -> None:
    """Runs all trials in this process."""
    hunt.run(Worker(name=own_name(), dead=is_dead), lookout.look, lookout.within)


def _together(hunt: Hunt, crew: Crew, lookout: Lookout) -> None:
    """Has workers run the trials, and looks on."""
    session = uuid.uuid4().hex[:12]
    codes: list[int] = []
    failures: list[PodiumError] = []
    ended = threading.Event()

    def employ() -> None:
        try:
            codes.extend(workers.employ(crew, _arguments(hunt, crew, session), _environment(hunt)))
        except PodiumError as error:
            failures.append(error)
        except Exception as error:  # noqa: BLE001  # whatever joblib, Ray or Dask raise where their nodes are lost
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            failures.append(UnavailableError(f"the workers were lost ({told}): the same command goes on"))
        finally:
            ended.set()

    threading.Thread(target=employ, name="crew", daemon=True).start()
    try:
        with _interrupts() as check:
            while not ended.wait(LOOK):  # and not `join`: an interrupted one holds its thread for ended
                check()
                lookout.look(named=True)
            check()
    except KeyboardInterrupt:
        console.tell("stopping: the workers end within some seconds; a second Ctrl-C does not wait for them")
        stop(hunt.study, session)
        ended.wait()
        raise
    if any(codes):
        told = f"workers ended with the exit codes {', '.join(map(str, codes))}: see their lines above"
        failures.append(UnavailableError(told))
    if not failures:
        return
    trials = hunt.budget.trials
    if trials is None or len(finished(hunt.study)) < trials:
        raise failures[0]
    console.warn(f"{failures[0]}; the search is complete all the same")


@contextmanager
def _interrupts() -> Iterator[Callable[[], None]]:
    """Raises Ctrl-C's exception where it is asked for it; in the end of a weak reference it would get lost."""
    interrupted, before = threading.Event(), signal.getsignal(signal.SIGINT)
    heard = before is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if heard:
        signal.signal(signal.SIGINT, lambda *_: interrupted.set())

    def check() -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt

    try:
        yield check
    finally:
        if heard:
            signal.signal(signal.SIGINT, before)


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
        "--born": hunt.study.user_attrs[BORN],
        "--session": session,
        "--share": 1 / crew.workers,
        "--home": None if crew.backend and job.home == type(job.home)() else job.home.root,
    }
    return ["work", job.name, *(str(each) for pair in wanted.items() if pair[1] is not None for each in pair)]


def _environment(hunt: Hunt) -> dict[str, str]:
    """What a worker needs to find what this process found."""
    found = {} if hunt.job.storage is None else {"STORAGE": hunt.job.storage}
    archives = os.environ.get("KAGGLE_ARCHIVES")
    return found if archives is None else {**found, "KAGGLE_ARCHIVES": os.path.abspath(archives)}  # noqa: PTH100


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
