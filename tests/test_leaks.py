"""The leak meter: what a split flatters that tears kin apart; and that ours does not."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from data.errors import UsageError
from data.splits import Split
from features.recipe import Workshop
from features.text import text
from models.rnn import Cell, RNNConfig
from pipelines.competition import Candidate, find
from pipelines.leaks import measure, small
from tests.twins import twin_tables

pytestmark = pytest.mark.usefixtures("whole_twins")
TINY = RNNConfig(cell=Cell.GRU, layers=0, epochs=2, batch=32, lr=0.02, head=32)


def meter(tables, competition):
    return measure(
        competition,
        tables,
        Candidate(config=TINY, recipe=text("Phrase")),
        seed=0,
        device=torch.device("cpu"),
        workshop=Workshop(),
        show=lambda _: nullcontext(lambda epoch: None),
    )


def test_kin_with_one_label_and_words_of_their_own_flatter_a_random_split():
    competition, tables = find("rotten_tomatoes"), twin_tables("rotten_tomatoes")
    group = tables.train["SentenceId"].to_numpy()
    words = tables.train.assign(Phrase=[f"word{number} and" for number in group])
    target = np.random.default_rng(0).integers(5, size=group.max() + 1)[group]
    leak = meter(replace(tables, train=words, target=target), competition)
    assert leak.paired.a < 0.3  # nothing can be known of a sentence that was not seen
    assert leak.paired.b > 0.5
    assert leak.told("SentenceId").startswith("A naive split would flatter: it looks better by 0.")


def test_rows_without_kin_flatter_nothing():
    leak = meter(twin_tables("rotten_tomatoes"), find("rotten_tomatoes"))
    assert abs(leak.paired.gain) < 0.03
    assert leak.told("SentenceId").startswith("Cannot tell whether a naive split would flatter")


def test_a_competition_without_groups_is_told():
    with pytest.raises(UsageError, match="declares no group"):
        meter(twin_tables("otto"), find("otto"))


def test_the_small_model_is_small():
    config = small(find("rotten_tomatoes").candidate(None)[1]).config
    assert (config.members, config.refits) == (1, 0)
    assert config.epochs <= 2


def test_folds_that_tear_a_group_apart_are_refused():
    target = np.arange(40) % 2
    with pytest.raises(ValueError, match="the split goes by SentenceId, which is not there"):
        Split(folds=5, group="SentenceId").assign(target)
