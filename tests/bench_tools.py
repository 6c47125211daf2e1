"""What the benches share: cases, the machine's limit, processes of their own, medians, and tools in turn."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from data.datasets import Fold
from data.metrics import LOG_LOSS
from models.config import Config, Precision, Schedule
from models.crossfit import crossfit
from models.epochs import Epoch, Told
from pipelines.home import REPOSITORY

PEERS = REPOSITORY / ".venv-bench" / "bin" / "python"
ROUNDS = 3
GEMM = (512, 1024, 2048)  # sizes of square products; the best of them is the peak
CPU = torch.device("cpu")

Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Case:
    """How the networks of a bench are trained, by the product and by its peers."""

    folds: int = 5
    members: int = 1
    epochs: int = 2
    batch: int = 128
    dropout: float = 0.3
    precision: Precision = Precision.FULL

    @property
    def settings(self) -> dict[str, Any]:
        """Of the product's config."""
        return {
            "dropout": self.dropout,
            "members": self.members,
            "epochs": self.epochs,
            "batch": self.batch,
            "schedule": Schedule.CONSTANT,
            "refit": 0,
            "precision": self.precision,
        }

    def timed(self, folds: Sequence[Fold], config: Config, classes: int) -> Figures:
        """Seconds of an epoch of all networks, its scoring included; the score, and this process's peak of memory."""
        ends: list[float] = []

        def watch(told: Told) -> None:
            if isinstance(told, Epoch):
                ends.append(time.perf_counter())

        fit = crossfit(folds, None, config, classes, LOG_LOSS, watch=watch)
        return {
            "seconds": (ends[-1] - ends[0]) / (len(ends) - 1),  # the first epoch warms up
            "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "score": fit.score,
        }


def peak() -> float:
    """GFLOP/s of float32 products on all cores: the best size, each the median of its rounds."""
    found = []
    for size in GEMM:
        a, b = torch.randn(size, size), torch.randn(size, size)
        rates = []
        for _ in range(9):
            started = time.perf_counter()
            for _ in range(2**33 // size**3):
                a @ b
            rates.append(2 * size**3 * (2**33 // size**3) / (time.perf_counter() - started) / 1e9)
        found.append(statistics.median(rates))
    return max(found)


def medians(found: Sequence[Figures]) -> Figures:
    """The median of every figure."""
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def in_own_process(module: str, case: Any) -> Figures:
    """What a module's `measure` gives for a case, a dataclass, in a process of its own."""
    started = time.perf_counter()
    found = _figures([sys.executable, "-m", module, json.dumps(asdict(case))])
    return {**found, "all_seconds": time.perf_counter() - started}


def of_peer(name: str, case: Any) -> Figures:
    """An epoch of a peer, in a process of its own environment."""
    return _figures([str(PEERS), "-m", "tests.bench_peers", name, json.dumps({**asdict(case), "epochs": 1})])


def in_turn(ways: Mapping[str, Callable[[], Figures]], rounds: int = ROUNDS) -> dict[str, Figures]:
    """The medians of several tools, measured in turn, so that a noisy machine is noisy for all."""
    found: dict[str, list[Figures]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return {name: medians(each) for name, each in found.items()}


def beside(found: Mapping[str, Figures], epochs: Mapping[str, int]) -> str:
    """A table of tools, each of which trained so many epochs; those of the product are called Podium."""
    ours = [name for name in found if name.startswith("Podium")]
    lines = []
    for name, each in found.items():
        times = " | ".join(f"{each['seconds'] / found[mine]['seconds']:.1f}" for mine in ours)
        lines.append(
            f"| {name} | {each['seconds']:.2f} | {times} | {each['peak_gb']:.2f} | {each['score']:.3f} "
            f"({epochs.get(name, 1)}) |"
        )
    heads = " | ".join(f"times {mine}" for mine in ours)
    return f"""| tool | seconds an epoch | {heads} | peak, GB | log loss (epochs) |
|---|---|{"---|" * len(ours)}---|---|
""" + "\n".join(lines)


def _figures(command: Sequence[str]) -> Figures:
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found
