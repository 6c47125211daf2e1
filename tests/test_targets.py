"""Targets of every kind: read with their faults, drawn by the twin, trained, submitted and predicted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandera.pandas import Check

from data.errors import BadDataError
from data.targets import Classes, Flags, Number, Shares
from pipelines.artifacts import TEST_PREDICTIONS
from pipelines.stages import TWIN_SUFFIX
from tests.checkout import copy_code

LABELS = Classes("kind", ("no", "yes"))
PRICE = Number("price", Check.ge(0))
MOODS = Flags(("glad", "sad"))
VOTES = Shares(("left", "right"))


def cells(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=str)


@pytest.mark.parametrize(
    ("target", "text", "wanted"),
    [
        (LABELS, cells(kind=["no", " yes", "no", "yes"]), [0, 1, 0, 1]),
        (PRICE, cells(price=["1.5", "2", "3e2", " 4"]), [1.5, 2, 300, 4]),
        (MOODS, cells(glad=["0", "1", "1", "1"], sad=["0", "0", "1", "1"]), [[0, 0], [1, 0], [1, 1], [1, 1]]),
        (VOTES, cells(left=["0.2", "1", "0", "0.333"], right=["0.8", "0", "1", "0.667"]), [[0.2, 0.8], [1, 0], [0, 1],
                                                                                         [0.333, 0.667]]),
    ],
)  # fmt: skip
def test_a_target_is_read_and_written(target, text, wanted):
    found = target.read(text, 2, "train.csv")
    assert found == pytest.approx(np.array(wanted))
    assert target.unwritten(pd.DataFrame(target.written(found))) == pytest.approx(found)
    strata = target.strata(found, 2)
    assert strata.dtype == np.int64
    assert strata.shape == (4,)


@pytest.mark.parametrize(
    ("target", "text", "told"),
    [
        (LABELS, cells(kind=["no", "maybe", "yes"]), "row 3, column kind: the label 'maybe' is none of the classes"),
        (LABELS, cells(kind=["no", "yes", "no"]), "the class 'yes' stands in 1 rows, fewer than the 2 folds"),
        (PRICE, cells(price=["1", "", "2"]), "row 3, column price: the cell is empty"),
        (PRICE, cells(price=["1", "cheap", "2"]), "row 3, column price: 'cheap' is not a number"),
        (PRICE, cells(price=["1", "-1", "2"]), "row 3, column price: -1.0 is not greater_than_or_equal_to"),
        (PRICE, cells(price=["1"]), "1 rows are fewer than the 2 folds"),
        (MOODS, cells(glad=["0", "2", "1"], sad=["0", "0", "1"]), "row 3, column glad: 2 is not isin"),
        (VOTES, cells(left=["0.2", "0.5"], right=["0.8", "0.6"]), "row 3: the shares sum to 1.1"),
    ],
)
def test_each_fault_of_a_target_is_told(target, text, told):
    with pytest.raises(BadDataError, match=told):
        target.read(text, 2, "train.csv")


def test_folds_have_their_share_of_high_and_low_numbers_and_of_each_flag():
    numbers = np.random.default_rng(0).gamma(2, size=500).astype(np.float32)
    assert (np.bincount(PRICE.strata(numbers, 5)) == 50).all()
    flags = np.array([[0, 0]] * 50 + [[1, 0]] * 50 + [[1, 1]] * 2, dtype=np.float32)
    assert len(set(MOODS.strata(flags, 5))) == 3
    several = Flags(("a", "b", "c"))
    rare = np.concatenate([np.zeros((50, 3)), np.eye(3), [[1, 1, 0], [0, 1, 1]]])
    found = several.strata(rare.astype(np.float32), 5)
    assert len(set(found[50:53])) == len(set(found[53:])) == 1  # by how many are set
    assert len(set(found)) == 3


@pytest.mark.parametrize("names", [("one",), ("one", "one"), "ab", ["one", "two"]])
def test_flags_are_several_columns(names):
    with pytest.raises(ValueError, match="two columns or more"):
        Flags(names)


FILE = """
from dataclasses import replace

from pandera.pandas import Check, Column, DataFrameSchema

from data import metrics
from data.schema import Schema
from data.splits import Split
from data.targets import Classes, Flags, Number, Shares
from features.tabular import tabular
from models.config import Loss
from models.mlp import MLPConfig
from pipelines.competition import Candidate, Competition
from submissions import layout
from submissions.thresholds import Thresholds

MLP = MLPConfig(width=32, depth=1, epochs=15, members=2, loss={loss}, lr=5e-3)

