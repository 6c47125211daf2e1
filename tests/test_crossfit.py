"""Crossfit: out-of-fold means out of fold, the ensemble chooses the epoch, the refit joins the test prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.datasets import Fold, TabularDataset
from data.errors import UsageError
from data.metrics import ACCURACY, DIVERGENCE, LOG_LOSS, RMSE, ROC_AUC
from data.splits import Split
from models import training
from models.config import Loss, Optimizer, Schedule, outputs_of
from models.crossfit import crossfit
from models.epochs import Epoch, RefitEpoch, Within
from models.forms import form_of
from models.mlp import MLPConfig
from models.rnn import RNNConfig
from models.selection import DivergedError
from models.training import Training, generators_of, pack_generators
from tests.toy import folds_of, text_folds

CONFIG = MLPConfig(width=16, depth=1, members=4, epochs=12, batch=16, lr=0.03, refit=0, monitor=LOG_LOSS)


def whole_of(folds) -> Fold:
    train = folds[0].train
    rows = torch.cat([train.input, folds[0].valid.input]), torch.cat([train.target, folds[0].valid.target])
    whole = replace(train, input=rows[0], target=rows[1])
    return Fold(train=whole, valid=replace(train, input=rows[0][:0], target=rows[1][:0]),
                test=folds[0].test, valid_rows=torch.arange(0))  # fmt: skip


def target_of(folds) -> np.ndarray:
    order = np.argsort(torch.cat([fold.valid_rows for fold in folds]))
    return torch.cat([fold.valid.target for fold in folds])[order].numpy()


def test_labels_that_mean_nothing_score_like_chance():
    folds = folds_of(rows=600, noise=1e6)
    assert crossfit(folds, None, replace(CONFIG, members=2), 2, ACCURACY).score == pytest.approx(0.5, abs=0.07)


def test_every_fold_stands_at_the_epoch_that_its_ensemble_scored_best_in():
    folds = folds_of(rows=90, noise=2.0)  # little and noisy: the folds overfit, each at its own time
    fit = crossfit(folds, None, replace(CONFIG, epochs=40, patience=40), 2, ACCURACY)
    for fold, chosen in enumerate(fit.fold_epochs):
        scores = [epoch.fold_monitors[fold] for epoch in fit.history]
        assert chosen == 1 + int(np.argmin(scores))
        rows = folds[fold].valid_rows
        assert LOG_LOSS.score(folds[fold].valid.target.numpy(), fit.oof[rows]) == pytest.approx(min(scores))
    assert min(fit.fold_epochs) < 40
    assert len(set(fit.fold_epochs)) > 1


def test_a_long_epoch_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr(training, "PAUSE", -1.0)
    folds, told = folds_of(rows=90), []
    crossfit(folds, whole_of(folds), replace(CONFIG, epochs=2, refit=1), 2, ACCURACY, watch=told.append)
    within = [each for each in told if isinstance(each, Within)]
    assert [each.share for each in within[:3]] == [0.25, 0.5, 0.75]  # 60 rows, in batches of 16
    assert {(each.number, each.of, each.refit) for each in within} >= {(1, 2, False), (2, 2, False)}
    assert any(each.refit for each in within)
    first = told.index(next(each for each in told if isinstance(each, Epoch)))
    assert all(each.number == 1 for each in told[:first])


class InterruptedByTestError(Exception):
    pass


class Memory:
    """Keeps every state, and gives back the last."""

    def __init__(self) -> None:
        self.states: list[dict[str, torch.Tensor]] = []

    def load(self):
        return self.states[-1] if self.states else None

    def save(self, state):
        self.states.append({name: tensor.clone() for name, tensor in state().items()})


def cut_off(folds, config, stop, kept):
    """Trains until more than so much was told; what was told."""
    seen: list = []

    def interrupt(told):
        seen.append(told)
        if len(seen) > stop:
            raise InterruptedByTestError

    with pytest.raises(InterruptedByTestError):
        crossfit(folds, whole_of(folds), config, 2, ACCURACY, watch=interrupt, keep=kept)
    return seen


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("stop", [1, 5, 6])  # the last one while the networks of all rows train
def test_a_training_that_was_cut_off_goes_on_to_the_same_bytes(optimizer, stop):
    folds = folds_of(rows=90, noise=2.0)
    config = replace(CONFIG, refit=None, epochs=6, dropout=0.3, pieces=3, sums=4, optimizer=optimizer, lr=0.01)
    told, kept = [], Memory()
    whole = crossfit(folds, whole_of(folds), config, 2, ACCURACY, watch=told.append)
    cut_off(folds, config, stop, kept)
    trained: list = []
    resumed = crossfit(folds, whole_of(folds), config, 2, ACCURACY, watch=trained.append, keep=kept)
    assert resumed.oof.tobytes() == whole.oof.tobytes()
    assert resumed.test.tobytes() == whole.test.tobytes()
    assert resumed.history == whole.history
    for name, tensor in whole.weights.items():
        assert torch.equal(resumed.weights[name], tensor), name
    for name, tensor in whole.refit_weights.items():
        assert torch.equal(resumed.refit_weights[name], tensor), name
    assert len(kept.states) == len(told)  # no epoch was trained twice


@pytest.mark.parametrize("stop", [1, 3, 4, 6, 8, 9, 11])  # two epochs of four steps, then those of all rows
def test_a_training_that_was_cut_off_within_an_epoch_goes_on_to_the_same_bytes(stop, monkeypatch):
    monkeypatch.setattr(training, "PAUSE", -1.0)
    folds, kept = folds_of(rows=90, noise=2.0), Memory()
    config = replace(CONFIG, refit=1, epochs=2, dropout=0.3, lr=0.01)
    told: list = []
    whole = crossfit(folds, whole_of(folds), config, 2, ACCURACY, watch=told.append)
    assert cut_off(folds, config, stop, kept) == told[: stop + 1]
    again: list = []
    resumed = crossfit(folds, whole_of(folds), config, 2, ACCURACY, watch=again.append, keep=kept)
    assert resumed.oof.tobytes() == whole.oof.tobytes()
    assert resumed.test.tobytes() == whole.test.tobytes()
    assert resumed.history == whole.history
    past = [each for each in told[:stop] if isinstance(each, Epoch)]
    assert again[: len(past)] == past  # told again, and not trained
    assert again[len(past) :] == told[stop - isinstance(told[stop - 1], Within) :]


def shares_of(weights, config, folds, part) -> np.ndarray:
    """What each network says of its fold's rows, with nothing dropped, float32 [folds, members, rows, 2]."""
    form = form_of([fold.train for fold in folds])
    network = config.build(form, outputs_of(config.loss, 2), pack_generators(0, len(folds), config.members))
    network.load_state_dict(weights)
    inputs = torch.stack([getattr(fold, part).input for fold in folds]).repeat_interleave(config.members, dim=0)
    with torch.no_grad():
        return network(inputs).softmax(dim=2).unflatten(0, (len(folds), config.members)).numpy()


