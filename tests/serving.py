"""A model server on the loopback, as `python -m pipelines serve` starts it, and what it answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import pandas as pd

from pipelines.home import REPOSITORY, Home
from tests.clusters import free_port, wait_for
from tests.environment import without_make

HEADER = {"Content-Type": "application/json"}


class Server:
    """What answers at a port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, body: str, path: str = "/invocations") -> tuple[int, Any]:
        """The status, and what was answered."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST" if body else "GET", path, body or None, HEADER)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content.strip() else None
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self.ask("", "/ping")[0] == 200
        except OSError:
            return False

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The predictions of rows."""
        status, found = self.ask(json.dumps({"dataframe_records": records(rows)}))
        assert status == 200, found
        return pd.DataFrame(found["predictions"])


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    found: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
    return found


@contextmanager
def drained(process: subprocess.Popen[str]) -> Iterator[None]:
    """Reads on what a process says, which would wait when its pipe is full, and kills its group at the end."""
    assert process.stdout is not None
    reading = threading.Thread(target=process.stdout.read)
    reading.start()
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reading.join()
        process.stdout.close()


@contextmanager
def served(home: Home, name: str, by_make: bool = False) -> Iterator[tuple[Server, str]]:
    """A server of a competition's champion, and what the command said before it was up.

    Args:
        home: of the runs.
        name: the competition's.
        by_make: whether `make serve` starts it, in a home that is a checkout; otherwise `python -m pipelines serve`.
    """
    port = free_port()
    command = [sys.executable, "-m", "pipelines", "serve", name, "--home", str(home.root), "--port", str(port)]
    folder = REPOSITORY
    if by_make:
        command, folder = ["make", "-s", "serve", f"C={name}", f"PORT={port}"], home.root
    started = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env=without_make(), start_new_session=True
    )
    assert started.stdout is not None
    server, said = Server(port), started.stdout.readline() + started.stdout.readline()
    with drained(started):
        wait_for(lambda: server.answers() or started.poll() is not None)
        assert started.poll() is None, said
        yield server, said
