"""Folds: every row held out once, classes spread evenly, kin together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.splits import Split


@st.composite
def targets(draw):
    folds = draw(st.integers(2, 6))
    counts = draw(st.lists(st.integers(folds, 40), min_size=2, max_size=5))
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(sum(counts))
    return folds, np.repeat(np.arange(len(counts)), counts)[order]


@given(targets(), st.integers(0, 9))
def test_every_fold_has_its_share_of_every_class(drawn, seed):
    folds, target = drawn
    fold = Split(folds=folds, seed=seed).assign(target)
    assert fold.dtype == np.int8
    for label in np.unique(target):
        shares = np.bincount(fold[target == label], minlength=folds)
        assert shares.sum() == (target == label).sum()
        assert shares.max() - shares.min() <= 1


@given(targets(), st.integers(1, 30))
def test_kin_never_stand_on_two_sides(drawn, kin):
    folds, target = drawn
    groups = np.arange(len(target)) % max(folds, len(target) // kin)
    fold = Split(folds=folds, group="kin").assign(target, groups)
    for group in np.unique(groups):
        assert len(set(fold[groups == group])) == 1
    assert set(fold) <= set(range(folds))


def test_the_seed_and_nothing_else_moves_the_folds():
    target = np.arange(100) % 2
    first = Split(seed=1).assign(target)
    assert (first == Split(seed=1).assign(target)).all()
    assert (first != Split(seed=2).assign(target)).any()


def test_what_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="folds=1"):
        Split(folds=1)
    with pytest.raises(ValueError, match="3 rows cannot fill 5 folds"):
        Split(folds=5).assign(np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="2 groups cannot fill 5 folds"):
        Split(folds=5, group="kin").assign(np.zeros(9, dtype=int), np.arange(9) % 2)
    with pytest.raises(ValueError, match="keeps kin together, but got no groups"):
        Split(folds=5, group="kin").assign(np.zeros(9, dtype=int))
