"""Packaging: a run's pipeline as a model of MLflow: the code and the files, and no pickle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.errors import StorageError
from data.reading import kind as kind_of
from data.tables import Tables
from pipelines import environment, keys, pyfunc
from pipelines.competition import FOLDER, Competition
from pipelines.home import REPOSITORY, scratch
from pipelines.pyfunc import Column, Model

EXAMPLE = 3  # rows
SERVED = "pipelines/served.py"
CODE = "code"  # MLflow's own folder of a model's code


def package(folder: Path, competition: Competition, models: Sequence[str], tables: Tables, pipeline: Path) -> None:
    """Writes a model of MLflow.

    Args:
        folder: where to; it is made.
        competition: the declaration.
        models: the candidates that the pipeline is made of.
        tables: of which the first test rows are the example.
        pipeline: the folder that holds it.
    """
    schema = competition.schema
    known = tables.test[schema.id]
    id_kind = int if known.str.fullmatch(r"0|[1-9]\d{0,17}").all() else str
    inputs = [
        Column(name=schema.id, kind=id_kind, required=False),
        *(Column(name=name, kind=kind_of(column) or str) for name, column in schema.columns.columns.items()),
    ]
    outputs = [
        inputs[0],
        *(Column(name=name, kind=kind) for name, kind in schema.target.answer_kinds().items()),
    ]
    with scratch() as code:
        for name, source in _code().items():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            (code / name).write_text(source)
        Model(
            script=code / SERVED,
            code=[code / room for room in keys.ROOMS],
            files={"pipeline": pipeline},
            inputs=inputs,
            outputs=outputs,
            example=tables.test.head(EXAMPLE).astype({schema.id: id_kind}),
            requirements=environment.requirements(_packages(competition, models)),
        ).write(folder)


def has_other_code(model: Path) -> bool:
    """Whether anything would run that is not what runs here, were a model loaded.

    Args:
        model: its folder.

    Raises:
        StorageError: some of its code is gone.
    """
    ours = {f"{CODE}/{name}": source.encode() for name, source in _code().items()}
    ours[Path(SERVED).name] = ours[f"{CODE}/{SERVED}"]
    known = {model / name for name in (*ours, *pyfunc.BESIDE_CODE)}
    theirs = [path for path in model.rglob("*") if path.is_file() and model / "artifacts" not in path.parents]
    try:
        for room in keys.ROOMS:
            (model / CODE / room / "__init__.py").read_bytes()
        same = all((model / name).is_file() and (model / name).read_bytes() == source for name, source in ours.items())
    except OSError as error:
        raise StorageError(f"{model}: the model cannot be read ({error.strerror}): train it again") from error
    return not (same and known.issuperset(theirs) and pyfunc.runs_only(model, Path(SERVED).name, CODE))


def _packages(competition: Competition, models: Sequence[str]) -> list[str]:
    """What the recipes of some candidates read."""
    recipes = [competition.recipe_of(competition.candidate(model)[1]) for model in models]
    return [package for recipe in recipes for package in recipe.packages()]


def _code() -> dict[str, str]:
    """The files of the rooms and of the competitions, by their paths in the repository."""
    rooms = [*(REPOSITORY / room for room in keys.ROOMS), FOLDER]
    return {
        f"{room.relative_to(REPOSITORY)}/{name}": source
        for room in rooms
        for name, source in keys.sources_of(room).items()
    }
