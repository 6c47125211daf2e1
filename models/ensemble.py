"""Ensemble: the networks that a cross-validation left, for rows that come later."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from data.datasets import Rows
from models.config import Config, outputs_of
from models.devices import matmul_precision
from models.forms import form_of
from models.keeping import State
from models.training import pack_generators, predict


class Ensemble:
    """All folds' networks, and those that were trained on all rows.

    Networks are built for the form of the rows that they are given, which may be none: as the encoder of each fold
    makes them, and of `whole` as the one that was fitted on all rows.

    Args:
        folds: one a fold.
        whole: None: no networks were trained on all rows.
        config: the networks.
        columns: of the predictions.
        weights: [folds x members, ...], of the networks of the folds.
        refit_weights: [refits, ...], of those that were trained on all rows.
        device: where to compute.
    """

    def __init__(
        self,
        folds: Sequence[Rows],
        whole: Rows | None,
        config: Config,
        columns: int,
        weights: State,
        refit_weights: State,
        device: torch.device | str = "cpu",
    ) -> None:
        device = torch.device(device)
        outputs = outputs_of(config.loss, columns)
        self.validation = _Pack(folds, len(folds) * config.members, config, outputs, weights, device)
        self.refit = None if whole is None else _Pack([whole], config.refits, config, outputs, refit_weights, device)

    def predict(self, folds: Sequence[Rows], whole: Rows | None) -> Tensor:
        """The mean of all networks' predictions, float32 [rows, columns].

        Args:
            folds: the same rows, one dataset a fold.
            whole: as for the constructor.
        """
        found = self.validation.predict(folds).mean(dim=0)
        if self.refit is None or whole is None:
            return found
        return mean_of(found, self.validation.nets, self.refit.predict([whole])[0], self.refit.nets)


class _Pack:
    """Networks of one form."""

    def __init__(
        self, rows: Sequence[Rows], nets: int, config: Config, outputs: int, weights: State, device: torch.device
    ) -> None:
        self.nets, self.config, self.device = nets, config, device
        self.form = form_of(rows)
        network = config.build(self.form, outputs, pack_generators(0, 1, nets))
        network.settle(weights)
        self.network = network.to(device)

    def predict(self, rows: Sequence[Rows]) -> Tensor:
        """Float32 [datasets, rows, columns]."""
        with matmul_precision(self.config.precision, self.device):
            return predict(self.network, self.form.stack(rows, self.device), self.config)


def mean_of(found: Tensor, nets: int, other: Tensor, others: int) -> Tensor:
    """The mean of all networks, from that of some and that of others."""
    return (found * nets + other * others) / (nets + others)
