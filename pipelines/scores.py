"""Scores: what Kaggle's leaderboard said of all submissions, beside what cross-validation had said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.table import Table
from scipy.stats import spearmanr

from data.kaggle import Listed
from data.metrics import Metric
from data.schema import Schema
from pipelines.runs import FinishedRun, cv_error
from submissions.outbox import Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pipelines.competition import Competition

SIDE = 5.4  # inches of the figure
FEW = 6  # pairs of scores below which their order says nothing
PUBLIC = 0.5  # share of the test rows that the public board scores, as far as nothing is told of it
DRAWS = 2000
LEVEL = 0.95  # of the interval


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A submission as Kaggle lists it, and the run that made it where that is known."""

    listed: Listed
    run: FinishedRun | None

    @property
    def pair(self) -> tuple[float, float] | None:
        """The out-of-fold score and the public one; None where one of them is unknown."""
        if self.run is None or self.listed.public is None:
            return None
        return self.run.metrics["cv_score"], self.listed.public


def matched(listed: Sequence[Listed], runs: Sequence[FinishedRun], entries: Sequence[Entry]) -> list[Sent]:
    """Submissions and their runs: by the outbox, else by the run that the message or the file name tells."""
    by_file = {each.file: each.run for each in entries}
    found = []
    for each in listed:
        told = re.search(r"\brun=(\w{8})\b", each.message)
        run = next(
            (
                run
                for run in runs
                if run.id == by_file.get(each.file)
                or (told and run.id.startswith(told[1]))
                or run.tags.get("submission") == each.file
            ),
            None,
        )
        found.append(Sent(listed=each, run=run))
    return found


def table(sent: Sequence[Sent]) -> Table:
    """The newest first."""
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("sent", "run", "cv", "public", "private", "status", "file"):
        found.add_column(column, justify="right" if column in ("cv", "public", "private") else "left", overflow="fold")
    for each in sent:
        listed, run = each.listed, each.run
        found.add_row(
            "" if listed.sent is None else f"{listed.sent:%Y-%m-%d %H:%M}",
            "" if run is None else run.name,
            "" if run is None else f"{run.metrics['cv_score']:.4f}",
            "" if listed.public is None else f"{listed.public:.5f}",
            "" if listed.private is None else f"{listed.private:.5f}",
            listed.status + (f": {listed.error}" if listed.error else ""),
            listed.file,
        )
    return found


def figure(sent: Sequence[Sent], metric: Metric) -> Figure:
    """Each scored submission of a known run, by its out-of-fold and its public score."""
    from matplotlib.figure import Figure  # which a list alone does without

    from pipelines.report import BLUE, quiet

    known = [(each.run.name.rpartition("/")[2], *each.pair) for each in sent if each.run and each.pair]
    found = Figure(figsize=(SIDE, SIDE), layout="constrained")
    ax = found.subplots()
    for name, cv, public in known:
        ax.plot(cv, public, "o", color=BLUE)
        ax.annotate(name, (cv, public), xytext=(5, 4), textcoords="offset points", fontsize=8)
    ax.set(xlabel=f"out-of-fold {metric.name}", ylabel=f"public {metric.name}", title=f"{len(known)} submissions")
    ax.margins(x=0.25, y=0.1)
    quiet(np.array([ax]))
    return found


def verdict(sent: Sequence[Sent], competition: Competition) -> str:
    """Whether the board agrees with cross-validation about which submission is better, in a line."""
    known = [(each.run, each.pair) for each in sent if each.run is not None and each.pair is not None]
    pairs = np.array([pair for _, pair in known]).reshape(-1, 2)
    if len(pairs) < FEW or (np.ptp(pairs, axis=0) == 0).any():
        return f"Cannot tell whether cv and the board agree: {len(pairs)} scored submissions of known runs are too few"
    errors = [cv_error(run, competition.split.folds) for run, _ in known]
    low, high = _interval(pairs, np.array(errors), competition.schema, np.random.default_rng(0))
    found = float(spearmanr(*pairs.T).statistic)
    told = f"rank correlation of cv and public {competition.metric.name} over {len(pairs)} submissions: {found:+.2f}"
    told += f" ({LEVEL:.0%} interval {low:+.2f} to {high:+.2f})"
    if high < 0:
        return f"{told}. WARNING: they invert: trust neither, and look for a leak or a shift between train and test"
    return f"{told}: they agree" if low > 0 else f"{told}: cannot tell whether they agree"


def _interval(
    pairs: np.ndarray, errors: np.ndarray, schema: Schema, generator: np.random.Generator
) -> tuple[float, float]:
    """The interval of the rank correlation, were both scores to err again as they may have.

    The submissions are taken to err apart, which makes it wide: they share rows, and so a part of their luck.

    Args:
        pairs: float [submissions, 2]: the out-of-fold and the public score.
        errors: float [submissions]: the standard errors of the first; those of the second go by the rows.
        schema: tells how many rows there are.
        generator: of the draws.
    """
    beside = np.sqrt(schema.train_rows / (PUBLIC * schema.test_rows))
    spread = np.stack([errors, errors * beside], axis=1)
    drawn = pairs + spread * generator.normal(size=(DRAWS, *pairs.shape))
    ranks = drawn.argsort(axis=1).argsort(axis=1)  # [draws, submissions, 2]; no two draws are equal
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    found = ranks.prod(axis=2).sum(axis=1) / (ranks[..., 0] ** 2).sum(axis=1)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
