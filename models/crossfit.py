"""Crossfit: a whole cross-validation, folds x members, trained as one network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.datasets import Fold
from data.errors import PodiumError
from data.metrics import Metric
from models.config import Config
from models.losses import outputs_of
from models.pack import stack, width_of
from models.training import generators_of, pack_generators, predict, train


class DivergedError(PodiumError):
    """The training ran into numbers that are none."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of all folds, scored on the rows that each fold holds out, by the mean of the fold's members."""

    number: int  # from 1
    train_loss: float  # mean of all networks
    score: float  # over all out-of-fold rows
    fold_scores: tuple[float, ...]
    monitor: float  # what chooses the epoch, over all out-of-fold rows
    fold_monitors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossFit:
    """What a cross-validation leaves: each fold at the epoch that its own ensemble scored best in."""

    oof: np.ndarray  # float32 [train rows, classes]: of the networks that did not see the row
    test: np.ndarray  # float32 [test rows, classes]: the mean of all networks
    score: float
    fold_scores: tuple[float, ...]
    fold_epochs: tuple[int, ...]  # the chosen ones, from 1
    history: tuple[Epoch, ...]
    weights: dict[str, Tensor]  # [folds x members, ...]
    refit_weights: dict[str, Tensor]  # [members, ...], of networks trained on all rows; empty without refit


def crossfit(
    folds: Sequence[Fold],
    whole: Fold | None,
    config: Config,
    classes: int,
    metric: Metric,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    watch: Callable[[Epoch], None] | None = None,
) -> CrossFit:
    """Trains all folds and members at once, chooses each fold's epoch, and predicts.

    Args:
        folds: encoded, in the order of their numbers.
        whole: the fold that holds nothing out, for the networks trained on all rows; None leaves those out.
        config: the networks and their training.
        classes: how many.
        metric: the competition's.
        seed: of weights, batches and dropout; the same seed gives the same bytes on a CPU.
        device: where to train.
        watch: told of every epoch; may raise to stop.

    Raises:
        DivergedError: a fold never had a finite score, or a test row no finite prediction.
    """
    device = torch.device(device)
    outputs = outputs_of(config.loss, classes)
    width = width_of([fold.train for fold in folds])
    generators = pack_generators(seed, len(folds), config.members)
    network = config.build(width.columns, width.cardinalities, outputs, generators).to(device)
    valid = stack([fold.valid for fold in folds], width, device).input
    scorer = _Scorer(folds, metric, config.monitor or metric)
    best = _Best(network, scorer, classes)

    history: list[Epoch] = []
    packed = stack([fold.train for fold in folds], width, device)
    for number, losses in enumerate(train(network, packed, config, generators), start=1):
        oof = scorer.rows_of(predict(network, valid, config))
        history.append(scorer.epoch(number, float(losses.mean()), oof))
        best.update(history[-1], oof, config.patience)
        if watch is not None:
            watch(history[-1])
        if all(best.stopped):
            break
    best.check()

    network.load_state_dict(best.weights)
    test = predict(network, stack([fold.test for fold in folds], width, device).input, config).mean(dim=0)
    refit_weights: dict[str, Tensor] = {}
    if whole is not None:
        refit_test, refit_weights = _refit(whole, config, outputs, best.epochs, seed, device)
        test = (test * len(folds) + refit_test) / (len(folds) + 1)  # the mean of all networks
    if not test.isfinite().all():
        raise DivergedError("the prediction of a test row is no number: lower lr, or look at the row's features")
    return CrossFit(
        oof=best.oof,
        test=test.cpu().numpy(),
        score=metric.score(scorer.target, best.oof),
        fold_scores=scorer.by_fold(metric, best.oof),
        fold_epochs=tuple(best.epochs),
        history=tuple(history),
        weights={name: tensor.cpu() for name, tensor in best.weights.items()},
        refit_weights=refit_weights,
    )


class _Scorer:
    """Brings the folds' valid rows into the order of the train rows, and scores them."""

    def __init__(self, folds: Sequence[Fold], metric: Metric, monitor: Metric) -> None:
        self.metric, self.monitor = metric, monitor
        self.rows = [fold.valid_rows.numpy() for fold in folds]
        self.target = np.empty(sum(map(len, self.rows)), dtype=np.int64)
        for fold, at in zip(folds, self.rows, strict=True):
            self.target[at] = fold.valid.target.numpy()

    def rows_of(self, shares: Tensor) -> np.ndarray:
        """Probabilities [folds, valid rows, classes] as [train rows, classes]."""
        oof = np.empty((len(self.target), shares.shape[2]), dtype=np.float32)
        for found, at in zip(shares.cpu().numpy(), self.rows, strict=True):
            oof[at] = found[: len(at)]
        return oof

    def by_fold(self, metric: Metric, oof: np.ndarray) -> tuple[float, ...]:
        """The score of each fold's rows."""
        return tuple(metric.score(self.target[at], oof[at]) for at in self.rows)

    def epoch(self, number: int, train_loss: float, oof: np.ndarray) -> Epoch:
        """The scores of an epoch."""
        return Epoch(
            number=number,
            train_loss=train_loss,
            score=self.metric.score(self.target, oof),
            fold_scores=self.by_fold(self.metric, oof),
            monitor=self.monitor.score(self.target, oof),
            fold_monitors=self.by_fold(self.monitor, oof),
        )


class _Best:
    """Each fold's best epoch so far: its predictions and its networks' weights."""

    def __init__(self, network: torch.nn.Module, scorer: _Scorer, classes: int) -> None:
        self.network, self.monitor, self.rows = network, scorer.monitor, scorer.rows
        self.oof = np.full((len(scorer.target), classes), np.nan, dtype=np.float32)
        self.weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.scores = [np.nan] * len(self.rows)
        self.epochs = [0] * len(self.rows)
        self.stopped = [False] * len(self.rows)

    def update(self, epoch: Epoch, oof: np.ndarray, patience: int) -> None:
        """Takes the folds that improved over, and ends those that have not for too long."""
        for fold, score in enumerate(epoch.fold_monitors):
            if self.stopped[fold]:
                continue
            if self.monitor.better(score, self.scores[fold]):
                self.scores[fold] = score
                self.epochs[fold] = epoch.number
                self.oof[self.rows[fold]] = oof[self.rows[fold]]
                for name, tensor in self.network.state_dict().items():
                    members = len(tensor) // len(self.rows)
                    own = slice(fold * members, (fold + 1) * members)
                    self.weights[name][own] = tensor[own]
            elif epoch.number - self.epochs[fold] >= patience:
                self.stopped[fold] = True

    def check(self) -> None:
        """Refuses folds that never had a score."""
        lost = [str(fold) for fold, number in enumerate(self.epochs) if number == 0]
        if lost:
            raise DivergedError(f"the training diverged in fold {', '.join(lost)}: lower lr, or set clip")


def _refit(
    whole: Fold, config: Config, outputs: int, epochs: Sequence[int], seed: int, device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Members trained on all rows for as many epochs as the folds chose on average.

    Shape: test predictions [test rows, classes]
    """
    width = width_of([whole.train])
    generators = generators_of(seed, len(epochs), config.members)  # those of the fold after the last
    network = config.build(width.columns, width.cardinalities, outputs, generators).to(device)
    training = train(network, stack([whole.train], width, device), config, generators)
    for _ in range(round(float(np.mean(epochs)))):
        next(training)
    test = predict(network, stack([whole.test], width, device).input, config)[0]
    return test, {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
