"""Presence: which process this is, so that others can tell whether it still runs."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

from data.files import alive


def own_name() -> str:
    """The name of this process: its machine's, and its number."""
    return f"{_machine()} {os.getpid()}"


def is_dead(name: str) -> bool:
    """Whether a process of this machine has ended; of others nothing is known from here."""
    machine, _, pid = name.rpartition(" ")
    return machine == _machine() and not alive(int(pid))


@cache
def _machine() -> str:
    """Host, and what tells apart containers of one name: the running kernel, and who counts its processes."""
    marks = []
    with suppress(OSError):
        marks = [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").readlink())]
    return f"{socket.gethostname()}-{hashlib.sha256(''.join(marks).encode()).hexdigest()[:8]}"
