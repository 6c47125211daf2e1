"""Pima diabetes: who falls ill within five years? Of five of the measurements a 0 says that there was none."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution
from pandera.pandas import Check, Column, DataFrameSchema

from data.labelled import Labelled
from data.metrics import ACCURACY, LOG_LOSS
from data.schema import Schema
from data.targets import Classes
from features.tabular import tabular
from models.config import Loss
from models.mlp import Activation, MLPConfig
from pipelines.competition import Candidate, Competition
from submissions.layout import Labels

MEASURED = ["Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"]
FEATURES = ["Pregnancies", *MEASURED, "DiabetesPedigreeFunction", "Age"]
MLP = MLPConfig(width=16, depth=1, dropout=0.2, loss=Loss.BINARY, monitor=LOG_LOSS, epochs=40, batch=32, lr=5e-3)
NOTES = replace(MLP, widths=(6, 4), activation=Activation.SIGMOID, dropout=0.0, lr=2e-2)  # 8-6-4-1
SPACE = {
    "width": IntDistribution(8, 64, log=True),
    "dropout": FloatDistribution(0.0, 0.5),
    "lr": FloatDistribution(1e-3, 3e-2, log=True),
    "weight_decay": FloatDistribution(1e-3, 1.0, log=True),
}


def read(files: Mapping[str, bytes]) -> pd.DataFrame:
    """The rows of the published table, empty where nothing was measured."""
    rows = pd.read_csv(io.BytesIO(files["diabetes.csv"]))
    return rows.assign(**{name: rows[name].where(rows[name] > 0) for name in MEASURED})


COMPETITION = Competition(
    slug="diabetes",
    schema=Schema(
        id="Id",
        target=Classes("Outcome", (0, 1)),
        columns=DataFrameSchema({name: Column(float, Check.in_range(0, 1000), nullable=True) for name in FEATURES}),
        train_rows=615,
        test_rows=153,
    ),
    labelled=Labelled(files=("diabetes.csv",), read=read),
    metric=ACCURACY,
    recipe=tabular(numbers=FEATURES),
    candidates={
        "mlp": Candidate(config=replace(MLP, weight_decay=0.1), space=SPACE),
        "notes": Candidate(config=NOTES, recipe=tabular(numbers=FEATURES, flags=False)),
    },
    layout=Labels(),
)
