"""Keys: a hash of all that a result depends on, and of nothing else. The import rule is the cache rule.

A key covers the raw bytes, the source of the rooms that the stage may import, and of the competition's own file the
parts that the stage uses, with every definition they name. Sources are compared as syntax trees without docstrings, so
that comments and formatting change no key.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json

from data.errors import UsageError
from data.metrics import METRICS, Metric
from models.config import Config
from pipelines.competition import FOLDER, Candidate
from pipelines.home import REPOSITORY

INGESTED = ("schema", "split")
TRAINED = ("metric", "thresholds")  # beside what was ingested, and the recipe
UNTRAINED = ("space", "search")  # of a candidate

ROOMS = ("data", "features", "models", "submissions", "pipelines")

Setting = str | int | float | bool | None


def ingest_key(name: str, data_hash: str) -> str:
    """The key of a competition's tables."""
    return _digest(name, data_hash, rooms_source("data"), parts_source(name, INGESTED))


def train_key(
    name: str, data_hash: str, model: str, config: Config, seed: int, device: str, origins: Sequence[str] = ()
) -> str:
    """The key of a training: what the config holds, and all that the competition's file makes it of.

    `origins` are what the recipe reads beside the rows.
    """
    said = (f"{setting}={value}" for setting, value in sorted(settings(config).items()))
    return _digest(
        ingest_key(name, data_hash),
        rooms_source("features", "models"),
        parts_source(name, TRAINED, model),
        syntax(sources_of(FOLDER.parent)["fitting.py"]),
        *(model, type(config).__name__, *said, f"seed={seed}", f"device={device}", *origins),
    )


def study_key(
    name: str, data_hash: str, model: str, candidate: Candidate, seed: int, origins: Sequence[str] = ()
) -> str:
    """The key of a search: of all that the score of a trial depends on but its settings, and of the space.

    Sampler and pruner are no part of it: trials of different ones are of use to each other. Nor is the device, which
    workers on several machines do not share.
    """
    space = (f"{field}={distribution_to_json(each)}" for field, each in sorted(candidate.space.items()))
    members = f"members={candidate.search.members}"
    return _digest(train_key(name, data_hash, model, candidate.config, seed, "", origins), members, *space)


def trial_key(study: str, config: Config) -> str:
    """The key of a trial's training under way."""
    return _digest(study, *(f"{name}={value}" for name, value in sorted(settings(config).items())))


def array_key(device: str) -> str:
    """The key of what a recipe makes once and keeps: of the code that makes it, and where it computes."""
    return _digest(rooms_source("data", "features"), device)


def card_key(name: str, data_hash: str) -> str:
    """The key of a competition's card: of its tables, and of the code that looks at them and draws."""
    files = {file: source for file, source in sources_of(REPOSITORY / "pipelines").items() if file.startswith("card")}
    return _digest("card", ingest_key(name, data_hash), *map(syntax, files.values()))


def blend_key(blended: Sequence[str]) -> str:
    """The key of a blend of trainings, from their keys."""
    return _digest("blend", *blended, syntax(sources_of(REPOSITORY / "submissions")["blend.py"]))


def settings(config: Config) -> dict[str, Setting]:
    """A config's fields as plain values: an enum by its value, several by theirs, a metric by its name."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> Setting:
    if isinstance(value, Metric):
        return value.name
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return " ".join(str(_plain(each)) for each in value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a config's field is a number, a text, an enum, some of them or a metric, but got {value!r}")


def config_of(like: Config, found: Mapping[str, Setting]) -> Config:
    """The config of such settings.

    Args:
        like: a config of the same family.
        found: what `settings` gave, perhaps of an older version of the family.

    Raises:
        UsageError: the family has other fields, or a field takes no such value.
    """
    names = {field.name for field in fields(like)}
    if names != set(found):
        other = ", ".join(sorted(names ^ set(found)))
        raise UsageError(f"{type(like).__name__} has other fields than the run's config: {other}")
    try:
        values: dict[str, Any] = {name: _read(getattr(like, name), value) for name, value in found.items()}
        return replace(like, **values)
    except ValueError as error:
        raise UsageError(f"{type(like).__name__} takes the run's config no more: {error}") from error


def _read(like: object, value: Setting) -> object:
    """A setting as its field holds it, which held `like`."""
    if isinstance(like, Enum):
        return type(like)(value)
    if isinstance(like, tuple):
        kind = type(like[0]) if like else int
        return tuple(kind(each) for each in str(value).split())
    if isinstance(value, str) and (like is None or isinstance(like, Metric)):
        return METRICS[value]
    return value


@cache
def sources_of(folder: Path) -> dict[str, str]:
    """The files of code at a folder's own depth by their names, as they were when this process began.

    What a process has loaded no edit changes, and its results are filed under what it has loaded.
    """
    return {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}


def rooms_source(*rooms: str) -> str:
    """The syntax of all files at the rooms' own depth."""
    files = [(room, name, source) for room in sorted(rooms) for name, source in sources_of(REPOSITORY / room).items()]
    return "\n".join(f"{room}/{name} {syntax(source)}" for room, name, source in files)


