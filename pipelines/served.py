"""Served: the pipeline of a run behind MLflow's server. MLflow runs this file out of the model's own folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from data.errors import BadDataError, PodiumError, UsageError
from pipelines.pipeline import Pipeline

MOST = 10  # faults of a request that are told


class Served(PythonModel):
    """Raw rows in, the most probable class and all probabilities out; see `Pipeline.predict`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads all encoders and networks."""
        self.pipeline = Pipeline.load(Path(context.artifacts["pipeline"]))

    def predict(  # type: ignore[override]  # MLflow's own may leave the context out
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
    ) -> pd.DataFrame:
        """See `Pipeline.predict`; what is wrong with the rows is the request's fault."""
        try:
            return self.pipeline.predict(model_input)
        except BadDataError as error:
            told = "\n".join(map(str, error.faults[:MOST]))
            more = len(error.faults) - MOST
            raise MlflowException(told + (f"\nand {more:,} more" if more > 0 else ""), BAD_REQUEST) from error
        except PodiumError as error:
            asked_wrongly = isinstance(error, UsageError)
            raise MlflowException(str(error), BAD_REQUEST if asked_wrongly else INTERNAL_ERROR) from error


set_model(Served())
