"""Samplers: which settings a search tries next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from models.cma import CmaSampler
from models.trials import SURPLUS, WORKER, place_of, whole

MOST_COMBINATIONS = 1_000_000  # of a grid

Space = Mapping[str, BaseDistribution]  # by the names of a config's fields


class Sampler(StrEnum):
    """How the next settings are drawn."""

    TPE = "tpe"  # where good trials were dense, all fields together (Bergstra et al., 2011; Falkner et al., 2018)
    RANDOM = "random"
    GP = "gp"  # a Gaussian process: for some hundred trials of numbers at most
    CMA_ES = "cma-es"  # a normal distribution that moves and bends (Hansen, 2016): numbers only, others at random
    GRID = "grid"  # every combination once; a float needs a step


class Seeded(BaseSampler):
    """A sampler that draws every trial from a generator of the seed and the trial's place in the study.

    So a search that was killed goes on with the draws that it would have had, and workers that share a seed do not
    draw the same.

    Args:
        make: a sampler of a seed.
        seed: of the search.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self.make, self.seed = make, seed
        self.own = make(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Draws from the trial's own generator from here on."""
        drawn = np.random.SeedSequence([self.seed, place_of(trial, study)]).generate_state(1, np.uint32)
        self.own = self.make(int(drawn[0]))
        self.own.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See Optuna."""
        return self.own.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See Optuna."""
        return self.own.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See Optuna."""
        return self.own.sample_independent(study, trial, param_name, param_distribution)


class Grid(BaseSampler):
    """Draws every combination once; Optuna's own would draw the declared one twice.

    Workers that drew the same at the same time both give it up, and then draw from another order each.

    Args:
        space: the distributions of all fields.
        seed: of the order in which a trial looks for a combination that is free.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = dict(space), seed

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space."""
        return self.space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The first combination that no trial has."""
        values = grid_of(self.space)
        shape = tuple(map(len, values.values()))
        every = whole(study)
        taken = {
            combination_of(other, self.space)
            for other in every
            if other.state is not TrialState.WAITING
            and SURPLUS not in other.user_attrs
            and (other.state is not TrialState.FAIL or WORKER in other.user_attrs)  # else its settings are drawn anew
        }
        found: dict[str, Any] = {}
        given_up = sum(SURPLUS in other.user_attrs for other in every)
        for place in np.random.default_rng([self.seed, given_up]).permutation(math.prod(shape)):
            at = np.unravel_index(place, shape)
            found = {name: values[name][each] for name, each in zip(values, at, strict=True)}
            if _rounded(found.values()) not in taken:
                break
        return found

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value, of a field that some settings leave out."""
        return RandomSampler(self.seed).sample_independent(study, trial, param_name, param_distribution)


def combination_of(trial: FrozenTrial, space: Space) -> tuple[Any, ...]:
    """A trial's values of a space's fields, rounded so that those of a grid can be told to be the same."""
    return _rounded(trial.params.get(name) for name in space)


def _rounded(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(float(f"{value:.9g}") if isinstance(value, float) else value for value in values)


def build_sampler(sampler: Sampler, space: Space, startup: int, seed: int, default: Mapping[str, Any]) -> Seeded:
    """Optuna's sampler of a name.

    Args:
        sampler: its name.
        space: what it draws from.
        startup: trials that are drawn at random before it learns from them.
        seed: of all its draws.
        default: the declared settings, where CMA-ES begins.
    """
    own = dict(space)
    makers: dict[Sampler, Callable[[int], BaseSampler]] = {
        Sampler.TPE: lambda drawn: TPESampler(
            seed=drawn, n_startup_trials=startup, multivariate=True, constant_liar=True
        ),
        Sampler.RANDOM: lambda drawn: RandomSampler(seed=drawn),
        Sampler.GP: lambda drawn: GPSampler(seed=drawn, n_startup_trials=startup),
        Sampler.CMA_ES: lambda drawn: CmaSampler(own, default, seed, drawn),
        Sampler.GRID: lambda drawn: Grid(own, drawn),
    }
    return Seeded(makers[sampler], seed)


def grid_of(space: Space) -> dict[str, Sequence[Any]]:
    """Every value of every field.

    Raises:
        ValueError: a field is a float without a step, or there are more than `MOST_COMBINATIONS`.
    """
    found = {name: _values(name, distribution) for name, distribution in space.items()}
    size = math.prod(map(len, found.values()))
    if size > MOST_COMBINATIONS:
        raise ValueError(f"a grid has {MOST_COMBINATIONS:,} combinations at most, but got {size:,}")
    return found


def grid_size(space: Space) -> int:
    """How many combinations a grid has."""
    return math.prod(map(len, grid_of(space).values()))


def _values(name: str, distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution) and not distribution.log:
        return range(distribution.low, distribution.high + 1, distribution.step)
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        steps = round((distribution.high - distribution.low) / distribution.step)
        return [distribution.low + number * distribution.step for number in range(steps + 1)]
    raise ValueError(f"a grid takes choices, whole numbers and floats with a step, but got {name}={distribution!r}")
