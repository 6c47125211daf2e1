"""Studies: one search each, found by its key; and the settings that the best of its trials had."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.trial import FrozenTrial, TrialState

from data.errors import UnavailableError, UsageError
from data.metrics import Metric
from data.tables import Tables
from models.config import Config
from models.trials import best_of, finished
from models.tuning import applied, defaults_of, direction_of
from pipelines import keys
from pipelines.competition import Candidate
from pipelines.home import STUDIES
from pipelines.job import Job
from pipelines.study_reading import read_study

if TYPE_CHECKING:
    from pipelines.storage import PatientStorage

BIRTH, LOOK = 5.0, 0.1  # seconds that making a study may take, and between two looks
BORN = "born"  # attribute of a study, and tag of its run: tells it from one of the same name that was lost
STUDY, TRIAL = "optuna.study", "optuna.trial"  # tags of runs


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The settings that a candidate is trained with."""

    config: Config
    told: str  # where they come from
    tags: Mapping[str, str] = field(default_factory=dict)  # of the training's run: the trial that it follows


def searched_metric(job: Job, candidate: Candidate) -> Metric:
    """What a search betters: what chooses the epochs. Where that is not the competition's metric, it is less noisy."""
    return candidate.config.monitor or job.competition.metric


def study_name(job: Job, tables: Tables, label: str) -> str:
    """`<competition>/<model>/<key>`."""
    model, candidate = job.competition.candidate(job.model)
    origins = job.competition.recipe_of(candidate).origins()
    return f"{label}/{model}/{keys.study_key(job.name, tables.data_hash, model, candidate, job.seed, origins)[:16]}"


def find(job: Job, tables: Tables, label: str) -> optuna.Study | None:
    """The study of a job, to be read; None where nothing was searched yet."""
    if not job.competition.candidate(job.model)[1].space:
        return None
    database, name = job.home.mlruns / STUDIES, study_name(job, tables, label)
    if job.storage is None and not database.exists():
        return None
    if job.storage is None:
        with suppress(sqlite3.Error, ValueError):  # then Optuna reads it, or tells why not
            return cast("optuna.Study | None", read_study(database, name))
    try:
        return optuna.load_study(study_name=name, storage=_storage(job))
    except KeyError:
        return None


def _storage(job: Job) -> PatientStorage:
    from pipelines.storage import open_storage  # with SQLAlchemy

    return open_storage(job.storage, job.home.mlruns)


def begin(job: Job, name: str, candidate: Candidate) -> tuple[optuna.Study, PatientStorage]:
    """The study of a name, made where it is not there; its first trial has the declared settings."""
    storage = _storage(job)
    direction = direction_of(searched_metric(job, candidate))
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
        deadline = time.monotonic() + BIRTH
        while BORN not in study.user_attrs and time.monotonic() < deadline:
            time.sleep(LOOK)  # somebody else makes it just now
    if BORN not in study.user_attrs:
        study.enqueue_trial(defaults_of(candidate.config, candidate.space), skip_if_exists=True)
        study.set_user_attr(BORN, uuid.uuid4().hex)
    return study, storage


def join(job: Job, name: str, born: str) -> tuple[optuna.Study, PatientStorage]:
    """The study of a name and a birth.

    Raises:
        UnavailableError: the storage that is reached from here has none.
    """
    storage = _storage(job)
    try:
        study = optuna.load_study(storage=storage, study_name=name)
    except KeyError:
        study = None
    if study is None or study.user_attrs.get(BORN) != born:
        raise UnavailableError(f"{storage.name} does not hold this search: name a STORAGE that all machines reach")
    return study, storage


def choose(job: Job, tables: Tables, label: str) -> Chosen:
    """The settings of the best finished trial; the declared ones where there is none."""
    candidate = job.competition.candidate(job.model)[1]
    study = None if job.declared else find(job, tables, label)
    best = None if study is None else best_of(study)
    if study is None or best is None:
        return Chosen(config=candidate.config, told="as declared")
    metric = searched_metric(job, candidate)
    declared = trial_of_default(study, candidate)
    beside = f", {metric.name} {best.values[0]:.4f}"
    if declared is not None and declared.number == best.number:
        told = f"as declared, the best of {len(finished(study))} trials{beside}"
    else:
        was = "" if declared is None or declared.values is None else f", {declared.values[0]:.4f} as declared"
        told = f"trial {best.number}, the best of {len(finished(study))}{beside}{was}"
    return Chosen(
        config=applied(candidate.config, best.params),
        told=told,
        tags={STUDY: study.study_name, TRIAL: str(best.number)},
    )


def choose_tuned(job: Job, tables: Tables, label: str) -> Chosen:
    """The settings of the best finished trial.

    Raises:
        UsageError: the candidate has no space.
        UnavailableError: there is no such trial.
    """
    check_tunable(job)
    model = job.competition.candidate(job.model)[0]
    chosen = choose(job, tables, label)
    if not chosen.tags:
        wanted = f"C={job.name} MODEL={model}" + f" SEED={job.seed}" * (job.seed != 0)
        raise UnavailableError(f"{job.name} {model} has no finished trial: make tune {wanted}")
    return chosen


def check_tunable(job: Job) -> None:
    """Raises UsageError where a job's candidate has no space."""
    model, candidate = job.competition.candidate(job.model)
    if not candidate.space:
        raise UsageError(f"{job.name} {model} has nothing to tune: give its Candidate a space")


def trial_of_default(study: optuna.Study, candidate: Candidate) -> FrozenTrial | None:
    """The complete trial with the declared settings; None where it has not ended."""
    wanted = defaults_of(candidate.config, candidate.space)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((trial for trial in complete if trial.params == wanted), None)
