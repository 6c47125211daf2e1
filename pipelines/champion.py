"""Champion: the run of an experiment whose model predicts new rows, unless another is named."""

from __future__ import annotations

from data.errors import UnavailableError
from data.metrics import Metric
from pipelines import console
from pipelines.home import MODEL
from pipelines.tracking import FinishedRun, Tracker


def crown(experiment: str, metric: Metric, tracker: Tracker) -> FinishedRun | None:
    """Makes the model of the run with the best score the registered champion, here and on the server if there is one.

    Returns:
        That run; None: no run has a model.
    """
    _crown_there(experiment, metric, tracker)
    best: FinishedRun | None = None
    for run in reversed(tracker.trainings([experiment])):  # of equals the one that was first
        better = best is None or metric.better(run.metrics["cv_score"], best.metrics["cv_score"])
        if better and (run.elsewhere or (run.artifacts / MODEL).is_dir()):
            best = run
    if best is not None and best.elsewhere:
        best = tracker.fetch(best)
    if best is not None and tracker.champion(experiment) != best.id:
        tracker.crown(experiment, best)
    return best


def _crown_there(experiment: str, metric: Metric, tracker: Tracker) -> None:
    if tracker.server is not None:
        try:
            tracker.server.crown(experiment, metric.better)
        except UnavailableError as error:
            console.warn(f"{error}: no champion is made there")
