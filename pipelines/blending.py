"""Blending: a run made of other runs' predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from data.metrics import Metric
from pipelines import keys, stages
from pipelines.effort import Effort, search
from pipelines.job import Job
from pipelines.place import check_device
from pipelines.reading import open_runs
from pipelines.runs import FinishedRun
from pipelines.stages import BLEND, Ingested, Trained


def train_and_blend(job: Job, effort: Effort | None = None, ingested: Ingested | None = None) -> list[Trained]:
    """The runs of all candidates that the job wants, and their blend where there are several.

    Args:
        job: what is wanted.
        effort: how long their spaces are searched first; None: not at all.
        ingested: the tables; None: they are read.

    Raises:
        UsageError: trials are wanted, and no candidate has a space.
    """
    jobs = [replace(job, model=model) for model in job.models]
    for each in jobs:
        _, candidate = each.competition.candidate(each.model)  # what makes no sense is told before long work
        each.competition.recipe_of(candidate).require()
    check_device(job.device)
    ingested = ingested or stages.ingest(job)
    if effort is not None:
        search(jobs, ingested, effort)
    trained = [stages.train(each, ingested) for each in jobs]
    return [*trained, blended(job, trained)] if len(trained) > 1 else trained


def blended(job: Job, trained: Sequence[Trained]) -> Trained:
    """The blend of the runs of several candidates, found or made.

    Raises:
        UsageError: their folds differ.
    """
    ingested = trained[0].ingested
    key = keys.blend_key([each.key for each in trained])
    runs = open_runs(job.home.mlruns)
    run = stages.finished(job, ingested, key, runs)
    if run is None:
        from pipelines.training import blend_anew  # MLflow, figures: what a hit does without

        made = blend_anew(job, trained, key, runs.writable())
    return _trained(run or made, trained, key, hit=run is not None)


def _trained(run: FinishedRun, parts: Sequence[Trained], key: str, hit: bool) -> Trained:
    return Trained(
        run=run, ingested=parts[0].ingested, model=BLEND, config=None, key=key, hit=hit, settings=settings_of(parts)
    )


def settings_of(parts: Sequence[Trained]) -> str:
    """The settings of a blend's parts, as they are told."""
    return "; ".join(f"{each.model} {each.settings}" for each in parts)


def best(metric: Metric, trained: Sequence[Trained]) -> Trained:
    """The run of the best score; the first of equals."""
    found = trained[0]
    for each in trained[1:]:
        if metric.better(each.run.metrics["cv_score"], found.run.metrics["cv_score"]):
            found = each
    return found
