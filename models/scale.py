"""Scale: numbers that are to be predicted, brought to mean 0 and deviation 1, in which networks learn well."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from data.errors import UsageError
from models.pack import Pack

LEAST = 1e-12  # deviation


class Scale(nn.Module):
    """Each network's own, of its fold's train rows.

    Args:
        nets: how many networks.
        log: whether log(1 + x) is taken first.

    Attributes:
        mean: float32 [nets, 1].
        deviation: float32 [nets, 1].
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, nets: int, log: bool) -> None:
        super().__init__()
        self.log = log
        self.register_buffer("mean", torch.zeros(nets, 1))
        self.register_buffer("deviation", torch.ones(nets, 1))

    def fit(self, pack: Pack) -> None:
        """Learns from the train rows of every fold.

        Raises:
            UsageError: log(1 + x) is no number of some.
        """
        members = len(self.mean) // len(pack.rows)
        for fold, rows in enumerate(pack.rows):
            found = self._logged(pack.target[fold, :rows].double())
            if not found.isfinite().all():
                raise UsageError("log_target takes numbers above -1, but the target holds others")
            own = slice(fold * members, (fold + 1) * members)
            self.mean[own] = found.mean().float()
            self.deviation[own] = found.std(correction=0).clamp_min(LEAST).float()

    def scaled(self, target: Tensor) -> Tensor:
        """What the networks learn; float32 [nets, rows] as given."""
        return (self._logged(target) - self.mean) / self.deviation

    def restored(self, outputs: Tensor) -> Tensor:
        """What outputs of the networks stand for; float32 [nets, rows, 1] as given."""
        found = outputs * self.deviation.unsqueeze(-1) + self.mean.unsqueeze(-1)
        return torch.expm1(found) if self.log else found

    def _logged(self, target: Tensor) -> Tensor:
        return torch.log1p(target) if self.log else target
