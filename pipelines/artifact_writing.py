"""Artifact writing: the files of a training or a blend: predictions, folds, config, and figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from data.schema import Schema
from data.tables import Tables
from data.targets import Classes, Flags, Number, Target
from models.config import Config
from models.crossfit import CrossFit
from pipelines import report
from pipelines.artifacts import FOLDS, OOF_PREDICTIONS, TEST_PREDICTIONS
from pipelines.competition import Competition
from pipelines.keys import settings


def write(
    folder: Path,
    competition: Competition,
    tables: Tables,
    config: Config,
    fit: CrossFit,
    decided: np.ndarray,
    layers: str,
) -> None:
    """Writes all files of a training but its model.

    Args:
        folder: where to.
        competition: the declaration.
        tables: what was trained on.
        config: how.
        fit: what came out.
        decided: see `decided_oof`.
        layers: the summary of the networks.
    """
    metric = competition.metric
    write_predictions(folder, competition, tables, fit.oof, fit.test, decided)
    (folder / "config.json").write_text(json.dumps(settings(config), indent=2) + "\n")
    (folder / "network.txt").write_text(layers + "\n")
    curves = report.learning_curves(fit.history, fit.fold_epochs, metric, config.monitor or metric)
    report.write_png(curves, folder / "learning_curves.png")


def write_predictions(
    folder: Path, competition: Competition, tables: Tables, oof: np.ndarray, test: np.ndarray, decided: np.ndarray
) -> None:
    """Writes the predictions, float [rows, columns], of all scored train rows and all test rows, and their figures.

    Those show what was `decided` of the train rows, see `decided_oof`.
    """
    tables = tables.scored
    schema, group = competition.schema, competition.split.group
    folds = pd.DataFrame({schema.id: tables.train[schema.id], "fold": tables.fold})
    folds.assign(**{} if group is None else {group: tables.train[group]}).to_parquet(folder / FOLDS, index=False)
    _predictions(tables.train[schema.id], oof, schema).assign(
        fold=tables.fold, **schema.target.written(tables.target)
    ).to_parquet(folder / OOF_PREDICTIONS, index=False)
    _predictions(tables.test[schema.id], test, schema).to_parquet(folder / TEST_PREDICTIONS, index=False)
    for name, figure in _figures(tables.target, oof, decided, schema.target).items():
        report.write_png(figure, folder / f"{name}.png")
    column = competition.recipe.text
    if column is not None:
        words = np.array([len(str(text).split()) for text in tables.train[column].fillna("")])
        by_length = report.score_by_length(words, tables.target, decided, competition.metric)
        report.write_png(by_length, folder / "score_by_length.png")


def _figures(target: np.ndarray, oof: np.ndarray, decided: np.ndarray, declared: Target) -> dict[str, Figure]:
    """What there is to see of a target's predictions, by name."""
    if isinstance(declared, Classes):
        return {"confusion_matrix": report.confusion_matrix(target, decided, declared.outputs)}
    if isinstance(declared, Number):
        return {"predicted": report.predicted(target, oof[:, 0], declared.column)}
    if isinstance(declared, Flags):
        return {"score_by_flag": report.score_by_flag(target, oof, declared.names)}
    return {}


def _predictions(ids: pd.Series, predictions: np.ndarray, schema: Schema) -> pd.DataFrame:
    """The id, and a column an output."""
    return pd.DataFrame({schema.id: ids, **dict(zip(schema.target.outputs, predictions.T, strict=True))})
