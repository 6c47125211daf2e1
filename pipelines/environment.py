"""Environment: the pinned packages, in groups that are installed when something needs them.

A group is a file `requirements*.txt`, whose first line says what it is. An environment that holds a group has a copy of
its file; where that was cut short it is empty, and the same command goes on. Make runs this with a bare Python:

    python -m pipelines.environment .venv requirements.txt
    python -m pipelines.environment .venv --extras ray,dask
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import invalidate_caches, metadata
from pathlib import Path

from data.errors import PodiumError, StorageError, UnavailableError, UsageError

REPOSITORY = Path(__file__).resolve().parents[1]
BASE = "requirements.txt"
ALLOWED = "PODIUM_INSTALL"  # the variable that forbids it: no
EXTRAS = "--extras"
PINNED = re.compile(r"([\w.-]+)(?:\[\w+\])?==(\S+)")


def provide(packages: Collection[str]) -> None:
    """Installs the groups that hold packages which are not there, where this runs in the repository's own .venv.

    Args:
        packages: by their names on the index; one that no group holds is left alone.

    Raises:
        UnavailableError: they cannot be had.
    """
    environment = Path(sys.prefix)
    own = environment.resolve() == (REPOSITORY / ".venv").resolve()
    if not packages or not own or os.environ.get(ALLOWED) == "no":
        return
    for group in _groups()[1:]:
        pinned = {name: version for name, version in pins(group).items() if name in map(_plain, packages)}
        if pinned and not _holds(environment, group, pinned):
            install(environment, group)
            invalidate_caches()


def requirements(packages: Collection[str]) -> list[str]:
    """The lines of the base, and of the groups that hold some of the packages."""
    wanted = set(map(_plain, packages))
    groups = [group for group in _groups() if group.name == BASE or wanted & pins(group).keys()]
    return [line for group in groups for line in group.read_text().splitlines() if PINNED.match(line)]


def pins(group: Path) -> dict[str, str]:
    """The versions of a group's packages."""
    found = map(PINNED.match, group.read_text().splitlines())
    return {_plain(each[1]): each[2] for each in found if each}


def install(environment: Path, group: Path) -> None:
    """Builds the environment where there is none, and brings a group's packages into it; the others stay.

    What is built anew gets the base first.

    Raises:
        UnavailableError: pip could not; what it has got is kept.
    """
    with _alone(environment) as lock:
        version = _version_of(environment)
        whole = version is not None and (environment / "lib" / version).is_dir()
        if whole and _is_copy(environment / group.name, group):
            return  # somebody else was faster
        base = group.parent / BASE
        for each in [group] if whole or group == base or not base.is_file() else [base, group]:
            what = each.read_text().partition("\n")[0].strip("# ").partition(":")[0]
            what = what[:1].lower() + what[1:]
            print(f"podium: installing {what} into {environment}, {len(pins(each))} packages, once", file=sys.stderr)
            if not whole:
                _build(environment, lock)
                whole = True
            stamp = environment / each.name
            stamp.write_bytes(b"")  # begun
            _pip(environment, ["--requirement", str(each)], lock, what)
            part = environment / f".{each.name}.part"
            shutil.copyfile(each, part)
            part.replace(stamp)


def install_extras(environment: Path, names: Collection[str]) -> None:
    """Brings what pyproject.toml calls extras into an environment that there is.

    Raises:
        UsageError: there is no such extra.
        UnavailableError: pip could not; what it has got is kept.
    """
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in names:
        if name not in extras:
            raise UsageError(f"there is no extra {name!r}: there are {', '.join(sorted(extras))}")
    wanted = [line for name in names for line in extras[name]]
    there = [group for group in _groups() if _is_copy(environment / group.name, group)]  # stays as it is
    for group in there:
        wanted += ["--requirement", str(group)]
    with _alone(environment) as lock:
        _pip(environment, wanted, lock, f"the extras {', '.join(names)}")


def _build(environment: Path, lock: int) -> None:
    """Makes an environment that holds pip alone. What builds it holds the lock, too, and may outlive us."""
    for stamp in environment.glob("*.txt"):
        stamp.unlink()
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], pass_fds=[lock]).returncode:
        raise UnavailableError(f"{environment} could not be built: it says why above; Python's venv and pip are needed")


def _pip(environment: Path, wanted: list[str], lock: int, what: str) -> None:
    """Has pip install what is wanted, which it calls so. Where it outlives us, it holds the lock."""
    _sweep(environment)
    if subprocess.run([*_python(environment), "-c", "import pip"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([*_python(environment), "-m", "ensurepip"], stdout=subprocess.DEVNULL, pass_fds=[lock])
    command = [*_python(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-compile", *wanted]  # it compiles one by one, which is half of its time
    code = subprocess.run(command, pass_fds=[lock]).returncode
    if code:
        told = f"was killed by signal {-code}" if code < 0 else "says why above"
        raise UnavailableError(f"{what} could not be installed (pip {told}): the same command goes on")
    if sys.dont_write_bytecode:  # else Python keeps what it compiles of what is imported
        every = [*_python(environment), "-m", "compileall", "-qq", "-j", "0", "-x", "/tests/"]
        subprocess.run([*every, str(environment / "lib")])


def _groups() -> list[Path]:
    """The files of all groups, the base first; none where only the code lies, as in a model's folder."""
    return sorted(REPOSITORY.glob("requirements*.txt"), key=lambda group: (group.name != BASE, group.name))


def _holds(environment: Path, group: Path, pinned: dict[str, str]) -> bool:
    stamp = environment / group.name
    return _is_copy(stamp, group) if stamp.exists() else all(_version(name) == each for name, each in pinned.items())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _plain(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _is_copy(path: Path, of: Path) -> bool:
    return path.is_file() and path.read_bytes() == of.read_bytes()


def _python(environment: Path) -> list[str]:
    return [str(environment / "bin" / "python")]


def _version_of(environment: Path) -> str | None:
    """Its Python, as `python3.11`; None where it does not start."""
    command = [*_python(environment), "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
    try:
        found = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def _sweep(environment: Path) -> None:
    """Removes the marks of packages that a killed pip has half written, which it would take for whole ones."""
    for packages in environment.glob("lib/python*/site-packages"):
        halves = [path for path in packages.glob("*.dist-info") if not (path / "INSTALLER").exists()]  # pip's last
        for path in {*halves, *packages.glob("~*")}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _alone(environment: Path) -> Iterator[int]:
    """Waits until nobody else installs into an environment; the descriptor of the lock."""
    lock = os.open(environment.resolve().parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"podium: somebody else installs into {environment} just now: waiting", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def main(environment: str, *wanted: str) -> int:
    """Installs groups, by their files, or extras, by their names with commas; the exit code."""
    try:
        if wanted[:1] == (EXTRAS,):
            install_extras(Path(environment), ",".join(wanted[1:]).split(","))
        else:
            for group in wanted:
                install(Path(environment), Path(group))
    except PodiumError as error:
        print(f"podium: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # a full disk, or somebody else's folder
        print(f"podium: {error}", file=sys.stderr)
        return StorageError.exit_code
    except KeyboardInterrupt:
        print("podium: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