def parts_source(name: str, parts: tuple[str, ...], model: str | None = None) -> str:
    """The syntax of some arguments of a competition's declaration, of all that they reach, and of shared helpers."""
    sources = sources_of(FOLDER)
    helpers = [syntax(source) for file, source in sources.items() if file.startswith("_") and not file.startswith("__")]
    return reached(sources[f"{name}.py"], parts, model) + "\n".join(helpers)


@cache
def syntax(source: str) -> str:
    """A source without its comments, docstrings and formatting."""
    return ast.dump(_without_docstrings(ast.parse(source)))


def reached(source: str, parts: tuple[str, ...], model: str | None = None) -> str:
    """What `COMPETITION = Competition(...)` in a source passes for `parts`, with every top-level statement it reaches.

    With a model, its candidate and the recipe that it takes are parts too. Statements that are more than a plain
    definition always count, for what they change cannot be seen; so does a whole file that declares in another way.
    """
    module = _without_docstrings(ast.parse(source))
    call = next((node.value for node in module.body if isinstance(node, _ASSIGNMENTS) and _declares(node)), None)
    if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
        return ast.dump(module)
    roots: list[ast.AST] = [keyword for keyword in call.keywords if keyword.arg in parts]
    if model is not None:
        roots += _candidate_of(call, model)
    roots += [node for node in module.body if not _declares(node) and not _is_plain(node)]
    defined: dict[str, list[ast.stmt]] = {}
    for node in module.body:
        for name in [] if _declares(node) else _defined(node):
            defined.setdefault(name, []).append(node)
    found: set[ast.stmt] = set()
    waiting: list[ast.AST] = list(roots)
    while waiting:
        named = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)}
        new = {statement for name in named for statement in defined.get(name, [])} - found
        found |= new
        waiting += new
    kept = [node for node in module.body if node in found and node not in roots]
    return "\n".join(map(ast.dump, [*roots, *kept]))


def _candidate_of(call: ast.Call, model: str) -> list[ast.AST]:
    """What a candidate trains: its arguments but the search and its space, and the recipe where it has none of its own.

    All candidates count where they are not written out as `{"model": Candidate(...)}`.
    """
    arguments = {keyword.arg: keyword for keyword in call.keywords}
    default: list[ast.AST] = [arguments["recipe"]]
    candidates = arguments["candidates"].value
    if isinstance(candidates, ast.Dict):
        for name, made in zip(candidates.keys, candidates.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == model and _is_written_out(made):
                assert isinstance(made, ast.Call)
                own = [keyword for keyword in made.keywords if keyword.arg not in UNTRAINED]
                return [*own, *([] if any(keyword.arg == "recipe" for keyword in own) else default)]
    return [arguments["candidates"], *default]


def _is_written_out(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Candidate":
        return False
    return not node.args and all(keyword.arg is not None for keyword in node.keywords)


def _is_plain(node: ast.stmt) -> bool:
    """Whether a top-level statement gives names a meaning and does nothing else."""
    if isinstance(node, ast.ImportFrom):
        return all(alias.name != "*" for alias in node.names)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name)
    return isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import)


_ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


def _declares(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "COMPETITION" for target in targets)


def _defined(node: ast.AST) -> list[str]:
    """The names that a top-level statement gives a meaning to."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


def _without_docstrings(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return module


for _folder in (*(REPOSITORY / room for room in ROOMS), FOLDER):
    sources_of(_folder)


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)} ".encode() + part.encode())
    return digest.hexdigest()
