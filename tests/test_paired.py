"""The paired bootstrap: whether a lead is more than luck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.metrics import ACCURACY, LOG_LOSS
from submissions.paired import compare, standard_error

ROWS = 600


def predictions_of(rng, target, skill, group=None):
    """Probabilities of two classes by a model that knows something of the target, of some groups more."""
    insight = skill + rng.normal(size=len(target)) * (1 if group is None else 0.5)
    if group is not None:
        insight += rng.normal(size=group.max() + 1)[group]
    chance = 1 / (1 + np.exp(-(2 * target - 1) * insight))
    return np.stack([1 - chance, chance], axis=1)


def compared(rng, metric, skills, group=None, rows=ROWS):
    target = rng.integers(0, 2, rows)
    a, b = (predictions_of(rng, target, skill, group) for skill in skills)
    return compare(target, a, b, np.arange(rows) % 5, metric, rng, group)


@pytest.mark.parametrize("kin", [False, True])
@pytest.mark.parametrize("metric", [ACCURACY, LOG_LOSS])
def test_equal_models_seem_better_or_worse_as_often_as_they_should(metric, kin):
    rng = np.random.default_rng(5)
    group = np.sort(rng.integers(0, ROWS // 8, ROWS)) if kin else None
    found = [compared(rng, metric, (1.0, 1.0), group).probability for _ in range(200)]
    seeming = np.mean([probability < 0.05 or probability > 0.95 for probability in found])
    assert 0.06 <= seeming <= 0.14


def test_rows_of_a_group_are_no_witnesses_of_their_own():
    """Kin that err together make a lead less sure than as many strangers would."""
    group = np.arange(ROWS) // 20
    apart, together = (
        compare(target, a, b, np.arange(ROWS) % 5, LOG_LOSS, np.random.default_rng(2), kin)
        for kin in (None, group)
        for target in [np.random.default_rng(1).integers(0, 2, ROWS)]
        for a, b in [[predictions_of(np.random.default_rng(seed), target, 1.0, group) for seed in (3, 4)]]
    )
    assert (apart.clusters, together.clusters) == (ROWS, 30)
    assert together.error > 1.5 * apart.error
    assert together.gain == apart.gain


def test_a_better_model_is_told_whichever_way_the_metric_goes():
    for metric in (ACCURACY, LOG_LOSS):
        found = compared(np.random.default_rng(0), metric, (0.5, 2.0))
        assert found.verdict == "better"
        assert found.low > 0
        assert found.probability > 0.99
        assert (found.b > found.a) is metric.greater_is_better
        swapped = compared(np.random.default_rng(0), metric, (2.0, 0.5))
        assert swapped.verdict == "worse"
        assert swapped.high < 0


def test_the_rows_that_could_tell_can_tell():
    rng = np.random.default_rng(1)
    short = compared(rng, LOG_LOSS, (1.0, 1.05))
    assert short.verdict == "cannot tell"
    assert short.needed > ROWS
    assert compared(rng, LOG_LOSS, (1.0, 1.05), rows=4 * short.needed).verdict == "better"


def test_equal_predictions_are_even():
    target = np.array([0, 1, 1])
    same = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = compare(target, same, same, np.zeros(3, int), ACCURACY, np.random.default_rng(0))
    assert (found.gain, found.probability, found.needed, found.verdict) == (0, 0.5, None, "cannot tell")


def test_parts_are_scored_by_fold_and_by_class():
    target, fold = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    a = np.array([[1, 0], [1, 0], [1, 0], [0, 1.0]])
    b = a[:, ::-1]
    found = compare(target, a, b, fold, ACCURACY, np.random.default_rng(0))
    assert found.by_fold == {0: (0.5, 0.5), 1: (1.0, 0.0)}
    assert found.by_class == {0: (1.0, 0.0), 1: (0.5, 0.5)}


def test_a_metric_that_is_no_mean_over_rows_is_scored_anew_each_time():
    whole = replace(LOG_LOSS, rows=None)
    rng = np.random.default_rng(0)
    target, fold = rng.integers(0, 2, ROWS), np.arange(ROWS) % 5
    a, b = predictions_of(rng, target, 1.0), predictions_of(rng, target, 1.2)
    fast, slow = (compare(target, a, b, fold, metric, np.random.default_rng(0)) for metric in (LOG_LOSS, whole))
    assert slow.error == pytest.approx(fast.error, rel=0.15)
    assert slow.gain == fast.gain
    assert standard_error(target, a, whole) is None


def test_the_standard_error_is_that_of_a_mean_and_grows_with_kin():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, ROWS)
    predictions = predictions_of(rng, target, 1.0, np.arange(ROWS) // 20)
    losses = LOG_LOSS.rows(target, predictions)
    assert standard_error(target, predictions, LOG_LOSS) == pytest.approx(losses.std(ddof=1) / np.sqrt(ROWS))
    assert standard_error(target, predictions, LOG_LOSS, np.arange(ROWS) // 20) > 2 * losses.std() / np.sqrt(ROWS)