COMPETITION = Competition(
    slug="toy",
    schema=Schema(
        id="Id",
        target={target},
        columns=DataFrameSchema({{
            "area": Column(float, Check.in_range(10, 500)),
            "rooms": Column(int, Check.in_range(1, 9)),
            "age": Column(float, Check.ge(0), nullable=True),
            "day": Column(int, Check.in_range(1, 2000)),
        }}),
        train_rows=1500,
        test_rows=300,
    ),
    split={split},
    metric={metric},
    recipe=tabular(numbers=["area", "rooms", "day"], counts=["age"]),
    candidates={{"mlp": Candidate(config=MLP), "wide": Candidate(config=replace(MLP, refit=0))}},
    blend=("mlp", "wide"),
    layout={layout},
    thresholds={thresholds},
)
"""
KINDS = {
    "prices": {
        "loss": "Loss.SQUARED, log_target=True",
        "target": 'Number("SalePrice", Check.gt(0))',
        "split": "Split(folds=3)",
        "metric": "metrics.RMSLE",
        "layout": "layout.Values(least=0)",
    },
    "forecast": {
        "loss": "Loss.HUBER",
        "target": 'Number("target")',
        "split": 'Split(folds=3, time="day")',
        "metric": "metrics.MAE",
        "layout": "layout.Values()",
    },
    "moods": {
        "loss": "Loss.MULTILABEL",
        "target": 'Flags(("glad", "sad", "bored"))',
        "split": 'Split(folds=3, column="fold")',
        "metric": "metrics.ROC_AUC",
        "layout": "layout.Probabilities()",
    },
    "votes": {
        "loss": "Loss.DIVERGENCE",
        "target": 'Shares(("left", "middle", "right"))',
        "split": "Split(folds=3, stratified=False)",
        "metric": "metrics.DIVERGENCE",
        "layout": "layout.Probabilities()",
    },
    "grades": {
        "loss": "Loss.CROSS_ENTROPY, monitor=metrics.LOG_LOSS",
        "target": 'Classes("grade", (0, 1, 2, 3))',
        "split": "Split(folds=3)",
        "metric": "metrics.KAPPA",
        "layout": "layout.Labels()",
        "thresholds": "Thresholds(ordered=True)",
    },
    "tags": {
        "loss": "Loss.MULTILABEL, monitor=metrics.FLAG_LOG_LOSS",
        "target": 'Flags(("new", "old", "rare"))',
        "split": "Split(folds=3)",
        "metric": "metrics.F1_MACRO",
        "layout": "layout.Labels()",
        "thresholds": "Thresholds()",
    },
    "churn": {
        "loss": "Loss.BINARY",
        "target": 'Classes("left", (0, 1))',
        "split": "Split(folds=3)",
        "metric": "metrics.ROC_AUC",
        "layout": "layout.Probability()",
    },
}


def named(column: str, predicted: pd.DataFrame, labels: bool) -> str:
    """The column of the model's answers that holds a column of the submission."""
    share = f"probability_{column}"
    return share if share in predicted and not labels else column


PROGRAM = """
import sys
from pathlib import Path
from pipelines.__main__ import cli
from pipelines.competition import find
from pipelines.home import Home
from pipelines.stages import TWIN_SUFFIX
from pipelines.tracking import Tracker

name, folder = sys.argv[1], sys.argv[2]
home = ["--home", folder]
def run(*arguments):
    code = cli([*arguments, *home])
    assert code == 0, (arguments, code)
run("run", name)
twin = name + TWIN_SUFFIX
mlp, wide = f"{name}/mlp", f"{name}/wide"
run("check", name, str(Home(Path(folder)).submissions / twin / "latest.csv"))
run("compare", mlp, wide)
run("predict", name, str(Home(Path(folder)).synthetic / name / "test.csv"), "--csv", f"{folder}/predicted.csv")
run("predict", name, str(Home(Path(folder)).synthetic / name / "test.csv"), "--run", wide, "--csv", f"{folder}/w.csv")
run("reproduce", mlp)
if name in ("forecast", "moods"):  # whose folds no seed draws
    run("repeat", name, "--times", "2")
run("leaderboard", name)
found = Tracker(Home(Path(folder)).mlruns).find(f"{name}/blend")
print("score", found.metrics["cv_score"])
print("wide", Tracker(Home(Path(folder)).mlruns).find(wide).artifacts)
"""


@pytest.mark.parametrize("name", KINDS)
def test_a_competition_of_each_kind_runs_from_its_twin_to_a_submission(tmp_path, python, name):
    code, home = copy_code(tmp_path / "code"), tmp_path / "home"
    (code / "pipelines" / "competitions" / f"{name}.py").write_text(FILE.format(**{"thresholds": "None"} | KINDS[name]))
    ended = subprocess.run(
        [python, "-c", PROGRAM, name, str(home)], cwd=code, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    print(ended.stdout)
    if name in ("forecast", "moods"):
        one, other = re.findall(r"^seed \d: out-of-fold \w+ ([\d.]+)$", ended.stdout, re.MULTILINE)
        assert one != other
    best = float(ended.stdout.partition("twin's best")[2].split()[0])
    score = float(ended.stdout.rpartition("score ")[2].split()[0])
    assert abs(score - best) < 0.1 * max(abs(best), 0.3)
    submitted = pd.read_csv(home / "submissions" / "files" / f"{name}{TWIN_SUFFIX}" / "latest.csv")
    predicted = pd.read_csv(home / "predicted.csv")
    assert submitted["Id"].tolist() == predicted["Id"].tolist()
    for column in submitted.columns[1:]:
        given = predicted[
            "probability_1" if name == "churn" else named(column, predicted, "Labels" in KINDS[name]["layout"])
        ]
        given = given.clip(lower=0) if name == "prices" else given  # which the layout does
        assert submitted[column].to_numpy() == pytest.approx(given.to_numpy(), rel=1e-4, abs=1e-6)
    if name in ("prices", "forecast", "votes"):  # what answers as it was predicted
        told = pd.read_parquet(Path(ended.stdout.rpartition("wide ")[2].strip()) / TEST_PREDICTIONS).set_index("Id")
        answered = pd.read_csv(home / "w.csv", index_col="Id")
        assert answered.to_numpy() == pytest.approx(told.to_numpy(), rel=1e-4, abs=1e-6)
