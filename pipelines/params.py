"""Params: what a run was made with, as MLflow's pages and a comparison show it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from enum import Enum
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.preprocessing import FunctionTransformer

from data.tables import Tables
from features.recipe import Recipe
from pipelines import keys
from pipelines.competition import Candidate, Competition

MOST = 8  # names that are written out


def params_of(competition: Competition, candidate: Candidate, tables: Tables, device: str) -> dict[str, object]:
    """Of a training: what it reads, what its recipe is made with, and its config."""
    return {
        "data_source": str(tables.source),
        "device": device,
        "folds": competition.split.folds,
        "family": type(candidate.config).__name__,
        **recipe_params(candidate.recipe or competition.recipe),
        **keys.settings(candidate.config),
    }


def recipe_params(recipe: Recipe) -> dict[str, str]:
    """The arguments of a recipe that are not as they are by default: `recipe.<argument>`, and what it is in words."""
    return {f"recipe.{name}": _told(value) for name, value in _given(recipe.encoder).items()}


def _given(made: Any) -> dict[str, Any]:
    """The arguments of an estimator of scikit-learn that are not their defaults."""
    if not isinstance(made, BaseEstimator):
        return {}
    defaults = {name: parameter.default for name, parameter in inspect.signature(type(made)).parameters.items()}
    given = made.get_params(deep=False)
    return {
        name: value for name, value in given.items() if not _same(value, defaults.get(name, inspect.Parameter.empty))
    }


def _same(value: Any, default: Any) -> bool:
    if value is default or type(value) is not type(default):
        return value is default
    try:
        return bool(value == default)
    except ValueError:  # arrays
        return False


def _told(value: Any) -> str:
    if isinstance(value, FunctionTransformer):
        return str(getattr(value.func, "__name__", value.func))
    if isinstance(value, BaseEstimator):
        told = ", ".join(f"{name}={_told(each)}" for name, each in _given(value).items())
        return f"{type(value).__name__}({told})"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        names = [_told(each) for each in value]
        return " ".join(names) if len(names) <= MOST else f"{names[0]} ... {names[-1]} ({len(names)})"
    return str(value)
