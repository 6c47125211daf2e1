"""Screenshots of MLflow's pages over a home's runs, for the README: `python -m tests.screenshots <home>`."""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines.home import REPOSITORY, Home
from tests.browser import walk

EXPERIMENT = "titanic"
DOCS = REPOSITORY / "docs"


def main(home: Home) -> None:
    """Walks through the pages and writes what is seen."""
    with walk(home) as pages:
        best, *_, last = (name for name, *_ in pages.runs(EXPERIMENT))
        pages.shoot(DOCS / "ui_runs.png")
        pages.compare(best, last)
        pages.curves("valid/accuracy")
        pages.shoot(DOCS / "ui_curves.png")
        pages.runs(EXPERIMENT)
        pages.figure(best, "confusion_matrix.png")
        pages.shoot(DOCS / "ui_figure.png")
        pages.trials(EXPERIMENT, "tune-")
        pages.shoot(DOCS / "ui_study.png")


if __name__ == "__main__":
    main(Home(Path(sys.argv[1]).resolve()))
