"""Board: where a score would stand on Kaggle's own leaderboard, from a handful of its marks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TOP = 0.1  # share of the teams whose line is told


@dataclass(frozen=True, kw_only=True)
class Board:
    """A competition's final leaderboard.

    Raises:
        ValueError: the marks are no ranking.
    """

    teams: int
    marks: Mapping[int, float]  # scores by rank, as quoted by whoever published them

    def __post_init__(self) -> None:
        ranks, scores = list(self.marks), np.array(list(self.marks.values()))
        steps = np.diff(scores)
        if len(ranks) < 2 or ranks != sorted(ranks) or ranks[0] < 1 or ranks[-1] > self.teams:
            raise ValueError(f"takes two marks or more, by ranks from 1 to {self.teams}, but got {ranks}")
        if not (np.all(steps < 0) or np.all(steps > 0)):
            raise ValueError(f"scores get worse from mark to mark, but got {scores.tolist()}")

    @property
    def top(self) -> float | None:
        """The score of the line above which a tenth of the teams are; None where it lies beyond the known marks."""
        rank, ranks = math.ceil(TOP * self.teams), list(self.marks)
        return float(np.interp(rank, ranks, list(self.marks.values()))) if ranks[0] <= rank <= ranks[-1] else None

    def rank(self, score: float) -> str:
        """About which rank a score would have; between two marks, ranks are taken to be as far apart as scores are."""
        ranks, scores = np.array(list(self.marks)), np.array(list(self.marks.values()))
        sign = 1.0 if scores[-1] > scores[0] else -1.0
        if sign * score < sign * scores[0]:
            return f"among the first {ranks[0]:,}" if ranks[0] > 1 else "before the 1st"
        if sign * score > sign * scores[-1]:
            return f"behind the {ordinal(ranks[-1])}"
        return f"about {ordinal(round(float(np.interp(sign * score, sign * scores, ranks))))}"

    def standing(self, score: float) -> str:
        """The rank in words, beside the number of teams and the line of the first tenth."""
        line = "lies beyond the known marks" if self.top is None else f"is {self.top:.5f}"
        return f"{self.rank(score)} of {self.teams:,}; the top-{TOP:.0%} line {line}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    end = "th" if number % 100 in (11, 12, 13) else ends.get(number % 10, "th")
    return f"{number:,}{end}"
