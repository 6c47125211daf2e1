"""Closing: what a finished command tells of the run that it found or made."""

from __future__ import annotations

from data.sources import Source
from pipelines.job import Job
from pipelines.stages import TWIN_WARNING, Trained


def _other_rows(job: Job, trained: Trained) -> str:
    """A word where the real files are not of the declared size."""
    schema, tables = job.competition.schema, trained.ingested.tables
    declared = (schema.train_rows, schema.test_rows)
    if tables.source is Source.TWIN or declared == (len(tables.train), len(tables.test)):
        return ""
    return f" (declared: {declared[0]:,} and {declared[1]:,})"


def closing(job: Job, trained: Trained, seconds: float) -> str:
    """The summary of a run: names and values in two columns.

    Args:
        job: what was asked for.
        trained: what was found or made.
        seconds: of the whole command.
    """
    tables, metrics, config = trained.ingested.tables, trained.run.metrics, trained.config
    metric = job.competition.metric
    members = f"{job.competition.split.folds} folds x {config.members} members"
    if config.refit:
        members += f", and {config.members} on all rows"
    device = trained.run.tags["device"]
    took = "found: nothing was trained" if trained.hit else f"trained in {metrics['train_seconds']:.1f} s on {device}"
    lines = {
        "data": f"{tables.source}: {tables.place}",
        "rows": f"{len(tables.train):,} train, {len(tables.test):,} test{_other_rows(job, trained)}",
        "networks": f"{trained.model}: {members}",
        f"cv {metric.name}": f"{metrics['cv_score']:.4f}, standard deviation over folds {metrics['cv_std']:.4f}",
        "run": f"{trained.run.name}, {took}",
        "seconds": f"{seconds:.1f} in all",
    }
    if tables.best is not None:
        lines["twin's best"] = f"{tables.best:.4f} is the best that can be expected of any model"
    width = max(map(len, lines))
    text = "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())
    return text + (f"\n{TWIN_WARNING}" if tables.source is Source.TWIN else "")
