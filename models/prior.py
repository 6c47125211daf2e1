"""Prior: the classes of rows as they come, for networks that learned from each kind of row as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.pack import Pack


class Prior(nn.Module):
    """Each network's own, of its fold's train rows.

    Networks that see a class less often than it comes predict it less often. Adding the logarithm of how much more
    often it comes to its logit makes up for that (Menon et al., 2021, https://arxiv.org/abs/2007.07314).

    Attributes:
        shift: float32 [nets, 1, classes].
    """

    shift: Tensor

    def __init__(self, nets: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(nets, 1, classes))

    def fit(self, pack: Pack) -> None:
        """Learns from the train rows of every fold; a class that has none is left as it is."""
        members, classes = len(self.shift) // len(pack.rows), self.shift.shape[2]
        for fold, rows in enumerate(pack.rows):
            target = pack.target[fold, :rows].cpu()
            count = target.bincount(minlength=classes).double()
            kinds = target.bincount(weights=1 / pack.repeats(fold).double(), minlength=classes)
            odds = (count / count.sum()).log() - (kinds / kinds.sum()).log()
            self.shift[fold * members : (fold + 1) * members] = odds.nan_to_num(0.0).float()

    def restored(self, outputs: Tensor) -> Tensor:
        """The logits of rows as they come; float32 [nets, rows, classes] as given."""
        return outputs + self.shift
