"""Outside: whether a declaration reads what the state of a run does not know, as a file or a variable of its own."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

HARMLESS = {  # modules of the standard library that read nothing by themselves
    *("__future__", "abc", "collections", "dataclasses", "decimal", "enum", "fractions", "functools", "html", "io"),
    *("itertools", "math", "numbers", "operator", "re", "statistics", "string", "textwrap", "typing", "unicodedata"),
}
READERS = ("read_", "load", "genfromtxt", "fromfile", "memmap")  # how the names of functions begin that read files
CALLED = {"open", "exec", "eval", "__import__"}


def reads_outside(declaration: Path, known: set[Path]) -> bool:
    """Whether a declaration, or a module that it imports, may read what is neither known code nor installed.

    Nothing is imported to find out.

    Args:
        declaration: its file, in `pipelines/competitions` of a repository.
        known: all files of code that are known.
    """
    root = declaration.parents[2]
    rooms = {path.relative_to(root).parts[0] for path in known}
    waiting = [declaration, *declaration.parent.glob("_*.py")]  # and the helpers of all declarations
    seen = set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        tree, own = ast.parse(path.read_bytes()), path.parent == declaration.parent
        if own and any(map(_reads, ast.walk(tree))):
            return True
        for module, names in _imported(tree):
            top = module.partition(".")[0]
            if top in rooms:
                files = _files(root / module.replace(".", "/"), names)
                if not files or not known.issuperset(files):
                    return True
                waiting += files
            elif not _is_installed(top) or (own and top in sys.stdlib_module_names and top not in HARMLESS):
                return True
    return False


def _reads(node: ast.AST) -> bool:
    """Whether it is a call that reads a file by its name, or runs what cannot be seen."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in CALLED
    named = bool(node.args) and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    return isinstance(node.func, ast.Attribute) and node.func.attr.startswith(READERS) and named


def _imported(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """Modules that are imported by their whole names, and what is imported from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, []) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, [each.name for each in node.names]


def _files(place: Path, names: list[str]) -> list[Path]:
    """The file of a module of ours, and those of the modules that are imported from it."""
    found = [place.with_suffix(".py"), place / "__init__.py"]
    found += [file for name in names for file in (place / f"{name}.py", place / name / "__init__.py")]
    return [file for file in found if file.is_file()]


def _is_installed(top: str) -> bool:
    """Whether a module of such a name is Python's own, or lies among what is installed."""
    if top in sys.stdlib_module_names:
        return True
    try:
        found = find_spec(top)  # which imports nothing, as the name has no dot
    except (ImportError, ValueError):
        return False
    places = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    path = None if found is None or found.origin is None else Path(found.origin).resolve()
    return path is not None and any(path.is_relative_to(place) for place in places)
