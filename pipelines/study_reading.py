"""Study reading: the trials of a home's own study without SQLAlchemy, as far as settings are chosen by them.

As in `pipelines.reading`, this holds for the one schema below; whatever else is found goes through Optuna's storage.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.distributions import json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from pipelines.reading import connected

SCHEMA = (12, "v3.2.0.a")  # of the Optuna that requirements.txt pins: its own, and the last migration
VALUES = {"INF_POS": math.inf, "INF_NEG": -math.inf}


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredStudy:
    """A study to be read, as `optuna.Study` is; its trials have no intermediate values."""

    study_name: str
    direction: StudyDirection
    trials: Sequence[FrozenTrial]

    def get_trials(
        self,
        deepcopy: bool = True,  # noqa: ARG002
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials by their numbers; all, or those of some states."""
        return [trial for trial in self.trials if states is None or trial.state in states]


def read_study(database: Path, name: str) -> StoredStudy | None:
    """The study of a name; None where there is none.

    Raises:
        ValueError: the database is of another schema.
        sqlite3.Error: it cannot be read.
    """
    with connected(database) as connection:
        versions = connection.execute("SELECT schema_version, version_num FROM version_info, alembic_version")
        if versions.fetchall() != [SCHEMA]:
            raise ValueError(f"{database}: another schema")
        question = "SELECT study_id, direction FROM studies JOIN study_directions USING (study_id) WHERE study_name = ?"
        found = connection.execute(question, (name,)).fetchall()
        if not found:
            return None
        ((study, direction),) = found
        return StoredStudy(study_name=name, direction=StudyDirection[direction], trials=_trials(connection, study))


def _trials(connection: sqlite3.Connection, study: int) -> list[FrozenTrial]:
    params, distributions = defaultdict[int, dict[str, Any]](dict), defaultdict[int, dict[str, Any]](dict)
    for trial, name, value, written in _rows(
        connection, "param_name, param_value, distribution_json FROM trial_params", "param_id", study
    ):
        distributions[trial][name] = json_to_distribution(written)
        params[trial][name] = distributions[trial][name].to_external_repr(value)
    values = defaultdict[int, list[float]](list)
    for trial, value, kind in _rows(connection, "value, value_type FROM trial_values", "objective", study):
        values[trial].append(VALUES.get(kind, value))
    attributes = defaultdict[int, dict[str, Any]](dict)
    for trial, name, written in _rows(
        connection, "key, value_json FROM trial_user_attributes", "trial_user_attribute_id", study
    ):
        attributes[trial][name] = json.loads(written)
    return [
        FrozenTrial(
            number=number,
            state=TrialState[state],
            value=None,
            values=values.get(trial),
            datetime_start=_moment(started),
            datetime_complete=_moment(ended),
            params=params[trial],
            distributions=distributions[trial],
            user_attrs=attributes[trial],
            system_attrs={},
            intermediate_values={},
            trial_id=trial,
        )
        for trial, number, state, started, ended in _rows(
            connection, "number, state, datetime_start, datetime_complete FROM trials", "trial_id", study
        )
    ]


def _rows(connection: sqlite3.Connection, what: str, order: str, study: int) -> list[tuple[Any, ...]]:
    """What a table tells of the trials of a study, the trial's id first."""
    where = "trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?)"
    question = f"SELECT trial_id, {what} WHERE {where} ORDER BY trial_id, {order}"  # ours
    return connection.execute(question, (study,)).fetchall()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
