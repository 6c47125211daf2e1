"""Scores of a board beside those of cross-validation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from data.kaggle import Listed
from data.metrics import ACCURACY
from pipelines.champion import ranked
from pipelines.competition import find
from pipelines.runs import FinishedRun
from pipelines.scores import Sent, matched, verdict
from submissions.outbox import Entry


def run_of(id: str, score: float, **tags: str) -> FinishedRun:
    return FinishedRun(
        id=id * 4,
        name=f"mlp-{id}",
        metrics={"cv_score": score, "cv_se": 0.013},
        params={},
        tags=tags,
        artifacts=Path(),
        ended=0,
    )


def listed(file: str, public: float | None, message: str = "") -> Listed:
    status = "complete" if public is not None else "pending"
    return Listed(
        ref=1, file=file, size=1, message=message, status=status, error="", public=public, private=None, sent=None
    )


def sent(*pairs: tuple[float, float]) -> list[Sent]:
    return [Sent(listed=listed(f"{cv}.csv", public), run=run_of("aaaaaaaa", cv)) for cv, public in pairs]


RISING = [(0.70 + 0.02 * number, 0.68 + 0.02 * number) for number in range(7)]
FALLING = [(cv, 1 - public) for cv, public in RISING]
FLAT = [(0.80 + 0.001 * number, 0.78 - 0.001 * number) for number in range(7)]  # within what rows explain


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (RISING, r"public accuracy over 7 submissions: \+1.00 \(95% interval \+0.\d+ to \+1.00\): they agree"),
        (FALLING, r"over 7 submissions: -1.00 .*\. WARNING: they invert"),
        (FLAT, r"over 7 submissions: -1.00 .*: cannot tell whether they agree"),
        (FALLING[:5], "Cannot tell whether cv and the board agree: 5 scored submissions of known runs are too few"),
        ([(0.80, 0.70 + 0.01 * number) for number in range(7)], "7 scored submissions of known runs are too few"),
    ],
)
def test_the_board_and_cross_validation_agree_or_invert(pairs, told):
    assert re.search(told, verdict(sent(*pairs), find("titanic")))


def test_honest_scores_of_alike_models_seldom_invert():
    generator, rang = np.random.default_rng(0), 0
    for _ in range(60):
        true = 0.8 + 0.005 * generator.normal(size=6)
        cv, public = true + 0.013 * generator.normal(size=6), true + 0.03 * generator.normal(size=6)
        rang += "WARNING" in verdict(sent(*zip(cv, public, strict=True)), find("titanic"))
    assert rang <= 3


def test_a_run_whose_score_is_no_number_has_no_rank():
    runs = [run_of("aaaaaaaa", float("nan")), run_of("bbbbbbbb", 0.7), run_of("cccccccc", 0.8)]
    assert [run.metrics["cv_score"] for run in ranked(runs, ACCURACY)] == [0.8, 0.7]


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
