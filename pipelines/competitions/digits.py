"""Digits: which one is written? Kaggle's images of 28 x 28 pixels, or the smaller ones of scikit-learn, enlarged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from optuna.distributions import FloatDistribution
from pandera.pandas import Check, Column, DataFrameSchema
from sklearn.datasets import load_digits

from data.labelled import Labelled
from data.metrics import ACCURACY, LOG_LOSS
from data.schema import Schema
from data.targets import Classes
from features.images import pixels
from models.cnn import Body, CNNConfig
from models.mlp import MLPConfig
from pipelines.competition import Candidate, Competition
from submissions.layout import Labels

PIXELS = [f"pixel{number}" for number in range(28 * 28)]
CNN = CNNConfig(dropout=0.3, shift=1, members=1, epochs=15, patience=15, batch=32, lr=3e-3, monitor=LOG_LOSS)
SPACE = {"dropout": FloatDistribution(0.0, 0.6), "lr": FloatDistribution(1e-3, 1e-2, log=True)}


def read(files: Mapping[str, bytes]) -> pd.DataFrame:  # noqa: ARG001  # the package has the rows
    """The images of 8 x 8 pixels from 0 to 16 as Kaggle's: enlarged, in a frame of 2 pixels, from 0 to 255."""
    digits = load_digits()
    large = np.pad(digits.images.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2))) * 255 / 16
    return pd.DataFrame(large.round().astype(int).reshape(-1, 784), columns=PIXELS).assign(label=digits.target)


COMPETITION = Competition(
    slug="digit-recognizer",
    schema=Schema(
        id="ImageId",
        target=Classes("label", tuple(range(10))),
        columns=DataFrameSchema({name: Column(int, Check.in_range(0, 255)) for name in PIXELS}),
        train_rows=42_000,
        test_rows=28_000,
        counted_from=1,
    ),
    labelled=Labelled(package="scikit-learn", read=read),
    metric=ACCURACY,
    recipe=pixels(PIXELS),
    candidates={
        "residual": Candidate(config=replace(CNN, body=Body.RESIDUAL), space=SPACE),
        "inception": Candidate(config=replace(CNN, body=Body.INCEPTION), space=SPACE),
        "lenet": Candidate(config=CNN, space=SPACE),
        "mlp": Candidate(config=MLPConfig(width=256, dropout=0.3, members=2, epochs=30, monitor=LOG_LOSS)),
        "softmax": Candidate(config=MLPConfig(depth=0, members=1, epochs=40, lr=3e-3, batch=32, monitor=LOG_LOSS)),
    },
    full=("residual", "inception", "lenet"),
    layout=Labels(column="Label"),
)
