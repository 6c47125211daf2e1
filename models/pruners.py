"""Pruners: which trials end before their last epoch."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import cast

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from scipy.stats import wilcoxon

from models.epochs import Epoch
from models.trials import FOLD_SCORES, best_of

WARMUP = 1 / 3  # share of the epochs that median, patient and Wilcoxon let pass
LEAST_TRIALS = 5  # that the median is one of
FRESH = 2.0  # seconds that a snapshot of the other trials holds
LEAST_FOLDS = 5  # with fewer, Wilcoxon's test never comes below `MOST_P`
MOST_P = 0.05  # of a trial that is as good as the best one


class Pruner(StrEnum):
    """What ends a trial early, by its scores over all out-of-fold rows by epoch."""

    NONE = "none"
    MEDIAN = "median"  # worse than the median of the trials before it at the same epoch
    HYPERBAND = "hyperband"  # not among the best third of its bracket (Li et al., 2018)
    WILCOXON = "wilcoxon"  # worse than the best trial in nearly every fold, by Wilcoxon's signed-rank test
    PATIENT = "patient"  # as median, and has not got better for some epochs


def build_pruner(pruner: Pruner, epochs: int) -> BasePruner:
    """Optuna's pruner of a name, for trials of so many epochs; Wilcoxon's is asked apart, by `worse_in_folds`."""
    median = MedianPruner(n_startup_trials=LEAST_TRIALS, n_warmup_steps=round(WARMUP * epochs))
    match pruner:
        case Pruner.MEDIAN:
            return median
        case Pruner.HYPERBAND:
            return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
        case Pruner.PATIENT:
            with warnings.catch_warnings(action="ignore"):  # that it is experimental
                return PatientPruner(median, patience=max(1, round(epochs / 10)))
        case _:
            return NopPruner()


class Snapshot:
    """The complete trials of a study, read again after a while: what a pruner that compares with them may ask.

    Args:
        study: shared, in a storage that takes some milliseconds to read.
    """

    def __init__(self, study: optuna.Study) -> None:
        self.study, self.direction = study, study.direction
        self._read = -FRESH
        self._complete: list[FrozenTrial] = []

    def get_trials(
        self,
        deepcopy: bool = False,  # noqa: ARG002
        states: Sequence[TrialState] | None = None,  # noqa: ARG002
    ) -> list[FrozenTrial]:
        """The complete trials, which are all that a median is taken of."""
        if time.monotonic() - self._read > FRESH:
            self._complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            self._read = time.monotonic()
        return self._complete

    def prunes(self, trial: Trial, scores: Mapping[int, float]) -> bool:
        """Whether the study's pruner, which takes medians, ends a trial with these scores by epoch."""
        frozen = create_trial(state=TrialState.RUNNING, intermediate_values=dict(scores))
        frozen.number = trial.number
        return self.study.pruner.prune(cast(optuna.Study, self), frozen)


def worse_in_folds(study: optuna.Study, epoch: Epoch, epochs: int) -> bool:
    """Whether the folds of an epoch score worse than those of the best trial in the same epoch.

    Folds are paired, since all trials have the same; five of them allow P = 1/32 at the least, where all are worse.
    Optuna's own pruner of that name takes its pairs one after another, but here all folds train at once.

    Args:
        study: whose best trial is compared.
        epoch: of the trial under way.
        epochs: of a whole trial, of which the first `WARMUP` pass.
    """
    if epoch.number <= WARMUP * epochs:
        return False
    best = best_scores(study, epoch.number)
    if best is None:
        return False
    better = np.array(epoch.fold_monitors) - np.array(best)  # [folds]
    if study.direction is StudyDirection.MINIMIZE:
        better = -better
    if not np.isfinite(better).all() or not better.any():
        return False
    return bool(wilcoxon(better, alternative="less", zero_method="zsplit", method="exact").pvalue <= MOST_P)


def best_scores(study: optuna.Study, number: int) -> Sequence[float] | None:
    """The best trial's scores by fold in an epoch, counted from 1; None where it has none."""
    best = best_of(study)
    by_epoch = [] if best is None else best.user_attrs.get(FOLD_SCORES, [])
    return by_epoch[number - 1] if number <= len(by_epoch) else None
