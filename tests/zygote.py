"""A Python that starts at once: a process that has imported the libraries, and forks for each command.

Importing torch, MLflow and their like takes seconds; a process that did so once forks in milliseconds. What it forks
imports the project's own code from the folder in which it is started, so that a checkout runs its own. `python` is a
program for the place of `sys.executable` or of a checkout's `.venv/bin/python`: it knows `-m module`, `-c code` and a
file's path. Its signals reach what it started, and when it is killed, that is killed with it.
"""

from __future__ import annotations

import ast
import atexit
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOMS = ("data", "features", "models", "submissions", "pipelines")
LEFT_OUT = {"kaggle", "kagglesdk", "ray", "dask", "distributed", "psycopg"}  # they want an account, a cluster, a server
PYTHON = "PODIUM_ZYGOTE"  # names the program of one that runs already
PROGRAM = """#!{python} -ISE
import json, os, signal, socket, sys

connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(connection, [len(asked).to_bytes(8, "big")], [0, 1, 2])
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
connection.sendall(asked)
answer = connection.recv(8)
code = int.from_bytes(answer, "big", signed=True) if answer else -signal.SIGKILL
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def zygote() -> Iterator[Path]:
    """The program that stands for `python`, while the block lasts; who asks before all is imported waits."""
    if PYTHON in os.environ:
        yield Path(os.environ[PYTHON])
        return
    with tempfile.TemporaryDirectory(prefix="podium-zygote-") as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder) / "socket")
        listener.bind(address)
        listener.listen()
        python = Path(folder) / "python"
        python.write_text(PROGRAM.format(python=sys.executable, address=address))
        python.chmod(0o755)
        command = [sys.executable, "-P", __file__, str(listener.fileno())]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads that were started do not live in a fork
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], env=environment) as process:
            assert process.stdin is not None
            yield python
            process.stdin.close()  # which ends it


def libraries(repository: Path) -> list[str]:
    """The modules of others that the code imports anywhere."""
    found: set[str] = set()
    for path in (path for room in ROOMS for path in (repository / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return sorted(name for name in found if name.partition(".")[0] not in {*ROOMS, *LEFT_OUT})


def serve(listener: socket.socket) -> None:
    """Forks for everyone who asks, until its standard input ends."""
    with listener:
        children: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor that tells their end
        while True:
            asking = {connection.fileno(): pid for pid, connection in children.values()}
            ready, _, _ = select.select([0, listener.fileno(), *children, *asking], [], [])
            if 0 in ready:
                break
            for descriptor in ready:
                if descriptor in children:
                    _ended(*children.pop(descriptor))
                    os.close(descriptor)
                elif descriptor in asking and any(pid == asking[descriptor] for pid, _ in children.values()):
                    _relay(descriptor, asking[descriptor])
                elif descriptor == listener.fileno():
                    connection = listener.accept()[0]
                    if (pid := _fork(connection, [listener, *(each for _, each in children.values())])) is not None:
                        children[os.pidfd_open(pid)] = pid, connection
        for pid, _ in children.values():
            _kill(pid)


def _relay(descriptor: int, pid: int) -> None:
    """Hands a signal on; where whoever asked is gone, what they asked for goes too."""
    with suppress(ProcessLookupError):
        number = os.read(descriptor, 1)
        os.kill(pid, number[0]) if number else _kill(pid)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _ended(pid: int, connection: socket.socket) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with connection, suppress(OSError):
        connection.sendall(code.to_bytes(8, "big", signed=True))


def _fork(connection: socket.socket, others: list[socket.socket]) -> int | None:
    """The id of the process that does what was asked; None: whoever asked has gone."""
    try:
        head, streams, _, _ = socket.recv_fds(connection, 8, 3)
        with connection.makefile("rb") as stream:
            asked = stream.read(int.from_bytes(head, "big"))
        arguments, folder, environment = json.loads(asked)
    except (ValueError, OSError):
        connection.close()
        return None
    pid = os.fork()
    if pid:
        for descriptor in streams:
            os.close(descriptor)
        return pid
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in (connection, *others):
        each.close()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os._exit(_run(arguments, folder, environment))


def _run(arguments: list[str], folder: str, environment: dict[str, str]) -> int:
    """Does what `python` with these arguments would; its exit code."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    random.seed()
    if "OMP_NUM_THREADS" in environment:
        importlib.import_module("torch").set_num_threads(int(environment["OMP_NUM_THREADS"]))
    code: object = 0
    try:
        _start(arguments)
    except SystemExit as ended:
        code = ended.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except KeyboardInterrupt:
        traceback.print_exc()
        code = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001  # as the interpreter itself
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    return code if isinstance(code, int) else int(code is not None)


def _start(arguments: list[str]) -> None:
    kind, *rest = arguments
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if kind == "-m":
        sys.argv = rest
        sys.path.insert(0, "")
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(kind).parent))
        runpy.run_path(kind, run_name="__main__")


def main(listener: socket.socket) -> None:
    """Imports, and waits for those who ask; a Ctrl-C is for whoever started it, who then closes its input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    repository = Path(__file__).resolve().parents[1]
    sys.path.insert(0, str(repository))
    importlib.import_module("pipelines")  # says what MLflow is to look at
    sys.path.remove(str(repository))
    for name in libraries(repository):
        if select.select([0], [], [], 0)[0]:  # nobody will ask any more
            return
        with suppress(ImportError):
            importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
        del sys.modules[name]
    importlib.invalidate_caches()
    serve(listener)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
