"""Fitting: a competition's tables and a config to a cross-validation, with nothing written."""

from __future__ import annotations

from collections.abc import Callable

import torch

from data.datasets import Fold
from data.tables import Tables
from models.crossfit import CrossFit, Epoch, crossfit
from models.losses import outputs_of
from models.pack import width_of
from models.summary import summarize, text_of
from models.training import generators_of
from pipelines.competition import Candidate, Competition

THREADS = 1  # small packs gain nothing from a second core, and two busy cores can slow each other down a hundredfold


def encode(competition: Competition, tables: Tables, candidate: Candidate) -> list[Fold]:
    """Every fold, by its number."""
    recipe = candidate.recipe or competition.recipe
    return [recipe.encode(tables, fold) for fold in range(competition.split.folds)]


def fit(
    competition: Competition,
    tables: Tables,
    candidate: Candidate,
    *,
    seed: int,
    device: torch.device,
    watch: Callable[[Epoch], None] | None = None,
) -> CrossFit:
    """Encodes every fold and trains them all at once."""
    torch.set_num_threads(THREADS)
    recipe = candidate.recipe or competition.recipe
    return crossfit(
        encode(competition, tables, candidate),
        recipe.encode(tables, None) if candidate.config.refit else None,
        candidate.config,
        len(competition.schema.classes),
        competition.metric,
        seed=seed,
        device=device,
        watch=watch,
    )


def summary(competition: Competition, tables: Tables, candidate: Candidate) -> str:
    """The layers of the pack that `fit` trains, their output shapes and parameters."""
    folds, config = encode(competition, tables, candidate), candidate.config
    width = width_of([fold.train for fold in folds])
    generators = [each for fold in range(len(folds)) for each in generators_of(0, fold, config.members)]
    outputs = outputs_of(config.loss, len(competition.schema.classes))
    network = config.build(width.columns, width.cardinalities, outputs, generators)
    return text_of(summarize(network, width.columns, config.batch), network.nets)
