"""The peers: the same networks on the same rows, one after another, by the tools that people use now.

Runs in an environment of its own, which `make bench` builds from tests/bench_requirements.txt:
`python -m tests.bench_peers loop|skorch|lightning '{"rows": 49502, ...}'` prints a line of JSON.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.bench_data import CLASSES, COLUMNS, counts

LR = 1e-3
Rows = tuple[np.ndarray, np.ndarray]
Fitted = Callable[[np.ndarray], np.ndarray]  # rows to probabilities


def network(case: dict) -> nn.Sequential:
    """93-512-512-9, as its user would write it."""
    layers: list[nn.Module] = []
    inside = COLUMNS
    for _ in range(case["depth"]):
        layers += [nn.Linear(inside, case["width"]), nn.ReLU(), nn.Dropout(case["dropout"])]
        inside = case["width"]
    return nn.Sequential(*layers, nn.Linear(inside, CLASSES))


def probabilities(net: nn.Module, x: np.ndarray) -> np.ndarray:
    """Of a torch module."""
    net.eval()
    with torch.no_grad():
        return torch.softmax(net(torch.from_numpy(x)), dim=1).numpy()


def loop(case: dict, train: Rows) -> Fitted:
    """The loop of PyTorch's tutorials."""
    net = network(case)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.0)
    data = TensorDataset(*map(torch.from_numpy, train))
    loader = DataLoader(data, batch_size=case["batch"], shuffle=True)
    for _ in range(case["epochs"]):
        net.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
    return lambda x: probabilities(net, x)


def skorch(case: dict, train: Rows) -> Fitted:
    """skorch's classifier."""
    from skorch import NeuralNetClassifier

    classifier = NeuralNetClassifier(
        network(case),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=0.0,
        lr=LR,
        max_epochs=case["epochs"],
        batch_size=case["batch"],
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    classifier.fit(*train)
    return lambda x: torch.softmax(torch.from_numpy(classifier.predict_proba(x)), dim=1).numpy()


def lightning(case: dict, train: Rows) -> Fitted:
    """Lightning's trainer, its logging and checkpoints off."""
    import lightning as pl

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(case)

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=LR, weight_decay=0.0)

    module = Module()
    loader = DataLoader(TensorDataset(*map(torch.from_numpy, train)), batch_size=case["batch"], shuffle=True)
    trainer = pl.Trainer(
        max_epochs=case["epochs"],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)
    return lambda x: probabilities(module.net, x)


def folds(case: dict) -> Iterator[tuple[Rows, Rows]]:
    """The train and valid rows of every fold."""
    x, y = counts(case["rows"])
    fold = np.arange(case["rows"]) % case["folds"]
    for number in range(case["folds"]):
        yield (x[fold != number], y[fold != number]), (x[fold == number], y[fold == number])


def main(peer: str, case: dict) -> None:
    """Trains folds x members networks, and prints seconds an epoch of all of them, memory and score."""
    torch.manual_seed(0)
    fit = {"loop": loop, "skorch": skorch, "lightning": lightning}[peer]
    seconds, losses = 0.0, []
    for train, (x, y) in folds(case):
        started = time.perf_counter()
        shares = np.mean([fit(case, train)(x) for _ in range(case["members"])], axis=0)
        seconds += time.perf_counter() - started
        losses.append(-np.log(shares[np.arange(len(y)), y]).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds / case["epochs"], "peak_gb": peak, "score": float(np.mean(losses))}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(sys.argv[1], json.loads(sys.argv[2]))
