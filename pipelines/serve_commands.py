"""The commands that predict new rows by a run's model: serve, predict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.options import HomeFolder, Name, home_of

if TYPE_CHECKING:
    from pipelines.runs import FinishedRun

RunOption = Annotated[str | None, typer.Option("--run", help="Its name, id or key; the best run by default.")]


def add(app: typer.Typer) -> None:
    """Adds the commands to a command line."""
    app.command()(serve)
    app.command()(predict)
    app.command()(notebook)


def serve(
    name: Name,
    port: Annotated[int, typer.Option(help="On 127.0.0.1.")] = 5001,
    run: RunOption = None,
    home: HomeFolder = None,
) -> None:
    """Answer requests with predictions, by MLflow's model server, until Ctrl-C."""
    from pipelines.home import MODEL
    from pipelines.serving import serve_model

    found = _run(name, run, home)
    model = found.artifacts / MODEL
    _provide(model)
    address = f"http://127.0.0.1:{port}/invocations"
    print(f"  model  {found.name}: cv score {found.metrics['cv_score']:.4f}, rows from {found.tags['data_source']}")
    print(f"  ask    curl {address} -H 'Content-Type: application/json' -d @{model / 'serving_input_example.json'}")
    sys.stdout.flush()
    raise typer.Exit(serve_model(model, port))


def predict(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Rows in the form of the competition's test file.")],
    csv: Annotated[Path, typer.Option(help="Write the predictions to this file; - prints them.")] = Path("-"),
    run: RunOption = None,
    pipeline: Annotated[Path | None, typer.Option(hidden=True, help="The folder of a pipeline.")] = None,
    home: HomeFolder = None,
) -> None:
    """Predict the rows of a file: the most probable class of each, and all probabilities."""
    if pipeline is None:
        from pipelines.artifacts import PIPELINE
        from pipelines.home import MODEL
        from pipelines.packaging import CODE, has_other_code

        found = _run(name, run, home)
        model, pipeline = found.artifacts / MODEL, found.artifacts / PIPELINE
        _provide(model)
        if has_other_code(model):
            own = [sys.executable, "-m", "pipelines", "predict", name, str(file.resolve()), "--pipeline", str(pipeline)]
            to = str(csv) if csv == Path("-") else str(csv.resolve())
            quiet = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # the model stays as it was
            raise typer.Exit(subprocess.call([*own, "--csv", to], cwd=model / CODE, env=quiet))
    from data.errors import BadDataError
    from data.reading import FIRST_ROW, read_text
    from pipelines import console
    from pipelines.pipeline import Pipeline

    loaded = Pipeline.load(pipeline)
    try:
        rows = read_text(file.read_bytes(), str(file), loaded.competition.schema.separator)
        predicted = loaded.predict(rows, str(file), first=FIRST_ROW)
    except BadDataError as error:
        console.tell_faults(error)
        raise typer.Exit(error.exit_code) from None
    console.write(csv, predicted.to_csv(index=False))


def notebook(name: Name, run: RunOption = None, home: HomeFolder = None) -> None:
    """Write a notebook for Kaggle, and the dataset with which it predicts there without a network."""
    from pipelines.competition import find
    from pipelines.notebook import write
    from pipelines.options import print_path

    found, competition = _run(name, run, home), find(name)
    print_path(write(home_of(home), found, competition.slug, competition.metric.name))


def _provide(model: Path) -> None:
    """Installs what a model reads, by its own list."""
    from pipelines import environment
    from pipelines.pyfunc import REQUIREMENTS

    environment.provide(environment.pins(model / REQUIREMENTS))


def _run(name: str, text: str | None, home: Path | None) -> FinishedRun:
    """The run that is named, or the champion of a competition: of its twin where there is no other."""
    from data.errors import UsageError
    from pipelines import champion
    from pipelines.competition import find
    from pipelines.home import MODEL
    from pipelines.reading import open_runs
    from pipelines.stages import TWIN_SUFFIX

    metric, runs = find(name).metric, open_runs(home_of(home).mlruns)
    if text is not None:
        found = runs.find(text)
        if found.tags["competition"] != name:
            raise UsageError(f"{found.name} is a run of {found.tags['competition']}, and not of {name}")
        if not (found.artifacts / MODEL).is_dir():
            raise UsageError(f"{found.name} has no model: train it again, ARGS=--again, which says why if it has none")
        return found
    for label in (name, name + TWIN_SUFFIX):
        best = champion.crown(label, metric, runs, fetches=True)
        if best is not None:
            return best
    raise UsageError(f"there is no finished run of {name} with a model yet: make {name}")
