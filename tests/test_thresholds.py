"""Thresholds: labels that score better than the likeliest class, by rows that did not choose them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from data.metrics import ACCURACY, F1, F1_MACRO, KAPPA, confusion
from data.targets import Classes, Flags, Number
from submissions.thresholds import Limits, Thresholds

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


RULES = {
    "classes": Thresholds().rule(Classes("y", (0, 1, 2, 3))),
    "grades": Thresholds(ordered=True).rule(GRADES),
    "flags": Thresholds().rule(Flags(("a", "b", "c", "d"))),
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("seed", range(5))
def test_counting_the_rows_in_the_order_of_their_turns_is_deciding_each_anew(kind, seed):
    rule, generator = RULES[kind], np.random.default_rng(seed)
    shares = generator.dirichlet(np.ones(4), size=80).round(1)  # many are equal
    target = generator.integers(4, size=80)
    if kind == "flags":
        target = (generator.random(shares.shape) < shares).astype(np.float32)
    values = rule.start(4)
    for number in range(len(values)):
        tried = rule.tried(values, number, shares)
        truth = rule.truth(target, number)
        counts = rule.turns(shares, values, number).counts(tried, truth)
        for value, found in zip(tried, counts, strict=True):
            values[number] = value
            decided = rule.decide(shares, values)
            said = decided[:, number].astype(int) if kind == "flags" else decided.argmax(axis=1)
            assert found.tolist() == confusion(truth, said, len(found)).tolist()
        values[number] = tried[len(tried) // 2]  # the others lie elsewhere, too


@pytest.mark.parametrize("kind", RULES)
def test_a_metric_of_ones_own_is_tuned_as_ours(kind):
    rule, generator = RULES[kind], np.random.default_rng(0)
    shares = generator.dirichlet(np.ones(4), size=300)
    true = shares * [1, 2, 3, 4]
    target = (true.cumsum(axis=1) / true.sum(axis=1, keepdims=True) < generator.random((300, 1))).sum(axis=1)
    if kind == "flags":
        target = (generator.random(shares.shape) < shares).astype(np.float32)
    own = replace(F1_MACRO, name="mine", of_counts=None, of_flag=None)
    ours, theirs = (rule.decide(shares, rule.fit(target, shares, metric)) for metric in (F1_MACRO, own))
    assert F1_MACRO.score(target, ours) == pytest.approx(F1_MACRO.score(target, theirs), abs=0.01)
    assert F1_MACRO.score(target, ours) > F1_MACRO.score(target, rule.decide(shares, rule.start(4)))


def test_a_score_that_was_replaced_is_not_counted_as_the_old_one():
    target, shares = rare()

    def recall(target, predictions):
        return float(predictions[target == 1, 1].mean()) - 0.001 * float(predictions[:, 1].sum())

    rule = Thresholds().rule(TWO)
    own = replace(F1, name="mine", score=recall)
    wanted = replace(own, of_counts=None)
    assert rule.fit(target, shares, own).tolist() == rule.fit(target, shares, wanted).tolist()
    assert rule.fit(target, shares, own).tolist() != rule.fit(target, shares, F1).tolist()


@pytest.mark.parametrize("metric", [F1_MACRO, ACCURACY, KAPPA])
def test_a_score_follows_from_counts(metric):
    generator = np.random.default_rng(0)
    assert metric.of_counts is not None
    for said in (generator.integers(4, size=50), np.zeros(50, dtype=int)):
        target = generator.integers(3, size=50)  # nothing is of the last class
        counts = confusion(target, said, 4)
        assert metric.of_counts(counts) == pytest.approx(metric.score(target, np.eye(4)[said]))


def test_many_flags_of_many_rows_take_seconds():
    generator = np.random.default_rng(0)
    shares = generator.beta(1, 6, size=(50_000, 20))
    target = (generator.random(shares.shape) < shares).astype(np.float32)
    started = time.monotonic()
    Limits().fit(target, shares, F1_MACRO)
    assert time.monotonic() - started < 20


def test_a_target_without_labels_is_refused():
    with pytest.raises(ValueError, match="decides on Classes and Flags, but the target is Number"):
        Thresholds().rule(Number("price"))
    with pytest.raises(ValueError, match="decides on Classes, but the target is Flags"):
        Thresholds(ordered=True).rule(MOODS)
