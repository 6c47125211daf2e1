"""Competition: everything that is declared about one, and how the declarations are found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from data import metrics
from data.errors import UsageError
from data.labelled import Labelled
from data.metrics import Metric
from data.schema import Schema
from data.splits import Split
from data.targets import Classes, Flags, Number, Shares, Target
from features.recipe import Recipe
from models.config import Config, Loss, outputs_of
from models.pruners import LEAST_FOLDS, Pruner
from models.samplers import Space
from models.tuning import Search, check_space
from pipelines import environment
from submissions.board import Board
from submissions.layout import Labels, Layout
from submissions.thresholds import Thresholds

FOLDER = Path(__file__).parent / "competitions"
LOSSES: Mapping[type[Target], tuple[Loss, ...]] = {
    Classes: (Loss.CROSS_ENTROPY, Loss.BINARY),
    Number: (Loss.SQUARED, Loss.ABSOLUTE, Loss.HUBER),
    Flags: (Loss.MULTILABEL,),
    Shares: (Loss.DIVERGENCE,),
}
METRICS: Mapping[type[Target], tuple[Metric, ...]] = {
    Classes: (
        metrics.ACCURACY,
        metrics.LOG_LOSS,
        metrics.ROC_AUC,
        metrics.AVERAGE_PRECISION,
        metrics.F1,
        metrics.F1_MACRO,
        metrics.KAPPA,
    ),
    Number: (metrics.RMSE, metrics.RMSLE, metrics.MSE, metrics.MAE, metrics.MAPE),
    Flags: (metrics.FLAG_LOG_LOSS, metrics.ROC_AUC, metrics.AVERAGE_PRECISION, metrics.F1_MACRO),
    Shares: (metrics.DIVERGENCE,),
}
OF_LABELS = (metrics.ACCURACY, metrics.F1, metrics.F1_MACRO, metrics.KAPPA)
DECLARATION_ERRORS = (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError)  # of who writes one


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model that a competition can train; some models want features of their own."""

    config: Config
    recipe: Recipe | None = None  # None: the competition's
    space: Space = field(default_factory=dict)  # Optuna's distributions of the config's fields; {}: nothing to tune
    search: Search = field(default_factory=Search)

    def __post_init__(self) -> None:
        check_space(self.config, self.space, self.search)


