"""Servers and clusters on the loopback, each stopped by its own process ids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

USER = "postgres"  # who runs the server where the tests are root's, as it refuses root
SECONDS = 60  # until something that starts has started


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Whether somebody listens at a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class PostgreSQL:
    """A server of its own folder and port.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.user = USER if os.getuid() == 0 else None
        if self.user is not None:
            shutil.chown(folder, self.user)
        self.tools = programs()
        (folder / "password").write_text("secret")
        self._run("initdb", "-D", "data", "-U", "podium", "--pwfile", "password", "-A", "scram-sha-256", "-E", "UTF8")
        self.url = f"postgresql://podium:secret@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stops it as a power cut would."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.tools / program), *arguments]
        with (self.folder / "out").open("a") as out:
            subprocess.run(command, cwd=self.folder, check=True, user=self.user, stdout=out, stderr=out, env={})


def programs() -> Path:
    """Where PostgreSQL's programs lie; Debian leaves them out of the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("PostgreSQL's initdb is not here: apt-get install postgresql")
    return folders[-1]


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A running server; its folder stands where every user may look."""
    pytest.importorskip("psycopg")
    with tempfile.TemporaryDirectory(prefix="podium-postgresql-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgreSQL(folder)
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop()


class Node:
    """A process of a cluster, in a group of its own."""

    def __init__(self, command: list[str], folder: Path, log: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder), "RAY_USAGE_STATS_ENABLED": "0"}
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )

    def kill(self) -> None:
        """Kills it, and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _tells(log: Path, text: str) -> bool:
    return text in log.read_text()


@contextmanager
def ray_cluster(repository: Path, folder: Path) -> Iterator[tuple[str, list[Node]]]:
    """Two nodes of one core each; the address, and the nodes, the head first."""
    address = f"127.0.0.1:{free_port()}"
    ray = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    head = ["--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false"]
    nodes: list[Node] = []
    with ExitStack() as stack:
        for name, role in (("head", head), ("node", [f"--address={address}"])):
            short = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            log = folder / f"{name}.log"  # sockets lie in the other folder, whose names have 107 characters at most
            here = ["--node-ip-address=127.0.0.1", f"--temp-dir={short}"]
            nodes.append(Node([*ray, *role, *here], repository, log))
            stack.callback(nodes[-1].kill)
            wait_for(partial(_tells, log, "Ray runtime started"))
        yield address, nodes


@contextmanager
def dask_cluster(repository: Path, folder: Path) -> Iterator[tuple[str, list[Node]]]:
    """A scheduler and two workers of one thread each; the address, and the workers."""
    address = f"tcp://127.0.0.1:{free_port()}"
    dask = [str(Path(sys.executable).parent / "dask")]
    scheduler = Node([*dask, "scheduler", "--host", address, "--no-dashboard"], repository, folder / "scheduler.log")
    nodes: list[Node] = []
    try:
        wait_for(lambda: listens(int(address.rpartition(":")[2])))
        for name in ("one", "two"):
            log = folder / f"{name}.log"
            command = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
            nodes.append(Node(command, repository, log))
            wait_for(partial(_tells, log, "Registered to"))
        yield address, nodes
    finally:
        for node in [*nodes, scheduler]:
            node.kill()
