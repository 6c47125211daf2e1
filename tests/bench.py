"""Bench: the speed of the training, beside the machine's own limit and beside the tools that people use now.

`make bench` measures and writes docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import torch

from models.config import Precision
from models.devices import LARGE, rounds
from pipelines.home import REPOSITORY
from pipelines.origin import versions
from tests import bench_pack
from tests.bench_worker import Case, in_own_process

PAGE = REPOSITORY / "docs" / "benchmarks.md"
PEERS = REPOSITORY / ".venv-bench" / "bin" / "python"
ROUNDS = 3
GEMM = (512, 1024, 2048)  # sizes of square products; the best of them is the peak
OTTO = Case(epochs=3)
TITANIC = Case(rows=891, members=8, epochs=30, batch=32, width=16, depth=1)
CPU = torch.device("cpu")


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


def medians(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of every figure."""
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def median_of(case: Case) -> dict[str, float]:
    """The medians of some processes that measure a case."""
    return medians([in_own_process(case) for _ in range(ROUNDS)])


def shares() -> str:
    """How much of the machine's float32 products the training uses."""
    lines = []
    for what, case in (("Titanic-sized: 93-16-9, batches of 32", TITANIC), ("Otto-sized: 93-512-512-9", OTTO)):
        before = peak()
        found = median_of(case)
        limit = (before + peak()) / 2
        nets = case.folds * case.members
        lines.append(
            f"| {what} | {nets} | {found['seconds']:.2f} | {found['gflops']:.0f} | {limit:.0f} "
            f"| {found['gflops'] / limit:.0%} |"
        )
    if rounds(Precision.FAST, CPU):
        fast = median_of(replace(OTTO, precision=Precision.FAST))
        lines.append(
            f"| Otto-sized, `precision=FAST`: factors rounded to bfloat16 | {OTTO.folds * OTTO.members} "
            f"| {fast['seconds']:.2f} | {fast['gflops']:.0f} | {limit:.0f} | {fast['gflops'] / limit:.0%} |"
        )
    return """## Share of the peak

An epoch with its scoring, 5 folds, dropout .2, AdamW. GFLOP/s count six products for each weight and row; the peak is
that of float32 matrix products on all cores, measured before and after in the same run.

| pack | networks | seconds an epoch | GFLOP/s | peak | share |
|---|---|---|---|---|---|
""" + "\n".join(lines)


def of_peer(name: str) -> dict[str, float]:
    """An epoch of a peer, in a process of its own environment."""
    command = [str(PEERS), "-m", "tests.bench_peers", name, json.dumps({**asdict(OTTO), "epochs": 1})]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peers() -> str:
    """The same cross-validation by other tools, in turn, so that a noisy machine is noisy for all."""
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "Podium": lambda: in_own_process(OTTO),
        "PyTorch loop, DataLoader": lambda: of_peer("loop"),
        "skorch": lambda: of_peer("skorch"),
        "Lightning": lambda: of_peer("lightning"),
    }
    if rounds(Precision.FAST, CPU):
        ways["Podium, `precision=FAST`"] = lambda: in_own_process(replace(OTTO, precision=Precision.FAST))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(way())
    middle = {name: medians(each) for name, each in found.items()}
    ours = [name for name in ways if name.startswith("Podium")]
    lines = []
    for name, each in middle.items():
        times = " | ".join(f"{each['seconds'] / middle[mine]['seconds']:.1f}" for mine in ours)
        epochs = OTTO.epochs if name in ours else 1
        lines.append(
            f"| {name} | {each['seconds']:.2f} | {times} | {each['peak_gb']:.2f} | {each['score']:.3f} ({epochs}) |"
        )
    heads = " | ".join(f"times {mine}" for mine in ours)
    return f"""## Beside the tools that people use now

93-512-512-9, 5 folds x 2 members, 49,502 rows, batches of 512, dropout .2, AdamW: seconds an epoch of all ten networks
with their scoring, and the peak memory of the process, medians of {ROUNDS} rounds in turn. The peers train one network
after another with their defaults, in float32. The last column is the out-of-fold log loss after so many epochs: a check
that all of them learn.

| tool | seconds an epoch | {heads} | peak, GB | log loss (epochs) |
|---|---|{"---|" * len(ours)}---|---|
""" + "\n".join(lines)


def growth() -> str:
    """Time and memory as rows, members and folds double, and at 500,000 rows."""
    base = replace(OTTO, epochs=3)
    cases = [
        replace(base, rows=2 * base.rows),
        replace(base, members=2 * base.members),
        replace(base, folds=2 * base.folds),
        replace(base, rows=500_000),
    ]
    firsts, found = [in_own_process(base)], []
    for case in cases:
        found.append(in_own_process(case))
        firsts.append(in_own_process(base))
    first = medians(firsts)
    lines = [
        f"| {case.rows:,} | {case.folds} | {case.members} | {each['seconds']:.2f} "
        f"| {each['seconds'] / first['seconds']:.1f} | {each['all_seconds']:.1f} "
        f"| {each['all_seconds'] / first['all_seconds']:.1f} | {each['peak_gb']:.2f} |"
        for case, each in zip([base, *cases], [first, *found], strict=True)
    ]
    return f"""## Growth

The first line is the median of {len(firsts)} runs, one between every two others. "In all" is the whole process: its
start, the rows, and {base.epochs} epochs.

| rows | folds | members | seconds an epoch | times the first | seconds in all | times the first | peak, GB |
|---|---|---|---|---|---|---|---|
""" + "\n".join(lines)


def cores() -> str:
    """Packs of growing size on one core and on all."""
    small = Case(rows=8_000, members=2, epochs=4, batch=64, depth=2)
    cases = [replace(TITANIC, epochs=10), *(replace(small, width=width) for width in (16, 32, 64, 128, 256))]
    lines = []
    for case in [*cases, replace(small, width=512, batch=512)]:
        one, all_cores = (in_own_process(replace(case, cores=which))["seconds"] for which in ("one", "all"))
        chosen = "all" if case.products >= LARGE else "one"
        net = f"93-{'-'.join([str(case.width)] * case.depth)}-9"
        lines.append(
            f"| {net}, batches of {case.batch} | {case.folds * case.members} | {case.products / 1e6:,.0f} "
            f"| {one:.3f} | {all_cores:.3f} | {one / all_cores:.2f} | {chosen} |"
        )
    return f"""## Cores

Seconds an epoch on one core and on all; the training takes all where a step has {LARGE / 1e6:.0f} million products
(of a weight and a number of a row) or more.

| network | networks | million products a step | one core | all cores | times faster | taken |
|---|---|---|---|---|---|---|
""" + "\n".join(lines)


def processor() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    names = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Measures and writes the page."""
    head = f"""# Benchmarks

Written by `make bench` on {date.today()}: {processor()}, {os.cpu_count()} cores; {versions()}.
"""
    parts = [head]
    for section in (shares, peers, growth, cores, bench_pack.section):
        parts.append(section())
        print(parts[-1], flush=True)
    PAGE.write_text("\n\n".join(part.strip() for part in parts) + "\n")


if __name__ == "__main__":
    main()
