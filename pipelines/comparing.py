"""Comparing: is run B better than run A, or lucky?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.table import Table

from data.errors import UsageError
from data.targets import Classes
from pipelines.artifacts import Scored, read_scored
from pipelines.competition import Competition, find
from pipelines.runs import FinishedRun
from pipelines.scoring import decided_oof
from pipelines.wording import shortened
from submissions.paired import LEVEL, Paired, compare

MOST_ROWS = 10  # that are shown where the runs disagree most
MOST_CLASSES = 30  # that are shown
LONGEST = 40  # characters of a setting that are shown
SAME = {  # what two runs share whose scores compare, in the order of the reasons, and the reason where they do not
    "competition": "they are of different competitions",
    "data_hash": "they read other rows",
    "fold_hash": "their rows lie in other folds",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two runs over the same rows."""

    a: FinishedRun
    b: FinishedRun
    competition: Competition
    paired: Paired
    one: Scored  # A's rows
    other: Scored  # B's

    @property
    def advice(self) -> str:
        """One sentence: better, worse, or cannot tell, with the number of rows that could."""
        paired, a, b = self.paired, self.a.name, self.b.name
        lead = f"{abs(paired.gain):.4f} {paired.metric.name}"
        if paired.verdict != "cannot tell":
            return f"{b} is {paired.verdict} than {a}, by {lead}: more than luck gives."
        if paired.needed is None:
            return f"Cannot tell {b} from {a}: over {paired.rows:,} rows they score the same."
        ahead = b if paired.gain > 0 else a
        return (
            f"Cannot tell: {ahead} leads by {lead}, which over {paired.rows:,} rows may be luck; "
            f"{paired.needed:,} rows could tell."
        )


def compared(a: FinishedRun, b: FinishedRun) -> Comparison:
    """Compares the out-of-fold predictions of two runs.

    Raises:
        UsageError: their rows or folds differ, so that their scores do not compare.
        StorageError: their files are damaged.
    """
    if a.id == b.id:
        raise UsageError(f"{a.name} is both A and B: name two runs")
    for tag, reason in SAME.items():
        if a.tags[tag] != b.tags[tag]:
            sources = sorted({a.tags["data_source"], b.tags["data_source"]})
            beside = f", from {' and '.join(sources)}" if tag == "data_hash" and len(sources) > 1 else ""
            told = f"{tag} {a.tags[tag][:12]} and {b.tags[tag][:12]}"
            raise UsageError(f"{a.name} and {b.name} do not compare: {reason}{beside} ({told})")
    competition = find(a.tags["competition"])
    one, other = read_scored(a.artifacts, competition), read_scored(b.artifacts, competition)
    generator = np.random.default_rng(0)
    scored, against = (decided_oof(competition, each.target, each.fold, each.oof) for each in (one, other))
    paired = compare(one.target, scored, against, one.fold, competition.metric, generator, one.group)
    return Comparison(a=a, b=b, competition=competition, paired=paired, one=one, other=other)


def tables(found: Comparison) -> Iterator[Table]:
    """What there is to see: scores, folds, classes, settings that differ, and rows on which the runs disagree most."""
    paired, labels = found.paired, found.competition.schema.target.outputs
    yield _scores(found)
    yield _parts("fold", {f"{number}": pair for number, pair in paired.by_fold.items()}, found)
    if 0 < len(paired.by_class) <= MOST_CLASSES:
        yield _parts("class", {labels[number]: pair for number, pair in paired.by_class.items()}, found)
    settings = _differing(found)
    if settings.row_count:
        yield settings
    yield _rows(found)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _scores(found: Comparison) -> Table:
    paired, metric = found.paired, found.paired.metric.name
    table = _table("", f"A {found.a.name}", f"B {found.b.name}")
    table.add_row(f"out-of-fold {metric}", f"{paired.a:.4f}", f"{paired.b:.4f}")
    for row, tag in (("model", "model"), ("seed", "seed"), ("commit", "git_commit")):
        table.add_row(row, *(run.tags.get(tag, "")[:8] for run in (found.a, found.b)))
    drawn = (
        f"{paired.rows:,} rows" if found.one.group is None else f"{paired.clusters:,} {found.competition.split.group}s"
    )
    table.add_section()
    table.add_row("B's lead", "", f"{paired.gain:+.4f}")
    table.add_row(f"{LEVEL:.0%} interval", "", f"{paired.low:+.4f} to {paired.high:+.4f}")
    table.add_row("P(B better)", f"bootstrap over {drawn}", f"{paired.probability:.3f}")
    return table


def _parts(name: str, pairs: dict[str, tuple[float, float]], found: Comparison) -> Table:
    """A's and B's scores, and B's lead, of parts of the rows."""
    table = _table(name, "A", "B", "B's lead")
    sign = 1 if found.paired.metric.greater_is_better else -1
    for part, (a, b) in pairs.items():
        table.add_row(part, f"{a:.4f}", f"{b:.4f}", f"{sign * (b - a):+.4f}")
    return table


def _differing(found: Comparison) -> Table:
    table = _table("setting", "A", "B")
    a, b = found.a.params, found.b.params
    for name in sorted({*a, *b}):
        if a.get(name) != b.get(name):
            table.add_row(name, *(shortened(run.get(name, "-"), LONGEST) for run in (a, b)))
    return table


def _rows(found: Comparison) -> Table:
    schema, one, other = found.competition.schema, found.one, found.other
    target = schema.target
    if isinstance(target, Classes):
        at = np.arange(len(one.target)), one.target
        a, b, words = one.oof[at], other.oof[at], "says it with"
        true = [target.outputs[label] for label in one.target]
    else:
        wanted = one.target.reshape(one.oof.shape)
        a, b = (np.abs(each.oof - wanted).mean(axis=1) for each in (one, other))
        words = "is off by"
        true = [" ".join(f"{cell:g}" for cell in cells) for cells in wanted]
    table = _table(schema.id, "fold", " ".join(target.columns), f"A {words}", f"B {words}")
    for row in np.argsort(-np.abs(b - a), kind="stable")[:MOST_ROWS]:
        table.add_row(str(one.ids[row]), str(one.fold[row]), true[row], f"{a[row]:.3f}", f"{b[row]:.3f}")
    return table
