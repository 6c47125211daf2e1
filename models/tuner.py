"""Tuner: a search for better settings, trial by trial. Workers of one study share its storage and nothing else.

A trial is a whole cross-validation. A search ends when so many trials have finished, whoever ran them; a trial whose
worker died is run again, one that cannot be trained is failed with its reason. What a worker claims, it claims in the
storage, so that nobody needs to watch over them.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta

import optuna
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import TrialPruned, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState

from data.errors import PodiumError, StorageError, UnavailableError
from models import trials
from models.config import Config
from models.crossfit import CrossFit
from models.epochs import Epoch, Told, Watch
from models.pruners import Pruner, Snapshot, build_pruner, worse_in_folds
from models.pulse import GRACE, Pulse, StoppedError, Worker
from models.samplers import Sampler, Space, build_sampler, combination_of, grid_size
from models.selection import DivergedError
from models.trials import abandon, is_finished, release, repair
from models.tuning import Budget, Search, applied, defaults_of

POLL = 0.5  # seconds until a worker that waits for others looks again
FAILURES = (PodiumError, ValueError, TypeError, ArithmeticError, MemoryError, RuntimeError)  # of settings

Fit = Callable[[Config, Watch], CrossFit]


class Tuning:
    """One worker's part of a search.

    Args:
        study: shared by all workers.
        storage: the one that the study lies in; with heartbeats.
        config: the declared one.
        space: of its fields.
        search: how to search it.
        budget: when to end.
        worker: who works here.
        told: called after every trial that ended here.
        seed: of what the sampler draws.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: RDBStorage,
        config: Config,
        space: Space,
        search: Search,
        budget: Budget,
        worker: Worker,
        told: Callable[[], None],
        seed: int = 0,
    ) -> None:
        self.study, self.storage, self.space, self.search, self.told = study, storage, dict(space), search, told
        self.config, self.worker = search.config(config), worker
        self.trials = budget.trials
        self.combinations = grid_size(space) if search.sampler is Sampler.GRID else None
        self.deadline = math.inf if budget.seconds is None else time.monotonic() + budget.seconds
        self.epochs = _most_epochs(space.get("epochs"), config)
        study.sampler = build_sampler(search.sampler, space, search.startup, seed, defaults_of(config, space))
        study.pruner = build_pruner(search.pruner, self.epochs)
        self._suspected: set[int] = set()
        self._revived = -math.inf  # on the clock of `time.monotonic`

    def run(self, fit: Fit) -> None:
        """Runs trials until the budget is used up.

        Args:
            fit: trains a trial's config, and tells of its epochs.

        Raises:
            StoppedError: the search was stopped.
        """
        with Pulse(self.study, self.storage, self.worker) as pulse:
            while self._finds_a_place(pulse):
                with warnings.catch_warnings(action="ignore"):  # that heartbeats are for `optimize` only: see Pulse
                    trial = self.study.ask(self.space)
                with pulse.of(trial):
                    try:
                        if not self._claims(trial):
                            continue
                        self._run(trial, fit, pulse)
                    except UpdateFinishedTrialError:
                        continue  # it was held for dead, and another worker runs it now
                self.told()

    def _finds_a_place(self, pulse: Pulse) -> bool:
        """Whether there is a trial left to run; waits while others run what may be the last ones."""
        while True:
            pulse.check()
            self._revive()
            if time.monotonic() >= self.deadline:
                return False
            done, running, wanted = self._standing()
            if done >= wanted:
                return False
            if done + len(running) < wanted:
                return True
            pulse.wait(POLL)

    def _revive(self) -> None:
        """Queues the trials of dead workers again, looking for them now and then."""
        if time.monotonic() - self._revived < POLL:
            return
        self._revived = time.monotonic()
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = trial.user_attrs.get(trials.WORKER)
            if worker is not None and self.worker.dead(worker):
                abandon(self.study, self.storage, trial._trial_id)
            elif worker is None and trial._trial_id not in self._suspected:
                self._suspected.add(trial._trial_id)  # its worker may have died before its first sign of life, for
                self.storage.record_heartbeat(trial._trial_id)  # lack of which Optuna would never find it stale
        for trial_id in self.storage._get_stale_trial_ids(self.study._study_id):
            abandon(self.study, self.storage, trial_id)
        repair(self.study, timedelta(seconds=GRACE))

    def _claims(self, trial: Trial) -> bool:
        """Whether the trial is within the budget: of workers that took the last places at once, the first ones are."""
        if self._has_room(trial):  # who has none claims nothing, so that who has is not held up
            trial.set_user_attr(trials.WORKER, self.worker.name)
            if not self._is_double(trial):
                return True
        trial.set_user_attr(trials.SURPLUS, True)
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        return False

    def _has_room(self, trial: Trial) -> bool:
        done, running, wanted = self._standing()
        return done + sum(number < trial.number for number in running) < wanted

    def _standing(self) -> tuple[int, list[int], float]:
        """How many trials have finished, the numbers of those that run, and how many are to finish."""
        every = self.study.get_trials(deepcopy=False)  # one look, as each takes milliseconds
        running = [trial.number for trial in every if trial.state is TrialState.RUNNING]
        done = list(filter(is_finished, every))
        wanted = math.inf if self.trials is None else self.trials
        if self.combinations is not None:
            tried = {combination_of(trial, self.space) for trial in done}
            wanted = min(wanted, self.combinations + len(done) - len(tried))  # other samplers draw some of them twice
        return len(done), running, wanted

    def _is_double(self, trial: Trial) -> bool:
        """Whether another worker drew the same combination of a grid at the same time."""
        if self.search.sampler is not Sampler.GRID or trials.FIRST in trial.user_attrs:
            return False
        others = [each for each in self.study.get_trials(deepcopy=False) if each.number != trial.number]
        claimed = [
            each for each in others if trials.WORKER in each.user_attrs and trials.SURPLUS not in each.user_attrs
        ]
        return any(each.params == trial.params for each in claimed)

    def _run(self, trial: Trial, fit: Fit, pulse: Pulse) -> None:
        started = time.monotonic()
        history: list[Epoch] = []
        state, value, error = TrialState.FAIL, None, None
        others = Snapshot(self.study)

        def watch(epoch: Told) -> None:
            pulse.check()
            if isinstance(epoch, Epoch):
                history.append(epoch)
                self._judge(trial, history, others)

        try:
            found = fit(applied(self.config, trial.params), watch)
            state, value = TrialState.COMPLETE, found.monitor
            trial.set_user_attr(trials.SCORE, found.score)
        except TrialPruned:
            state = TrialState.PRUNED
        except (KeyboardInterrupt, StoppedError, StorageError, UnavailableError):  # no fault of the trial's
            release(self.study, self.storage, trial._trial_id)
            raise
        except UpdateFinishedTrialError:
            raise
        except FAILURES as failure:
            error = line_of(failure)
        except Exception as bug:  # of ours: it is shown, but is no reason to run into it again
            trial.set_user_attr(trials.ERROR, line_of(bug))
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        if history:
            trial.set_user_attr(trials.TRAIN_LOSS, [epoch.train_loss for epoch in history])
            trial.set_user_attr(trials.FOLD_SCORES, [list(epoch.fold_monitors) for epoch in history])
        if error is not None:
            trial.set_user_attr(trials.ERROR, error)
        trial.set_user_attr(trials.SECONDS, time.monotonic() - started)
        self.study.tell(trial, value, state, skip_if_finished=True)

    def _judge(self, trial: Trial, history: Sequence[Epoch], others: Snapshot) -> None:
        """Ends a trial whose loss is none, or that is not worth its next epoch."""
        epoch = history[-1]
        trial.report(epoch.monitor, epoch.number)
        if not math.isfinite(epoch.train_loss):
            raise DivergedError(f"the loss is no number in epoch {epoch.number}: lower lr, or set clip")
        if self.search.pruner is Pruner.WILCOXON:
            prunes = worse_in_folds(self.study, epoch, self.epochs)
        elif self.search.pruner in (Pruner.MEDIAN, Pruner.PATIENT):
            prunes = others.prunes(trial, {each.number: each.monitor for each in history})
        else:
            prunes = trial.should_prune()
        if prunes:
            raise TrialPruned


def _most_epochs(distribution: BaseDistribution | None, config: Config) -> int:
    """The epochs of the longest trial."""
    if isinstance(distribution, CategoricalDistribution):
        return max(int(choice) for choice in distribution.choices if isinstance(choice, int))
    return int(getattr(distribution, "high", config.epochs))


def line_of(error: BaseException) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    told = lines[0] if lines else type(error).__name__
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        return f"out of memory: {told}"
    return told if isinstance(error, PodiumError | ValueError) else f"{type(error).__name__}: {told}"
