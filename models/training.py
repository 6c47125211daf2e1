"""The training loop: all networks of a pack, an epoch at a time. It knows no files, no tracking and no search."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from models.config import Config
from models.keeping import State, part, prefixed
from models.losses import predictions, row_losses
from models.network import Network, Noise
from models.optimizers import clip_gradients, fold_optimizers
from models.pack import Batches, Pack

MOST = 2**15  # rows of tables, or tokens of texts, of all networks together that one prediction computes at once
USUAL = 2**9  # numbers that a layer makes of one; fewer rows are computed where it makes more

PAUSE = 5.0  # seconds


def generators_of(seed: int, fold: int, members: int) -> list[torch.Generator]:
    """A generator for each member of a fold; it depends on nothing else, so a network alone draws as in a pack."""
    states = [np.random.SeedSequence([seed, fold, member]).generate_state(1, np.uint64) for member in range(members)]
    return [torch.Generator().manual_seed(int(state[0] >> np.uint64(1))) for state in states]


def pack_generators(seed: int, folds: int, members: int) -> list[torch.Generator]:
    """The generators of a whole pack, fold after fold."""
    return [generator for fold in range(folds) for generator in generators_of(seed, fold, members)]


class Training:
    """The training of a pack, an epoch at a time; whoever runs it stops when it has seen enough.

    Args:
        network: on the pack's device; changed in place.
        pack: the train rows of every fold.
        config: how to train.
        generators: one a network, on the CPU.
    """

    def __init__(self, network: Network, pack: Pack, config: Config, generators: Sequence[torch.Generator]) -> None:
        self.network, self.config, self.generators = network, config, generators
        self.batches = Batches(pack, config.batch, generators, config.distinct)
        self.epochs = 0  # trained so far
        self.steps = 0  # of the epoch under way
        self.total = torch.zeros(network.nets, device=pack.target.device)  # of their losses
        self.start = _states_of(generators)  # of the epoch under way, or of the next
        self.noise: Noise | None = None  # of the epoch under way
        self.noise_before: State = {}  # of an epoch that goes on
        network.fit(pack)  # may leave parameters out
        if network.target_scale is not None:
            network.target_scale.fit(pack)
        if network.prior is not None:
            network.prior.fit(pack)
        self.parts = fold_optimizers(config, network, self.batches.own)
        own = torch.tensor(self.batches.own, device=self.total.device)
        self.own = own.repeat_interleave(self.batches.members)  # steps of an epoch, of each network

    def epoch(self, tell: Callable[[float], None] | None = None) -> Tensor:
        """Trains one epoch, or the rest of it; the mean loss of each network over it, float32 [nets], on the device.

        Args:
            tell: told every `PAUSE`, between two steps, what share of the epoch's steps is done.
        """
        config, network = self.config, self.network
        self.noise = noise = Noise(self.generators, self.total.device, config.batch)
        noise.restore(self.noise_before)
        told, batches = time.monotonic(), self.batches.epoch(self.epochs)
        for step in batches[self.steps :]:
            if tell is not None and self.steps and time.monotonic() - told > PAUSE:
                tell(self.steps / len(batches))
                told = time.monotonic()
            outputs = network(self.batches.pack.input_of(step.rows), noise)
            wanted = step.target if network.target_scale is None else network.target_scale.scaled(step.target)
            losses = row_losses(config.loss, outputs, wanted, config.label_smoothing)
            loss = (losses * step.weight).sum(dim=1)  # [nets]
            network.zero_grad()
            loss.sum().backward()
            if config.clip is not None:
                clip_gradients(network.parameters(), config.clip)
            for each in self.parts:
                place = step.places[each.fold]
                if place is not None:
                    each.step(place, self.epochs)
            self.total += loss.detach()
            self.steps += 1
        mean = self.total / self.own
        self.epochs, self.steps, self.start = self.epochs + 1, 0, _states_of(self.generators)
        self.noise, self.noise_before = None, {}
        self.total.zero_()
        return mean

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Those of all folds."""
        return [optimizer for each in self.parts for optimizer in each.optimizers]

    def state(self) -> State:
        """All that the next step depends on."""
        optimizers: State = {}
        for place, optimizer in enumerate(self.optimizers):
            for number, own in optimizer.state_dict()["state"].items():
                tensors = {name: torch.as_tensor(each) for name, each in own.items() if each is not None}
                optimizers |= prefixed(f"{place}.{number}", tensors)
        return {
            **prefixed("network", self.network.state_dict()),
            **prefixed("optimizers", optimizers),
            **prefixed("noise", {} if self.noise is None else self.noise.state()),
            "generators": self.start,
            "epochs": torch.tensor(self.epochs),
            "steps": torch.tensor(self.steps),
            "total": self.total,
        }

    def restore(self, state: State) -> None:
        """Goes back to a state, so that the next step gives the same bytes as it gave then."""
        self.network.load_state_dict(part("network", state))
        for place, optimizer in enumerate(self.optimizers):
            own = optimizer.state_dict()
            for name, tensor in part(f"optimizers.{place}", state).items():
                number, _, field = name.partition(".")
                whole = isinstance(optimizer, torch.optim.SparseAdam) and field == "step"  # it counts in Python
                own["state"].setdefault(int(number), {})[field] = int(tensor) if whole else tensor
            optimizer.load_state_dict(own)
        self.start = state["generators"]
        for generator, own in zip(self.generators, self.start, strict=True):
            generator.set_state(own.clone())  # torch reads from the start of the storage
        self.noise_before = part("noise", state)
        self.epochs, self.steps = int(state["epochs"]), int(state["steps"])
        self.total.copy_(state["total"])


def _states_of(generators: Sequence[torch.Generator]) -> Tensor:
    return torch.stack([generator.get_state() for generator in generators])


@torch.no_grad()
def predict(network: Network, pack: Pack, config: Config) -> Tensor:
    """The mean of the members' predictions in every fold, float32 [folds, rows, columns]."""
    folds, longest = pack.target.shape[:2]
    members = network.nets // folds
    first = torch.arange(folds, device=pack.target.device).unsqueeze(1) * longest
    orders, found = [], []
    for at in pack.parts(MOST // network.nets // max(1, network.numbers_of_row // USUAL)):
        rows = (at + first).repeat_interleave(members, dim=0)  # [nets, part]
        outputs = network(pack.input_of(rows))
        outputs = outputs if network.prior is None else network.prior.restored(outputs)
        outputs = predictions(config.loss, outputs)  # [nets, part, columns]
        outputs = outputs if network.target_scale is None else network.target_scale.restored(outputs)
        found.append(outputs.unflatten(0, (folds, members)).mean(dim=1))
        orders.append(at)
    order = torch.cat(orders, dim=1).unsqueeze(2)
    predicted = torch.cat(found, dim=1)
    return torch.empty_like(predicted).scatter_(1, order.expand_as(predicted), predicted)
