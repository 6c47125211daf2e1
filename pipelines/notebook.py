"""Notebook: a run as a notebook of Kaggle and the dataset that it needs, which predicts there without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from data import sources, tables
from data.errors import UsageError
from data.files import beside, remove
from pipelines import artifacts
from pipelines.home import MODEL, Home
from pipelines.packaging import CODE
from pipelines.pyfunc import REQUIREMENTS
from pipelines.runs import FinishedRun
from submissions import drafts
from submissions.check import check

NOTEBOOK = "submission.ipynb"
DATASET = "dataset"
PIPELINE = "pipeline"
WHEELS = "wheels.txt"
METADATA = "dataset-metadata.json"  # of `kaggle datasets create`

INTRODUCTION = """\
# {run}

Cross-validated {metric}: **{score:.4f}**. It predicts `{slug}` with what lies in the dataset `{title}`: the code, the
encoders and the networks of all folds. It needs no network.

1. Add the competition's data and the dataset as inputs.
2. If an import fails, add a dataset of the wheels in `wheels.txt`, in a folder `wheels`: they are installed from there.
3. Run all: the submission is `/kaggle/working/submission.csv`.
"""
SET_UP = """\
import importlib.util, os, subprocess, sys
from pathlib import Path

KAGGLE = Path(os.environ.get("PODIUM_KAGGLE", "/kaggle"))
found = sorted(path.parent.parent for path in (KAGGLE / "input").rglob("pipeline/pipeline.json"))
assert found, "add the dataset {title} to the notebook's inputs"
DATASET = found[0]
wheels = sorted({{path.parent for path in (KAGGLE / "input").rglob("*.whl")}})
missing = [name for name in ("pandera", "safetensors", "skops") if importlib.util.find_spec(name) is None]
if missing and wheels:
    links = [argument for folder in wheels for argument in ("--find-links", str(folder))]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", *links, *missing]
    subprocess.run(install, check=True)
sys.path.insert(0, str(DATASET / "code"))
sys.dont_write_bytecode = True"""
PREDICT = """\
from pipelines.notebook import answer

output = KAGGLE / "working" / "submission.csv"
output.write_bytes(answer(DATASET / "pipeline"))
output"""
LOOK = """\
import pandas as pd

pd.read_csv(output).head()"""


def write(home: Home, run: FinishedRun, slug: str, metric: str) -> Path:
    """Writes the notebook of a run, and the folder of its dataset, in the place of older ones.

    Args:
        home: where to.
        run: with a model.
        slug: the competition's name on Kaggle.
        metric: its name.

    Returns:
        The notebook.

    Raises:
        UsageError: the run has no model.
    """
    model = run.artifacts / MODEL
    if not model.is_dir():
        raise UsageError(f"{run.name} has no model: train it again, ARGS=--again, which says why if it has none")
    title = f"podium-{run.name}".replace("_", "-").lower()
    told = {"run": run.name, "metric": metric, "score": run.metrics["cv_score"], "slug": slug, "title": title}
    folder = home.notebooks / run.name
    with beside(folder) as part:
        dataset = part / DATASET
        shutil.copytree(run.artifacts / artifacts.PIPELINE, dataset / PIPELINE)
        shutil.copytree(model / CODE, dataset / "code")
        shutil.copyfile(model / REQUIREMENTS, dataset / WHEELS)
        metadata = {"title": title, "id": f"INSERT_YOUR_NAME_HERE/{title}", "licenses": [{"name": "other"}]}
        (dataset / METADATA).write_text(json.dumps(metadata, indent=2) + "\n")
        texts = [INTRODUCTION.format(**told), SET_UP.format(**told), PREDICT, LOOK]
        (part / NOTEBOOK).write_text(json.dumps(_notebook(texts), indent=1) + "\n")
        remove(folder)
    return folder / NOTEBOOK


def answer(pipeline: Path) -> bytes:
    """The submission that a pipeline makes of the competition's files among a notebook's inputs.

    Raises:
        UsageError: they are not there.
        BadDataError: they do not fit the declaration.
        RefusedError: Kaggle would not accept it.
    """
    from pipelines.pipeline import Pipeline  # with torch, which writing a notebook does without

    loaded = Pipeline.load(pipeline)
    competition = loaded.competition
    schema, slug = competition.schema, competition.slug
    raw, misses = sources.locate(slug, slug, schema, pipeline, Home.archives())
    if raw is None:
        raise UsageError(f"add the competition {slug} to the notebook's inputs: {'; '.join(misses)}")
    found = tables.ingest(raw, schema, competition.split)
    frame = competition.layout.frame(
        found.test[schema.id].tolist(), loaded.decided(loaded.predictions(found.test)), schema, found.sample
    )
    check(frame, found.sample, competition.layout, schema)
    return drafts.content(frame)


def _notebook(texts: Sequence[str]) -> dict[str, object]:
    """In the format of nbformat 4.5; the first text is Markdown, the others are code."""
    cells: list[dict[str, object]] = []
    for number, text in enumerate(texts):
        cell: dict[str, object] = {"id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        code: dict[str, object] = {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append(cell | (code if number else {"cell_type": "markdown"}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
