"""Titanic: who survived? What gets past the sexes are the title and the fate of one's own group."""

from __future__ import annotations

import numpy as np
import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution
from pandera.pandas import Check, Column, DataFrameSchema
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import FunctionTransformer

from data.metrics import ACCURACY, LOG_LOSS
from data.schema import Schema
from data.splits import Split
from data.targets import Classes
from features.shared import look_up, sums_of
from features.tabular import tabular
from models.config import Loss
from models.mlp import MLPConfig
from models.tuning import Search
from pipelines.competition import Candidate, Competition
from submissions.board import Board
from submissions.layout import Labels

TITLES = {"Mr": "Mr", "Mrs": "Mrs", "Miss": "Miss", "Master": "Master", "Mlle": "Miss", "Ms": "Miss"}
PLAIN_TITLE = {"female": "Mrs", "male": "Mr"}  # in the place of Dr, Rev, Col and others


def personal(rows: pd.DataFrame) -> pd.DataFrame:
    """Adds what a row says of itself: `title`, `family_size`, and `deck`, which is "" where the cabin is unknown."""
    title = rows["Name"].str.extract(r",\s*([^.]+)\.", expand=False).str.strip()
    return rows.assign(
        title=title.map(TITLES).fillna(rows["Sex"].map(PLAIN_TITLE)),
        family_size=(rows["SibSp"] + rows["Parch"] + 1).astype(float),
        deck=rows["Cabin"].str[:1].fillna(""),
    )


class Group(TransformerMixin, BaseEstimator):
    """What the train rows say of a row's group: the fare a head, and how its women and boys fared.

    A group shares surname, class, fare, port and the ticket but for its last digit; kin of whom nobody is known there
    join those who share all but the surname. `survival` is (lived - died) / (lived + died + 1) over the group's women
    and boys (title Master); 0 where none is known.

    A train row leaves itself out: the other rows are to a train row what all train rows are to a new one.
    """

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Group:
        """Learns from the train rows."""
        self.fit_transform(rows, target)
        return self

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> pd.DataFrame:
        """Learns from the train rows, and gives each what the others say."""
        tracked = _women_and_boys(rows)
        own = np.stack([target * tracked, tracked], axis=1).astype(float)  # [rows, (lived, known)]
        self.known_ = [sums_of(keys, own) for keys in _group_keys(rows)]
        self.tickets_ = sums_of(rows["Ticket"], np.ones((len(rows), 1)))
        return self._added(rows, own, alone=0)

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Gives other rows what the train rows say; rows of one call do not know of each other."""
        return self._added(rows, np.zeros((len(rows), 2)), alone=1)

    def _added(self, rows: pd.DataFrame, own: np.ndarray, alone: int) -> pd.DataFrame:
        lived, known = np.zeros(len(rows)), np.zeros(len(rows))
        for sums, keys in zip(self.known_, _group_keys(rows), strict=True):
            others = look_up(sums, keys) - own
            empty = known == 0
            lived, known = np.where(empty, others[:, 0], lived), np.where(empty, others[:, 1], known)
        heads = look_up(self.tickets_, rows["Ticket"])[:, 0] + alone
        return rows.assign(survival=(2 * lived - known) / (known + 1), fare_a_head=rows["Fare"] / heads)


def _women_and_boys(rows: pd.DataFrame) -> np.ndarray:
    return ((rows["Sex"] == "female") | (rows["title"] == "Master")).to_numpy()


def _group_keys(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The groups of each row: kin, and the party that travels together whatever its names."""
    shared = (rows["Pclass"], rows["Ticket"].str[:-1], rows["Fare"], rows["Embarked"].fillna(""))
    party = ["|".join(map(str, cells)) for cells in zip(*shared, strict=True)]
    surname = rows["Name"].str.split(",").str[0]
    return [f"{name}|{key}" for name, key in zip(surname, party, strict=True)], party


DERIVED = (FunctionTransformer(personal), Group())

MLP = MLPConfig(
    width=16,
    depth=1,
    dropout=0.2,
    loss=Loss.BINARY,
    label_smoothing=0.1,
    monitor=LOG_LOSS,
    epochs=30,
    batch=32,
    lr=5e-3,
    weight_decay=0.01,
    warmup=0.1,
)

SPACE = {
    "width": IntDistribution(8, 32, log=True),
    "depth": IntDistribution(1, 2),
    "dropout": FloatDistribution(0.0, 0.5),
    "label_smoothing": FloatDistribution(0.0, 0.2),
    "batch": IntDistribution(32, 128, log=True),
    "lr": FloatDistribution(1e-3, 3e-2, log=True),
    "weight_decay": FloatDistribution(1e-3, 1.0, log=True),
}

COMPETITION = Competition(
    slug="titanic",
    schema=Schema(
        id="PassengerId",
        target=Classes("Survived", (0, 1)),
        columns=DataFrameSchema(
            {
                "Pclass": Column(int, Check.isin([1, 2, 3])),
                "Name": Column(str),
                "Sex": Column(str, Check.isin(["female", "male"])),
                "Age": Column(float, Check.in_range(0, 120), nullable=True),
                "SibSp": Column(int, Check.in_range(0, 20)),
                "Parch": Column(int, Check.in_range(0, 20)),
                "Ticket": Column(str),
                "Fare": Column(float, Check.in_range(0, 1000), nullable=True),
                "Cabin": Column(str, nullable=True),
                "Embarked": Column(str, Check.isin(["C", "Q", "S"]), nullable=True),
            }
        ),
        train_rows=891,
        test_rows=418,
    ),
    split=Split(folds=5),
    metric=ACCURACY,
    recipe=tabular(derive=DERIVED, numbers=["survival"], categories=["title", "Pclass"]),
    candidates={
        "mlp": Candidate(config=MLP, space=SPACE, search=Search(members=4)),
        "mlp_wide": Candidate(
            config=MLP,
            recipe=tabular(
                derive=DERIVED,
                numbers=["survival", "Age"],
                counts=["fare_a_head", "family_size"],
                categories=["title", "Pclass", "deck"],
            ),
        ),
    },
    layout=Labels(),
    board=Board(  # of 2020; above about .85 are looked-up labels
        teams=22_258, marks={446: 0.81578, 668: 0.80622, 1_113: 0.79665, 2_226: 0.78947, 11_129: 0.77511}
    ),
    trials=30,
)
