"""Metrics agree with scikit-learn's, and know which way is better."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from data.metrics import (
    ACCURACY,
    AVERAGE_PRECISION,
    DIVERGENCE,
    F1,
    F1_MACRO,
    FLAG_LOG_LOSS,
    KAPPA,
    LOG_LOSS,
    MAE,
    MAPE,
    METRICS,
    MSE,
    RMSE,
    RMSLE,
    ROC_AUC,
)


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


def numbers():
    generator = np.random.default_rng(0)
    target = generator.gamma(2, 10, size=200)
    return target, (target * generator.normal(1, 0.2, size=200)).clip(0)


@pytest.mark.parametrize(
    ("metric", "theirs"),
    [
        (RMSE, sklearn.metrics.root_mean_squared_error),
        (RMSLE, sklearn.metrics.root_mean_squared_log_error),
        (MSE, sklearn.metrics.mean_squared_error),
        (MAE, sklearn.metrics.mean_absolute_error),
        (MAPE, sklearn.metrics.mean_absolute_percentage_error),
    ],
)
def test_scores_of_numbers_are_scikit_learns(metric, theirs):
    target, predicted = numbers()
    assert metric.score(target, predicted[:, None]) == pytest.approx(theirs(target, predicted))
    assert not metric.greater_is_better


def test_scores_of_two_classes_are_scikit_learns():
    target, predictions = drawn(classes=2)
    labels = predictions.argmax(axis=1)
    for metric, theirs in (
        (ROC_AUC, sklearn.metrics.roc_auc_score(target, predictions[:, 1])),
        (AVERAGE_PRECISION, sklearn.metrics.average_precision_score(target, predictions[:, 1])),
        (F1, sklearn.metrics.f1_score(target, labels)),
        (F1_MACRO, sklearn.metrics.f1_score(target, labels, average="macro")),
        (KAPPA, sklearn.metrics.cohen_kappa_score(target, labels, weights="quadratic")),
    ):
        assert metric.score(target, predictions) == pytest.approx(theirs), metric.name


def test_scores_of_many_classes_are_scikit_learns():
    target, predictions = drawn(classes=4)
    predictions = predictions.round(1)  # with ties
    labels = predictions.argmax(axis=1)
    shares = predictions / predictions.sum(axis=1, keepdims=True)
    for metric, theirs in (
        (ROC_AUC, sklearn.metrics.roc_auc_score(target, shares, multi_class="ovr")),
        (F1_MACRO, sklearn.metrics.f1_score(target, labels, average="macro")),
        (KAPPA, sklearn.metrics.cohen_kappa_score(target, labels, weights="quadratic")),
    ):
        assert metric.score(target, shares) == pytest.approx(theirs), metric.name


def test_classes_that_are_not_there_count_as_scikit_learn_counts_them():
    never = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1]])  # of classes 2 and 3
    for target in ([0, 1, 2], [0, 1, 0], [2, 2, 2]):
        theirs = sklearn.metrics.f1_score(target, never.argmax(axis=1), average="macro", zero_division=0)
        assert F1_MACRO.score(np.array(target), never) == theirs
    assert F1.score(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]])) == 0
    unset = np.array([[0.9, 0.1], [0.2, 0.2]])
    assert F1_MACRO.score(np.array([[1.0, 0.0], [1.0, 0.0]]), unset) == pytest.approx(1 / 3)
    assert np.isnan(KAPPA.score(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]])))


def test_scores_of_flags_are_scikit_learns():
    generator = np.random.default_rng(0)
    predictions = generator.random((200, 3))
    target = (generator.random((200, 3)) < predictions).astype(np.float32)
    for metric, theirs in (
        (ROC_AUC, sklearn.metrics.roc_auc_score(target, predictions)),
        (AVERAGE_PRECISION, sklearn.metrics.average_precision_score(target, predictions)),
        (F1_MACRO, sklearn.metrics.f1_score(target, predictions >= 0.5, average="macro")),
        (
            FLAG_LOG_LOSS,
            np.mean([sklearn.metrics.log_loss(target[:, flag], predictions[:, flag]) for flag in range(3)]),
        ),
    ):
        assert metric.score(target, predictions) == pytest.approx(theirs), metric.name


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.rows is not None])
def test_what_a_row_scores_is_what_it_scores_alone(metric):
    target, predictions = drawn()
    if metric is FLAG_LOG_LOSS:
        target = (predictions[::-1] > 0.25).astype(np.float32)
    elif metric is DIVERGENCE:
        target = predictions[::-1]
    elif metric in (MSE, MAE, MAPE):
        target, predictions = numbers()[0], numbers()[1][:, None]
    alone = [metric.score(target[row : row + 1], predictions[row : row + 1]) for row in range(len(target))]
    np.testing.assert_allclose(metric.rows(target, predictions), alone)
    assert metric.score(target, predictions) == pytest.approx(np.mean(alone))


def test_the_divergence_of_equal_shares_is_nothing():
    shares = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    assert DIVERGENCE.score(shares, shares) == pytest.approx(0, abs=1e-12)
    assert DIVERGENCE.score(shares, np.full((2, 3), 1 / 3)) == pytest.approx(
        np.mean([2 * 0.5 * np.log(1.5), 0.2 * np.log(0.6) + 0.3 * np.log(0.9) + 0.5 * np.log(1.5)])
    )


def test_what_cannot_be_told_is_no_number():
    nothing = np.array([[np.nan, np.nan], [0.5, 0.5]])
    assert np.isnan(ROC_AUC.score(np.array([0, 0]), np.full((2, 2), 0.5)))  # one class only
    for metric in METRICS.values():
        of_numbers = metric in (RMSE, RMSLE, MSE, MAE, MAPE)
        of_shares = metric in (FLAG_LOG_LOSS, DIVERGENCE)
        target = np.array([1.0, 2.0]) if of_numbers else np.eye(2) if of_shares else np.array([0, 1])
        assert np.isnan(metric.score(target, nothing)), metric.name


def test_flags_that_happen_to_exclude_each_other_are_flags_all_the_same():
    target = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    predictions = np.array([[0.1, 0.1], [0.9, 0.8], [0.2, 0.3], [0.8, 0.9]])  # of the first the wrong way round
    assert ROC_AUC.score(target, predictions) == 0.5
    assert ROC_AUC.score(target.argmax(axis=1), predictions) == 1


def test_a_grade_that_no_row_has_is_a_step_all_the_same():
    truth, said = np.array([0, 0, 3, 3, 4, 4]), np.array([0, 3, 3, 4, 4, 4])
    theirs = sklearn.metrics.cohen_kappa_score(truth, said, weights="quadratic", labels=range(5))
    assert KAPPA.score(truth, np.eye(5)[said]) == pytest.approx(theirs)
    assert theirs != sklearn.metrics.cohen_kappa_score(truth, said, weights="quadratic")


def test_the_logarithm_of_a_number_below_zero_is_that_of_zero():
    target = np.array([0.0, 3.0])
    assert RMSLE.score(target, np.array([[-5.0], [3.0]])) == 0
