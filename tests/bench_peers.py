"""The peers: the same networks on the same rows, one after another, by the tools that people use now.

Runs in an environment of its own, which `make bench` builds from tests/bench_requirements.txt:
`python -m tests.bench_peers loop|skorch|lightning '{"rows": 49502, ...}'` prints a line of JSON. A case with a cell is
of texts: a recurrent network over random batches, each padded to its longest text.
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
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tests.bench_data import CLASSES, COLUMNS, FIFTHS, WORDS, counts, texts

LR = 1e-3
Fitted = Callable[[Dataset], np.ndarray]  # rows to probabilities
Fit = Callable[[dict, Dataset], Fitted]


def network(case: dict) -> nn.Module:
    """The networks of the case, as their user would write them."""
    if "cell" in case:
        return TextNetwork(case)
    layers: list[nn.Module] = []
    inside = COLUMNS
    for _ in range(case["depth"]):
        layers += [nn.Linear(inside, case["width"]), nn.ReLU(), nn.Dropout(case["dropout"])]
        inside = case["width"]
    return nn.Sequential(*layers, nn.Linear(inside, CLASSES))


class TextNetwork(nn.Module):
    """Embedding, one bidirectional layer, its states pooled by last, mean and max, and a hidden layer."""

    def __init__(self, case: dict) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2 + WORDS, case["embedding"], padding_idx=0)
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[case["cell"]]
        self.recurrence = cell(case["embedding"], case["width"], batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(case["dropout"])
        self.hidden = nn.Linear(6 * case["width"], case["head"])
        self.output = nn.Linear(case["head"], FIFTHS)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of padded tokens [rows, longest]."""
        lengths = (tokens != 0).sum(dim=1)
        states = self.recurrence(self.embedding(tokens))[0]
        held = (tokens != 0).unsqueeze(2)
        ahead, behind = states.chunk(2, dim=2)
        pooled = torch.cat([
            ahead[torch.arange(len(tokens)), lengths - 1], behind[:, 0],
            (states * held).sum(dim=1) / lengths.unsqueeze(1), states.masked_fill(~held, -torch.inf).amax(dim=1),
        ], dim=1)  # fmt: skip
        return self.output(self.drop(torch.relu(self.hidden(self.drop(pooled)))))


class Texts(Dataset):
    """Rows of tokens, and their classes."""

    def __init__(self, tokens: list[torch.Tensor], target: torch.Tensor) -> None:
        self.tokens, self.target = tokens, target

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.tokens[row], self.target[row]


def padded(rows: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of texts, as long as its longest."""
    tokens, target = zip(*rows, strict=True)
    return pad_sequence(list(tokens), batch_first=True), torch.stack(target)


def loader_of(case: dict, data: Dataset, shuffle: bool = True) -> DataLoader:
    """Batches, as everybody draws them."""
    collate = padded if "cell" in case else None
    return DataLoader(data, batch_size=case["batch"], shuffle=shuffle, collate_fn=collate)


def probabilities(case: dict, net: nn.Module, data: Dataset) -> np.ndarray:
    """Of a torch module."""
    net.eval()
    with torch.no_grad():
        parts = [torch.softmax(net(x), dim=1) for x, _ in loader_of(case, data, shuffle=False)]
    return torch.cat(parts).numpy()


def loop(case: dict, train: Dataset) -> Fitted:
    """The loop of PyTorch's tutorials."""
    net = network(case)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.0)
    loader = loader_of(case, train)
    for _ in range(case["epochs"]):
        net.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
    return lambda data: probabilities(case, net, data)


def skorch(case: dict, train: Dataset) -> Fitted:
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
        **({f"iterator_{part}__collate_fn": padded for part in ("train", "valid")} if "cell" in case else {}),
        train_split=None,
        verbose=0,
    )
    classifier.fit(train, None)
    return lambda data: torch.softmax(torch.from_numpy(classifier.predict_proba(data)), dim=1).numpy()


def lightning(case: dict, train: Dataset) -> Fitted:
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
    loader = loader_of(case, train)
    trainer = pl.Trainer(
        max_epochs=case["epochs"],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)
    return lambda data: probabilities(case, module.net, data)


def folds(case: dict) -> Iterator[tuple[Dataset, Dataset, np.ndarray]]:
    """The train and valid rows of every fold, and the classes of the valid ones."""
    if "cell" in case:
        tokens, offsets, y, group = texts(case["rows"])
        rows = torch.from_numpy(tokens).split(np.diff(offsets).tolist())
        fold = group % case["folds"]

        def chosen(own: np.ndarray) -> Dataset:
            return Texts([rows[row] for row in np.flatnonzero(own)], torch.from_numpy(y[own]))
    else:
        x, y = counts(case["rows"])
        fold = np.arange(case["rows"]) % case["folds"]

        def chosen(own: np.ndarray) -> Dataset:
            return TensorDataset(*map(torch.from_numpy, (x[own], y[own])))

    for number in range(case["folds"]):
        yield chosen(fold != number), chosen(fold == number), y[fold == number]


def main(peer: str, case: dict) -> None:
    """Trains folds x members networks, and prints seconds an epoch of all of them, memory and score."""
    torch.manual_seed(0)
    fit: Fit = {"loop": loop, "skorch": skorch, "lightning": lightning}[peer]
    seconds, losses = 0.0, []
    for train, valid, y in folds(case):
        started = time.perf_counter()
        shares = np.mean([fit(case, train)(valid) for _ in range(case["members"])], axis=0)
        seconds += time.perf_counter() - started
        losses.append(-np.log(shares[np.arange(len(y)), y]).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds / case["epochs"], "peak_gb": peak, "score": float(np.mean(losses))}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(sys.argv[1], json.loads(sys.argv[2]))