def test_the_kept_weights_give_the_kept_predictions():
    folds, config = folds_of(rows=90, noise=2.0), replace(CONFIG, dropout=0.3)
    fit = crossfit(folds, None, config, 2, ACCURACY)
    for fold, shares in zip(folds, shares_of(fit.weights, config, folds, "valid"), strict=True):
        np.testing.assert_allclose(shares.mean(axis=0), fit.oof[fold.valid_rows], atol=1e-6)


def test_an_epochs_score_is_that_of_all_out_of_fold_rows():
    folds = folds_of()
    fit = crossfit(folds, None, replace(CONFIG, epochs=1), 2, ACCURACY)
    assert fit.history[0].score == fit.score == ACCURACY.score(target_of(folds), fit.oof)
    assert fit.history[0].fold_scores == fit.fold_scores


def test_training_ends_when_every_fold_has_lost_patience():
    folds = folds_of(rows=90, noise=2.0)
    fit = crossfit(folds, None, replace(CONFIG, epochs=300, patience=3, lr=0.1), 2, ACCURACY)
    assert len(fit.history) == max(fit.fold_epochs) + 3 < 300


def test_a_fold_that_lost_patience_does_not_come_back():
    folds = folds_of(rows=90, noise=2.0)
    config = replace(CONFIG, epochs=60, patience=2, lr=0.1)
    fit = crossfit(folds, None, config, 2, ACCURACY)
    alone = crossfit([replace(folds[0], valid_rows=torch.arange(30))], None, config, 2, ACCURACY)
    assert alone.fold_epochs[0] == fit.fold_epochs[0]


