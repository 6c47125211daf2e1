"""Mirror: a study as MLflow shows it: a run a trial, below the run of the study."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from data.metrics import Metric
from models import trials
from models.trials import is_finished, reason_of
from pipelines.runs import Child
from pipelines.studies import STUDY, TRIAL
from pipelines.tracking import Tracker

TURN = "mirror.turn"  # names who wrote last, where several searches of one home show the same trials
STATE = "optuna.state"  # tag of a trial's run
STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


class Mirror:
    """Writes the finished trials of a study into MLflow, each once, whoever ran them.

    Args:
        tracker: of the home.
        experiment: the study's.
        parent: the id of the study's run.
        study: what is shown.
        model: the candidate's name.
        metric: what is searched for.
        score: the competition's metric.
    """

    def __init__(
        self,
        tracker: Tracker,
        experiment: str,
        parent: str,
        study: optuna.Study,
        model: str,
        metric: Metric,
        score: Metric,
    ) -> None:
        self.tracker, self.experiment, self.parent, self.study = tracker, experiment, parent, study
        self.model, self.metric, self.score = model, metric, score
        self.shown: set[str] = set()
        self.turn = tracker.folder / TURN
        self.own = uuid.uuid4().hex

    def update(self, done: Sequence[FrozenTrial]) -> None:
        """Writes those of the finished trials that are not there."""
        new = [trial for trial in done if str(trial.number) not in self.shown]
        if not new:
            return
        with FileLock(f"{self.turn}.lock"):
            if not self.turn.is_file() or self.turn.read_text() != self.own:
                self.shown = set(self.tracker.children(self.experiment, self.parent, TRIAL))
                self.tracker.hold(self.parent)
                self.turn.write_text(self.own)
            for trial in new:
                if str(trial.number) not in self.shown:
                    self.tracker.add_child(self.experiment, self.parent, self._child(trial))
                    self.shown.add(str(trial.number))

    def _child(self, trial: FrozenTrial) -> Child:
        assert is_finished(trial)
        reason = reason_of(trial)
        tags = {
            STUDY: self.study.study_name,
            TRIAL: str(trial.number),
            STATE: trial.state.name,
            "model": self.model,
            "worker": str(trial.user_attrs.get(trials.WORKER, "")),
            **({} if reason is None else {"error": reason}),
            **({"pruned": f"after epoch {trial.last_step}"} if trial.state is TrialState.PRUNED else {}),
        }
        return Child(
            name=f"trial-{trial.number}",
            tags=tags,
            params=trial.params,
            series=self._series(trial),
            status=STATUS[trial.state],
            started=_milliseconds(trial.datetime_start),
            ended=_milliseconds(trial.datetime_complete),
        )

    def _series(self, trial: FrozenTrial) -> Mapping[str, Mapping[int, float]]:
        attributes = trial.user_attrs
        losses = attributes.get(trials.TRAIN_LOSS, [])
        series = {
            f"valid/{self.metric.name}": dict(trial.intermediate_values),
            "train/loss": {number + 1: loss for number, loss in enumerate(losses)},
        }
        if trial.state is TrialState.COMPLETE:
            series[f"trial_{self.metric.name}"] = {0: trial.values[0]}
            series[f"trial_{self.score.name}"] = {0: attributes.get(trials.SCORE, math.nan)}
        if trials.SECONDS in attributes:
            series["seconds"] = {0: attributes[trials.SECONDS]}
        return series


def _milliseconds(moment: datetime | None) -> int:
    return round((moment or datetime.now()).timestamp() * 1000)
