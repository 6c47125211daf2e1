"""Artifacts: the files of a run that are read again: its predictions, and where its pipeline lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import StorageError
from data.schema import Schema
from pipelines.competition import Competition
from pipelines.home import MODEL

OOF_PREDICTIONS = "oof_predictions.parquet"
TEST_PREDICTIONS = "test_predictions.parquet"
FOLDS = "folds.parquet"
PIPELINE = Path(MODEL) / "artifacts" / "pipeline"  # where MLflow puts what the model loads


def read_test_predictions(folder: Path, schema: Schema) -> tuple[list[str], np.ndarray]:
    """The ids and the predictions, float32 [test rows, columns], that `artifact_writing` wrote."""
    frame = pd.read_parquet(folder / TEST_PREDICTIONS)
    return frame[schema.id].tolist(), frame[list(schema.target.outputs)].to_numpy()


def read_oof(folder: Path, schema: Schema) -> np.ndarray:
    """The out-of-fold predictions, float32 [scored rows, columns], in the order of the train rows."""
    return pd.read_parquet(folder / OOF_PREDICTIONS, columns=list(schema.target.outputs)).to_numpy()


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """The train rows of a run, and what was predicted of them out of fold."""

    ids: np.ndarray  # [rows]
    target: np.ndarray  # [rows, ...], see `data.targets`
    fold: np.ndarray  # int8 [rows]
    group: np.ndarray | None  # [rows], equal where rows are kin
    oof: np.ndarray  # float32 [rows, columns]


def read_scored(folder: Path, competition: Competition) -> Scored:
    """What `artifact_writing` wrote of the train rows.

    Raises:
        StorageError: the files are damaged or gone.
    """
    schema, group = competition.schema, competition.split.group
    try:
        oof = pd.read_parquet(folder / OOF_PREDICTIONS)
        unknown = {*schema.target.outputs} - {*oof}
        if unknown:
            raise ValueError(f"they are of other classes than are declared by now: {min(unknown)}")
        kin = None if group is None else pd.read_parquet(folder / FOLDS)[group].to_numpy()
        return Scored(
            ids=oof[schema.id].to_numpy(),
            target=schema.target.unwritten(oof),
            fold=oof["fold"].to_numpy(),
            group=kin,
            oof=oof[list(schema.target.outputs)].to_numpy(),
        )
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{folder}: its predictions cannot be read ({error}): train it again, ARGS=--again"
        ) from error


def readable(folder: Path, schema: Schema) -> bool:
    """Whether the predictions are there, and whole."""
    try:
        return len(read_test_predictions(folder, schema)[0]) > 0 and len(read_oof(folder, schema)) > 0
    except (OSError, ValueError, KeyError):
        return False
