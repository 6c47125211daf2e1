"""Repeat: the same cross-validation over other folds, to tell a score from luck."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import ttest_rel

from data.errors import UsageError
from data.metrics import Metric
from data.tables import Tables
from features.recipe import Workshop
from models.crossfit import CrossFit
from pipelines import studies
from pipelines.competition import Candidate, Competition
from pipelines.fitting import encode, fit
from pipelines.job import Job
from pipelines.stages import Ingested

LUCK = 0.05  # P above which a difference may be none


def repeat(
    competition: Competition,
    tables: Tables,
    candidate: Candidate,
    seeds: range,
    device: torch.device,
    workshop: Workshop,
) -> Iterator[CrossFit]:
    """The cross-validation of every seed; a seed draws the folds, the weights, the batches and the dropout.

    Folds that a column tells, or the order of times, stay as they are.
    """
    candidate = replace(candidate, config=replace(candidate.config, refit=0))
    strata = competition.schema.target.strata(tables.target, competition.split.folds)
    for seed in seeds:
        split, fold = replace(competition.split, seed=seed), tables.fold
        if split.is_drawn:
            fold = split.assign(strata, tables.train)
        encoded = encode(competition, replace(tables, fold=fold), candidate, workshop)
        yield fit(competition, encoded, candidate.config, seed=seed, device=device)


def versus(job: Job, ingested: Ingested, seeds: range, device: torch.device, workshop: Workshop) -> Iterator[str]:
    """Lines of the declared settings beside the best ones that a search found, seed by seed, and what follows.

    The search must not have seen the seeds: its own is that of the job and of the declared split.

    Raises:
        UnavailableError: nothing was searched.
        UsageError: a seed is that of the search, or there is nothing to search.
    """
    competition = job.competition
    model, candidate = competition.candidate(job.model)
    chosen = studies.choose_tuned(job, ingested.tables, ingested.label)
    for seed in (job.seed, competition.split.seed):
        if seed in seeds:
            raise UsageError(f'the search saw seed {seed}: take others, as with ARGS="--tuned --first 1000"')
    tuned = replace(candidate, config=chosen.config)
    runs = [repeat(competition, ingested.tables, each, seeds, device, workshop) for each in (candidate, tuned)]
    score, monitor = competition.metric, studies.searched_metric(job, candidate)
    fits = []
    yield f"{model}: {chosen.told}"
    for seed, declared, found in zip(seeds, *runs, strict=True):
        fits.append((declared, found))
        yield f"seed {seed}: out-of-fold {score.name} {declared.score:.4f} as declared, {found.score:.4f} tuned"
    yield Pairs(metric=score, declared=[one.score for one, _ in fits], tuned=[other.score for _, other in fits]).told()
    if monitor.name != score.name:
        pairs = Pairs(
            metric=monitor, declared=[one.monitor for one, _ in fits], tuned=[other.monitor for _, other in fits]
        )
        yield pairs.told()


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Scores of two configs over the same seeds."""

    metric: Metric
    declared: Sequence[float]
    tuned: Sequence[float]

    def told(self) -> str:
        """The difference and the sentence that follows from it, by a paired t-test over the seeds."""
        gain = np.subtract(self.tuned, self.declared) * (1 if self.metric.greater_is_better else -1)
        found = f"{self.metric.name}: {np.mean(self.declared):.4f} as declared, {np.mean(self.tuned):.4f} tuned"
        if len(gain) < 2 or not np.ptp(gain) > 0:
            return f"{found}: {'no difference' if not gain.any() else 'too few seeds to tell'}"
        p = float(ttest_rel(self.tuned, self.declared).pvalue)
        word = "cannot tell" if p > LUCK else "better" if gain.mean() > 0 else "worse"
        return f"{found}: {word} ({gain.mean():+.4f} +- {gain.std(ddof=1):.4f}, P = {p:.2g})"
