"""Closing: what a finished command tells of the run that it found or made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def _networks(job: Job, trained: Trained) -> str:
    if trained.config is None:
        return f"{trained.model}: {trained.run.tags['blended']}"
    members = f"{job.competition.split.folds} folds x {trained.config.members} members"
    if trained.config.refits:
        members += f", and {trained.config.refits} on all rows"
    if job.competition.split.forward:
        members += "; in time: new rows are answered by " + (
            "those on all rows" if trained.config.refits else "the last fold's"
        )
    return f"{trained.model}: {members}"


def closing(job: Job, trained: Sequence[Trained], chosen: Trained, seconds: float) -> str:
    """The summary of a run: names and values in two columns.

    Args:
        job: what was asked for.
        trained: all that was found or made.
        chosen: the one of them that is submitted.
        seconds: of the whole command.
    """
    tables, metrics = chosen.ingested.tables, chosen.run.metrics
    metric = job.competition.metric
    new = [each for each in trained if not each.hit and each.config is not None]
    spent = sum(each.run.metrics["train_seconds"] for each in new)
    took = f"trained in {spent:.1f} s on {chosen.run.tags['device']}" if new else "found: nothing was trained"
    usual = job.competition.schema.target.usual.name
    beside = "" if metric.name == usual else f", {usual.replace('_', ' ')} {metrics[f'cv_{usual}']:.4f}"
    lines = {
        "data": f"{tables.source}: {tables.place}",
        "rows": f"{len(tables.train):,} train, {len(tables.test):,} test{_other_rows(job, chosen)}",
        "networks": _networks(job, chosen),
        "settings": chosen.settings,
        f"cv {metric.name}": (
            f"{metrics['cv_score']:.4f}, standard deviation over folds {metrics['cv_std']:.4f}{beside}"
        ),
        "run": f"{chosen.run.name}, {took}",
        "seconds": f"{seconds:.1f} in all",
    }
    if job.competition.verbatim:
        lines["verbatim"] = (
            f"{metrics['verbatim/test_rows']:,.0f} test rows repeat train rows and take their labels; "
            f"{metrics['verbatim/train_rows']:,.0f} rows out of fold, {metrics['cv_score_verbatim']:.4f} with them"
        )
    others = [f"{each.run.name} {each.run.metrics['cv_score']:.4f}" for each in trained if each is not chosen]
    if others:
        lines["one by one" if chosen.config is None else "not submitted"] = ", ".join(others)
    if tables.best is not None:
        lines["twin's best"] = f"{tables.best:.4f} is the best that can be expected of any model"
    return columns(lines) + (f"\n{TWIN_WARNING}" if tables.source is Source.TWIN else "")


def columns(lines: Mapping[str, str]) -> str:
    """Names and values in two columns."""
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())
