"""Ablation: every value of one setting, cross-validated over the same folds and seed, side by side."""

from __future__ import annotations

import difflib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from data.errors import PodiumError, UsageError
from data.metrics import Metric
from models.config import Config
from models.crossfit import CrossFit
from models.devices import resolve
from models.epochs import Epoch, Told
from models.tuner import FAILURES, line_of
from models.tuning import plain
from pipelines import fitting, report
from pipelines.home import scratch
from pipelines.job import Job
from pipelines.origin import tags_of
from pipelines.progress import progress
from pipelines.runs import Child
from pipelines.stages import Ingested
from pipelines.tracking import Tracker
from pipelines.training import describe
from pipelines.workshop import KeptWorkshop

KINDS = {  # of a config's fields: the types of their values, and how they are called
    "bool": ((bool,), "true and false"),
    "int": ((int,), "whole numbers"),
    "float": ((int, float), "numbers"),
}
MOST_COLORS = 10  # values that are told apart by them; more go from dark to light
MOST_BESIDE = 16  # values in a column of the legend
MOST_TIMES_BEST = 3.0  # times the least loss at which the axis of losses ends


@dataclass(frozen=True, kw_only=True)
class Case:
    """One value, and what came of it."""

    value: Any
    history: tuple[Epoch, ...]
    fit: CrossFit | None  # None: it could not be trained
    reason: str | None
    started: float  # seconds since 1970
    ended: float


