"""A run can be killed at any moment and started again."""

from __future__ import annotations

import pytest

from pipelines.home import Home
from tests.kills import assert_clean, assert_nothing_is_half_written, finish, kill_after

pytestmark = pytest.mark.slow


def test_ten_kills_cost_time_and_nothing_else(tmp_path, python):
    wanted, seconds = finish(Home(tmp_path / "whole"), python=python)
    home = Home(tmp_path / "killed")
    kills = 0
    for number in range(10):
        kills += kill_after(home, seconds * (number + 0.5) / 10, python=python)
        assert_nothing_is_half_written(home, wanted)
    assert kills >= 5
    assert finish(home)[0] == wanted
    assert_clean(home)
