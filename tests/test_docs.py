"""README and docs show only what runs: the test runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.home import REPOSITORY
from tests.environment import without_make
from tests.links import PAGES

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TESTED_APART = {"scaling", "tutorial"}
RUN_ELSEWHERE = {"make test", "make test-slow"}  # these are it


def blocks(language: str) -> list:
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (found, block) in enumerate(BLOCK.findall(page.read_text()))
        if found == language and page.stem not in TESTED_APART
    ]


def check_out(folder: Path, python: Path) -> Path:
    """The repository without what git ignores, and the environment that runs the tests, with another `python`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=30,
    ).stdout.split()  # fmt: skip
    for name in listed:
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    built = REPOSITORY / ".venv"
    for path in (*built.glob("requirements*.txt"), *(built / "bin").iterdir()):
        (folder / ".venv" / path.relative_to(built)).symlink_to(python if path.name == "python" else path)
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, python) -> Path:
    """One for all blocks, as a reader has."""
    return check_out(tmp_path_factory.mktemp("checkout"), python)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("python"))
def test_python_blocks_run(block, checkout):
    """A block that opens with a file's name becomes that file; the others run from the repository's root."""
    named = re.match(r"# (\S+\.py)\n", block)
    if named:
        (checkout / named[1]).write_text(block)
        command = ["make", "-s", Path(named[1]).stem]
    else:
        command = [str(checkout / ".venv/bin/python"), "-c", block]
    assert_runs(command, checkout)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("sh"))
def test_commands_run(block, checkout):
    for line in block.splitlines():
        command = line.partition("#")[0].strip()
        if command and command not in RUN_ELSEWHERE:
            assert_runs(["sh", "-c", command], checkout)


def assert_runs(command: list[str], folder: Path) -> str:
    """What it printed."""
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=without_make(), timeout=280)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


def test_every_link_and_picture_is_there():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
