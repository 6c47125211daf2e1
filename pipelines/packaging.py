"""Packaging: a run's pipeline as a model of MLflow: the code and the files, and no pickle."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

from data.schema import kind
from data.tables import Tables
from pipelines import keys
from pipelines.competition import FOLDER, Competition
from pipelines.home import REPOSITORY, scratch
from pipelines.pipeline import SHARE
from pipelines.pyfunc import Column, Model

EXAMPLE = 3  # rows
SERVED = "served.py"
CHECKS = "# What checks"  # begins the part of the requirements that a model does without


def package(folder: Path, competition: Competition, tables: Tables, pipeline: Path) -> None:
    """Writes a model of MLflow.

    Args:
        folder: where to; it is made.
        competition: the declaration.
        tables: of which the first test rows are the example.
        pipeline: the folder that holds it.
    """
    schema = competition.schema
    known = tables.test[schema.id]
    id_kind = int if known.str.fullmatch(r"0|[1-9]\d{0,17}").all() else str
    inputs = [
        Column(name=schema.id, kind=id_kind, required=False),
        *(Column(name=name, kind=kind(column) or str) for name, column in schema.columns.columns.items()),
    ]
    outputs = [
        inputs[0],
        Column(name=schema.target, kind=_kind_of(schema.classes)),
        *(Column(name=f"{SHARE}{label}", kind=float) for label in schema.labels),
    ]
    with scratch() as code:
        rooms = [*(REPOSITORY / room for room in keys.ROOMS), FOLDER]
        for room in rooms:
            own = code / room.relative_to(REPOSITORY)
            own.mkdir(parents=True)
            for name, source in keys.sources_of(room).items():
                (own / name).write_text(source)
        Model(
            script=code / "pipelines" / SERVED,
            code=[code / room for room in keys.ROOMS],
            files={"pipeline": pipeline},
            inputs=inputs,
            outputs=outputs,
            example=tables.test.head(EXAMPLE).astype({schema.id: id_kind}),
            requirements=requirements(),
        ).write(folder)


def requirements() -> list[str]:
    """The packages that a model needs, as they are pinned."""
    lines = (REPOSITORY / "requirements.txt").read_text().partition(CHECKS)[0].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _kind_of(classes: Sequence[object]) -> type:
    """The type of a column of labels."""
    if all(isinstance(each, bool) for each in classes):
        return bool
    return int if all(isinstance(each, Integral) for each in classes) else str
