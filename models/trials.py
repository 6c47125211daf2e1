"""Trials: what one leaves in its study, which of them count, and how one is run again."""

from __future__ import annotations

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
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = 1 if study.direction is StudyDirection.MINIMIZE else -1
    return min(complete, key=lambda trial: (sign * trial.values[0], trial.number), default=None)


def place_of(trial: FrozenTrial, study: optuna.Study) -> int:
    """How many settings were drawn before those of a trial; one that is run again has the place that it had."""
    first = trial.user_attrs.get(FIRST, trial.number)
    before = study.get_trials(deepcopy=False)[:first]
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
