"""Repeat: the same cross-validation over other folds, to tell a score from luck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from data.tables import Tables
from features.recipe import Workshop
from models.crossfit import CrossFit
from pipelines.competition import Candidate, Competition
from pipelines.fitting import encode, fit


def repeat(
    competition: Competition,
    tables: Tables,
    candidate: Candidate,
    seeds: range,
    device: torch.device,
    workshop: Workshop,
) -> Iterator[CrossFit]:
    """The cross-validation of every seed; a seed draws the folds, the weights, the batches and the dropout."""
    candidate = replace(candidate, config=replace(candidate.config, refit=0))
    group = competition.split.group
    groups = None if group is None else tables.train[group].to_numpy()
    for seed in seeds:
        fold = replace(competition.split, seed=seed).assign(tables.target, groups)
        encoded = encode(competition, replace(tables, fold=fold), candidate, workshop)
        yield fit(competition, encoded, candidate.config, seed=seed, device=device)
