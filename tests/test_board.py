"""Where a score would stand on the real board."""

from __future__ import annotations

import pytest

from pipelines.competition import find
from submissions.board import Board, ordinal

OTTO = find("otto").board


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.38, "before the 1st of 3,509; the top-10% line is 0.43080"),
        (0.40007, "about 10th of 3,509; the top-10% line is 0.43080"),
        (0.4362, "about 418th of 3,509; the top-10% line is 0.43080"),
        (0.9, "behind the 1,755th of 3,509; the top-10% line is 0.43080"),
    ],
)
def test_a_loss_stands_among_the_marks(score, words):
    assert OTTO.standing(score) == words


def test_an_accuracy_stands_among_the_marks():
    board = Board(teams=100, marks={5: 0.9, 15: 0.8, 50: 0.5})
    assert board.standing(0.8) == "about 15th of 100; the top-10% line is 0.85000"
    assert board.rank(0.95) == "among the first 5"
    assert board.rank(0.65) == "about 32nd"


@pytest.mark.parametrize("marks", [{1: 0.9, 10: 0.8}, {200: 0.7, 500: 0.6}])
def test_a_line_beyond_the_known_marks_is_not_drawn(marks):
    board = Board(teams=1000, marks=marks)
    assert board.top is None
    assert board.standing(0.85).endswith("of 1,000; the top-10% line lies beyond the known marks")


@pytest.mark.parametrize(
    "marks", [{1: 0.5}, {2: 0.5, 1: 0.6}, {1: 0.5, 2: 0.6, 3: 0.55}, {0: 0.5, 2: 0.6}, {1: 1, 99: 2}]
)
def test_marks_that_are_no_ranking_are_refused(marks):
    with pytest.raises(ValueError, match="but got"):
        Board(teams=10, marks=marks)


def test_ordinals():
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 112, 1_003)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th", "1,003rd",
    ]  # fmt: skip
