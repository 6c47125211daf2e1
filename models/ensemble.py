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
    """The networks that answer new rows: of folds, and those that were trained on all rows.

    Networks are built for the form of the rows that they are given, which may be none: as the encoder of each fold
    makes them, and of `whole` as the one that was fitted on all rows.

    Args:
        folds: one a fold; none: only networks of all rows answer.
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
        packs = [(folds, len(folds) * config.members, weights)]
        packs += [] if whole is None else [([whole], config.refits, refit_weights)]
        self.packs = [_Pack(rows, nets, config, outputs, own, device) for rows, nets, own in packs if rows]

    def predict(self, folds: Sequence[Rows], whole: Rows | None) -> Tensor:
        """The mean of all networks' predictions, float32 [rows, columns].

        Args:
            folds: the same rows, one dataset a fold.
            whole: as for the constructor.
        """
        rows = [each for each in (folds, [] if whole is None else [whole]) if each]
        found = [(pack.predict(own).mean(dim=0), pack.nets) for pack, own in zip(self.packs, rows, strict=True)]
        if len(found) == 1:
            return found[0][0]
        (validation, nets), (refit, others) = found
        return mean_of(validation, nets, refit, others)


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
