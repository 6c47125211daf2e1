"""The blend: better than its parts where they differ, honest about it, and refused where folds differ."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import UsageError
from data.metrics import ACCURACY, LOG_LOSS
from submissions.blend import blend, tempered

ROWS, CLASSES = 600, 3


def views(count: int, noise: float = 1.0, seed: int = 0):
    """Models that each see the truth through noise of their own."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, CLASSES, ROWS)
    logits = [2 * np.eye(CLASSES)[target] + noise * generator.normal(size=(ROWS, CLASSES)) for _ in range(count)]
    shares = [np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in logits]
    return [each.astype(np.float32) for each in shares], target, np.arange(ROWS) % 5


def blended(predictions, target, fold, metric=LOG_LOSS, **more):
    return blend(predictions, target, fold, ["same"] * len(predictions), metric, **more)


def test_models_that_err_apart_are_better_together():
    predictions, target, fold = views(3)
    found = blended(predictions, target, fold)
    assert found.score < min(LOG_LOSS.score(target, each) for each in predictions) - 0.02
    assert found.weights.sum() == pytest.approx(1)
    assert found.score == LOG_LOSS.score(target, found.oof)
    np.testing.assert_allclose(found.oof.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.apply(predictions).sum(axis=1), 1, rtol=1e-5)


def test_folds_in_time_are_weighed_by_those_before_them():
    predictions, target, fold = views(3)
    turned = np.where(fold >= 2, (target + 1) % CLASSES, target)
    before, after = (blended(predictions, each, fold, forward=True) for each in (target, turned))
    assert before.oof[fold <= 2].tobytes() == after.oof[fold <= 2].tobytes()
    assert (before.oof[fold == 3] != after.oof[fold == 3]).any()
    np.testing.assert_allclose(before.oof[fold == 0], np.mean(predictions, axis=0)[fold == 0], rtol=1e-5)


@pytest.mark.parametrize("metric", [LOG_LOSS, ACCURACY])
def test_a_model_that_knows_nothing_gets_next_to_no_weight(metric):
    predictions, target, fold = views(2, noise=0.7)
    generator = np.random.default_rng(1)
    noise = generator.dirichlet(np.ones(CLASSES), ROWS).astype(np.float32)
    found = blended([*predictions, noise], target, fold, metric)
    assert found.weights[2] < 0.1


def test_models_of_noise_do_not_score_better_than_chance():
    generator = np.random.default_rng(0)
    target = generator.integers(0, CLASSES, ROWS)
    noise = [generator.dirichlet(np.ones(CLASSES), ROWS) for _ in range(30)]
    found = blended(noise, target, np.arange(ROWS) % 5)
    assert found.score > np.log(CLASSES) - 0.005  # weights chosen on the same rows would look better


def test_the_labels_of_a_fold_change_nothing_of_its_own_rows():
    predictions, target, fold = views(4)
    turned = np.where(fold == 2, (target + 1) % CLASSES, target)
    before, after = (blended(predictions, each, fold).oof for each in (target, turned))
    assert before[fold == 2].tobytes() == after[fold == 2].tobytes()
    assert (before[fold != 2] != after[fold != 2]).any()


def test_an_overconfident_model_is_cooled_and_a_shy_one_is_sharpened():
    predictions, target, fold = views(1, noise=1.4)
    right = blended(predictions, target, fold)
    for temperature in (0.7, 1.4):
        found = blended([tempered(predictions[0], temperature)], target, fold)
        assert found.temperature * temperature == pytest.approx(right.temperature, rel=0.02)
        assert found.score == pytest.approx(right.score, abs=1e-4)


def test_the_mean_of_models_that_err_apart_is_sharpened():
    predictions, target, fold = views(6, noise=3.0)
    alone = np.mean([blended([each], target, fold).temperature for each in predictions])
    found = blended(predictions, target, fold)
    assert found.temperature < alone - 0.1
    assert found.score < LOG_LOSS.score(target, np.mean(predictions, axis=0)) - 0.01


def test_a_seed_gives_the_same_blend():
    predictions, target, fold = views(4)
    first, again = (blended(predictions, target, fold, seed=3) for _ in range(2))
    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.oof.tobytes() == again.oof.tobytes()


def test_models_of_other_folds_are_refused():
    predictions, target, fold = views(2)
    with pytest.raises(UsageError, match="folds agree"):
        blend(predictions, target, fold, ["one", "another"], LOG_LOSS)
