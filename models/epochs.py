"""Epochs: what a training tells of itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of all folds, scored on the rows that each fold holds out, by the mean of the fold's members."""

    number: int  # from 1
    train_loss: float  # mean of all networks
    score: float  # over all out-of-fold rows
    fold_scores: tuple[float, ...]
    monitor: float  # what chooses the epoch, over all out-of-fold rows
    fold_monitors: tuple[float, ...]

    def numbers(self) -> tuple[float, ...]:
        """All fields one after another."""
        return (self.number, self.train_loss, self.score, self.monitor, *self.fold_scores, *self.fold_monitors)

    @staticmethod
    def of(numbers: Sequence[float]) -> Epoch:
        """The epoch of such numbers."""
        number, train_loss, score, monitor, *by_fold = numbers
        return Epoch(
            number=int(number),
            train_loss=train_loss,
            score=score,
            fold_scores=tuple(by_fold[: len(by_fold) // 2]),
            monitor=monitor,
            fold_monitors=tuple(by_fold[len(by_fold) // 2 :]),
        )


@dataclass(frozen=True, kw_only=True)
class RefitEpoch:
    """One epoch of the networks that train on all rows."""

    number: int  # from 1
    of: int  # the last one
    train_loss: float


@dataclass(frozen=True, kw_only=True)
class Within:
    """How far an epoch is, told now and then while it lasts."""

    number: int  # from 1
    of: int  # the last one
    share: float  # of its steps that are done
    refit: bool  # whether the networks are those that train on all rows


Told = Epoch | RefitEpoch | Within
Watch = Callable[[Told], None]
