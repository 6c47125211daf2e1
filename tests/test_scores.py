"""Scores of a board beside those of cross-validation."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.kaggle import Listed
from data.metrics import ACCURACY
from pipelines.runs import FinishedRun
from pipelines.scores import Sent, matched, verdict
from submissions.outbox import Entry


def run_of(id: str, score: float, **tags: str) -> FinishedRun:
    return FinishedRun(
        id=id * 4, name=f"mlp-{id}", metrics={"cv_score": score}, params={}, tags=tags, artifacts=Path(), ended=0
    )


def listed(file: str, public: float | None, message: str = "") -> Listed:
    status = "complete" if public is not None else "pending"
    return Listed(
        ref=1, file=file, size=1, message=message, status=status, error="", public=public, private=None, sent=None
    )


def sent(*pairs: tuple[float, float]) -> list[Sent]:
    return [Sent(listed=listed(f"{cv}.csv", public), run=run_of("aaaaaaaa", cv)) for cv, public in pairs]


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(0.80, 0.75), (0.81, 0.76), (0.82, 0.78)], "cv and public accuracy over 3 submissions: +1.00"),
        ([(0.80, 0.78), (0.81, 0.76), (0.82, 0.75)], "over 3 submissions: -1.00. WARNING: they invert"),
        ([(0.80, 0.78), (0.81, 0.76)], "scored submissions of known runs: 2, too few"),
        ([(0.80, 0.78), (0.80, 0.76), (0.80, 0.77)], "too few"),
    ],
)
def test_the_board_and_cross_validation_agree_or_invert(pairs, told):
    assert told in verdict(sent(*pairs), ACCURACY)


def test_a_submission_is_its_runs_by_the_outbox_the_message_or_the_file():
    runs = [run_of("aaaaaaaa", 0.8), run_of("bbbbbbbb", 0.8), run_of("cccccccc", 0.8, submission="c.csv")]
    entry = Entry(competition="titanic", file="a.csv", sha256="", run=runs[0].id, message="")
    found = matched(
        [
            listed("a.csv", 0.7),
            listed("elsewhere.csv", 0.7, "mlp cv=0.8 run=bbbbbbbb git=1234567"),
            listed("c.csv", None),
            listed("by hand.csv", 0.7, "my first"),
        ],
        runs,
        [entry],
    )
    assert [each.run for each in found] == [*runs, None]
