"""Diabetes progression: how far has the disease come after a year? A number, of scikit-learn's own 442 patients."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution
from pandera.pandas import Check, Column, DataFrameSchema
from sklearn.datasets import load_diabetes

from data.labelled import Labelled
from data.metrics import RMSE
from data.schema import Schema
from data.targets import Number
from features.tabular import tabular
from models.config import Loss
from models.mlp import MLPConfig
from pipelines.competition import Candidate, Competition
from submissions.layout import Values

SERUM = ["s1", "s2", "s3", "s4", "s5", "s6"]
MEASURED = {"age": (0, 120), "bmi": (10, 80), "bp": (30, 250), **dict.fromkeys(SERUM, (0, 500))}  # least and greatest
MLP = MLPConfig(width=32, depth=1, dropout=0.3, loss=Loss.SQUARED, epochs=60, batch=32, lr=5e-3, weight_decay=0.1)
SPACE = {
    "width": IntDistribution(8, 128, log=True),
    "dropout": FloatDistribution(0.0, 0.6),
    "lr": FloatDistribution(1e-3, 3e-2, log=True),
    "weight_decay": FloatDistribution(1e-3, 1.0, log=True),
}


def read(files: Mapping[str, bytes]) -> pd.DataFrame:  # noqa: ARG001  # the package has the rows
    """The patients as they were measured."""
    return load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})


COMPETITION = Competition(
    slug="progression",
    schema=Schema(
        id="Id",
        target=Number("progression", Check.in_range(0, 400)),
        columns=DataFrameSchema(
            {name: Column(float, Check.in_range(*limits)) for name, limits in MEASURED.items()}
            | {"sex": Column(float, Check.isin([1.0, 2.0]))}
        ),
        train_rows=354,
        test_rows=88,
    ),
    labelled=Labelled(package="scikit-learn", read=read),
    metric=RMSE,
    recipe=tabular(numbers=list(MEASURED), categories=["sex"]),
    candidates={"mlp": Candidate(config=MLP, space=SPACE)},
    layout=Values(least=0),
)
