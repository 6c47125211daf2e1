"""Otto: which of nine groups is a product of? All that is known are 93 counts without names, mostly zeros."""

from __future__ import annotations

from pandera.pandas import Check, Column, DataFrameSchema

from data.metrics import LOG_LOSS
from data.schema import Schema
from data.splits import Split
from features.neighbours import Neighbours
from features.tabular import tabular
from models.config import Precision, Schedule
from models.mlp import MLPConfig
from pipelines.competition import Candidate, Competition
from submissions.layout import Probabilities

FEATURES = [f"feat_{number}" for number in range(1, 94)]
CLASSES = tuple(f"Class_{number}" for number in range(1, 10))
NEAR = Neighbours(FEATURES)

MLP = MLPConfig(
    width=512,
    depth=2,
    expanded=len(FEATURES),
    pieces=7,
    sums=113,
    input_dropout=0.5,
    dropout=0.2,
    members=4,
    epochs=30,
    patience=30,
    batch=512,
    lr=1.5e-3,
    schedule=Schedule.TRAPEZOID,
    warmup=0.02,
    precision=Precision.FAST,
)

COMPETITION = Competition(
    slug="otto-group-product-classification-challenge",
    schema=Schema(
        id="id",
        target="target",
        classes=CLASSES,
        columns=DataFrameSchema({name: Column(int, Check.ge(0)) for name in FEATURES}),
        train_rows=49_502,
        test_rows=156_744,
        numbered_apart=True,
    ),
    split=Split(folds=5),
    metric=LOG_LOSS,
    recipe=tabular(derive=[NEAR], plain=FEATURES, numbers=NEAR.names(len(CLASSES))),
    candidates={
        "mlp": Candidate(config=MLP),
    },
    layout=Probabilities(),
)
