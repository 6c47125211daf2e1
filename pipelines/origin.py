"""Origin: which code and which libraries made a run."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version

from pipelines.home import REPOSITORY

LIBRARIES = ("torch", "numpy", "pandas", "scikit-learn", "mlflow")


def working_commit() -> str:
    """The commit of the repository, with `-changed` behind it when tracked files differ; "" where there is no git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("-changed" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> str:
    """Python and the libraries that shape a result, as `name==version`."""
    return " ".join([f"python=={platform.python_version()}", *(f"{name}=={version(name)}" for name in LIBRARIES)])