@dataclass(frozen=True, kw_only=True)
class Competition:
    """One Kaggle competition. The first candidate is the default model."""

    slug: str  # its name in kaggle.com/c/<slug>, and of its archive
    schema: Schema
    metric: Metric
    recipe: Recipe
    candidates: Mapping[str, Candidate]
    layout: Layout
    split: Split = field(default_factory=Split)  # five stratified folds
    thresholds: Thresholds | None = None  # tuned for a metric of labels; None: the likeliest class, a flag from a half
    blend: tuple[str, ...] = ()  # the candidates that are trained and blended; (): the first one alone
    full: tuple[str, ...] = ()  # the same with --full, for whoever has the time
    trials: int = 0  # that are searched for each of them, unless TRIALS says how many
    board: Board | None = None  # Kaggle's final leaderboard; None: unknown
    labelled: Labelled | None = None  # where nobody has cut the rows into a train and a test file
    verbatim: bool = False  # a test row that repeats train rows in all columns but the group's takes their labels

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("a competition takes one candidate or more, but got none")
        for part, wanted in (
            (self.layout, Layout),
            (self.recipe, Recipe),
            (self.schema, Schema),
            (self.metric, Metric),
            (self.blend, tuple),
            (self.full, tuple),
        ):
            if not isinstance(part, wanted):
                raise ValueError(f"takes a {wanted.__name__}, but got {part!r}")
        self._check_metric("a metric", self.metric)
        self._check_columns()
        for name, candidate in self.candidates.items():
            self._check_candidate(name, candidate)
        for name in (*self.blend, *self.full):
            if name not in self.candidates:
                raise ValueError(f"blends candidates, which are {', '.join(self.candidates)}, but got {name!r}")
        if self.trials < 0:
            raise ValueError(f"searches no trials or some, but got {self.trials=}")

    def _check_metric(self, what: str, metric: Metric) -> None:
        """Refuses one of ours that scores other targets; what somebody else has written is theirs to know."""
        target = self.schema.target
        fits = [each for each in METRICS[type(target)] if each is not metrics.F1 or len(target.outputs) == 2]
        if metric in metrics.METRICS.values() and metric not in fits:
            named = ", ".join(each.name for each in fits)
            raise ValueError(f"{what} of {type(target).__name__} is one of {named}, but got {metric.name}")

    def _check_columns(self) -> None:
        self.layout.check(self.schema.target)
        if self.thresholds is not None:
            self.thresholds.rule(self.schema.target)
            if not isinstance(self.layout, Labels):
                raise ValueError(f"thresholds make labels of probabilities, but {self.layout} asks for no labels")
            if self.metric in metrics.METRICS.values() and self.metric not in OF_LABELS:
                raise ValueError(f"thresholds are tuned for a metric of labels, but got {self.metric.name}")
        if self.split.column in self.schema.target.columns:
            raise ValueError(f"a split's column tells folds, but {self.split.column} is predicted")
        for column in filter(None, (self.split.group, self.split.time)):
            if column not in self.schema.names:
                raise ValueError(f"a split's group and time are columns of the schema, but got {column!r}")
        if self.verbatim and not isinstance(self.schema.target, Classes):
            raise ValueError("verbatim takes labels over, but the target has no classes")

    def _check_candidate(self, name: str, candidate: Candidate) -> None:
        if not re.fullmatch(r"\w+", name):
            raise ValueError(f"a candidate's name is made of letters, digits and _, but got {name!r}")
        loss, target = candidate.config.loss, self.schema.target
        if loss not in LOSSES[type(target)]:
            fits = ", ".join(f"Loss.{each.name}" for each in LOSSES[type(target)])
            raise ValueError(f"a target of {type(target).__name__} takes {fits}, but got {loss!r}")
        outputs_of(loss, len(target.outputs))
        if candidate.config.monitor is not None:
            self._check_metric(f"the monitor of {name}", candidate.config.monitor)
        if candidate.search.pruner is Pruner.WILCOXON and self.split.folds < LEAST_FOLDS:
            raise ValueError(f"WILCOXON takes {LEAST_FOLDS} folds or more to tell, but got {self.split.folds}")

    def candidate(self, model: str | None) -> tuple[str, Candidate]:
        """The candidate of a name, or the default, with its name.

        Raises:
            UsageError: no such candidate.
        """
        name = model or next(iter(self.candidates))
        if name not in self.candidates:
            raise UsageError(f"MODEL takes {', '.join(self.candidates)}, but got {name!r}")
        return name, self.candidates[name]

    def recipe_of(self, candidate: Candidate) -> Recipe:
        """The candidate's recipe, or the competition's; what it reads is installed first, see `environment.provide`."""
        recipe = candidate.recipe or self.recipe
        environment.provide(recipe.packages())
        return recipe


def names() -> list[str]:
    """The names of all competitions: those of the files in pipelines/competitions/."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def find(name: str) -> Competition:
    """The declaration of a competition.

    Raises:
        UsageError: no such competition, or its file has a mistake.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names())}"
        raise UsageError(f"there is no competition {name!r}: {hint}")
    path = FOLDER / f"{name}.py"
    try:
        declared = getattr(import_module(f"pipelines.competitions.{name}"), "COMPETITION", None)
    except DECLARATION_ERRORS as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error} (--debug shows where)") from error
    if not isinstance(declared, Competition):
        raise UsageError(f"{path}: declares no COMPETITION = Competition(...)")
    return declared
