"""Selection: the scores of an epoch's out-of-fold predictions, and each fold's best epoch so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from data.datasets import Fold
from data.errors import PodiumError
from data.metrics import Metric
from models.epochs import Epoch
from models.keeping import State, part, prefixed


class DivergedError(PodiumError):
    """The training ran into numbers that are none."""


class Scorer:
    """Brings the folds' valid rows into the order of the train rows, without those that none holds out; scores them."""

    def __init__(self, folds: Sequence[Fold], metric: Metric, monitor: Metric) -> None:
        self.metric, self.monitor = metric, monitor
        held_out = [fold.valid_rows.numpy() for fold in folds]
        scored = np.sort(np.concatenate(held_out))
        self.rows = [np.searchsorted(scored, rows) for rows in held_out]  # places among those
        targets = np.concatenate([fold.valid.target.numpy() for fold in folds])
        self.target = targets[np.argsort(np.concatenate(self.rows))]

    def rows_of(self, shares: Tensor) -> np.ndarray:
        """Predictions [folds, valid rows, columns] as [scored rows, columns]."""
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


class Best:
    """Each fold's best epoch so far: its predictions and its networks' weights."""

    def __init__(self, network: torch.nn.Module, scorer: Scorer, columns: int) -> None:
        self.network, self.monitor, self.rows = network, scorer.monitor, scorer.rows
        self.oof = np.full((len(scorer.target), columns), np.nan, dtype=np.float32)
        self.last = self.oof  # of the last epoch
        self.weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.scores = [np.nan] * len(self.rows)
        self.epochs = [0] * len(self.rows)
        self.stopped = [False] * len(self.rows)

    def update(self, epoch: Epoch, oof: np.ndarray, patience: int) -> None:
        """Takes the folds that improved over, and ends those that have not for too long."""
        self.last = oof
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

    def state(self) -> State:
        """All of it."""
        return {
            **prefixed("weights", self.weights),
            "oof": torch.from_numpy(self.oof.copy()),
            "scores": torch.tensor(self.scores, dtype=torch.float64),
            "epochs": torch.tensor(self.epochs),
            "stopped": torch.tensor(self.stopped),
        }

    def restore(self, state: State) -> None:
        """Goes back to a state."""
        for name, tensor in part("weights", state).items():
            self.weights[name].copy_(tensor)
        self.oof = state["oof"].numpy().copy()
        self.scores, self.epochs = state["scores"].tolist(), state["epochs"].tolist()
        self.stopped = state["stopped"].tolist()

    def check(self) -> None:
        """Refuses folds that never had a score."""
        lost = [fold for fold, number in enumerate(self.epochs) if number == 0]
        if not lost:
            return
        folds, name = ", ".join(map(str, lost)), self.monitor.name
        if any(np.isfinite(self.last[self.rows[fold]]).all() for fold in lost):
            raise DivergedError(
                f"{name} cannot score the rows of fold {folds}, as of one class or of numbers that it is not for:"
                " choose the epoch by another monitor, or take fewer folds"
            )
        raise DivergedError(f"the training diverged in fold {folds}: lower lr, or set clip")
