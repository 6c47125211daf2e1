"""Adopting: a config as the Python that declares it."""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum

from data import metrics
from data.metrics import Metric
from models.config import Config

WIDTH = 120  # columns


def declaration(config: Config) -> str:
    """The call that makes a config, with the fields that are not as their class has them.

    Enums and metrics have the names that their modules give them.
    """
    changed = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.default is MISSING or getattr(config, field.name) != field.default
    }
    written = [f"{name}={_written(value)}" for name, value in changed.items()]
    line = f"{type(config).__name__}({', '.join(written)})"
    if len(line) <= WIDTH:
        return line
    return f"{type(config).__name__}(\n" + "".join(f"    {each},\n" for each in written) + ")"


def _written(value: object) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Metric):
        return next(name for name, each in vars(metrics).items() if each == value)
    return repr(value)
