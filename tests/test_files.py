"""Files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

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
    with beside(tmp_path / "file") as part:
        part.write_text("")
    own = part.name.removesuffix(f"{os.getpid()}.part")
    dead, living = tmp_path / f"{own}999999999.part", tmp_path / f"{own}{os.getppid()}.part"
    others = tmp_path / ".file.0123456789ab.999999999.part"  # of another machine, where it may be alive
    dead.mkdir()
    for each in (living, others):
        each.write_text("")
    with beside(tmp_path / "other") as part:
        part.write_text("")
    assert not dead.exists()
    assert living.exists()
    assert others.exists()


def test_what_is_renamed_lies_on_the_disk(tmp_path, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    with beside(tmp_path / "folder") as part:
        (part / "deep").mkdir(parents=True)
        (part / "deep" / "inside").write_text("all of it")
    with beside(tmp_path / "file") as part:
        part.write_text("all of it")
    assert [path.rpartition(".part")[2] for path in synced] == ["/deep/inside", ""]
