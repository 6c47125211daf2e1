"""Fitting: a competition's tables and a config to a cross-validation, with nothing written."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from data.datasets import Fold
from data.tables import Tables
from features.recipe import Encoder, Workshop
from models.config import Config, outputs_of
from models.crossfit import CrossFit, crossfit
from models.epochs import Watch
from models.forms import form_of
from models.keeping import Keep
from models.summary import summarize, text_of
from models.training import pack_generators
from pipelines.competition import Candidate, Competition


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """A candidate's folds by their numbers, and the one that holds nothing out, which the refit trains on.

    Each has the encoder that was fitted on its train rows, for rows that come later.
    """

    folds: list[Fold]
    whole: Fold | None
    encoders: list[Encoder]
    whole_encoder: Encoder | None


def encode(competition: Competition, tables: Tables, candidate: Candidate, workshop: Workshop) -> Encoded:
    """Fits the candidate's recipe in every fold."""
    recipe = competition.recipe_of(candidate).prepare(tables, workshop)
    fitted = [recipe.fit(tables, fold) for fold in range(competition.split.folds)]
    whole_encoder, whole = recipe.fit(tables, None) if candidate.config.refits else (None, None)
    return Encoded(
        folds=[fold for _, fold in fitted],
        whole=whole,
        encoders=[encoder for encoder, _ in fitted],
        whole_encoder=whole_encoder,
    )


def fit(
    competition: Competition,
    encoded: Encoded,
    config: Config,
    *,
    seed: int,
    device: torch.device,
    watch: Watch | None = None,
    keep: Keep | None = None,
) -> CrossFit:
    """Trains every fold at once."""
    return crossfit(
        encoded.folds,
        encoded.whole,
        config,
        len(competition.schema.target.outputs),
        competition.metric,
        split=competition.split,
        seed=seed,
        device=device,
        watch=watch,
        keep=keep,
    )


def summary(competition: Competition, encoded: Encoded, config: Config) -> str:
    """The layers of the pack that `fit` trains, their output shapes and parameters."""
    form = form_of([fold.train for fold in encoded.folds])
    generators = pack_generators(0, len(encoded.folds), config.members)
    outputs = outputs_of(config.loss, len(competition.schema.target.outputs))
    network = config.build(form, outputs, generators)
    return text_of(summarize(network, form, config.batch), network.nets)
