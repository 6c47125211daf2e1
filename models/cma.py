"""CMA-ES over a study's own trials: the covariance matrix adaptation of the package `cmaes`.

Optuna's sampler of that name keeps its state as a pickle in the study's storage, which would let whoever may write
there run code here. This one keeps none: before every draw it tells a fresh optimizer all trials that have finished.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

SIGMA = 1 / 6  # of the first normal distribution, where every range has length 1
Number = FloatDistribution | IntDistribution


class CmaSampler(BaseSampler):
    """Draws the numbers of a space by CMA-ES (Hansen, 2016, https://arxiv.org/abs/1604.00772), choices at random.

    Args:
        space: the distributions of all fields.
        default: the declared settings, the mean of the first distribution.
        seed: of the optimizer; the same for all trials of a search.
        drawn: of this one draw.
    """

    def __init__(
        self, space: Mapping[str, BaseDistribution], default: Mapping[str, Any], seed: int, drawn: int
    ) -> None:
        self.space = {name: each for name, each in space.items() if isinstance(each, Number) and not each.single()}
        self.default, self.seed, self.drawn = default, seed, drawn
        self.others = RandomSampler(seed=drawn)

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
    ) -> dict[str, BaseDistribution]:
        """The numbers, where there are two or more: one has no covariance."""
        return dict(self.space) if len(self.space) > 1 else {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """A draw of the distribution that the finished trials led to, generation after generation."""
        from cmaes import CMA

        if not search_space:
            return {}
        bounds = np.array([[0.0, 1.0]] * len(self.space))
        optimizer = CMA(self._place(self.default), SIGMA, bounds=bounds, seed=self.seed % 2**32)
        told = _told(study)
        sign = -1.0 if study.direction is StudyDirection.MAXIMIZE else 1.0
        for first in range(0, len(told) - optimizer.population_size + 1, optimizer.population_size):
            generation = told[first : first + optimizer.population_size]
            optimizer.tell([(self._place(each.params), sign * float(each.values[0])) for each in generation])
        optimizer._rng.seed(self.drawn)  # as Optuna does: the package seeds at its start only
        return {
            name: _value(each, float(place))
            for (name, each), place in zip(self.space.items(), optimizer.ask(), strict=True)
        }

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value."""
        return self.others.sample_independent(study, trial, param_name, param_distribution)

    def _place(self, params: Mapping[str, Any]) -> np.ndarray:
        """Settings as a point of the unit cube, float64 [numbers]."""
        return np.array([_place(each, params[name]) for name, each in self.space.items()])


def _told(study: optuna.Study) -> list[FrozenTrial]:
    """The trials with a value, in the order of their ends."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    found = [trial for trial in study.get_trials(deepcopy=False, states=states) if trial.values is not None]
    return sorted(found, key=lambda trial: (trial.datetime_complete, trial.number))


def _place(distribution: Number, value: float) -> float:
    low, high = distribution.low, distribution.high
    if distribution.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def _value(distribution: Number, place: float) -> float | int:
    low, high = distribution.low, distribution.high
    if distribution.log:
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        value = low + place * (high - low)
    if distribution.step is not None:
        value = low + round((value - low) / distribution.step) * distribution.step
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value
