"""Bench: declarations that `make new` drafts, run unedited, beside those that were written by hand.

`python -m tests.bench_drafts [titanic ...]` prints the section of docs/benchmarks.md that `make bench` writes
(KAGGLE_ARCHIVES names the folder with the archives). A drafted one stands in a copy of the code that has no declaration
of its competition.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from pipelines.competition import find
from pipelines.drafted import name_of
from tests.checkout import copy_code
from tests.environment import without_make

MODELS = {  # the networks that are compared: those that are drafted for such files, and the like of them
    "titanic": "mlp",
    "diabetes": "mlp",
    "names": "gru",
    "rotten_tomatoes": "gru",
    "otto": "mlp",
}


def podium(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "pipelines", *arguments]
    done = subprocess.run(command, cwd=folder, env=without_make(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def trained(folder: Path, name: str, *arguments: str) -> tuple[float, float]:
    """The score of a competition's run to an accepted submission, and the seconds from nothing to it."""
    started = time.perf_counter()
    path = podium(folder, "run", name, *arguments).splitlines()[-1]
    seconds = time.perf_counter() - started
    podium(folder, "check", name, path)
    board = pd.read_csv(io.StringIO(podium(folder, "leaderboard", name, "--csv", "-")))
    return float(board["cv_score"].iloc[0]), seconds


def line(name: str, model: str, folder: Path) -> str:
    """A row of the table."""
    competition = find(name)
    for which in ("drafted", "written"):
        copied = copy_code(folder / name / which)
        (copied / "Makefile").write_text("all:\n")
    slug, drafted, written = competition.slug, folder / name / "drafted", folder / name / "written"
    (drafted / "pipelines" / "competitions" / f"{name}.py").unlink()
    podium(drafted, "new", slug, "--yes")
    ours, seconds = trained(drafted, name_of(slug, over=True))
    theirs, longer = trained(written, name, "--model", model, "--trials", "0")
    metric = competition.metric
    gain = ours - theirs if metric.greater_is_better else theirs - ours
    return (
        f"| {name}, {model} | {metric.name} | {ours:.4f} | {theirs:.4f} | {gain:+.4f} | {seconds:.0f} | {longer:.0f} |"
    )


def section(names: list[str] | None = None) -> str:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        table = "\n".join(line(name, MODELS[name], Path(folder)) for name in names or MODELS)
    return f"""## Drafted declarations

What `make new ARGS=--yes` writes of the competitions' own files, run as it is, beside the declaration that was written
by hand, without a search: scores out of fold, and seconds from nothing to the submission.

| competition | metric | drafted | by hand | better by | drafted, s | by hand, s |
|---|---|---|---|---|---|---|
{table}"""


if __name__ == "__main__":
    print(section(sys.argv[1:]))
