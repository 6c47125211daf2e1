"""Bench: a cross-validation as one packed network against the same networks one after another.

Both ways train the same networks on the same batches; the table says how far apart their predictions are.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from data.datasets import Fold
from features.recipe import Workshop
from models.config import Config, outputs_of
from models.forms import form_of
from models.mlp import MLPConfig
from models.training import Training, generators_of, pack_generators, predict
from pipelines.competition import find
from pipelines.fitting import encode
from tests.twins import twin_tables

ROUNDS = 5
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    nets: int
    packed: float  # seconds, median of the rounds
    alone: float
    difference: float  # greatest, of a probability

    def __str__(self) -> str:
        seconds = f"{self.packed:.2f} | {self.alone:.2f} | {self.alone / self.packed:.1f}"
        return f"| {self.what} | {self.nets} | {seconds} | {self.difference:.0e} |"


def measure(what: str, folds: Sequence[Fold], config: Config) -> Row:
    """Trains all epochs both ways, in turn, so that a noisy machine is noisy for both."""
    ours, theirs = packed(folds, config), one_after_another(folds, config)
    times: dict[Callable, list[float]] = {packed: [], one_after_another: []}
    for _ in range(ROUNDS):
        for way, seconds in times.items():
            started = time.perf_counter()
            way(folds, config)
            seconds.append(time.perf_counter() - started)
    medians = [statistics.median(seconds) for seconds in times.values()]
    nets = len(folds) * config.members
    difference = float((ours - theirs).abs().max())
    return Row(what=what, nets=nets, packed=medians[0], alone=medians[1], difference=difference)


def packed(folds: Sequence[Fold], config: Config) -> torch.Tensor:
    """Every network at once: probabilities [folds, valid rows, classes] after the last epoch."""
    return _trained(folds, config, pack_generators(0, len(folds), config.members))


def one_after_another(folds: Sequence[Fold], config: Config) -> torch.Tensor:
    """The same networks, each alone: the mean of the members in every fold."""
    found = []
    for number, fold in enumerate(folds):
        generators = generators_of(0, number, config.members)
        members = [_trained([fold], config, [generator]) for generator in generators]
        found.append(torch.stack(members).mean(dim=0))
    rows = min(shares.shape[1] for shares in found)
    return torch.cat([shares[:, :rows] for shares in found])


def _trained(folds: Sequence[Fold], config: Config, generators: Sequence[torch.Generator]) -> torch.Tensor:
    form = form_of([fold.train for fold in folds])
    network = config.build(form, outputs_of(config.loss, 2), generators)
    training = Training(network, form.stack([fold.train for fold in folds], CPU), config, generators)
    for _ in range(config.epochs):
        training.epoch()
    return predict(network, form.stack([fold.valid for fold in folds], CPU), config)


def section() -> str:
    """Measures, and tells it in Markdown."""
    torch.set_num_threads(1)
    competition, tables = find("titanic"), twin_tables("titanic")
    candidate = competition.candidate("mlp")[1]
    folds = encode(competition, tables, candidate, Workshop()).folds
    folds = [replace(fold, valid=_cut(fold, min(len(each.valid) for each in folds))) for fold in folds]
    config = candidate.config
    assert isinstance(config, MLPConfig)
    rows = [
        measure(f"Titanic's default: {config.width} units x {config.depth}, batches of {config.batch}", folds, config),
        measure("32 units x 2, batches of 32", folds, replace(config, width=32, depth=2)),
        measure("64 units x 2, batches of 64", folds, replace(config, width=64, depth=2, batch=64)),
    ]
    head = f"""## A whole cross-validation as one network

5 folds x 8 members on Titanic's rows (its synthetic twin), {config.epochs} epochs on one core, trained as one packed
network and one network after another: the same weights at the start, the same batches, the same dropout. Medians of
{ROUNDS} rounds.

| network | networks | packed, s | one after another, s | times faster | greatest difference of a probability |
|---|---|---|---|---|---|
"""
    return head + "\n".join(map(str, rows)) + "\n"


def _cut(fold: Fold, rows: int):  # folds of equal size compare row by row
    return replace(fold.valid, input=fold.valid.input[:rows], target=fold.valid.target[:rows])
