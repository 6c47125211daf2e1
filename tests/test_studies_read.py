"""A study is read without SQLAlchemy as Optuna tells it."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from models.trials import ERROR, best_of, finished
from pipelines.home import STUDIES
from pipelines.storage import open_storage
from pipelines.study_reading import read_study

SPACE = {
    "width": IntDistribution(8, 32, log=True),
    "lr": FloatDistribution(1e-3, 1.0, log=True),
    "optimizer": CategoricalDistribution(["sgd", "adamw", None, 3, True]),
}


pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a study with trials of every fate, and another one."""
    folder = tmp_path_factory.mktemp("studies")
    storage = open_storage(None, folder)
    study = optuna.create_study(storage=storage, study_name="toy/mlp/key", direction="maximize")
    for number, choice in enumerate(SPACE["optimizer"].choices):
        params = {"width": 8 + number, "lr": 0.1 / (number + 1), "optimizer": choice}
        trial = create_trial(params=params, distributions=SPACE, value=number / 10, user_attrs={"score": 0.5})
        study.add_trial(trial)
    study.add_trial(create_trial(params=params, distributions=SPACE, value=math.inf))
    study.add_trial(create_trial(params=params, distributions=SPACE, value=-math.inf))
    study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.5}))
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={ERROR: "out of memory"}))
    study.add_trial(create_trial(state=TrialState.FAIL))
    study.enqueue_trial({"width": 9})
    study.enqueue_trial({"width": 10})
    study.ask(SPACE)
    other = optuna.create_study(storage=storage, study_name="toy/mlp/other", direction="minimize")
    other.add_trial(create_trial(value=9.0))
    return folder


@pytest.mark.parametrize("name", ["toy/mlp/key", "toy/mlp/other"])
def test_both_ways_tell_the_same_trials(folder, name):
    wanted = optuna.load_study(study_name=name, storage=open_storage(None, folder))
    found = read_study(folder / STUDIES, name)
    assert (found.study_name, found.direction) == (wanted.study_name, wanted.direction)
    for states in (None, (TrialState.COMPLETE,), (TrialState.WAITING, TrialState.RUNNING)):
        assert list(map(told, found.get_trials(states=states))) == list(map(told, wanted.get_trials(states=states)))
    assert told(best_of(found)) == told(best_of(wanted))
    assert list(map(told, finished(found))) == list(map(told, finished(wanted)))


def told(trial):
    whole = {**vars(trial), "_system_attrs": None, "intermediate_values": None}
    return repr({name.removeprefix("_"): value for name, value in whole.items()})


def test_a_study_that_is_not_there_is_none(folder):
    assert read_study(folder / STUDIES, "toy/mlp/nothing") is None


@pytest.mark.parametrize(
    "change", ["UPDATE version_info SET schema_version = 13", "UPDATE alembic_version SET version_num = 'v9'"]
)
def test_another_schema_is_left_to_optuna(folder, tmp_path, change):
    with closing(sqlite3.connect(folder / STUDIES)) as connection:
        connection.execute(f"VACUUM INTO '{tmp_path / STUDIES}'")
    with closing(sqlite3.connect(tmp_path / STUDIES)) as connection, connection:
        connection.execute(change)
    with pytest.raises(ValueError, match="another schema"):
        read_study(tmp_path / STUDIES, "toy/mlp/key")
