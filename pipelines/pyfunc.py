"""Pyfunc: a model of MLflow, from code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from data.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.types import Schema

REQUIREMENTS = "requirements.txt"
BESIDE_CODE = (  # MLflow's files of a model that hold no code
    "MLmodel",
    "conda.yaml",
    "input_example.json",
    "python_env.yaml",
    "registered_model_meta",
    REQUIREMENTS,
    "serving_input_example.json",
)
LOADER = {"loader_module": "mlflow.pyfunc.loaders.code_model"}
DATA = {"artifacts", "cloudpickle_version", "env", "python_version", "streamable"}  # what runs nothing


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
        from mlflow import pyfunc
        from mlflow.models import ModelSignature

        from pipelines.running import errors_told

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
            (folder / REQUIREMENTS).write_text("\n".join(self.requirements) + "\n")
            conda = yaml.safe_load((folder / "conda.yaml").read_text())
            conda["dependencies"][-1]["pip"] = list(self.requirements)
            (folder / "conda.yaml").write_text(yaml.safe_dump(conda, sort_keys=False))


def runs_only(model: Path, script: str, code: str) -> bool:
    """Whether MLflow would run a script of a model's folder, beside a folder of code, and nothing else.

    Raises:
        StorageError: its description is damaged.
    """
    try:
        flavors = yaml.safe_load((model / "MLmodel").read_text())["flavors"]
        told = {name: value for name, value in flavors["python_function"].items() if name not in DATA}
        told["model_code_path"] = Path(told["model_code_path"]).name
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise StorageError(f"{model}: the model cannot be read ({error}): train it again") from error
    return len(flavors) == 1 and told == {"code": code, "model_code_path": script, **LOADER}


def _schema(columns: Sequence[Column]) -> Schema:
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    # any type in the place of long, to which MLflow's server would cut 1.5 off unasked: the model checks it itself
    types: dict[type, DataType | AnyType] = {
        int: AnyType(),
        bool: DataType.boolean,
        float: DataType.double,
        str: DataType.string,
    }
    return Schema([ColSpec(types[each.kind], each.name, required=each.required) for each in columns])
