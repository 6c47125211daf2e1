"""Champion: the run of an experiment whose model predicts new rows, unless another is named."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from data.errors import PodiumError, UnavailableError
from data.metrics import Metric
from pipelines import console
from pipelines.home import MODEL
from pipelines.packaging import has_other_code
from pipelines.runs import ORIGIN, FinishedRun, Runs, is_scored_by


def ranked(runs: Sequence[FinishedRun], metric: Metric) -> list[FinishedRun]:
    """The best first; of equals the one that was first. Runs without a score by the metric are left out."""
    sign = -1 if metric.greater_is_better else 1
    alike = [run for run in runs if is_scored_by(run.tags, metric) and not isnan(run.metrics["cv_score"])]
    return sorted(alike, key=lambda run: (sign * run.metrics["cv_score"], run.ended))


def crown(experiment: str, metric: Metric, runs: Runs, fetches: bool = False) -> FinishedRun | None:
    """Makes the model of the best run the registered champion, here and on the server if there is one.

    A run that others made, whose model holds other code than this repository's, is none: nobody's code is run that was
    not asked for.

    Args:
        experiment: its name.
        metric: that runs are ranked by.
        runs: of the home.
        fetches: whether runs count that the server alone has.

    Returns:
        That run; None: no run has a model.
    """
    _crown_there(experiment, metric, runs)
    known = [run for run in ranked(runs.trainings([experiment]), metric) if fetches or not run.elsewhere]
    best = next(filter(None, (_servable(run, runs) for run in known)), None)
    if best is not None and runs.champion(experiment) != best.id:
        try:
            runs.writable().crown(experiment, best)
        except PodiumError as error:  # the home may be one to read only
            console.warn(str(error))
    return best


def _servable(run: FinishedRun, runs: Runs) -> FinishedRun | None:
    """The run, with its files here, if it has a model that may be the champion."""
    try:
        here = runs.fetch(run) if run.elsewhere else run
        if not (here.artifacts / MODEL).is_dir():
            return None
        if ORIGIN not in here.tags or not has_other_code(here.artifacts / MODEL):
            return here
    except PodiumError as error:
        console.warn(f"{error}: without {run.name}")
        return None
    console.warn(f"{run.name}, which others made, has code of its own: it predicts where it is named, RUN={run.name}")
    return None


def _crown_there(experiment: str, metric: Metric, runs: Runs) -> None:
    if runs.server is not None:
        try:
            runs.server.crown(experiment, metric)
        except UnavailableError as error:
            console.warn(f"{error}: without the runs that it has, and no champion is made there")
            runs.server = None
