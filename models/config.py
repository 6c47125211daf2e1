"""Config: how a pack of networks is trained. What the networks are is said by each family's own config."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING

from data.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from models.network import Network
    from models.pack import Form

MOST_DROPOUT = 0.99  # a mask knows 256ths


class Loss(StrEnum):
    """What the training lowers."""

    CROSS_ENTROPY = "cross_entropy"  # an output a class
    BINARY = "binary"  # one output, the logit of the second of two classes
    MULTILABEL = "multilabel"  # an output a flag, its logit (binary cross-entropy)
    DIVERGENCE = "divergence"  # Kullback-Leibler's, of shares that sum to 1
    SQUARED = "squared"  # of numbers (MSE), which are standardised for the networks, as for the next two
    ABSOLUTE = "absolute"  # (MAE)
    HUBER = "huber"  # squared within a standard deviation, absolute beyond (Huber, 1964)

    @property
    def is_of_numbers(self) -> bool:
        """Whether it is of numbers, and not of probabilities."""
        return self in (Loss.SQUARED, Loss.ABSOLUTE, Loss.HUBER)


def outputs_of(loss: Loss, columns: int) -> int:
    """How many outputs a row has, whose predictions have so many columns.

    Raises:
        ValueError: the loss takes no such predictions.
    """
    if loss is Loss.BINARY and columns != 2:
        raise ValueError(f"the binary loss takes two classes, but got {columns}")
    return 1 if loss is Loss.BINARY else columns


class Optimizer(StrEnum):
    """torch.optim's, by name."""

    SGD = "sgd"  # takes the momentum
    ADAM = "adam"  # weight decay joins the gradient (L2)
    ADAMW = "adamw"  # weight decay apart from the gradient (Loshchilov and Hutter, 2019)
    RMSPROP = "rmsprop"  # takes the momentum
    ADAGRAD = "adagrad"


class Schedule(StrEnum):
    """The course of the learning rate after the warm-up."""

    CONSTANT = "constant"
    COSINE = "cosine"  # down to zero at the last epoch (Loshchilov and Hutter, 2017)
    TRAPEZOID = "trapezoid"  # constant, then a line to zero over the last quarter (Haegele et al., 2024)


class Precision(StrEnum):
    """How matrix products are computed, and convolutions on CUDA; all else is float32."""

    FULL = "full"  # float32
    FAST = "fast"  # factors rounded to TF32 on CUDA, to bfloat16 on a CPU with AMX; float32 elsewhere


@dataclass(frozen=True, kw_only=True)
class Config(ABC):
    """What all families of networks share."""

    members: int = 8  # networks a fold; their mean predicts
    refit: int | None = None  # networks trained on all rows that join the test prediction; None: as many as members
    epochs: int = 50  # at most
    patience: int = 10  # epochs without a better score of a fold before its training ends
    monitor: Metric | None = None  # what chooses the epoch; None: the competition's metric
    batch: int = 64  # rows
    loss: Loss = Loss.CROSS_ENTROPY
    distinct: bool = False  # whether train rows that repeat each other, with their class, are learned from as one
    label_smoothing: float = 0.0  # share of the target spread over all classes (Szegedy et al., 2016)
    log_target: bool = False  # whether networks learn log(1 + x) of a number, which is then above -1
    optimizer: Optimizer = Optimizer.ADAMW
    lr: float = 1e-3  # the highest learning rate
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = Schedule.COSINE
    warmup: float = 0.05  # share of all steps in which the rate rises from zero
    clip: float | None = None  # greatest norm of a network's gradient
    precision: Precision = Precision.FULL

    def __post_init__(self) -> None:
        self._check_types()
        self._check_ranges()

    @property
    def refits(self) -> int:
        """Networks that are trained on all rows."""
        return self.members if self.refit is None else self.refit

    def _check_types(self) -> None:
        wanted_types = {
            "loss": Loss,
            "optimizer": Optimizer,
            "schedule": Schedule,
            "precision": Precision,
        }
        for name, wanted in wanted_types.items():
            if not isinstance(getattr(self, name), wanted):
                raise ValueError(f"takes a {wanted.__name__}, but got {name}={getattr(self, name)!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"takes numbers, but got {field.name}={value}")
            if field.type == "float" and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ValueError(f"takes a number, but got {field.name}={value!r}")
            none = field.type == "int | None" and value is None
            if field.type in ("int", "int | None") and type(value) is not int and not none:
                raise ValueError(f"takes a whole number, but got {field.name}={value!r}")

    def _check_ranges(self) -> None:
        for name in ("members", "epochs", "patience", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"takes {name} of 1 or more, but got {name}={getattr(self, name)}")
        for name in ("label_smoothing", "warmup", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"takes {name} in [0, 1), but got {name}={getattr(self, name)}")
        if self.log_target and not self.loss.is_of_numbers:
            raise ValueError(f"log_target is of numbers, but got {self.loss=}")
        if self.label_smoothing and (self.loss.is_of_numbers or self.loss is Loss.DIVERGENCE):
            raise ValueError(f"label_smoothing is of classes and flags, but got {self.loss=}")
        if self.distinct and self.loss is not Loss.CROSS_ENTROPY:
            raise ValueError(f"distinct is of classes, but got {self.loss=}")
        if self.refit is not None and self.refit < 0:
            raise ValueError(f"takes no networks or some, but got refit={self.refit}")
        if self.lr <= 0 or self.weight_decay < 0 or (self.clip is not None and self.clip <= 0):
            raise ValueError(f"takes positive rates, but got {self.lr=} {self.weight_decay=} {self.clip=}")

    def build(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> Network:
        """A pack of freshly drawn networks, one from each generator.

        Args:
            form: of the inputs.
            outputs: of a row.
            generators: one a network, on the CPU.

        Raises:
            UsageError: networks of this family take no inputs of that form.
        """
        from models.prior import Prior
        from models.scale import Scale

        network = self.networks(form, outputs, generators)
        if self.loss.is_of_numbers:
            network.target_scale = Scale(len(generators), self.log_target)
        if self.distinct:
            network.prior = Prior(len(generators), outputs)
        return network

    @abstractmethod
    def networks(self, form: Form, outputs: int, generators: Sequence[torch.Generator]) -> Network:
        """See `build`, whose arguments it has; what a family does of it."""
