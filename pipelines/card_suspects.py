"""Suspects of a card: columns, ids and orders of rows that tell the target better than they should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.targets import Classes, Flags, Target
from pipelines.card_alone import FOLDS, alone, auc_luck, rank_luck
from pipelines.card_codes import Coded

SUSPECT = 0.95  # AUC or correlation of a column alone, from which it is likely made after the target, or of it
CERTAIN = 0.998  # AUC of one class of several, which an honest column may tell well
ORDER = {False: 0.65, True: 0.3}  # AUC or correlation of an id or an order, which should tell nothing; by rank


@dataclass(frozen=True, kw_only=True)
class Tells:
    """How well each column alone tells the target, of rows whose target was not looked at (see `card_alone`).

    It is the mean AUC of each class against the others; of flags that of the flag, and of shares the correlation of the
    share, that it tells best. What one class alone is told by is a suspect, too. The folds are the competition's own,
    so that kin stay in one.
    """

    score: str  # "AUC" or "Spearman"
    alone: dict[str, float]  # of each column, the best first
    best: dict[str, float]  # of each column, of the class, flag or share that it tells best
    apart: dict[str, float]  # of the id, and of the order of the rows in the file: no features
    rows: int  # that were looked at

    @property
    def by_rank(self) -> bool:
        """Whether the score is a correlation, of which chance gives 0, and not an AUC."""
        return self.score != "AUC"

    @property
    def suspects(self) -> list[str]:
        """The columns that tell too much, be it of one class."""
        return [name for name, score in self.alone.items() if score >= SUSPECT or self.best[name] >= CERTAIN]

    @property
    def orders(self) -> list[str]:
        """The ids and orders that tell something."""
        luck = rank_luck(self.rows) if self.by_rank else 0.5 + auc_luck(self.rows / 2, self.rows / 2)
        least = max(ORDER[self.by_rank], luck)
        return [name for name, score in self.apart.items() if score >= least]


def tells_of(
    columns: Sequence[Coded], apart: Sequence[Coded], declared: Target, target: np.ndarray, fold: np.ndarray
) -> Tells:
    """Measures it.

    Args:
        columns: of some train rows.
        apart: the id and the order.
        declared: says what the target is.
        target: [rows, ...].
        fold: [rows], the competition's own.
    """
    outputs, by_rank = outputs_of(declared, target), not isinstance(declared, Classes | Flags)
    told = {each.name: alone(each, outputs, fold.astype(np.int64) % FOLDS, by_rank) for each in (*columns, *apart)}
    combine = np.mean if isinstance(declared, Classes) else np.max
    found = {name: float(combine(scores)) for name, scores in told.items()}
    own = {each.name: found[each.name] for each in columns}
    return Tells(
        score="Spearman" if by_rank else "AUC",
        alone=dict(sorted(own.items(), key=lambda item: -item[1])),
        best={name: float(told[name].max()) for name in own},
        apart={each.name: found[each.name] for each in apart},
        rows=len(target),
    )


def outputs_of(declared: Target, target: np.ndarray) -> np.ndarray:
    """The target, float64 [rows, outputs]: a class as flags, of which the second tells all of two.

    An output that is the same in all rows is left out, but for the first where all are.
    """
    found = target.astype(np.float64).reshape(len(target), -1)
    if isinstance(declared, Classes):
        flags = np.eye(len(declared.outputs))[target]
        found = flags[:, 1:] if len(declared.outputs) == 2 else flags
    varies = (found != found[:1]).any(axis=0)
    return found[:, varies] if varies.any() else found[:, :1]
