"""The training loop: all networks of a pack, an epoch at a time. It knows no files, no tracking and no search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from models.config import Config
from models.losses import probabilities, row_losses
from models.network import Network, Noise
from models.optimizers import build_optimizer, clip_gradients, rate_at
from models.pack import Batches, Pack

MOST_ROWS = 2**18  # of all networks together that one prediction computes at once


def generators_of(seed: int, fold: int, members: int) -> list[torch.Generator]:
    """A generator for each member of a fold; it depends on nothing else, so a network alone draws as in a pack."""
    states = [np.random.SeedSequence([seed, fold, member]).generate_state(1, np.uint64) for member in range(members)]
    return [torch.Generator().manual_seed(int(state[0] >> np.uint64(1))) for state in states]


def pack_generators(seed: int, folds: int, members: int) -> list[torch.Generator]:
    """The generators of a whole pack, fold after fold."""
    return [generator for fold in range(folds) for generator in generators_of(seed, fold, members)]


def train(network: Network, pack: Pack, config: Config, generators: Sequence[torch.Generator]) -> Iterator[Tensor]:
    """Trains `config.epochs` epochs, and pauses after each; the caller stops when it has seen enough.

    Args:
        network: on the pack's device; changed in place.
        pack: the train rows of every fold.
        config: how to train.
        generators: one a network, on the CPU.

    Yields:
        The mean loss of each network over the epoch, float32 [nets], on the device.
    """
    batches = Batches(pack, config.batch, generators)
    noise = Noise(generators, pack.input.device)
    optimizer = build_optimizer(config, network.parameters())
    step, steps = 0, batches.steps * config.epochs
    for _ in range(config.epochs):
        total = torch.zeros(network.nets, device=pack.input.device)
        for rows, target, weight in batches.epoch():
            for group in optimizer.param_groups:
                group["lr"] = rate_at(config, step, steps)
            logits = network(batches.input_of(rows), noise)
            losses = row_losses(config.loss, logits, target, config.label_smoothing)
            loss = (losses * weight).sum(dim=1)  # [nets]
            optimizer.zero_grad()
            loss.sum().backward()
            if config.clip is not None:
                clip_gradients(network.parameters(), config.clip)
            optimizer.step()
            total += loss.detach()
            step += 1
        yield total / batches.steps


@torch.no_grad()
def predict(network: Network, input: Tensor, config: Config) -> Tensor:
    """The mean of the members' probabilities in every fold.

    Shape: input [folds, rows, columns], result [folds, rows, classes]
    """
    folds, _, columns = input.shape
    members = network.nets // folds
    size = max(1, MOST_ROWS // network.nets)
    found = []
    for part in input.split(size, dim=1):
        packed = part.unsqueeze(1).expand(-1, members, -1, -1).reshape(network.nets, -1, columns)
        shares = probabilities(config.loss, network(packed))  # [nets, rows, classes]
        found.append(shares.view(folds, members, part.shape[1], -1).mean(dim=1))
    return torch.cat(found, dim=1)
