"""What every config must keep: it trains, it is deterministic, it packs without changing the result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.metrics import ACCURACY
from models.config import Loss, Optimizer, Schedule
from models.crossfit import crossfit
from models.forms import form_of
from models.mlp import Activation, MLPConfig
from models.training import Training, generators_of, pack_generators
from tests.toy import folds_of

SMALL = MLPConfig(width=8, depth=1, members=3, epochs=6, batch=16, lr=0.02, refit=0)
CONFIGS = {
    "small": SMALL,
    "deep": replace(SMALL, depth=3, dropout=0.3),
    "binary": replace(SMALL, loss=Loss.BINARY, dropout=0.2),
    "smoothed": replace(SMALL, label_smoothing=0.1, clip=0.5),
    "constant": replace(SMALL, schedule=Schedule.CONSTANT, warmup=0.0),
    "trapezoid": replace(SMALL, schedule=Schedule.TRAPEZOID, dropout=0.2),
    "expanded": replace(SMALL, pieces=4, sums=6, expanded=4, input_dropout=0.2),
    "tanh": replace(SMALL, activation=Activation.TANH, weight_decay=0.1),
    **{str(name): replace(SMALL, optimizer=name, lr=0.05, dropout=0.1) for name in Optimizer},
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def fit(config, folds, seed=0):
    return crossfit(folds, None, config, 2, ACCURACY, seed=seed)


@every_config
def test_it_learns(config):
    result = fit(replace(config, epochs=15), folds_of(rows=240, noise=0.3))
    assert result.score > 0.85
    assert result.history[-1].train_loss < result.history[0].train_loss


@every_config
def test_a_seed_gives_the_same_bytes(config):
    first, again, other = (fit(config, folds_of(), seed) for seed in (4, 4, 5))
    assert first.oof.tobytes() == again.oof.tobytes()
    assert first.test.tobytes() == again.test.tobytes()
    assert first.oof.tobytes() != other.oof.tobytes()


@every_config
def test_a_network_alone_equals_the_same_network_in_the_pack(config):
    folds = folds_of()
    data = [fold.train for fold in folds]
    form = form_of(data)
    device = torch.device("cpu")

    def trained(datasets, generators):
        network = config.build(form, 1 if config.loss is Loss.BINARY else 2, generators)
        training = Training(network, form.stack(datasets, device), config, generators)
        losses = [training.epoch() for _ in range(config.epochs)]
        return network, torch.stack(losses)

    packed, packed_losses = trained(data, pack_generators(0, 3, config.members))
    for fold, member in ((0, 0), (1, 2), (2, 1)):
        net = fold * config.members + member
        alone, losses = trained([data[fold]], generators_of(0, fold, config.members)[member : member + 1])
        torch.testing.assert_close(losses[:, 0], packed_losses[:, net], rtol=1e-4, atol=1e-5)
        for name, parameter in alone.named_parameters():
            torch.testing.assert_close(parameter[0], packed.get_parameter(name)[net], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"members": 0},
        {"epochs": 0},
        {"batch": 0},
        {"lr": 0.0},
        {"label_smoothing": 1.0},
        {"warmup": -0.1},
        {"clip": 0.0},
        {"weight_decay": -1.0},
        {"width": 0},
        {"dropout": 1.0},
        {"lr": float("inf")},
        {"clip": float("nan")},
        {"epochs": 2.5},
        {"loss": "binary"},
        {"schedule": "nonsense"},
        {"activation": "relu"},
        {"refit": True},
        {"refit": -1},
        {"embedding": 0},
        {"pieces": -1},
        {"pieces": 1.5},
        {"pieces": None},
        {"sums": -1},
        {"expanded": 0},
        {"expanded": True},
        {"input_dropout": 1.0},
        {"precision": "full"},
        {"loss": Loss.MULTILABEL, "distinct": True},
    ],
)
def test_an_impossible_setting_is_refused_by_name(change):
    with pytest.raises(ValueError, match=f"but got .*{next(iter(change))}"):
        replace(SMALL, **change)


def test_networks_of_a_pack_do_not_disturb_each_other():
    """Rows of another fold change that fold's networks alone."""
    folds = folds_of()
    poisoned = list(folds)
    poisoned[2] = replace(folds[2], train=replace(folds[2].train, input=folds[2].train.input * 50))
    first, second = fit(SMALL, folds), fit(SMALL, poisoned)
    for fold in (0, 1):
        rows = folds[fold].valid_rows
        np.testing.assert_array_equal(first.oof[rows], second.oof[rows])
    assert (first.oof[folds[2].valid_rows] != second.oof[folds[2].valid_rows]).any()
