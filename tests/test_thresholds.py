"""Thresholds: labels that score better than the likeliest class, by rows that did not choose them."""

from __future__ import annotations

import numpy as np
import pytest

from data.metrics import ACCURACY, F1, F1_MACRO, KAPPA
from data.targets import Classes, Flags, Number
from submissions.thresholds import Thresholds

TWO, GRADES, MOODS = Classes("y", (0, 1)), Classes("grade", (0, 1, 2, 3)), Flags(("glad", "sad"))


def rare(rows: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, the second of which is rare and never likelier than the first, and their true probabilities."""
    generator = np.random.default_rng(seed)
    share = generator.beta(1, 8, size=rows).clip(0, 0.45)
    return (generator.random(rows) < share).astype(np.int64), np.stack([1 - share, share], axis=1)


def test_of_two_classes_the_rare_one_is_said_sooner():
    target, shares = rare()
    rule = Thresholds().rule(TWO)
    values = rule.fit(target, shares, F1)
    others, truth = rare(seed=1)[::-1]
    assert F1.score(truth, others) == 0
    assert F1.score(truth, rule.decide(others, values)) > 0.3
    fold = np.arange(len(target)) % 5
    assert F1.score(target, rule.nested(target, fold, shares, F1)) > 0.3


def test_of_flags_each_has_a_threshold_of_its_own():
    one, two = rare(seed=2), rare(seed=3)
    target = np.stack([one[0], 1 - two[0]], axis=1).astype(np.float32)
    shares = np.stack([one[1][:, 1], two[1][:, 0]], axis=1)
    rule = Thresholds().rule(MOODS)
    values = rule.fit(target, shares, F1_MACRO)
    assert values[0] < 0.4 < values[1]
    assert F1_MACRO.score(target, rule.decide(shares, values)) > F1_MACRO.score(target, shares) + 0.1


def test_of_grades_the_places_between_them_are_found():
    generator = np.random.default_rng(0)
    worth = generator.normal(size=2000)
    target = np.digitize(worth, [-2, -1.5, 0]).astype(np.int64)
    seen = 1.5 + 0.7 * worth  # drawn to the middle, as a shy model does
    shares = np.exp(-((seen[:, None] - np.arange(4)) ** 2))
    shares /= shares.sum(axis=1, keepdims=True)
    rule = Thresholds(ordered=True).rule(GRADES)
    values = rule.fit(target, shares, KAPPA)
    assert (np.diff(values) >= 0).all()
    assert KAPPA.score(target, rule.decide(shares, values)) > KAPPA.score(target, shares) + 0.1


def test_what_is_chosen_of_noise_is_not_scored_by_the_rows_that_chose_it():
    generator = np.random.default_rng(0)
    found = []
    for _ in range(10):
        target, shares = generator.integers(2, size=200), generator.dirichlet([1, 1], size=200)
        found.append(
            ACCURACY.score(target, Thresholds().rule(TWO).nested(target, np.arange(200) % 5, shares, ACCURACY))
        )
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


def test_of_a_flag_that_few_rows_have_a_threshold_is_found():
    generator = np.random.default_rng(0)
    truth = (generator.random(20_000) < 0.005).astype(np.float32)
    share = np.where(truth, 0.3, 0.02) * generator.uniform(0.5, 1, size=len(truth))
    target, shares = np.stack([truth, truth], axis=1), np.stack([share, share], axis=1)
    rule = Thresholds().rule(MOODS)
    assert F1_MACRO.score(target, rule.decide(shares, rule.fit(target, shares, F1_MACRO))) > 0.9


def test_folds_in_time_are_decided_by_those_before_them():
    target, shares = rare()
    fold = np.arange(len(target)) * 3 // len(target)
    rule = Thresholds().rule(TWO)
    found = rule.nested(target, fold, shares, F1, forward=True)
    changed = rule.nested(np.where(fold == 2, 1 - target, target), fold, shares, F1, forward=True)
    assert (found == changed).all()  # the last fold's labels choose nothing
    assert (found[fold == 0] == rule.decide(shares[fold == 0], rule.start(2))).all()
    assert found[fold == 1, 1].sum() > 0


def test_a_target_without_labels_is_refused():
    with pytest.raises(ValueError, match="decides on Classes and Flags, but the target is Number"):
        Thresholds().rule(Number("price"))
    with pytest.raises(ValueError, match="decides on Classes, but the target is Flags"):
        Thresholds(ordered=True).rule(MOODS)
