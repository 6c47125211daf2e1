"""Pyfunc: a model of MLflow, from code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

from pipelines.runs import errors_told

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a model's rows."""

    name: str
    kind: type  # int, bool, float or str
    required: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A model of MLflow, from code."""

    script: Path  # that MLflow runs to have it
    code: Sequence[Path]  # folders of the packages that the script imports
    files: Mapping[str, Path]  # that it loads, by the names that it knows them by
    inputs: Sequence[Column]
    outputs: Sequence[Column]
    example: pd.DataFrame  # rows
    requirements: Sequence[str]  # packages, pinned

    def write(self, folder: Path) -> None:
        """Writes it to a folder, which is made."""
        import yaml
        from mlflow import pyfunc
        from mlflow.models import ModelSignature

        ours = [each for each in self.requirements if each.startswith("mlflow==")]

        with errors_told("the model cannot be written"):
            pyfunc.save_model(
                folder,
                python_model=str(self.script),
                code_paths=[str(each) for each in self.code],
                artifacts={name: str(path) for name, path in self.files.items()},
                signature=ModelSignature(inputs=_schema(self.inputs), outputs=_schema(self.outputs)),
                input_example=self.example,
                pip_requirements=ours,  # of all of them MLflow would look up what is installed, for half a second
            )
            (folder / "requirements.txt").write_text("\n".join(self.requirements) + "\n")
            conda = yaml.safe_load((folder / "conda.yaml").read_text())
            conda["dependencies"][-1]["pip"] = list(self.requirements)
            (folder / "conda.yaml").write_text(yaml.safe_dump(conda, sort_keys=False))


def _schema(columns: Sequence[Column]) -> Schema:
    # any type in the place of long, to which MLflow's server would cut 1.5 off unasked: the model checks it itself
    types: dict[type, DataType | AnyType] = {
        int: AnyType(),
        bool: DataType.boolean,
        float: DataType.double,
        str: DataType.string,
    }
    return Schema([ColSpec(types[each.kind], each.name, required=each.required) for each in columns])
