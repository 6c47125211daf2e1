"""Bench: the speed of the training, beside the machine's own limit and beside the tools that people use now.

`make bench` measures and writes docs/benchmarks.md; ARGS="serving tracking" measures these sections alone.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from models.config import Precision
from models.devices import LARGE, rounds
from pipelines.home import REPOSITORY
from pipelines.origin import versions
from tests import bench_drafts, bench_pack, bench_search, bench_serving, bench_texts, bench_tracking
from tests.bench_tools import CPU, ROUNDS, Figures, beside, in_own_process, in_turn, medians, of_peer, peak
from tests.bench_worker import Case

PAGE = REPOSITORY / "docs" / "benchmarks.md"
OTTO = Case(epochs=3)
TITANIC = Case(rows=891, members=8, epochs=30, batch=32, width=16, depth=1)


def measured(case: Case) -> Figures:
    """A case in a process of its own."""
    return in_own_process("tests.bench_worker", case)


def median_of(case: Case) -> Figures:
    """The medians of some processes that measure a case."""
    return medians([measured(case) for _ in range(ROUNDS)])


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


def peers() -> str:
    """The same cross-validation by other tools."""
    ways: dict[str, Callable[[], Figures]] = {
        "Podium": lambda: measured(OTTO),
        "PyTorch loop, DataLoader": lambda: of_peer("loop", OTTO),
        "skorch": lambda: of_peer("skorch", OTTO),
        "Lightning": lambda: of_peer("lightning", OTTO),
    }
    if rounds(Precision.FAST, CPU):
        ways["Podium, `precision=FAST`"] = lambda: measured(replace(OTTO, precision=Precision.FAST))
    found = in_turn(ways)
    epochs = {name: OTTO.epochs for name in found if name.startswith("Podium")}
    return f"""## Beside the tools that people use now

93-512-512-9, 5 folds x 2 members, 49,502 rows, batches of 512, dropout .2, AdamW: seconds an epoch of all ten networks
with their scoring, and the peak memory of the process, medians of {ROUNDS} rounds in turn. The peers train one network
after another with their defaults, in float32. The last column is the out-of-fold log loss after so many epochs: a check
that all of them learn.

""" + beside(found, epochs)


def growth() -> str:
    """Time and memory as rows, members and folds double, and at 500,000 rows."""
    base = replace(OTTO, epochs=3)
    cases = [
        replace(base, rows=2 * base.rows),
        replace(base, members=2 * base.members),
        replace(base, folds=2 * base.folds),
        replace(base, rows=500_000),
    ]
    firsts, found = [measured(base)], []
    for case in cases:
        found.append(measured(case))
        firsts.append(measured(base))
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
        one, all_cores = (measured(replace(case, cores=which))["seconds"] for which in ("one", "all"))
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


SECTIONS: dict[str, Callable[[], str]] = {
    "shares": shares,
    "peers": peers,
    "texts": bench_texts.section,
    "growth": growth,
    "cores": cores,
    "pack": bench_pack.section,
    "search": bench_search.section,
    "tracking": bench_tracking.section,
    "serving": bench_serving.section,
    "drafts": bench_drafts.section,
}


def main(wanted: list[str]) -> None:
    """Measures and writes the page; of some sections alone, which are dated then, where they are wanted by name."""
    head = f"""# Benchmarks

Written by `make bench` on {date.today()}: {processor()}, {os.cpu_count()} cores; {versions()}.
"""
    before = re.split(r"\n(?=## )", PAGE.read_text()) if wanted else [head]
    parts = {part.partition("\n")[0]: part for part in before[1:]}  # by title
    for name in wanted or SECTIONS:
        section = SECTIONS[name]()
        title, _, rest = section.strip().partition("\n")
        parts[title] = section if not wanted else f"{title}\n\nMeasured on {date.today()}.\n{rest}"
        print(parts[title], flush=True)
    PAGE.write_text("\n\n".join(part.strip() for part in [before[0], *parts.values()]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
