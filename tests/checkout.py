"""A copy of the code, into which a test writes competitions of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.home import REPOSITORY
from pipelines.keys import ROOMS


def copy_code(folder: Path) -> Path:
    """The folder, with all rooms in it, and what names the packages."""
    for room in ROOMS:
        for path in sorted((REPOSITORY / room).glob("**/*.py")):
            copied = folder / path.relative_to(REPOSITORY)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)
    for group in REPOSITORY.glob("requirements*.txt"):
        shutil.copy(group, folder)
    return folder
