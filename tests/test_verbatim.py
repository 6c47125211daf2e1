"""Rows that repeat train rows take their labels, and inside a cross-validation only those of other folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.metrics import ACCURACY
from features.verbatim import Verbatim
from pipelines.competition import find
from pipelines.scoring import remembered_oof, remembered_test, score_metrics
from tests.twins import twin_tables


def frame(*texts: str, **columns) -> pd.DataFrame:
    return pd.DataFrame({"text": texts, **columns})


def test_a_repeated_row_takes_the_labels_that_it_had_and_the_case_counts():
    memory = Verbatim(["text"], 3).fit(frame("Good", "good", "bad", "bad", "bad"), np.array([2, 1, 0, 0, 1]))
    shares = np.full((4, 3), 1 / 3, dtype=np.float32)
    found, known = memory.apply(frame("Good", "good", "bad", "Bad"), shares)
    assert known.tolist() == [True, True, True, False]
    assert found[:3].argmax(axis=1).tolist() == [2, 1, 0]
    np.testing.assert_allclose(found[2], [(2 + 1 / 3) / 4, (1 + 1 / 3) / 4, 1 / 12], rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert (found > 0).all()
    assert np.array_equal(found[3], shares[3])
    assert found.dtype == np.float32


def test_a_label_outweighs_the_surest_prediction():
    sure = np.array([[0.0, 1.0]])
    found, _ = Verbatim(["text"], 2).fit(frame("a", "a"), np.array([0, 0])).apply(frame("a"), sure)
    assert found.argmax() == 0


def test_rows_are_compared_in_all_columns():
    rows = frame("a", "a", year=[1, 2])
    memory = Verbatim(["text", "year"], 2).fit(rows, np.array([0, 1]))
    found, known = memory.apply(frame("a", "a", "b", year=[1, 3, 2]), np.full((3, 2), 0.5))
    assert known.tolist() == [True, False, False]
    assert found[0].argmax() == 0


@pytest.fixture
def told_twice():
    """The movie reviews' twin, where the first test phrase and a phrase of each fold repeat a phrase of fold 0."""
    tables = twin_tables("rotten_tomatoes")
    train, test = tables.train.copy(), tables.test.copy()
    first = np.flatnonzero(tables.fold == 0)[0]
    repeated = [np.flatnonzero(tables.fold == fold)[-1] for fold in (0, 1, 2)]
    phrase = train.columns.get_loc("Phrase")
    train.iloc[first, phrase] = "once and again"
    train.iloc[repeated, phrase] = "once and again"
    test.iloc[0, phrase] = "once and again"
    return replace(tables, train=train, test=test), first, repeated


def test_a_fold_remembers_only_what_the_others_hold(told_twice):
    tables, first, (own, other, third) = told_twice
    competition = find("rotten_tomatoes")
    target = tables.target.copy()
    target[[first, own]] = 0
    target[[other, third]] = 4
    tables = replace(tables, target=target)
    oof = np.full((len(target), 5), 0.2, dtype=np.float32)
    found, known = remembered_oof(competition, tables, oof)
    assert known[[first, own, other, third]].all()
    assert found[[first, own]].argmax(axis=1).tolist() == [4, 4]  # not what the rows of fold 0 say of themselves
    assert found[other].argmax() == 0  # two of fold 0 against one of the third's
    test, known = remembered_test(competition, tables, np.full((len(tables.test), 5), 0.2))
    assert known[0]
    assert test[0].tolist() == pytest.approx([2.2 / 5, 0.04, 0.04, 0.04, 2.2 / 5])


def test_rows_before_the_first_fold_in_time_are_remembered(told_twice):
    tables, first, (own, other, _) = told_twice
    fold = np.where(np.arange(len(tables.fold)) == first, -1, 1).astype(np.int8)
    fold[own] = 0
    tables = replace(tables, fold=fold, forward=True)
    scored = np.flatnonzero(fold >= 0)
    found, known = remembered_oof(find("rotten_tomatoes"), tables, np.full((len(scored), 5), 0.2))
    assert len(found) == len(scored)
    assert known[scored.tolist().index(own)]  # by the row that no fold holds out
    assert known[scored.tolist().index(other)]


def test_both_scores_are_told(told_twice):
    tables, *_ = told_twice
    competition = find("rotten_tomatoes")
    oof = np.random.default_rng(0).dirichlet(np.ones(5), size=len(tables.target))
    found = score_metrics(competition, tables, oof, oof)
    remembered, known = remembered_oof(competition, tables, oof)
    assert found["cv_score"] == ACCURACY.score(tables.target, oof)
    assert found["cv_score_verbatim"] == ACCURACY.score(tables.target, remembered) != found["cv_score"]
    assert found["verbatim/train_rows"] == known.sum() >= 4
    assert found["verbatim/test_rows"] >= 1
    assert "cv_score_verbatim" not in score_metrics(replace(competition, verbatim=False), tables, oof, oof)