TABLE = MLPConfig(
    width=8, depth=2, embedding=2, members=2, batch=16, epochs=4, lr=0.02, weight_decay=0.1, clip=1.0, dropout=0.3,
    input_dropout=0.1, warmup=0.2, schedule=Schedule.COSINE,
)  # fmt: skip
TEXT = RNNConfig(width=4, embedding=3, head=0, members=2, batch=16, epochs=4, lr=0.02, dropout=0.0, input_dropout=0.0)


@pytest.mark.parametrize(
    "config", [*(replace(TABLE, optimizer=optimizer) for optimizer in Optimizer), replace(TEXT, word_dropout=0.0)]
)
def test_folds_of_any_size_are_trained_as_if_each_were_alone(config):
    folds = text_folds(rows=200) if isinstance(config, RNNConfig) else folds_of(rows=200)
    datasets = [head(folds[0].train, rows) for rows in (40, 41, 120, 119, 130)]

    def trained(some, generators):
        form = form_of(datasets)
        training = Training(
            config.build(form, 2, generators), form.stack(some, torch.device("cpu")), config, generators
        )
        losses = torch.stack([training.epoch() for _ in range(config.epochs)])
        return losses, training.network.state_dict()

    losses, packed = trained(datasets, pack_generators(3, len(datasets), config.members))
    for number, data in enumerate(datasets):
        own = slice(number * config.members, (number + 1) * config.members)
        alone, found = trained([data], generators_of(3, number, config.members))
        torch.testing.assert_close(losses[:, own], alone, rtol=1e-4, atol=1e-5)
        for name, value in found.items():
            torch.testing.assert_close(packed[name][own], value, rtol=1e-3, atol=1e-4, msg=f"{name} of {number}")


def head(data, rows: int):
    """The first rows of a dataset."""
    if isinstance(data, TabularDataset):
        return replace(data, input=data.input[:rows], target=data.target[:rows])
    end = data.offsets[rows]
    return replace(
        data, input=data.input[:end], offsets=data.offsets[: rows + 1], target=data.target[:rows],
        context=data.context[:end], places=data.places[:rows],
    )  # fmt: skip


def test_the_watcher_sees_every_epoch_and_may_stop():
    seen = []

    def watch(epoch):
        seen.append(epoch.number)
        if epoch.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crossfit(folds_of(), None, CONFIG, 2, ACCURACY, watch=watch)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(("refit", "networks"), [(None, 4), (1, 1), (7, 7)])
def test_the_refit_joins_the_test_prediction_and_nothing_else(refit, networks):
    folds = folds_of(rows=90, noise=2.0)
    without = crossfit(folds, whole_of(folds), CONFIG, 2, ACCURACY)
    refitted = crossfit(folds, whole_of(folds), replace(CONFIG, refit=refit), 2, ACCURACY)
    assert refitted.oof.tobytes() == without.oof.tobytes()
    assert (refitted.test != without.test).any()
    cv = 3 * 4  # networks of the folds; the test prediction is the mean of all
    own = shares_of(refitted.refit_weights, replace(CONFIG, members=networks), [whole_of(folds)], "test")
    of_all = (without.test * cv + own.sum(axis=(0, 1))) / (cv + networks)
    np.testing.assert_allclose(refitted.test, of_all, atol=1e-6)
    assert {name: tensor.shape[0] for name, tensor in refitted.refit_weights.items()} == dict.fromkeys(
        without.weights, networks
    )
    assert not without.refit_weights


def test_the_test_prediction_is_the_mean_of_all_networks():
    folds, config = folds_of(), replace(CONFIG, epochs=2)
    fit = crossfit(folds, None, config, 2, ACCURACY)
    np.testing.assert_allclose(fit.test, shares_of(fit.weights, config, folds, "test").mean(axis=(0, 1)), atol=1e-6)


