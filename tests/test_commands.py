"""The command line as a user meets it: last lines, exit codes, one line an error, nothing lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import (
    BadDataError,
    NotAllowedError,
    PodiumError,
    StorageError,
    TryLaterError,
    UnavailableError,
    UsageError,
)
from pipelines.__main__ import cli
from pipelines.competition import find, names
from pipelines.home import REPOSITORY
from pipelines.tracking import Tracker
from submissions.check import RefusedError
from tests.toy import write_zip, zip_bytes
from tests.twins import twin_files

NAME = "titanic"
SCHEMA = find(NAME).schema


@pytest.fixture
def run(home, capsys):
    """Runs a command in the test's home; gives the exit code and the lines of stdout and stderr."""

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        needs_home = arguments[0] not in ("names", "--help")
        code = cli([*arguments, *(["--home", str(home.root)] if needs_home else [])])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def archives(tmp_path, monkeypatch) -> Path:
    """A folder of archives with a good one for Titanic."""
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(tmp_path / "archives"))
    write_zip(tmp_path / "archives" / "titanic.zip", dict(twin_files(NAME)))
    return tmp_path / "archives"


def test_a_run_ends_with_the_submission_and_says_what_it_did(run, archives, home, monkeypatch):
    monkeypatch.setitem(vars(find(NAME)), "trials", 3)
    code, out, err = run("run", NAME)
    assert code == 0
    assert err == []  # no progress where there is no terminal
    path = Path(out[-1])
    assert re.fullmatch(r"\d{8}-\d{6}-mlp-cv0\.\d{4}-[0-9a-f]{8}\.csv", path.name)
    assert path.parent == home.submissions / NAME
    told = "\n".join(out)
    for words in (
        "archives/titanic.zip",
        "891 train, 418 test",
        "5 folds x 8 members",
        "standard deviation",
        "trained in",
    ):
        assert words in told
    assert run("run", NAME)[1][-1] == str(path)
    assert "found: nothing was trained" in "\n".join(run("run", NAME)[1])


def test_the_twin_says_so_in_its_first_and_last_lines(run, home):
    code, out, err = run("run", NAME, "--trials", "0")
    assert code == 0
    assert err[0].startswith("SYNTHETIC TWIN: made-up rows")
    assert "KAGGLE_ARCHIVES is not set" in err[0]
    assert out[-2].startswith("SYNTHETIC TWIN: made-up rows")
    assert Path(out[-1]).parent == home.submissions / f"{NAME}-twin"
    assert not (home.submissions / NAME).exists()
    experiments = {found.name for found in Tracker(home.mlruns).client.search_experiments()}
    assert experiments == {f"{NAME}-twin"}


def test_stages_can_be_asked_for_one_by_one(run, archives):
    assert run("ingest", NAME)[1][0].startswith("titanic: 891 train rows in 5 folds, 418 test rows, from ")
    assert re.search(r"^mlp-\w{8} trained: cv accuracy 0\.\d{4}; settings as declared$", run("train", NAME)[1][0])
    assert " found: " in run("train", NAME)[1][0]
    assert run("submit", NAME)[1][0].endswith(".csv")
    assert run("check", NAME)[1][0].endswith("fits its declaration: 891 train and 418 test rows")
    assert "hidden.0 PackedLinear" in "\n".join(run("summary", NAME)[1])
    assert run("names")[1] == names()
    lines = run("repeat", NAME, "--times", "2", "--first", "5")[1]
    assert [line.split(":")[0] for line in lines] == ["seed 5", "seed 6", "mean of 2"]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["run", "titanik"], 64, "podium: there is no competition 'titanik': did you mean titanic?"),
        (["run", NAME, "--model", "tree"], 64, "podium: MODEL takes mlp, mlp_wide, but got 'tree'"),
        (["run", NAME, "--seed", "-1"], 64, "podium: SEED takes a whole number from 0 to 4294967295, but got -1"),
        (["run", NAME, "--device", "tpu"], 64, "podium: DEVICE takes auto, cpu, cuda, but got 'tpu'"),
        (["run", NAME, "--seed", "x"], 64, "Invalid value for '--seed'"),
        (["fly", NAME], 64, "No such command 'fly'"),
    ],
)
def test_a_command_that_makes_no_sense_is_told_in_a_line(run, arguments, code, line):
    found, _, err = run(*arguments)
    assert found == code
    assert line in "\n".join(err)
    assert "Traceback" not in "\n".join(err)


