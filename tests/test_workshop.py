"""What takes long to make is made once, and a damaged file is made again."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from data.hardware import has_bfloat16
from pipelines import console, keys, workshop
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
    assert len(list(tmp_path.glob("*"))) == 1


def another_array():
    """A whole file of NumPy's, but not the one that was kept."""
    stream = io.BytesIO()
    np.save(stream, np.arange(3))
    return stream.getvalue()


@pytest.mark.parametrize("damage", ["empty", "no array", "truncated", "flipped", "another array"])
def test_a_damaged_file_is_made_again(tmp_path, damage, capsys):
    KeptWorkshop(tmp_path, "cpu").array("six", lambda _: np.arange(6))
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-1])
    elif damage == "flipped":
        path.write_bytes(content[:140] + bytes([content[140] ^ 1]) + content[141:])
    else:
        path.write_bytes({"empty": b"", "no array": b"no array", "another array": another_array()}[damage])
    found = KeptWorkshop(tmp_path, "cpu").array("six", lambda _: np.arange(6))
    assert found.tolist() == list(range(6))
    assert "damaged: making it again" in capsys.readouterr().err.replace("\n", "")
    assert KeptWorkshop(tmp_path, "cpu").array("six", lambda _: pytest.fail("made twice"))[5] == 5


def test_what_another_device_or_other_code_made_is_not_taken(tmp_path, monkeypatch):
    KeptWorkshop(tmp_path, "cpu").array("six", lambda _: np.arange(6))
    monkeypatch.setattr(workshop, "has_bfloat16", lambda device: not has_bfloat16(device))
    assert KeptWorkshop(tmp_path, "cpu").array("six", lambda _: np.arange(7)).size == 7
    monkeypatch.setattr(workshop, "has_bfloat16", lambda device: False)
    assert KeptWorkshop(tmp_path, "cuda").array("six", lambda _: np.arange(9)).size == 9
    monkeypatch.setattr(keys, "rooms_source", lambda *rooms: f"other code of {rooms}")
    assert KeptWorkshop(tmp_path, "cpu").array("six", lambda _: np.arange(8)).size == 8


def test_what_takes_long_is_told_by_its_title(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(console, "QUIET", -1.0)

    def make(watch):
        watch(0.25)
        return np.arange(6)

    KeptWorkshop(tmp_path, "cpu").array("six", make, "counting to six")
    assert "counting to six: 25%" in capsys.readouterr().err
