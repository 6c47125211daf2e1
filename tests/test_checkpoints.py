"""Checkpoints: whole, or told and left alone."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from data.errors import StorageError
from pipelines import checkpoints, tensors
from pipelines.checkpoints import Checkpoint

STATE = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "epochs": torch.tensor(4),
    "stopped": torch.tensor([True, False]),
    "nothing": torch.empty(0, 2),
}


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Of a checkpoint with a state in it."""
    monkeypatch.setattr(checkpoints, "FIRST", -1.0)
    path = tmp_path / "checkpoints" / "toy.safetensors"
    Checkpoint(path).save(lambda: STATE)
    return path


def test_a_state_comes_back_with_the_time_that_it_took(path, capsys):
    again = Checkpoint(path)
    state = again.load()
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)
    assert again.seconds >= again.before > 0
    assert "going on after 0 s" in capsys.readouterr().err
    again.drop()
    assert Checkpoint(path).load() is None
    assert not capsys.readouterr().err


@pytest.mark.parametrize("damage", ["truncated", "flipped", "an entry less", "empty", "no safetensors"])
def test_a_damaged_state_is_told_and_not_taken(path, damage, capsys):
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-5])
    elif damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "an entry less":
        found = load_file(path)
        found.pop("epochs")
        save_file(found, path)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(b"no tensors at all, and long enough to be read as some")
    assert Checkpoint(path).load() is None
    assert "toy.safetensors: no whole checkpoint" in capsys.readouterr().err.replace("\n", "")


def test_tensors_that_cannot_be_written_are_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        tensors.write(STATE, tmp_path)  # a folder