def test_a_gpu_that_is_not_there_is_unavailable(run, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, err = run("run", NAME, "--device", "cuda")
    assert (code, err) == (
        69,
        ["podium: DEVICE=cuda, but torch sees no CUDA device: check the driver, or take DEVICE=auto"],
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A home in which a run has ended well, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAGGLE_ARCHIVES", str(folder / "archives"))
        write_zip(folder / "archives" / "titanic.zip", dict(twin_files(NAME)))
        assert cli(["run", NAME, "--trials", "0", "--home", str(folder / "home")]) == 0
    return folder / "home"


@pytest.fixture
def after_a_run(home, finished) -> None:
    """Makes the test's home one in which a run has ended well."""
    shutil.copytree(finished, home.root, dirs_exist_ok=True)


TRAIN, TEST, SAMPLE = "train.csv", "test.csv", SCHEMA.sample[0]
Table = list[list[bytes]]  # rows of cells, the header first


def edited(name: str, edit: Callable[[Table], Table]) -> dict[str, bytes]:
    """The twin's files, one of them edited."""
    table = [line.split(b",") for line in twin_files(NAME)[name].rstrip(b"\n").split(b"\n")]
    return {**twin_files(NAME), name: b"\n".join(b",".join(cells) for cells in edit(table))}


def with_cell(name: str, row: int, column: str, cell: bytes) -> dict[str, bytes]:
    """The twin's files, one cell of one of them changed."""

    def edit(table: Table) -> Table:
        table[row - 1][table[0].index(column.encode())] = cell
        return table

    return edited(name, edit)


def without_survivors(table: Table) -> Table:
    return [cells for cells in table if cells[-1] != b"1"]


FAULTS = {
    "a missing column": (
        edited(TRAIN, lambda table: [cells[:4] + cells[5:] for cells in table]),
        "train.csv, row 1, column Age: the column is missing; add it",
    ),
    "an extra column": (
        edited(TEST, lambda table: [[*cells, b"Extra" if row == 0 else b"1"] for row, cells in enumerate(table)]),
        "test.csv, row 1, column Extra: a column that is not declared; remove it",
    ),
    "text in a number": (
        with_cell(TRAIN, 5, "SibSp", b"two"),
        "train.csv, row 5, column SibSp: 'two' is not a number; correct it",
    ),
    "a duplicate id": (
        with_cell(TRAIN, 5, "PassengerId", b"1"),
        "train.csv, row 5, column PassengerId: the id '1' stands in row 2 too; remove one",
    ),
    "an id in train and test": (
        with_cell(TEST, 5, "PassengerId", b"1"),
        "test.csv, row 5, column PassengerId: the id '1' stands in ",
    ),
    "a label outside the classes": (
        with_cell(TRAIN, 5, "Survived", b"2"),
        "train.csv, row 5, column Survived: the label '2' is none of the classes; make it one of 0, 1",
    ),
    "an empty file": ({**twin_files(NAME), TRAIN: b""}, "train.csv: the file is empty; download it again"),
    "a header alone": (
        edited(TRAIN, lambda table: table[:1]),
        "train.csv: a header and no rows; download it again",
    ),
    "a byte that is not UTF-8": (
        with_cell(TRAIN, 5, "Name", b"Ren\xe9"),
        "train.csv, row 5, column Name: byte 0xe9 is not UTF-8; save it as UTF-8",
    ),
    "a sample file with other ids": (
        with_cell(SAMPLE, 5, "PassengerId", b"77777"),
        f"{SAMPLE}, row 5, column PassengerId: the id '77777' is not in the test file",
    ),
    "a sample file of another layout": (
        with_cell(SAMPLE, 1, "Survived", b"Alive"),
        f"{SAMPLE}, row 1, column Survived: the column is missing",
    ),
    "a class that is missing from train": (
        edited(TRAIN, without_survivors),
        "train.csv, column Survived: the class '1' stands in no rows, fewer than the 5 folds; add rows",
    ),
    "fewer rows than folds": (
        edited(TRAIN, lambda table: table[:4]),
        "train.csv: 3 rows are fewer than the 5 folds; add rows",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_files_are_refused_and_nothing_is_lost(run, archives, home, after_a_run, fault):
    files, line = FAULTS[fault]
    before = snapshot(home.root)
    write_zip(archives / "titanic.zip", files)
    code, out, err = run("run", NAME)
    assert (code, out, len(err)) == (65, [], 1)
    assert err[0].startswith("podium: ")
    assert line in err[0]
    assert snapshot(home.root) == before


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (zip_bytes(dict(twin_files(NAME)))[:5000], "titanic.zip: not a whole zip archive ("),
        (zip_bytes({**twin_files(NAME), "../evil.csv": b"x"}), "titanic.zip: the archive holds '../evil.csv', a path"),
        (
            zip_bytes({"train.csv": b"x"}),
            "titanic.zip: test.csv is missing; download the competition's files again (and",
        ),
    ],
    ids=["truncated", "with a path outside", "incomplete"],
)
def test_bad_archives_are_refused_and_nothing_is_lost(run, archives, home, after_a_run, content, line):
    before = snapshot(home.root)
    (archives / "titanic.zip").write_bytes(content)
    code, out, err = run("run", NAME)
    assert (code, out, len(err)) == (65, [], 1)
    assert line in err[0]
    assert snapshot(home.root) == before
    assert not (archives.parent / "evil.csv").exists()


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file but the database, which a reader touches, by its path."""
    assert list(folder.rglob("latest.csv"))
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".db"}


def test_check_lists_every_fault(run, archives):
    files = dict(twin_files(NAME))
    files[TRAIN] = files[TRAIN].replace(b",female,", b",woman,", 3)
    write_zip(archives / "titanic.zip", files)
    code, _, err = run("check", NAME)
    assert code == 65
    assert len(err) == 3
    assert all("column Sex: 'woman' is not isin(" in line for line in err)


def test_your_own_files_come_before_the_archives(run, archives, home):
    (home.raw / NAME).mkdir(parents=True)
    for name, content in twin_files(NAME).items():
        (home.raw / NAME / name).write_bytes(content)
    assert f"from {home.raw / NAME}" in run("ingest", NAME)[1][0]


def test_a_submission_that_was_deleted_is_written_again_without_training(run, archives, after_a_run):
    path = Path(run("run", NAME, "--trials", "0")[1][-1])
    content = path.read_bytes()
    path.unlink()
    out = run("run", NAME, "--trials", "0")[1]
    assert "found: nothing was trained" in "\n".join(out)
    assert Path(out[-1]).read_bytes() == content


def test_a_run_whose_files_were_deleted_is_trained_again(run, archives, home, after_a_run):
    content = Path(run("run", NAME, "--trials", "0")[1][-1]).read_bytes()
    for path in (home.mlruns / "artifacts").rglob("test_predictions.parquet"):
        path.unlink()
    out = run("run", NAME, "--trials", "0")[1]
    assert "trained in" in "\n".join(out)
    assert Path(out[-1]).read_bytes() == content


def test_a_full_disk_is_one_line(run, archives, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "train.parquet")

    monkeypatch.setattr("data.tables.save", full)
    assert run("run", NAME)[::2] == (74, ["podium: train.parquet: No space left on device"])


def test_ctrl_c_is_one_line_and_130(run, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.stages.ingest", interrupt)
    assert run("run", NAME) == (130, [], ["podium: interrupted; the same command goes on where it can"])


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0), ("| head -0", 1)])
def test_a_closed_stream_is_no_traceback(home, closed, code):
    command = f"{sys.executable} -m pipelines ingest {NAME} --home '{home.root}' {closed}"
    found = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=REPOSITORY, capture_output=True, timeout=120
    )
    assert b"Traceback" not in found.stderr
    assert found.returncode == code


def test_files_of_another_size_than_declared_are_told(run, archives):
    write_zip(archives / "titanic.zip", edited(TRAIN, lambda table: table[:500]))
    assert "  rows         499 train, 418 test (declared: 891 and 418)" in run("run", NAME, "--trials", "0")[1]


def test_debug_shows_where_an_error_was_raised(run):
    assert any("Traceback" in line for line in run("--debug", "run", "titanik")[2])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError, os.EX_USAGE),
        (BadDataError, os.EX_DATAERR),
        (RefusedError, os.EX_DATAERR),
        (UnavailableError, os.EX_UNAVAILABLE),
        (StorageError, os.EX_IOERR),
        (TryLaterError, os.EX_TEMPFAIL),
        (NotAllowedError, os.EX_NOPERM),
        (PodiumError, os.EX_SOFTWARE),
    ],
)
def test_errors_have_the_exit_codes_of_sysexits(error, code):
    assert error.exit_code == code