def values_of(config: Config, over: str, wanted: str | None) -> list[Any]:
    """The values of a config's field that are compared.

    Args:
        config: the declared one.
        over: the field.
        wanted: values with commas between; None: all of an enum.

    Raises:
        UsageError: no such field, no such value, or none at all.
    """
    types = {field.name: str(field.type) for field in fields(config)}
    names = list(types)
    if over not in names:
        near = difflib.get_close_matches(over, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise UsageError(f"{type(config).__name__} has no field {over!r}: {hint}")
    declared = getattr(config, over)
    if wanted is None:
        if isinstance(declared, Enum):
            return list(type(declared))
        told = f"{over}={plain(declared)} is no enum: say which values to compare"
        raise UsageError(f'{told}, as with ARGS="--values 0.1,0.2"')
    return [_read(over, types[over], declared, text.strip()) for text in wanted.split(",")]


def _read(over: str, kind: str, declared: Any, text: str) -> Any:
    """A value as it is written in Python or JSON; what is no value of the field's type is refused."""
    if isinstance(declared, Enum):
        known = {each.value: each for each in type(declared)}
        if text in known:
            return known[text]
        raise UsageError(f"{over} takes {', '.join(known)}, but got {text!r}")
    try:
        value = json.loads(text.lower().replace("none", "null"))
    except ValueError:
        value = text
    plain_kind = kind.removesuffix(" | None")
    if plain_kind not in KINDS:
        raise UsageError(f"values of {over} cannot be written here: compare them as candidates of the competition")
    types, named = KINDS[plain_kind]
    if type(value) in types or (value is None and plain_kind != kind):
        return value
    raise UsageError(f"{over} takes {named}{' and none' * (plain_kind != kind)}, but got {text!r}")


def ablate(job: Job, ingested: Ingested, over: str, wanted: str | None) -> str:
    """Cross-validates every value, writes a run with their curves, and returns a table.

    Raises:
        UsageError: see `values_of`.
        PodiumError: no value could be trained.
    """
    model, candidate = job.competition.candidate(job.model)
    config, metric = candidate.config, job.competition.metric
    values = values_of(config, over, wanted)
    device = resolve(job.device)
    candidate = replace(candidate, config=replace(config, refit=0))
    encoded = fitting.encode(job.competition, ingested.tables, candidate, KeptWorkshop(job.home.cache, device))
    tags = {**tags_of(job, model, ingested.tables, device.type), "ablation.over": over}
    declared = plain(getattr(config, over))
    tracker = Tracker(job.home.mlruns)
    cases = []
    describe(job, ingested, tracker)
    with tracker.run(ingested.label, f"ablate-{model}-{over}", tags, {over: str(declared)}) as running:
        for value in values:
            cases.append(_case(job, encoded, candidate.config, over, value, device))
            tracker.add_child(ingested.label, running.id, _child(cases[-1], over, model, metric))
        trained = [case for case in cases if case.fit is not None]
        if not trained:
            raise PodiumError(f"{job.name} {model}: no value of {over} could be trained: {cases[-1].reason}")
        with scratch() as folder:
            report.write_png(curves(trained, over, metric), folder / f"ablation_{over}.png")
            running.keep(folder)
    figure = f"curves of all in ablation_{over}.png of the run ablate-{model}-{over}: make ui"
    return f"{table(cases, over, declared, metric)}\n{figure}"


def _case(job: Job, encoded: fitting.Encoded, config: Config, over: str, value: Any, device: torch.device) -> Case:
    history: list[Epoch] = []
    fit, reason, started = None, None, time.time()
    metric = job.competition.metric
    with progress(f"{job.name} {over}={plain(value)}", metric, config.epochs) as show:

        def watch(epoch: Told) -> None:
            show(epoch)
            if isinstance(epoch, Epoch):
                history.append(epoch)

        try:
            changed = replace(config, **{over: value})
            fit = fitting.fit(job.competition, encoded, changed, seed=job.seed, device=device, watch=watch)
        except FAILURES as error:
            reason = line_of(error)
    return Case(value=plain(value), history=tuple(history), fit=fit, reason=reason, started=started, ended=time.time())


def _child(case: Case, over: str, model: str, metric: Metric) -> Child:
    series = {
        "train/loss": {epoch.number: epoch.train_loss for epoch in case.history},
        f"valid/{metric.name}": {epoch.number: epoch.score for epoch in case.history},
        "seconds": {0: case.ended - case.started},
    }
    if case.fit is not None:
        series[f"trial_{metric.name}"] = {0: case.fit.score}
    return Child(
        name=f"{over}={case.value}",
        tags={"model": model, "ablation.over": over, **({} if case.reason is None else {"error": case.reason})},
        params={over: str(case.value)},
        series=series,
        status="FINISHED" if case.fit is not None else "FAILED",
        started=round(1000 * case.started),
        ended=round(1000 * case.ended),
    )


def curves(cases: Sequence[Case], over: str, metric: Metric) -> Figure:
    """Train loss and out-of-fold score by epoch, a line a value; the axes leave out what is far off the rest."""
    figure = Figure(figsize=(1.4 * report.SIZE[0], report.SIZE[1]), layout="constrained")
    left, right = figure.subplots(1, 2)
    shades = colormaps["viridis"](np.linspace(0, 0.95, len(cases)))
    for number, case in enumerate(cases):
        numbers = [epoch.number for epoch in case.history]
        color = f"C{number}" if len(cases) <= MOST_COLORS else shades[number]
        left.plot(numbers, [epoch.train_loss for epoch in case.history], color=color)
        right.plot(numbers, [epoch.score for epoch in case.history], color=color, label=str(case.value))
    losses = [epoch.train_loss for case in cases for epoch in case.history if math.isfinite(epoch.train_loss)]
    if losses and max(losses) > MOST_TIMES_BEST * min(losses) > 0:
        left.set_yscale("log")
    left.set(title="train loss", xlabel="epoch")
    right.set(title=f"out-of-fold {metric.name}", xlabel="epoch")
    columns = math.ceil(len(cases) / MOST_BESIDE)
    figure.legend(frameon=False, title=over, loc="outside right center", ncols=columns)
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    report.quiet(np.array([left, right]))
    return figure


def table(cases: Sequence[Case], over: str, declared: Any, metric: Metric) -> str:
    """The values from the best to the worst, and then those that could not be trained."""
    sign = -1 if metric.greater_is_better else 1
    order = sorted(cases, key=lambda case: math.inf if case.fit is None else sign * case.fit.score)
    width = max(len(over), *(len(_named(case, declared)) for case in cases))
    lines = [f"{over:<{width}}  {metric.name:>9}  std   epochs  train loss  seconds"]
    for case in order:
        name = f"{_named(case, declared):<{width}}"
        if case.fit is None:
            lines.append(f"{name}  {'failed':>9}  {case.reason}")
            continue
        epochs = "-".join(map(str, sorted({min(case.fit.fold_epochs), max(case.fit.fold_epochs)})))
        lines.append(
            f"{name}  {case.fit.score:>9.4f}  {np.std(case.fit.fold_scores):.3f}  {epochs:>6}  "
            f"{case.history[-1].train_loss:>10.4f}  {case.ended - case.started:>7.1f}"
        )
    return "\n".join(lines)


def _named(case: Case, declared: Any) -> str:
    return f"{case.value}" + (" (declared)" if case.value == declared else "")
