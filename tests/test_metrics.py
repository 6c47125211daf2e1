"""Metrics agree with scikit-learn's, and know which way is better."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from data.metrics import ACCURACY, LOG_LOSS


def drawn(rows=200, classes=4):
    generator = np.random.default_rng(0)
    predictions = generator.dirichlet(np.ones(classes), size=rows)
    return generator.integers(classes, size=rows), predictions


def test_scores_are_scikit_learns():
    target, predictions = drawn()
    assert ACCURACY.score(target, predictions) == sklearn.metrics.accuracy_score(target, predictions.argmax(axis=1))
    assert LOG_LOSS.score(target, predictions) == pytest.approx(sklearn.metrics.log_loss(target, predictions))


def test_a_certain_mistake_costs_what_kaggle_charges():
    assert LOG_LOSS.score(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-15))


def test_predictions_that_do_not_sum_to_one_are_renormalised():
    target, predictions = drawn()
    assert LOG_LOSS.score(target, predictions * 0.5) == pytest.approx(LOG_LOSS.score(target, predictions))


@pytest.mark.parametrize(("metric", "good", "bad"), [(ACCURACY, 0.9, 0.8), (LOG_LOSS, 0.3, 0.4)])
def test_better_is_better(metric, good, bad):
    assert metric.better(good, bad)
    assert not metric.better(bad, good)
    assert not metric.better(good, good)
    assert metric.better(bad, np.nan)
    assert not metric.better(np.nan, bad)
