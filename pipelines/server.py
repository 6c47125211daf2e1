"""Server: MLflow's tracking server, to which the runs of a home are sent, and where those of others are found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock
from google.protobuf.json_format import ParseError
from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from data.errors import UnavailableError, UsageError
from data.metrics import Metric as Measure
from pipelines.home import MODEL
from pipelines.runs import ADDRESS, CHAMPION, ORIGIN, SENT, is_scored_by

BATCH = 1000  # metrics that MLflow takes in one call
TRAINED = "tags.key LIKE '%'"  # of trainings and blends, and of no trial
GARBAGE = (ParseError, ValueError, KeyError, TypeError, AttributeError)  # by answers that no such server gives


def of_environment() -> Server | None:
    """The server that the environment names; None where it names none.

    Raises:
        UsageError: it names something else.
    """
    address = os.environ.get(ADDRESS, "").rstrip("/")
    if not address:
        return None
    if not address.startswith(("http://", "https://")):
        raise UsageError(f"{ADDRESS} takes a server's address, http://host:5000, but got {address!r}: unset it")
    return Server(address)


class Server:
    """A tracking server.

    Args:
        address: begins with http.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        parts = urlsplit(address)
        self.named = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # without a password
        self.client = MlflowClient(address, registry_uri=address)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Tells in one line that the server is away, or refuses.

        Raises:
            UnavailableError: it is, or does.
        """
        try:
            yield
        except (MlflowException, OSError, *GARBAGE) as error:
            told = (str(error) or type(error).__name__).splitlines()[0].replace(self.address, self.named)
            raise UnavailableError(f"{self.named}: the tracking server does not answer ({told[:200]})") from error

    def begin(self, local: MlflowClient, id: str, lock: Path) -> str:
        """The id that a run of here has there, where it begins to be shown; see `send`."""
        with FileLock(lock), self.reached():
            return self._twin(local, local.get_run(id)).info.run_id

    def log(self, id: str, metrics: Sequence[Metric]) -> None:
        """Adds metrics to a run by its id there."""
        with self.reached():
            for start in range(0, len(metrics), BATCH):
                self.client.log_batch(id, metrics=metrics[start : start + BATCH])

    def tag(self, origin: str, tags: Mapping[str, str]) -> None:
        """Gives tags to a run that was sent, by its id here."""
        with self.reached():
            for run in self._known(f"tags.`{ORIGIN}` = '{origin}'"):
                self.client.log_batch(run.info.run_id, tags=[RunTag(*each) for each in tags.items()])

    def send(self, local: MlflowClient, id: str, lock: Path) -> None:
        """Sends what the server lacks of a run that has ended, and of all below it.

        Args:
            local: where the run is.
            id: its own there.
            lock: a file that keeps two processes from sending at once.
        """
        with FileLock(lock), self.reached():
            run = local.get_run(id)
            twin = self._complete(local, run)
            below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{id}'"
            for child in all_runs(local, [run.info.experiment_id], below):
                self._complete(local, child, parent=twin)
            local.set_tag(id, SENT, self.named)

    def finished(self, experiments: Sequence[str] | None, where: str = "") -> list[Run]:
        """The finished runs of experiments by name, None: of all; and some of them in MLflow's words."""
        with self.reached():
            known = [
                each for each in self.client.search_experiments() if experiments is None or each.name in experiments
            ]
            ids = [each.experiment_id for each in known]
            condition = " and ".join(filter(None, ("attributes.status = 'FINISHED'", where)))
            return all_runs(self.client, ids, condition) if ids else []

    def origins(self) -> set[str]:
        """The ids of the runs that were sent, where they came from, and of those that began there; deleted ones too."""
        with self.reached():
            every = [each.experiment_id for each in self.client.search_experiments(ViewType.ALL)]
            runs = all_runs(self.client, every, "", kind=ViewType.ALL) if every else []
            return {run.data.tags.get(ORIGIN, run.info.run_id) for run in runs}

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            self.experiments()
        except UnavailableError:
            return False
        return True

    def experiments(self) -> list[Experiment]:
        """All experiments."""
        with self.reached():
            return list(self.client.search_experiments())

    def fetch(self, id: str, local: MlflowClient, experiment_of: Callable[[str], str], own: Mapping[str, str]) -> str:
        """Copies a finished run from there; its id here.

        Args:
            id: its own there.
            local: where to.
            experiment_of: the id of the experiment of a name here.
            own: tags of the process that fetches, which ends the copy if it can.
        """
        with self.reached(), tempfile.TemporaryDirectory(prefix="podium-") as files:
            run = self.client.get_run(id)
            self.client.download_artifacts(id, "", files)
            own = {ORIGIN: run.data.tags.get(ORIGIN, id), SENT: self.named, **own}
            tags = {name: value for name, value in run.data.tags.items() if name != MLFLOW_PARENT_RUN_ID} | own
            where = experiment_of(self.client.get_experiment(run.info.experiment_id).name)
            made = local.create_run(where, run.info.start_time, tags, run.info.run_name)
            _copy_numbers(self.client, run, local, made)
            local.log_artifacts(made.info.run_id, files)
            local.set_terminated(made.info.run_id, run.info.status, run.info.end_time)
            return str(made.info.run_id)

    def crown(self, experiment: str, metric: Measure) -> None:
        """Registers the model of the best run there under the experiment's name, as the champion."""
        trained = self.finished([experiment], TRAINED)
        runs = [run for run in trained if "cv_score" in run.data.metrics and is_scored_by(run.data.tags, metric)]
        with self.reached():
            best: Run | None = None
            for run in sorted(runs, key=lambda run: run.info.end_time):  # of equals the one that was first
                leads = best is None or metric.better(run.data.metrics["cv_score"], best.data.metrics["cv_score"])
                if leads and self.client.list_artifacts(run.info.run_id, MODEL):
                    best = run
            if best is not None and champion(self.client, experiment) != best.info.run_id:
                crown(self.client, experiment, best)

    def _known(self, where: str) -> list[Run]:
        return all_runs(self.client, [each.experiment_id for each in self.client.search_experiments()], where)

    def _experiment(self, local: MlflowClient, id: str) -> str:
        """The experiment of the same name, with the same tags."""
        here = local.get_experiment(id)
        there = self.client.get_experiment_by_name(here.name)
        if there is None:
            refused = MlflowException(f"the experiment {here.name} cannot be made")
            try:
                self.client.create_experiment(here.name)
            except MlflowException as error:  # perhaps somebody else was quicker
                refused = error
            there = self.client.get_experiment_by_name(here.name)
            if there is None:
                raise refused
        if there.lifecycle_stage != "active":
            raise MlflowException(f"the experiment {here.name} was deleted there: restore it in its pages")
        for tag, value in here.tags.items():
            if there.tags.get(tag) != value:
                self.client.set_experiment_tag(there.experiment_id, tag, value)
        return str(there.experiment_id)

    def _twin(self, local: MlflowClient, run: Run, parent: Run | None = None) -> Run:
        """The run there of a run here, made where it is not there."""
        where, origin = self._experiment(local, run.info.experiment_id), run.data.tags.get(ORIGIN, run.info.run_id)
        found = all_runs(self.client, [where], f"tags.`{ORIGIN}` = '{origin}'")
        if found:
            return found[0]
        tags = {ORIGIN: origin, **({} if parent is None else {MLFLOW_PARENT_RUN_ID: parent.info.run_id})}
        made = self.client.create_run(where, run.info.start_time, tags, run.info.run_name)
        if not made.info.run_id:
            raise MlflowException(f"the run {run.info.run_name} cannot be made")
        return made

    def _complete(self, local: MlflowClient, run: Run, parent: Run | None = None) -> Run:
        twin = self._twin(local, run, parent)
        _copy_numbers(local, run, self.client, twin)
        kept_here = (SENT, MLFLOW_PARENT_RUN_ID)
        tags = [RunTag(*each) for each in run.data.tags.items() if each[0] not in kept_here]
        self.client.log_batch(twin.info.run_id, tags=tags)
        folder = Path(local_file_uri_to_path(run.info.artifact_uri))
        if folder.is_dir():
            self.client.log_artifacts(twin.info.run_id, str(folder))
        self.client.set_terminated(twin.info.run_id, run.info.status, run.info.end_time)
        return twin