@pytest.mark.parametrize("refit", [0, 2])
def test_in_time_new_rows_are_answered_by_networks_that_saw_what_is_nearest(refit):
    folds, config = folds_of(rows=90, noise=2.0), replace(CONFIG, epochs=3, refit=refit)
    split = Split(folds=3, time="when")
    fit = crossfit(folds, whole_of(folds), config, 2, ACCURACY, split=split)
    if refit:
        own = shares_of(fit.refit_weights, replace(config, members=refit), [whole_of(folds)], "test")
        assert list(fit.answering) == []
    else:
        own = shares_of(fit.weights, config, folds, "test")[2:]
        assert list(fit.answering) == [2]
    np.testing.assert_allclose(fit.test, own.mean(axis=(0, 1)), atol=1e-6)
    assert fit.oof.tobytes() == crossfit(folds, None, config, 2, ACCURACY).oof.tobytes()


def test_networks_on_all_rows_train_as_long_as_the_folds_chose():
    folds, told = folds_of(rows=90, noise=2.0), []
    fit = crossfit(folds, whole_of(folds), replace(CONFIG, epochs=40, refit=1), 2, ACCURACY, watch=told.append)
    trained = [each.number for each in told if isinstance(each, RefitEpoch)]
    assert len(trained) == trained[-1] == round(np.mean(fit.fold_epochs)) < 40


def test_a_training_that_runs_into_no_numbers_says_so():
    folds = folds_of()
    huge = [replace(fold, train=replace(fold.train, input=fold.train.input * 1e30)) for fold in folds]
    with pytest.raises(DivergedError, match=r"^the training diverged in fold 0, 1, 2: lower lr, or set clip$"):
        crossfit(huge, None, replace(CONFIG, lr=1e20), 2, ACCURACY)


def test_folds_of_unequal_size_and_width_are_padded():
    folds = folds_of(rows=100)
    narrow = replace(folds[1], **{
        name: replace(getattr(folds[1], name), input=getattr(folds[1], name).input[:, :4])
        for name in ("train", "valid", "test")
    })  # fmt: skip
    fit = crossfit([folds[0], narrow, folds[2]], None, CONFIG, 2, ACCURACY)
    assert np.isfinite(fit.oof).all()
    assert len(fit.oof) == 100


@pytest.mark.parametrize("loss", [Loss.CROSS_ENTROPY, Loss.BINARY])
def test_outputs_are_probabilities_of_two_classes(loss):
    fit = crossfit(folds_of(), None, replace(CONFIG, loss=loss), 2, ACCURACY)
    np.testing.assert_allclose(fit.oof.sum(axis=1), 1, atol=1e-5)


def retargeted(folds, target_of):
    """Folds with another target, of their inputs."""

    def rows(data):
        return replace(data, target=target_of(data.input))

    return [replace(fold, train=rows(fold.train), valid=rows(fold.valid), test=rows(fold.test)) for fold in folds]


@pytest.mark.parametrize("loss", [Loss.SQUARED, Loss.ABSOLUTE, Loss.HUBER])
@pytest.mark.parametrize("log", [False, True])
def test_numbers_of_any_scale_are_learned(loss, log):
    folds = retargeted(folds_of(rows=300), lambda x: 1e5 * torch.exp(x[:, 0] / 4))
    config = replace(CONFIG, loss=loss, log_target=log, monitor=None, epochs=30, refit=2)
    fit = crossfit(folds, whole_of(folds), config, 1, RMSE)
    target = target_of(folds)
    assert fit.oof.shape == (300, 1)
    assert fit.score < 0.35 * target.std()
    assert np.corrcoef(fit.test[:, 0], folds[0].test.target)[0, 1] > 0.9
    assert fit.weights["target_scale.mean"].shape == (3 * config.members, 1)


def test_a_fold_that_the_metric_cannot_score_is_no_divergence():
    folds = folds_of()
    alike = replace(folds[0].valid, target=torch.zeros_like(folds[0].valid.target))
    folds[0] = replace(folds[0], valid=alike)
    with pytest.raises(DivergedError, match="roc_auc cannot score the rows of fold 0, as of one class"):
        crossfit(folds, None, replace(CONFIG, monitor=None, epochs=2), 2, ROC_AUC)


