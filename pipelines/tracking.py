"""Tracking: the runs of a home, in MLflow. A training is a run; a finished run is what the cache finds again."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow.entities import Metric, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from data.errors import PodiumError, StorageError, UnavailableError
from data.files import alive
from pipelines import console, server
from pipelines.database import opened
from pipelines.running import RunningRun, as_params, errors_told, finished_run
from pipelines.runs import ORIGIN, SENT, VIEW, VIEW_NAME, Child, FinishedRun, Runs, deleted, newest_of_each_key, owner
from pipelines.server import BATCH, TRAINED, all_runs

LONGEST_VALUE = 5000  # characters of a tag
UNREADABLE = "the runs cannot be read: move mlflow.db away to start a new one"


class Tracker(Runs):
    """The runs of one home, by MLflow's client.

    They are kept here, whatever happens. Where MLFLOW_TRACKING_URI names a server, they are sent there as well, and the
    finished runs of others are found there.

    Args:
        folder: holds `mlflow.db` and `artifacts/`; made where it is not there.

    Raises:
        UsageError: the server's address is none, or the folder's.
        StorageError: the database cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = server.of_environment()
        self.lock = folder / "send.lock"
        self.client = opened(folder)

    def experiment(self, name: str) -> str:
        """The id of an experiment, made where it is not there."""
        found = self.client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage != "active":
            raise deleted(name, str(found.experiment_id))
        if found is not None:
            return str(found.experiment_id)
        place = (self.folder / "artifacts" / name).resolve()
        try:
            return str(self.client.create_experiment(name, artifact_location=place.as_uri()))
        except MlflowException:
            found = self.client.get_experiment_by_name(name)  # somebody else was quicker
            if found is None:
                raise
            return str(found.experiment_id)

    def writable(self) -> Tracker:
        """See `Runs.writable`."""
        return self

    def experiments(self) -> list[str]:
        """See `Runs.experiments`; those of the server are its own."""
        with errors_told(UNREADABLE):
            return [each.name for each in self.client.search_experiments()]

    def finished(self, experiment: str, key: str) -> FinishedRun | None:
        """See `Runs.finished`; the experiment is made where it is not there."""
        where = f"tags.key = '{key}' and attributes.status = 'FINISHED'"
        with errors_told(UNREADABLE):
            runs = self.client.search_runs([self.experiment(experiment)], where, max_results=1)
        if runs:
            return finished_run(runs[0])
        found = self._elsewhere([experiment], set(), f"tags.key = '{key}'")
        try:
            return self.fetch(found[0]) if found else None
        except PodiumError as error:
            console.warn(f"{error}: without {found[0].name}, which it has")
            return None

    def describe(self, experiment: str, tags: Mapping[str, str]) -> None:
        """Gives an experiment tags, where it has not got them."""
        with errors_told("an experiment's tags cannot be written"):
            where = self.experiment(experiment)
            before = self.client.get_experiment(where).tags
            for tag, value in tags.items():
                if before.get(tag) == value:
                    continue
                try:
                    self.client.set_experiment_tag(where, tag, value)
                except MlflowException:  # perhaps somebody else was quicker
                    if self.client.get_experiment(where).tags.get(tag) != value:
                        raise

    def pages(self, address: str) -> dict[str, str]:
        """The page of every experiment's runs by the experiment's name: the server's, else under an address.

        Raises:
            UnavailableError: the server does not answer.
        """
        query = f"viewStateShareKey={VIEW_NAME}&workflowType=machine_learning"
        with errors_told(UNREADABLE):
            known = self.client.search_experiments() if self.server is None else self.server.experiments()
        where = address if self.server is None else self.server.named
        pages = {
            each.name: f"{where}/#/experiments/{each.experiment_id}/runs?{query}" for each in known if VIEW in each.tags
        }
        return dict(sorted(pages.items()))

    def trainings(self, experiments: Sequence[str] | None = None) -> list[FinishedRun]:
        """See `Runs.trainings`."""
        with errors_told(UNREADABLE):
            every = self.client.search_experiments()
            known = [str(each.experiment_id) for each in every if experiments is None or each.name in experiments]
            runs = all_runs(self.client, known, f"attributes.status = 'FINISHED' and {TRAINED}") if known else []
        here = [finished_run(run) for run in runs]
        origins = {run.tags.get(ORIGIN, run.id) for run in here}
        return newest_of_each_key([*here, *self._elsewhere(experiments, origins)])

    def _elsewhere(self, experiments: Sequence[str] | None, known: set[str], where: str = "") -> list[FinishedRun]:
        """The finished runs that the server alone has, some of them; none where it is away."""
        if self.server is None:
            return []
        try:
            runs = self.server.finished(experiments, where or TRAINED)
        except UnavailableError as error:
            console.warn(f"{error}: without the runs that it has")
            self.server = None
            return []
        lacking = [run for run in runs if run.data.tags.get(ORIGIN, run.info.run_id) not in known]
        nowhere = self.folder / "elsewhere"
        return [run for run in (finished_run(each, nowhere) for each in lacking) if run.is_whole]

    def fetch(self, run: FinishedRun) -> FinishedRun:
        """A run that the server alone has, with its files."""
        assert self.server is not None
        console.tell(f"{run.name} comes from {self.server.named}")
        with errors_told("a run cannot be fetched"):
            return self.read(self.server.fetch(run.id, self.client, self.experiment, owner()))

    def send(self, id: str) -> None:
        """Sends what the server lacks of a run that has ended, and of all below it.

        Raises:
            UnavailableError: it does not answer.
        """
        assert self.server is not None
        with errors_told("a run cannot be sent"):
            self.server.send(self.client, id, self.lock)

    def unsent(self) -> list[FinishedRun]:
        """The runs that have ended and lie below no other, of which the server lacks something; the oldest first.

        Where it does not answer, it has what it was sent.
        """
        assert self.server is not None
        there = self.server.origins() if self.server.answers() else None
        with errors_told(UNREADABLE):
            known = [str(each.experiment_id) for each in self.client.search_experiments()]
            runs = all_runs(self.client, known, "attributes.status != 'RUNNING'") if known else []
        above = [run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags]
        lacking = [
            run
            for run in above
            if run.data.tags.get(SENT) != self.server.named
            or (
                there is not None and not there & {run.info.run_id, run.data.tags.get(ORIGIN)}
            )  # the server was set up anew
        ]
        return sorted(map(finished_run, lacking), key=lambda run: run.ended)

    def champion(self, name: str) -> str | None:
        """See `Runs.champion`."""
        with errors_told(UNREADABLE):
            return server.champion(self.client, name)

    def crown(self, name: str, run: FinishedRun) -> None:
        """Registers the model of a run under a name, once, and makes it the champion."""
        with errors_told("the model cannot be registered"):
            server.crown(self.client, name, self.client.get_run(run.id))

    @contextmanager
    def run(
        self,
        experiment: str,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        again: Mapping[str, str] | None = None,
    ) -> Iterator[RunningRun]:
        """A run that is FINISHED when the block ends well, KILLED when it is interrupted, FAILED otherwise.

        A run that has the tags `again` already goes on; while several processes hold it, the last to end ends it.
        """
        with errors_told("a run cannot be started"):
            where = self.experiment(experiment)
            self._end_dead_runs(where)
            before = self._tagged(where, again, most=1) if again else []
            if before:
                running = RunningRun(self.client, before[0], self.server, self.lock)
                self.hold(running.id)
                self.tag(running.id, tags)
                if "error" in before[0].data.tags:  # which ended it the last time
                    self.client.delete_tag(running.id, "error")
            else:
                own = {**tags, **owner()}
                made = self.client.create_run(where, run_name=name, tags=own)
                running = RunningRun(self.client, made, self.server, self.lock)
            self.client.log_batch(running.id, params=as_params(params))
        try:
            yield running
            running.flush()
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            with suppress(StorageError):  # what broke the run is what matters
                self._end(running.id, "KILLED" if interrupted else "FAILED")
                if not interrupted:
                    self.tag(running.id, {"error": str(error) or type(error).__name__})
                    self._sent(running.id)
            raise
        self._end(running.id, "FINISHED")
        self._sent(running.id)

    def add_child(self, experiment: str, parent: str, child: Child) -> None:
        """Adds a run that has ended below another."""
        with errors_told("a trial's run cannot be written"):
            run = self.client.create_run(
                self.experiment(experiment),
                start_time=child.started,
                run_name=child.name,
                tags={MLFLOW_PARENT_RUN_ID: parent, **owner()},
            )
            metrics = [
                Metric(name, value, child.started, step)
                for name, values in child.series.items()
                for step, value in values.items()
                if math.isfinite(value)  # MLflow's database takes no others
            ]
            for start in range(BATCH, len(metrics), BATCH):
                self.client.log_batch(run.info.run_id, metrics=metrics[start : start + BATCH])
            tags = [RunTag(key, value[:LONGEST_VALUE]) for key, value in child.tags.items()]
            self.client.log_batch(run.info.run_id, metrics[:BATCH], as_params(child.params), tags)
            self.client.set_terminated(run.info.run_id, child.status, child.ended)

    def children(self, experiment: str, parent: str, tag: str) -> dict[str, str]:
        """The runs below another that have a tag: their ids by its value."""
        with errors_told(UNREADABLE):
            found = self._tagged(self.experiment(experiment), {MLFLOW_PARENT_RUN_ID: parent})
        return {run.data.tags[tag]: run.info.run_id for run in found if tag in run.data.tags}

    def _tagged(self, experiment: str, tags: Mapping[str, str], most: int | None = None) -> list[Run]:
        where = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
        return all_runs(self.client, [experiment], where, most)

    def read(self, id: str) -> FinishedRun:
        """See `Runs.read`."""
        return finished_run(self._run(id))

    def hold(self, id: str) -> None:
        """Makes a run this process's own, RUNNING until this process ends it."""
        with errors_told("a run cannot go on"):
            self.client.update_run(id, status="RUNNING")
            self._forget_sent(id)
            self.tag(id, owner())

    def _end(self, id: str, status: str) -> None:
        """Ends a run, unless another process has taken it over and is alive."""
        with errors_told("the run's end cannot be written"):
            tags = self.client.get_run(id).data.tags
            if tags["pid"] == str(os.getpid()) or tags["host"] != socket.gethostname() or not alive(int(tags["pid"])):
                self.client.set_terminated(id, status)

    def _sent(self, id: str) -> None:
        """Sends a run that has ended, or says that it waits."""
        if self.server is None or self._run(id).info.status == "RUNNING":
            return
        try:
            self.send(id)
        except PodiumError as error:
            console.warn(f"{error}: the run is kept here, and `make sync` sends it")

    def tag(self, id: str, tags: Mapping[str, str]) -> None:
        """Adds tags to a run."""
        cut = {key: value[:LONGEST_VALUE] for key, value in tags.items()}
        with errors_told("the run's tags cannot be written"):
            self.client.log_batch(id, tags=[RunTag(*each) for each in cut.items()])
        known = self._run(id).data.tags
        if self.server is not None and known.get(SENT) == self.server.named:
            try:
                self.server.tag(known.get(ORIGIN, id), cut)
            except UnavailableError:
                self._forget_sent(id)
        elif SENT in known:
            self._forget_sent(id)

    def has(self, id: str) -> bool:
        """Whether a run is here, and not deleted."""
        try:
            return str(self.client.get_run(id).info.lifecycle_stage) == "active"
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def log(self, id: str, metrics: Mapping[str, float]) -> None:
        """Adds figures to a run that has ended."""
        now = int(time.time() * 1000)
        with errors_told("the run's metrics cannot be written"):
            self.client.log_batch(id, [Metric(name, value, now, 0) for name, value in metrics.items()])
        self._forget_sent(id)

    def _forget_sent(self, id: str) -> None:
        """Lets `make sync` send a run again, that was changed since."""
        with errors_told("the run's tags cannot be written"):
            if SENT in self.client.get_run(id).data.tags:
                self.client.delete_tag(id, SENT)

    def _run(self, id: str) -> Run:
        with errors_told(UNREADABLE):
            return self.client.get_run(id)

    def _end_dead_runs(self, experiment: str) -> None:
        """Ends the runs that a killed process of this machine left RUNNING."""
        where = f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'"
        for run in self.client.search_runs([experiment], where):
            if not alive(int(run.data.tags.get("pid", 0))):
                self.client.set_terminated(run.info.run_id, "KILLED")
