"""Make: every target has its line of help, and the environment is rebuilt for one reason only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.competition import names
from pipelines.home import REPOSITORY
from tests.environment import without_make


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, env=without_make(), timeout=120
    )


@pytest.fixture
def copy(tmp_path) -> Path:
    """What make looks at, with an environment that counts as built."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch(0o755)
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for group in REPOSITORY.glob("requirements*.txt"):
        shutil.copy(group, tmp_path)
        shutil.copy(group, tmp_path / ".venv")
    (tmp_path / "pipelines" / "competitions").mkdir(parents=True)
    (tmp_path / "pipelines" / "competitions" / "otto.py").touch()
    return tmp_path


def test_make_alone_lists_every_target_with_a_line_of_help():
    found = make(REPOSITORY)
    assert found.returncode == 0
    listed = dict(re.findall(r"^  ([\w-]+) +(\S.*)$", found.stdout, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*) \$\(COMPETITIONS\)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(listed) == {*phony[1].split(), *names()}


def test_a_new_file_is_a_new_target(copy):
    assert "-m pipelines run otto" in make(copy, "-n", "otto").stdout
    assert "otto" in make(copy).stdout


def installed(folder: Path, target: str) -> list[str]:
    """The files of requirements that a target would install."""
    return re.findall(r"-m pipelines\.environment \S+ (\S+)", make(folder, "-n", target).stdout)


def test_packages_are_installed_when_their_requirements_change_and_only_then(copy):
    requirements = copy / "requirements.txt"
    assert installed(copy, "otto") == installed(copy, "test") == []
    os.utime(requirements)
    os.utime(copy / "Makefile")
    assert installed(copy, "otto") == []
    text = requirements.read_text()
    requirements.write_text(text + "# changed\n")
    assert installed(copy, "otto") == installed(copy, "lint") == ["requirements.txt"]
    requirements.write_text(text)
    assert installed(copy, "otto") == []
    (copy / ".venv" / "bin" / "python").unlink()  # as when the Python that it stood on was removed
    assert installed(copy, "otto") == ["requirements.txt"]


def test_a_python_of_another_version_gets_its_packages(copy):
    python, packages = copy / "python3.99", copy / ".venv" / "lib" / "python3.99"
    python.touch(0o755)
    (copy / ".venv" / "bin" / "python").unlink()
    (copy / ".venv" / "bin" / "python").symlink_to(python)
    assert installed(copy, "otto") == ["requirements.txt"]
    packages.mkdir(parents=True)
    assert installed(copy, "otto") == []


def test_each_command_installs_what_it_runs_on_and_nothing_else(copy):
    shutil.rmtree(copy / ".venv")
    every = ["requirements.txt", "requirements-dev.txt", "requirements-text.txt"]
    assert installed(copy, "otto") == installed(copy, "ui") == every[:1]
    assert installed(copy, "test") == installed(copy, "lint") == every
    assert installed(copy, "help") == installed(copy, "clean") == []
    assert installed(copy, "bench") == [every[0], "tests/bench_requirements.txt"]


def test_variables_reach_the_command(copy):
    given = ("C=otto", "MODEL=mlp", "SEED=3", "DEVICE=cpu", "ARGS=--again --debug")
    told = make(copy, "-s", "train", *given, "PODIUM=printf '<%s>'").stdout
    assert told == "<train><otto><--model><mlp><--seed><3><--device><cpu><--again><--debug>"


def test_a_message_reaches_the_command_as_it_stands():
    message = 'cost $5 `id -u` "quoted"; echo \\'
    told = make(REPOSITORY, "send", "C=titanic", f"MESSAGE={message}", "PODIUM=printf '<%s>'", "SEND=YES").stdout
    assert told == f"<send><titanic><--message><{message}><--yes>"


@pytest.mark.parametrize(
    "value", ["a b.csv", "; touch x", "$(touch x)", "$$(touch x)", "$(shell touch x)", "`touch x`"]
)
@pytest.mark.parametrize("target", ["check", "train", "reproduce", "send", "ablate", "titanic"])
def test_no_variable_is_read_by_a_shell_or_split(tmp_path, target, value):
    (tmp_path / "pipelines" / "competitions").mkdir(parents=True)
    (tmp_path / "pipelines" / "competitions" / "titanic.py").touch()
    names = ("C", "FILE", "MODEL", "RUN", "SEED", "OVER", "TRIALS", "BACKEND", "DEVICE")
    command = ["-f", str(REPOSITORY / "Makefile"), "-C", str(tmp_path), target, "PODIUM=printf '<%s>'", "STAMP="]
    told = make(tmp_path, "-s", *command, *(f"{name}={value}" for name in names)).stdout
    found = re.findall(r"<(.*?)>", told)
    assert value in found
    assert all(each == value or re.fullmatch(r"[a-z-]+", each) for each in found)
    assert not (tmp_path / "x").exists()


def test_what_is_missing_is_said_in_a_line(copy):
    assert "say which competition: make train C=titanic" in make(copy, "train").stderr
    requirements = copy / "requirements.txt"
    requirements.write_text(requirements.read_text() + "# changed\n")
    found = make(copy, "test", "PYTHON=")
    assert "podium: Python 3.11 or 3.12 is needed" in found.stderr
    assert "Error 69" in found.stderr


@pytest.mark.parametrize(("version", "told"), [("3.11", "installs"), ("3.10", "is needed"), ("3.13", "is needed")])
def test_a_python_that_is_named_has_to_suit_and_may_lie_anywhere(copy, tmp_path, version, told):
    (copy / "requirements.txt").write_text("# changed\n")
    python = tmp_path / "a folder" / "python"
    python.parent.mkdir()
    suits = "exit 0" if version == "3.11" else "exit 1"
    python.write_text(f'#!/bin/sh\ncase "$*" in *version_info*) {suits};; *) echo installs;; esac\n')
    python.chmod(0o755)
    found = make(copy, "ui", f"PYTHON={python}", "PODIUM=true")
    assert told in found.stdout + found.stderr


def test_every_requirement_is_pinned():
    groups = {path.name: path.read_text().splitlines() for path in REPOSITORY.glob("requirements*.txt")}
    packages = [line for lines in groups.values() for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+(\[\w+\])?==[0-9][\w.]*", line) for line in packages)
    assert "torch==2.13.0" in groups["requirements.txt"]


@pytest.mark.parametrize(
    "path",
    [
        "data/raw/titanic/train.csv", "data/cache/titanic-0/train.parquet", "data/synthetic/titanic/train.csv",
        "submissions/files/titanic/latest.csv", "mlruns/mlflow.db", "mlruns/artifacts/titanic/0/weights.safetensors",
        ".venv/bin/python",
    ],
)  # fmt: skip
def test_git_never_sees_data_submissions_databases_or_weights(path):
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=REPOSITORY, timeout=30).returncode == 0
