"""Trials: what one leaves in its study, which of them count, and how one is run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

RETRIES = 5  # times that a trial is run again after its worker's death

# Attributes of a trial.
WORKER = "worker"  # who runs it
ERROR = "error"  # why it failed
SURPLUS = "surplus"  # it was one too many, and never ran
FIRST = "first"  # the number of the trial whose settings it runs again
DEATHS = "deaths"  # of workers that ran these settings before
SCORE = "score"  # the competition's, where another metric is searched for
SECONDS = "seconds"  # of its training
TRAIN_LOSS = "train_loss"  # by epoch
FOLD_SCORES = "fold_scores"  # of the searched metric, by epoch and fold


def is_finished(trial: FrozenTrial) -> bool:
    """Whether a trial counts: it has a score, was pruned, or has a reason why it failed."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or reason_of(trial) is not None


def reason_of(trial: FrozenTrial) -> str | None:
    """Why a trial failed for good; None where it did not, or its settings are run again."""
    if trial.state is not TrialState.FAIL:
        return None
    return trial.user_attrs.get(ERROR)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count, by their numbers."""
    return [trial for trial in study.get_trials(deepcopy=False) if is_finished(trial)]


def best_of(study: optuna.Study) -> FrozenTrial | None:
    """The best complete trial, the first of equals; None where there is none."""
    return best_among(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)), study.direction)


def best_among(trials: Sequence[FrozenTrial], direction: StudyDirection) -> FrozenTrial | None:
    """As `best_of`, of trials that were read before."""
    sign = 1 if direction is StudyDirection.MINIMIZE else -1
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return min(complete, key=lambda trial: (sign * trial.values[0], trial.number), default=None)


def whole(study: optuna.Study) -> list[FrozenTrial]:
    """All trials, where Hyperband shows a sampler those of a bracket alone."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def place_of(trial: FrozenTrial, study: optuna.Study) -> int:
    """How many settings were drawn before those of a trial; one that is run again has the place that it had."""
    first = trial.user_attrs.get(FIRST, trial.number)
    before = whole(study)[:first]
    return sum(FIRST not in other.user_attrs and SURPLUS not in other.user_attrs for other in before)


def abandon(study: optuna.Study, storage: RDBStorage, trial_id: int) -> None:
    """Fails the trial of a dead worker, and queues its settings again, unless that happened too often."""
    trial = storage.get_trial(trial_id)
    deaths = int(trial.user_attrs.get(DEATHS, 0)) + 1
    if deaths > RETRIES:
        try:
            storage.set_trial_user_attr(trial_id, ERROR, f"its worker died {deaths} times")
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return  # somebody else was quicker
    elif _fails(storage, trial_id):
        _queue(study, trial, deaths)


def release(study: optuna.Study, storage: RDBStorage, trial_id: int) -> None:
    """Gives a trial of one's own back, to be run again; no death of a worker."""
    if _fails(storage, trial_id):
        trial = storage.get_trial(trial_id)
        _queue(study, trial, int(trial.user_attrs.get(DEATHS, 0)))


def repair(study: optuna.Study, age: timedelta) -> None:
    """Queues what a worker failed that died before it could queue it: trials of some age without a successor."""
    every = study.get_trials(deepcopy=False)
    last = {trial.user_attrs.get(FIRST, trial.number): trial for trial in every}
    for trial in last.values():
        if trial.state is not TrialState.FAIL or SURPLUS in trial.user_attrs or is_finished(trial):
            continue
        if trial.datetime_complete is not None and datetime.now() - trial.datetime_complete > age:
            _queue(study, trial, int(trial.user_attrs.get(DEATHS, 0)) + 1)


def _queue(study: optuna.Study, trial: FrozenTrial, deaths: int) -> None:
    """Queues a trial's settings; those that were not drawn to the end are drawn anew."""
    drawn = WORKER in trial.user_attrs
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params if drawn else {},
            distributions=trial.distributions if drawn else {},
            user_attrs={FIRST: trial.user_attrs.get(FIRST, trial.number), DEATHS: deaths},
            system_attrs=trial.system_attrs,
        )
    )


def _fails(storage: RDBStorage, trial_id: int) -> bool:
    """Whether it was this call that failed a trial."""
    try:
        return storage.set_trial_state_values(trial_id, state=TrialState.FAIL)
    except UpdateFinishedTrialError:
        return False