def test_each_network_measures_the_target_of_its_own_folds_train_rows():
    folds = retargeted(folds_of(rows=301), lambda x: x[:, 0])  # the first has a row less to train on
    far = replace(folds[1].train, target=folds[1].train.target + 1000)
    folds[1] = replace(folds[1], train=far)
    config = replace(CONFIG, loss=Loss.SQUARED, monitor=None, epochs=2, members=2, refit=0)
    means = crossfit(folds, None, config, 1, RMSE).weights["target_scale.mean"][:, 0]
    wanted = [fold.train.target.mean() for fold in folds for _ in range(2)]
    np.testing.assert_allclose(means, wanted, rtol=1e-4, atol=1e-4)


def test_a_number_without_a_logarithm_is_told():
    folds = retargeted(folds_of(rows=30), lambda x: x[:, 0] - 5)
    with pytest.raises(UsageError, match="log_target takes numbers above -1"):
        crossfit(folds, None, replace(CONFIG, loss=Loss.SQUARED, log_target=True, monitor=None), 1, RMSE)


def repeating(folds, times):
    """Folds whose rows of class 1 stand there several times."""

    def rows(data):
        at = torch.repeat_interleave(torch.arange(len(data)), torch.where(data.target == 1, times, 1))
        return replace(data, input=data.input[at], target=data.target[at])

    found, first = [], 0
    for fold in folds:
        valid = rows(fold.valid)
        found.append(replace(fold, train=rows(fold.train), valid=valid, valid_rows=first + torch.arange(len(valid))))
        first += len(valid)
    return found


def test_networks_that_learn_from_distinct_rows_predict_rows_as_they_come():
    folds = repeating(folds_of(rows=300, noise=1e6), 9)
    config = replace(CONFIG, epochs=6, lr=0.01, distinct=True)
    fit = crossfit(folds, whole_of(folds), replace(config, refit=2), 2, ACCURACY)
    assert fit.oof[:, 1].mean() == pytest.approx(0.9, abs=0.03)
    assert fit.test[:, 1].mean() == pytest.approx(0.9, abs=0.03)
    shift = fit.weights["prior.shift"]
    assert shift.shape == fit.weights["output.bias"].shape
    assert shift[:, 0, 1].mean() == pytest.approx(np.log(0.9 / 0.5), abs=0.1)
    assert fit.refit_weights["prior.shift"].shape == (2, 1, 2)


def test_flags_are_learned_apart():
    folds = retargeted(folds_of(rows=300), lambda x: (x[:, :3] > 0.5).float())
    fit = crossfit(folds, None, replace(CONFIG, loss=Loss.MULTILABEL, monitor=None), 3, ROC_AUC)
    assert fit.score > 0.9
    assert (fit.oof >= 0).all()
    assert (fit.oof <= 1).all()
    assert np.ptp(fit.oof.sum(axis=1)) > 0.5


def test_soft_targets_are_learned():
    folds = retargeted(folds_of(rows=300), lambda x: torch.softmax(2 * x[:, :3], dim=1))
    fit = crossfit(folds, None, replace(CONFIG, loss=Loss.DIVERGENCE, monitor=None, epochs=30), 3, DIVERGENCE)
    guess = np.broadcast_to(target_of(folds).mean(axis=0), (300, 3))
    assert fit.score < 0.2 * DIVERGENCE.score(target_of(folds), guess)
    np.testing.assert_allclose(fit.oof.sum(axis=1), 1, atol=1e-5)


def test_rows_that_no_fold_holds_out_are_not_scored():
    folds = folds_of(rows=90)
    late = [replace(fold, valid_rows=fold.valid_rows + 10) for fold in folds]  # as if ten more came before
    assert (
        crossfit(late, None, CONFIG, 2, ACCURACY).oof.tolist()
        == crossfit(folds, None, CONFIG, 2, ACCURACY).oof.tolist()
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_comes_to_the_score_of_the_cpu():
    folds = folds_of(rows=240, noise=0.3)
    scores = [crossfit(folds, None, CONFIG, 2, LOG_LOSS, device=device).score for device in ("cpu", "cuda")]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
