"""What takes long to make is made once, and a damaged file is made again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines import console
from pipelines.workshop import KeptWorkshop


def test_an_array_is_made_once_and_nothing_that_is_written_into_it_stays(tmp_path):
    made = []

    def make(watch):
        watch(0.5)
        made.append(1)
        return np.arange(6, dtype=np.int8)

    first = KeptWorkshop(tmp_path, "cpu").array("six", make)
    first[0] = 9
    torch.from_numpy(first)[1] = 9
    again = KeptWorkshop(tmp_path, "cpu").array("six", make)
    assert again.tolist() == list(range(6))
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["six.npy"]


@pytest.mark.parametrize("damage", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_made_again(tmp_path, damage, capsys):
    (tmp_path / "six.npy").write_bytes(damage)
    found = KeptWorkshop(tmp_path, "cpu").array("six", lambda _: np.arange(6))
    assert found.tolist() == list(range(6))
    assert "six.npy: cannot be read" in capsys.readouterr().err
    assert KeptWorkshop(tmp_path, "cpu").array("six", lambda _: pytest.fail("made twice"))[5] == 5


def test_what_takes_long_is_told_by_its_title(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(console, "QUIET", -1.0)

    def make(watch):
        watch(0.25)
        return np.arange(6)

    KeptWorkshop(tmp_path, "cpu").array("six", make, "counting to six")
    assert "counting to six: 25%" in capsys.readouterr().err
