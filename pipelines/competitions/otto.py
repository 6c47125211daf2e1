"""Otto: which of nine groups is a product of? All that is known are 93 counts without names, mostly zeros."""

from __future__ import annotations

from dataclasses import replace

from pandera.pandas import Check, Column, DataFrameSchema

from data.metrics import LOG_LOSS
from data.schema import Schema
from data.splits import Split
from features.neighbours import Distance, Neighbours
from features.tabular import tabular
from models.config import Precision, Schedule
from models.mlp import MLPConfig
from pipelines.competition import Candidate, Competition
from submissions.layout import Probabilities

FEATURES = [f"feat_{number}" for number in range(1, 94)]
CLASSES = tuple(f"Class_{number}" for number in range(1, 10))
NEAR = Neighbours(FEATURES)
NEAR_LOGS = Neighbours(FEATURES, distance=Distance.LOGS)
SHARES = NEAR.names(len(CLASSES))

MLP = MLPConfig(
    width=384,
    depth=2,
    expanded=len(FEATURES),
    pieces=7,
    sums=113,
    input_dropout=0.3,
    dropout=0.3,
    members=2,
    refit=3,
    epochs=20,
    patience=20,
    batch=512,
    lr=1.5e-3,
    schedule=Schedule.TRAPEZOID,
    warmup=0.02,
    precision=Precision.FAST,
)
MIXED = replace(MLP, expanded=None, input_dropout=0.4)  # pieces and sums of the neighbours' shares too

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
    recipe=tabular(derive=[NEAR], plain=FEATURES, numbers=SHARES),
    candidates={
        "mlp": Candidate(config=MLP),
        "mixed": Candidate(config=MIXED),
        "logs": Candidate(config=MIXED, recipe=tabular(derive=[NEAR_LOGS], plain=FEATURES, numbers=SHARES)),
        "alone": Candidate(config=MLP, recipe=tabular(plain=FEATURES)),
    },
    blend=("mlp", "mixed", "logs", "alone"),
    layout=Probabilities(),
)
