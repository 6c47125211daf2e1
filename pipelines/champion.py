"""Champion: the run of an experiment whose model predicts new rows, unless another is named."""

from __future__ import annotations

from data.metrics import Metric
from pipelines.tracking import MODEL, FinishedRun, Tracker


def crown(experiment: str, metric: Metric, tracker: Tracker) -> FinishedRun | None:
    """Makes the model of the run with the best score the registered champion, if it is not; None: there is no model."""
    best: FinishedRun | None = None
    for run in tracker.trainings([experiment]):
        better = best is None or metric.better(run.metrics["cv_score"], best.metrics["cv_score"])
        if better and (run.artifacts / MODEL).is_dir():
            best = run
    if best is not None and tracker.champion(experiment) != best.id:
        tracker.crown(experiment, best)
    return best
