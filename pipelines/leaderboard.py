"""Leaderboard: all finished trainings by their out-of-fold score, as a table, as CSV and as a page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich import box
from rich.table import Table

from data.errors import UsageError
from data.sources import Source
from pipelines import console
from pipelines.champion import ranked
from pipelines.competition import Competition, find, names
from pipelines.runs import PUBLIC, FinishedRun, Runs, cv_error
from pipelines.stages import TWIN_SUFFIX
from submissions.board import Board

FIGURES = ("learning_curves.png", "confusion_matrix.png", "predicted.png", "score_by_flag.png", "score_by_length.png")
LEFT = ("run", "model", "real board")  # columns of words


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A training and where it stands."""

    rank: int
    run: FinishedRun
    competition: Competition

    @property
    def score(self) -> float:
        """The out-of-fold score."""
        return self.run.metrics["cv_score"]

    @property
    def public(self) -> float | None:
        """The score on Kaggle's public leaderboard, where it is known."""
        return self.run.metrics.get(PUBLIC)

    @property
    def error(self) -> float:
        """Standard error of the out-of-fold score, see `cv_error`."""
        return cv_error(self.run, self.competition.split.folds)

    @property
    def networks(self) -> str:
        """Folds and members."""
        params = self.run.params
        return f"{params['folds']} x {params['members']}" if "members" in params else "blend"

    @property
    def board(self) -> Board | None:
        """Kaggle's, where it is known and the rows are its own."""
        return None if self.run.tags["data_source"] == Source.TWIN else self.competition.board

    @property
    def known(self) -> float:
        """The score that the real board would see: the public one, or the out-of-fold one before that is known."""
        return self.score if self.public is None else self.public

    @property
    def standing(self) -> str:
        """Where the run would stand on the real board, in words."""
        return "" if self.board is None else self.board.standing(self.known)

    def texts(self) -> dict[str, str]:
        """What a reader sees of it, by column."""
        tags, seconds = self.run.tags, self.run.metrics.get("train_seconds")
        return {
            "": str(self.rank),
            "run": self.run.name,
            "model": tags["model"],
            "cv": f"{self.score:.4f} +- {self.error:.4f}",
            "networks": self.networks,
            "seconds": "" if seconds is None else f"{seconds:.1f}",
            "data": tags["data_source"],
            "public": "" if self.public is None else f"{self.public:.5f}",
            "real board": "" if self.board is None else self.board.rank(self.known),
        }

    def cells(self) -> dict[str, object]:
        """The entry as a row of plain values."""
        return {
            "rank": self.rank,
            "competition": self.run.tags["competition"],
            "run": self.run.name,
            "model": self.run.tags["model"],
            "seed": self.run.tags.get("seed", ""),
            "metric": self.competition.metric.name,
            "cv_score": self.score,
            "cv_se": self.error,
            "cv_std": self.run.metrics["cv_std"],
            "networks": self.networks,
            "seconds": self.run.metrics.get("train_seconds"),
            "device": self.run.tags.get("device", ""),
            "data_source": self.run.tags["data_source"],
            "public_score": self.public,
            "standing": self.standing,
            "submission": self.run.tags.get("submission", ""),
            "ended": datetime.fromtimestamp(self.run.ended / 1000).isoformat(timespec="seconds"),
            "run_id": self.run.id,
        }


def entries(runs: Runs, name: str | None = None) -> dict[str, list[Entry]]:
    """The finished trainings by experiment, the best first; of equals the one that was first.

    Args:
        runs: of a home.
        name: a competition; None: all.

    Raises:
        UsageError: nothing was trained yet.
    """
    wanted = [name] if name is not None else _with_runs(runs)
    found: dict[str, list[Entry]] = {}
    for each in wanted:
        try:
            competition = find(each)
        except UsageError as error:  # of one declaration, which keeps the others from nobody
            if name is not None:
                raise
            console.warn(f"left out: {error}")
            continue
        for label in (each, each + TWIN_SUFFIX):
            trained = runs.trainings([label])
            ordered = ranked(trained, competition.metric)
            if others := len(trained) - len(ordered):
                console.warn(f"{label}: runs left out, as they were not scored by {competition.metric.name}: {others}")
            if ordered:
                found[label] = [
                    Entry(rank=rank, run=run, competition=competition) for rank, run in enumerate(ordered, start=1)
                ]
    if not found:
        raise UsageError(f"there is no finished run yet: make {name or 'titanic'}")
    return found


