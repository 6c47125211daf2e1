"""Tuning: what a search for better settings is told: the space, how it is searched, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.study import StudyDirection

from data.errors import UsageError
from data.metrics import Metric
from models.config import Config
from models.pruners import Pruner
from models.samplers import Sampler, Space, grid_of

DIGITS = 4  # that a float keeps: as it would be written into a declaration
FIXED = ("members", "refit", "monitor")  # fields that say how a trial is scored


@dataclass(frozen=True, kw_only=True)
class Search:
    """How a candidate's space is searched."""

    sampler: Sampler = Sampler.TPE
    pruner: Pruner = Pruner.MEDIAN
    members: int | None = None  # networks a fold of a trial; None: as many as the config has
    startup: int = 10  # trials that are drawn at random before the sampler learns from them

    def __post_init__(self) -> None:
        if not isinstance(self.sampler, Sampler) or not isinstance(self.pruner, Pruner):
            raise ValueError(f"takes a Sampler and a Pruner, but got {self.sampler=} {self.pruner=}")
        if self.startup < 1 or (self.members is not None and self.members < 1):
            raise ValueError(f"takes 1 or more, but got {self.startup=} {self.members=}")

    def config(self, config: Config) -> Config:
        """What a trial trains of a config: no networks on all rows, which no score sees."""
        return replace(config, refit=0, members=self.members or config.members)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When a search ends; trials under way are finished."""

    trials: int | None = None  # of the study, those of earlier searches and of other workers included
    seconds: float | None = None  # from now

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"TRIALS takes 1 or more, but got {self.trials}")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise UsageError(f"MINUTES takes a number above 0, but got {self.seconds / 60:g}")


def check_space(config: Config, space: Space, search: Search) -> None:
    """Refuses a space that cannot be searched.

    Raises:
        ValueError: it names no field of the config, or leaves out the declared value.
    """
    types = {field.name: str(field.type) for field in fields(config)}
    for name, distribution in space.items():
        if name not in types:
            raise ValueError(f"a space has the fields of {type(config).__name__}, but got {name!r}")
        if name in FIXED:
            raise ValueError(f"a space leaves out what says how trials are scored, but got {name!r}")
        if not isinstance(distribution, BaseDistribution):
            raise ValueError(f"a space holds Optuna's distributions, but got {name}={distribution!r}")
        value = plain(getattr(config, name))
        _check_kind(name, types[name], getattr(config, name), distribution)
        try:
            inside = distribution._contains(distribution.to_internal_repr(value))
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise ValueError(f"the declared value lies in its range, but got {name}={value!r} and {distribution}")
    if search.sampler is Sampler.GRID:
        grid_of(space)


def _check_kind(name: str, kind: str, value: Any, distribution: BaseDistribution) -> None:
    """Refuses a distribution of what a field can never be; `kind` is its type as it is written."""
    if kind.removesuffix(" | None") == "int" and isinstance(distribution, FloatDistribution):
        raise ValueError(f"whole numbers are drawn from an IntDistribution, but got {name}={distribution}")
    if not isinstance(distribution, CategoricalDistribution):
        return
    for choice in distribution.choices:
        if choice is not None and not isinstance(choice, bool | int | float | str):
            raise ValueError(f"a choice is a number, a text or None, but got {choice!r} for {name}")
        if isinstance(value, Enum) and choice not in [each.value for each in type(value)]:
            raise ValueError(f"takes {', '.join(map(str, type(value)))}, but got {choice!r} for {name}")


def plain(value: Any) -> Any:
    """A setting as Optuna keeps it: an enum by its value."""
    return value.value if isinstance(value, Enum) else value


def direction_of(metric: Metric) -> StudyDirection:
    """Which way a metric gets better."""
    return StudyDirection.MAXIMIZE if metric.greater_is_better else StudyDirection.MINIMIZE


def defaults_of(config: Config, space: Space) -> dict[str, Any]:
    """The declared values of a space's fields."""
    return {name: plain(getattr(config, name)) for name in space}


def applied(config: Config, params: Mapping[str, Any]) -> Config:
    """A config with the settings of a trial, floats rounded to `DIGITS`.

    Raises:
        ValueError: the settings do not go together.
    """
    found: dict[str, Any] = {}
    for name, value in params.items():
        before = getattr(config, name)
        if value == plain(before):
            continue
        if isinstance(before, Enum):
            found[name] = type(before)(value)
        else:
            found[name] = float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
    return replace(config, **found)
