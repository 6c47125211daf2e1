"""Leaks: how much a split that tears kin apart would flatter, measured on a small model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import torch

from data.errors import UsageError
from data.tables import Tables
from features.recipe import Workshop
from models.crossfit import CrossFit
from models.epochs import Watch
from pipelines.competition import Candidate, Competition
from pipelines.fitting import encode, fit
from submissions.paired import LEVEL, Paired, compare

EPOCHS = 2  # at most: kin are remembered soon


@dataclass(frozen=True, kw_only=True)
class Leak:
    """The same small model, with kin on one side and with every row on any side."""

    paired: Paired  # A: kin on one side; B: rows on any

    def told(self, group: str) -> str:
        """The sentence that follows."""
        paired = self.paired
        lead = f"{abs(paired.gain):.4f} ({LEVEL:.0%} interval of the gain {paired.low:+.4f} to {paired.high:+.4f})"
        word = "better" if paired.gain > 0 else "worse"
        looks = f"it looks {word} by {lead} than on rows of a {group} that nobody has seen"
        if paired.verdict == "cannot tell":
            return f"Cannot tell whether a naive split would flatter: {looks}, which may be luck."
        return f"A naive split would {'' if paired.verdict == 'better' else 'not '}flatter: {looks}."


def small(candidate: Candidate) -> Candidate:
    """One network a fold, and few epochs."""
    epochs = min(candidate.config.epochs, EPOCHS)
    return replace(candidate, config=replace(candidate.config, members=1, refit=0, epochs=epochs))


def measure(
    competition: Competition,
    tables: Tables,
    candidate: Candidate,
    *,
    seed: int,
    device: torch.device,
    workshop: Workshop,
    show: Callable[[str], AbstractContextManager[Watch]],
) -> Leak:
    """Cross-validates twice: in the competition's folds, and in stratified ones that know no groups.

    Args:
        competition: whose split names a group.
        tables: in the competition's folds.
        candidate: what is trained, made small.
        seed: of the random folds, and of both trainings.
        device: where to train.
        workshop: where the recipe is prepared.
        show: of the name of a cross-validation, who is told of its epochs.

    Raises:
        UsageError: the split has no group.
    """
    group = competition.split.group
    if group is None:
        raise UsageError("the competition declares no group, so there is no kin to tear apart")
    naive = replace(competition.split, group=None, seed=seed).assign(
        competition.schema.target.strata(tables.target, competition.split.folds)
    )
    model = small(candidate)

    def scored(name: str, folded: Tables) -> CrossFit:
        encoded = encode(competition, folded, model, workshop)
        with show(name) as watch:
            return fit(competition, encoded, model.config, seed=seed, device=device, watch=watch)

    kept, torn = scored(f"{group} together", tables), scored("rows at random", replace(tables, fold=naive))
    return Leak(
        paired=compare(
            tables.target,
            kept.oof,
            torn.oof,
            tables.fold,
            competition.metric,
            np.random.default_rng(seed),
            tables.train[group].to_numpy(),
        )
    )