def _with_runs(runs: Runs) -> list[str]:
    """The competitions that may have runs; a declaration costs its imports, and the others are not read."""
    if runs.server is not None:
        return names()
    known = {label.removesuffix(TWIN_SUFFIX) for label in runs.experiments()}
    return [name for name in names() if name in known]


def table(label: str, listed: Sequence[Entry]) -> Table:
    """The entries of an experiment, for a terminal."""
    metric = listed[0].competition.metric.name
    title = f"{label}: out-of-fold {metric}" + ", made-up rows" * label.endswith(TWIN_SUFFIX)
    found = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in listed[0].texts():
        found.add_column(column, justify="left" if column in LEFT else "right", no_wrap=True)
    for each in listed:
        found.add_row(*each.texts().values(), style="bold" if each.rank == 1 else "")
    return found


def best_line(listed: Sequence[Entry]) -> str:
    """Where the best run would stand on the real board."""
    best = listed[0]
    return f"{best.known:.4f}: {best.standing}" if best.standing else ""


def csv(listed: Mapping[str, Sequence[Entry]]) -> str:
    """All entries as CSV."""
    import pandas as pd

    stream = io.StringIO()
    pd.DataFrame([each.cells() for group in listed.values() for each in group]).to_csv(stream, index=False)
    return stream.getvalue()


def page(listed: Mapping[str, Sequence[Entry]]) -> str:
    """All entries as one page that needs nothing beside it: figures stand in it."""
    sections = "\n".join(_section(label, group) for label, group in listed.items())
    return PAGE.format(made=datetime.now().isoformat(sep=" ", timespec="minutes"), sections=sections)


def _section(label: str, listed: Sequence[Entry]) -> str:
    head = "".join(f"<th>{column}</th>" for column in _on_page(listed[0]))
    rows = "\n".join(_row(each) for each in listed)
    runs = "\n".join(_figures(each) for each in listed)
    title = html.escape(f"{label}: out-of-fold {listed[0].competition.metric.name}")
    return f"<h2>{title}</h2>\n<table><tr>{head}</tr>\n{rows}\n</table>\n{runs}"


def _on_page(each: Entry) -> dict[str, str]:
    """The columns of the page, which has room for more."""
    return {**each.texts(), "real board": each.standing, "submission": each.run.tags.get("submission", "")}


def _row(each: Entry) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _on_page(each).values()) + "</tr>"


def _figures(each: Entry) -> str:
    images = "".join(_image(each.run.artifacts / name) for name in FIGURES if (each.run.artifacts / name).is_file())
    opened = " open" if each.rank == 1 else ""
    return f"<details{opened}><summary>{html.escape(each.run.name)}</summary>{images}</details>"


def _image(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{path.stem.replace("_", " ")}" src="data:image/png;base64,{data}">'


PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Podium: leaderboard</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222 }}
table {{ border-collapse: collapse; margin-bottom: 1em }}
th, td {{ text-align: left; padding: .3em .8em; border-bottom: 1px solid #ddd; white-space: nowrap }}
tr:nth-child(2) {{ font-weight: bold }}
summary {{ cursor: pointer; padding: .2em 0 }}
img {{ max-width: 100%; max-height: 24em; vertical-align: top }}
</style>
<h1>Leaderboard</h1>
<p>Scores of rows that no network of theirs saw, with their standard errors; {made}.</p>
{sections}
"""