def champion(client: MlflowClient, name: str) -> str | None:
    """The id of the run whose model is registered under a name as the champion; None: there is none."""
    try:
        return client.get_model_version_by_alias(name, CHAMPION).run_id
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def crown(client: MlflowClient, name: str, run: Run) -> None:
    """Registers the model of a run under a name, once, and makes it the champion."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = client.search_model_versions(f"name = '{name}' and run_id = '{run.info.run_id}'")
    if known:
        version = known[0].version
    else:
        source = f"{run.info.artifact_uri}/{MODEL}"
        note = f"{run.info.run_name}: cv score {run.data.metrics['cv_score']:.4f}"
        version = client.create_model_version(name, source, run.info.run_id, description=note).version
    client.set_registered_model_alias(name, CHAMPION, version)


def all_runs(
    client: MlflowClient,
    experiments: list[str],
    where: str,
    most: int | None = None,
    kind: int = ViewType.ACTIVE_ONLY,
) -> list[Run]:
    """The runs of which something holds, in MLflow's words; all of them, or so many."""
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(experiments, where, kind, max_results=most or BATCH, page_token=token)
        found += page
        token = page.token
        if not token or most is not None:
            return found


def _copy_numbers(source: MlflowClient, run: Run, to: MlflowClient, twin: Run) -> None:
    """Adds the params and metrics that a run's twin lacks."""
    params = [Param(*each) for each in run.data.params.items() if each[0] not in twin.data.params]
    to.log_batch(twin.info.run_id, params=params)
    missing: list[Metric] = []
    for name in run.data.metrics:
        there = to.get_metric_history(twin.info.run_id, name) if name in twin.data.metrics else []
        known = {(each.step, each.timestamp, each.value) for each in there}
        missing += [
            Metric(each.key, each.value, each.timestamp, each.step)
            for each in source.get_metric_history(run.info.run_id, name)
            if (each.step, each.timestamp, each.value) not in known
        ]
    for start in range(0, len(missing), BATCH):
        to.log_batch(twin.info.run_id, metrics=missing[start : start + BATCH])
