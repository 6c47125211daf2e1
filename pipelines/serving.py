"""Serving: MLflow's own servers on 127.0.0.1, of its pages and of a model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from data.errors import UnavailableError
from pipelines.runs import DATABASE
from pipelines.tracking import Tracker


def serve_pages(folder: Path, port: int) -> int:
    """Serves MLflow's pages over the runs on 127.0.0.1 until it is stopped, and returns its exit code.

    A tracking server serves its own, whose addresses are all that there is to tell.

    Raises:
        UnavailableError: the port is taken, or the server does not answer.
    """
    tracker = Tracker(folder)
    if tracker.server is None:
        check_port(port, "ui")
    for name, page in tracker.pages(f"http://127.0.0.1:{port}").items():
        print(f"  {name}  {page}", flush=True)
    if tracker.server is not None:
        return 0
    print("MLflow serves them until Ctrl-C", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{tracker.folder / DATABASE}"]
    quiet = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a dozen processes that pages do not need
        "PYTHONWARNINGS": "ignore",  # of what its own libraries will change
    }
    return subprocess.call([*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"], env=quiet)


def serve_model(model: Path, port: int) -> int:
    """Serves a model on 127.0.0.1 until it is stopped, and returns the server's exit code.

    Raises:
        UnavailableError: the port is taken.
    """
    check_port(port, "serve")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # where its server lies
    quiet = {
        **os.environ,
        "PATH": beside_python,
        "PYTHONDONTWRITEBYTECODE": "1",  # the model stays as it was
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.call([*command, "--host", "127.0.0.1", "--port", str(port)], env=quiet)


def check_port(port: int, target: str) -> None:
    """Refuses a port of 127.0.0.1 that is taken.

    Raises:
        UnavailableError: it is; the message names the target of make that wanted it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            mend = f"name another, `make {target} PORT={port % 60_000 + 1}`"
            raise UnavailableError(f"port {port} cannot be used ({error}): {mend}") from error
