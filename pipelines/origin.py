"""Origin: which code and which libraries made a run."""

from __future__ import annotations

import platform
import re
import subprocess
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import torch

from data.tables import Tables
from models.devices import CORES
from pipelines.home import REPOSITORY
from pipelines.job import Job

LIBRARIES = ("torch", "numpy", "pandas", "scikit-learn", "mlflow")


def working_commit() -> str:
    """The commit of the repository, with `-changed` behind it when tracked files differ; "" where there is no git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("-changed" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def tags_of(job: Job, model: str, tables: Tables, device: str) -> dict[str, str]:
    """What every run is told by: its data, its code and its machine."""
    return {
        "competition": job.name,
        "model": model,
        "metric": job.competition.metric.name,
        "seed": str(job.seed),
        "fold_hash": tables.fold_hash,
        "data_hash": tables.data_hash,
        "data_source": str(tables.source),
        "git_commit": working_commit(),
        "device": device,
        "versions": versions(),
        "machine": machine(),
    }


def machine() -> str:
    """What the bits of a result depend on beside the code: the processor, its instructions, and the threads."""
    with suppress(OSError):
        names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if names:
            return f"{names[0]}, {torch.backends.cpu.get_cpu_capability()}, threads={CORES}"
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, threads={CORES}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> str:
    """Python and the libraries that shape a result, as `name==version`."""
    return " ".join([f"python=={platform.python_version()}", *(f"{name}=={version(name)}" for name in LIBRARIES)])
