"""The environment of a make that a test starts, which make itself may have started."""

from __future__ import annotations

import os

PASSED_ON = {  # make hands its variables to what it runs
    "A", "ADDRESS", "ARGS", "B", "BACKEND", "C", "DEVICE", "EXTRAS", "FILE", "MESSAGE", "MINUTES", "MODEL", "OVER",
    "PORT", "PYTHON", "RUN", "SEED", "SEND", "STORAGE", "TRIALS", "WORKERS",
}  # fmt: skip


def without_make() -> dict[str, str]:
    """Our own environment, as it was before make."""
    inherited = ("MAKE", "MFLAGS")
    return {
        name: value for name, value in os.environ.items() if name not in PASSED_ON and not name.startswith(inherited)
    }
