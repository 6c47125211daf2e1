"""Otto: which of nine groups is a product of? All that is known are 93 counts without names, mostly zeros."""

from __future__ import annotations

from dataclasses import replace

from optuna.distributions import FloatDistribution, IntDistribution
from pandera.pandas import Check, Column, DataFrameSchema

from data.metrics import ACCURACY, LOG_LOSS
from data.schema import Schema
from data.splits import Split
from data.targets import Classes
from features.neighbours import Distance, Neighbours
from features.recipe import Recipe
from features.tabular import tabular
from models.config import Precision, Schedule
from models.mlp import MLPConfig
from models.tuning import Search
from pipelines.competition import Candidate, Competition
from submissions.board import Board
from submissions.layout import Probabilities

FEATURES = [f"feat_{number}" for number in range(1, 94)]
CLASSES = tuple(f"Class_{number}" for number in range(1, 10))
BY_ANGLE, BY_LOGS, LEARNED = (Neighbours(FEATURES, distance=distance) for distance in Distance)


def near(neighbours: Neighbours) -> Recipe:
    """The counts, and the classes of the nearest rows."""
    return tabular(derive=[neighbours], plain=FEATURES, numbers=neighbours.names(len(CLASSES)))


MLP = MLPConfig(
    width=384,
    depth=2,
    pieces=7,
    sums=113,
    input_dropout=0.4,
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
SUMS = replace(  # overfit and unlike each other: poor by themselves, and what the others lack
    MLP, width=512, pieces=None, sums=130, input_dropout=0.0, dropout=0.2, lr=3e-3, members=4, refit=4, monitor=ACCURACY
)
LONG = replace(MLP, width=512, epochs=30, patience=30, members=4, refit=8)

SPACE = {
    "width": IntDistribution(256, 768, step=128),
    "input_dropout": FloatDistribution(0.0, 0.6),
    "dropout": FloatDistribution(0.0, 0.6),
    "label_smoothing": FloatDistribution(0.0, 0.1),
    "lr": FloatDistribution(5e-4, 5e-3, log=True),
    "weight_decay": FloatDistribution(0.0, 0.1),
}
SEARCH = Search(members=1)

COMPETITION = Competition(
    slug="otto-group-product-classification-challenge",
    schema=Schema(
        id="id",
        target=Classes("target", CLASSES),
        columns=DataFrameSchema({name: Column(int, Check.ge(0)) for name in FEATURES}),
        train_rows=49_502,
        test_rows=156_744,
        numbered_apart=True,
    ),
    split=Split(folds=5),
    metric=LOG_LOSS,
    recipe=near(BY_ANGLE),
    candidates={
        "mlp": Candidate(config=MLP, space=SPACE, search=SEARCH),
        "logs": Candidate(config=MLP, recipe=near(BY_LOGS), space=SPACE, search=SEARCH),
        "sums": Candidate(config=SUMS, recipe=tabular(plain=FEATURES), space=SPACE, search=SEARCH),
        "mlp_long": Candidate(config=LONG),
        "logs_long": Candidate(config=LONG, recipe=near(BY_LOGS)),
        "learned_long": Candidate(config=LONG, recipe=near(LEARNED)),
        "sums_many": Candidate(config=replace(SUMS, members=12, refit=16), recipe=tabular(plain=FEATURES)),
    },
    blend=("mlp", "logs", "sums"),
    full=("mlp_long", "logs_long", "learned_long", "sums_many"),
    board=Board(
        teams=3_509,
        marks={1: 0.38242, 10: 0.40007, 17: 0.40331, 50: 0.41194, 175: 0.42043, 351: 0.43080, 1_755: 0.54442},
    ),
    layout=Probabilities(),
)
