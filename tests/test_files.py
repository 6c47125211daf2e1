"""Files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
from functools import partial

import pytest

from data.files import beside


def test_a_file_replaces_the_old_one_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with beside(path) as part:
        part.write_text("old")
    with pytest.raises(RuntimeError, match="power cut"), beside(path) as part:
        part.write_text("ne")
        raise RuntimeError("power cut")
    assert path.read_text() == "old"
    with beside(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_kill_between_two_steps_leaves_a_whole_file(tmp_path, monkeypatch):
    path, seen = tmp_path / "file.txt", []
    path.write_text("old")

    def watched(step, *given, **how):
        seen.append(path.read_text())  # what a process that is killed here leaves behind
        return step(*given, **how)

    with monkeypatch.context() as patch:
        for name in ("link", "remove", "rename", "replace", "unlink"):
            patch.setattr(os, name, partial(watched, getattr(os, name)))
        with beside(path) as part:
            part.write_text("new")
    assert "old" in seen
    assert path.read_text() == "new"


def test_what_stands_already_can_be_kept(tmp_path):
    for text in ("first", "second"):
        with beside(tmp_path / "file", overwrite=False) as part:
            part.write_text(text)
        with beside(tmp_path / "folder") as part:
            part.mkdir()
            (part / "inside").write_text(text)
    assert (tmp_path / "file").read_text() == "first"
    assert (tmp_path / "folder" / "inside").read_text() == "first"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_what_dead_processes_left_is_swept_and_what_the_living_write_is_not(tmp_path):
    dead = tmp_path / ".file.999999999.part"
    living = tmp_path / f".file.{os.getppid()}.part"
    dead.mkdir()
    living.write_text("")
    with beside(tmp_path / "other") as part:
        part.write_text("")
    assert not dead.exists()
    assert living.exists()
