"""New: a declaration drafted from files that nobody has declared, which runs as it is to an accepted submission."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import BadDataError, UsageError
from pipelines import drafted
from pipelines.facts import Use, facts_of
from pipelines.guessing import Kind, guess
from pipelines.home import Home
from pipelines.undeclared import Undeclared, look, roles
from pipelines.planning import plan
from tests.checkout import copy_code
from tests.shapes import SHAPES
from tests.toy import write_zip

NEW = """
import sys
from pipelines.__main__ import cli

for name in sys.argv[1:]:
    assert cli(["new", name, "--yes"]) == 0, name
"""
RUN = """
import sys
from dataclasses import replace
from pipelines.__main__ import cli
from pipelines.competition import find

for name in sys.argv[1:]:
    candidates = find(name).candidates
    for model, candidate in list(candidates.items()):  # short trainings
        candidates[model] = replace(candidate, config=replace(candidate.config, epochs=2, members=1, refit=1), space={})
    ran = cli(["run", name])
    checked = cli(["check", name, f"submissions/files/{name}/latest.csv"])
    print("ended", name, ran, checked)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, migrated) -> tuple[Path, str]:
    """The code with a declaration drafted for every shape, each of which was run; and what the runs printed."""
    folder = copy_code(tmp_path_factory.mktemp("checkout"))
    (folder / "mlruns").mkdir()
    (folder / "Makefile").write_text("all:\n")
    (folder / "mlruns" / migrated.name).write_bytes(migrated.read_bytes())
    archives = tmp_path_factory.mktemp("archives")
    for name, draw in SHAPES.items():
        write_zip(archives / f"{name}.zip", draw(np.random.default_rng(0)).files)
    environment = os.environ | {"KAGGLE_ARCHIVES": str(archives)}
    for program, names in ((NEW, SHAPES), (RUN, map(module_of, SHAPES))):
        command = [sys.executable, "-c", program, *names]
        found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
    return folder, found.stdout + found.stderr


def module_of(name: str) -> str:
    return name.replace("-", "_")


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_drafted_runs_unedited_to_an_accepted_submission(checkout, name):
    folder, printed = checkout
    shape, module = SHAPES[name](np.random.default_rng(0)), module_of(name)
    assert f"ended {module} 0 0" in printed, printed
    source = (folder / "pipelines" / "competitions" / f"{module}.py").read_text()
    said = re.sub(r"\s+", " ", source).replace('"', "'").replace("( ", "(").replace(", )", ")")
    for wanted in shape.says:
        assert wanted in said, source
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,I,UP", "-"],
        input=source, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    assert "/" not in source.partition('"""')[2].partition('"""')[0]


def test_nothing_to_look_at_is_told_with_where_it_was_looked_for(run, monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(tmp_path))
    code, _, err = run("new", "spaceship-titanic")
    assert code == 64
    assert err.count("\n") == 1
    for place in ("data/raw/spaceship_titanic", "data/raw/spaceship-titanic", f"{tmp_path}/spaceship-titanic.zip"):
        assert place in err


@pytest.mark.parametrize(
    ("slug", "told"),
    [
        ("titanic", "titanic.py is there by now"),
        ("test", "a word of make's or Python's: make new NAME=my-test"),
        ("class", "a word of make's or Python's"),
        ("../titanic", "made of letters, digits and -"),
        ("", "made of letters, digits and -"),
        ("näme", "made of letters, digits and -"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(run, slug, told):
    code, _, err = run("new", slug)
    assert code == 64
    assert told in err


def test_a_name_that_begins_with_a_digit_gets_a_letter():
    assert drafted.name_of("30-days-of-ml") == "c30_days_of_ml"
    assert drafted.name_of("Spaceship-Titanic") == "spaceship_titanic"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.csv", "b.csv"], "which is the train file"),
        (["train.csv", "extra.csv"], "which is the test file"),
        (["train.csv", "test.csv"], "which is the sample submission file"),
        (["train.csv", "train2.csv", "test.csv", "sample.csv"], "train.csv and train2.csv"),
    ],
)
def test_files_whose_names_do_not_tell_are_asked_for(names, told):
    with pytest.raises(UsageError, match=told):
        roles(names, "here")


def test_a_line_that_is_no_utf8_is_told_with_its_file(tmp_path):
    folder = tmp_path / "data" / "raw" / "tongues"
    folder.mkdir(parents=True)
    (folder / "One.txt").write_text("ah")
    (folder / "Two.txt").write_bytes(b"uh\n\xe4h\n")
    with pytest.raises(BadDataError, match=r"Two.txt, row 2: byte 0xe4 is not UTF-8; save it as UTF-8"):
        look(Home(tmp_path), "tongues", "tongues")


def test_the_roles_of_files_are_told_by_their_names():
    assert roles(["train.tsv", "test.tsv", "gender_submission.csv"], "here") == (
        "train.tsv", "test.tsv", "gender_submission.csv",
    )  # fmt: skip
    assert roles(["iris.csv"], "here") == ("iris.csv", "", "")


@pytest.mark.parametrize(
    ("cells", "use", "kind"),
    [
        (["1", "2", "3", "1"] * 20, Use.CATEGORY, int),
        ([str(n) for n in range(80)], Use.NUMBER, int),
        ([f"{n / 7:.3f}" for n in range(80)], Use.NUMBER, float),
        ([str(2 ** (n // 4)) for n in range(80)], Use.COUNT, int),
        (["5", "NA", "7.5"] * 30, Use.NUMBER, float),
        (["007", "008"] * 40, Use.CATEGORY, str),
        (["red", ""] * 40, Use.NOTHING, str),
        (["same"] * 80, Use.NOTHING, str),
        ([f"t{n // 2}" for n in range(80)], Use.SHARED, str),
        ([f"id{n}" for n in range(80)], Use.NOTHING, str),
        ([f"Mr Number {n}" for n in range(80)], Use.WORDS, str),
        ([f"2026-03-{1 + n % 28:02d}" for n in range(80)], Use.DATE, str),
        ([f"{1 + n % 28}/3/2026" for n in range(80)], Use.DATE, str),
        ([f"k{n % 40}" for n in range(800)], Use.EMBEDDED, str),
    ],
)
def test_the_use_of_a_column(cells, use, kind):
    found = facts_of(pd.Series(cells, name="x", dtype=str))
    assert (found.use, found.kind) == (use, kind)


def tables(train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame) -> Undeclared:
    files = {"train.csv": train, "test.csv": test, "sample_submission.csv": sample}
    return Undeclared(
        place="here",
        train="train.csv",
        test="test.csv",
        sample="sample_submission.csv",
        tables={name: frame.astype(str) for name, frame in files.items()},
        lines={},
    )


def rows(count: int, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"r{n}" for n in range(count)], "x": np.arange(count) * 1.5, **columns})


def test_what_nobody_can_tell_is_asked_for():
    sample = rows(30)[["id"]].assign(y=0)
    with pytest.raises(UsageError, match=r"no column that test.csv lacks"):
        guess(tables(rows(30), rows(30), sample))
    with pytest.raises(UsageError, match="which column is predicted: a, b"):
        guess(tables(rows(30, a=1, b=2), rows(30), sample))
    with pytest.raises(UsageError, match="no column 'nope': there are id, x, a"):
        guess(tables(rows(30, a=1), rows(30), sample), target="nope")
    with pytest.raises(UsageError, match="a is the same in all rows"):
        guess(tables(rows(30, a=1), rows(30), sample))
    assert guess(tables(rows(30, a=np.arange(30) % 2, b=2), rows(30), sample), target="a").ignored == ("b",)


@pytest.mark.parametrize(
    ("targets", "cell", "kind"),
    [
        ([0, 1], 0.5, Kind.BINARY),
        ([1, 2, 3], 0, Kind.MULTICLASS),
        ([1, 2, 3], 2.5, Kind.REGRESSION),
        ([*range(12)], 3, Kind.MULTICLASS),
        ([*range(15)], 3, Kind.REGRESSION),  # of some, four rows each
    ],
)
def test_whole_numbers_are_classes_where_the_sample_and_the_rows_let_them(targets, cell, kind):
    train = rows(63, y=np.resize(targets, 63))
    assert guess(tables(train, rows(30), rows(30)[["id"]].assign(y=cell))).kind is kind


def test_one_share_of_several_named_classes_is_asked_for():
    sample = rows(30)[["id"]].assign(y=0.5)
    with pytest.raises(UsageError, match=r"sample_submission.csv asks for one share of 3 classes: say --target"):
        guess(tables(rows(60, y=np.resize(["a", "b", "c"], 60)), rows(30), sample))


def test_columns_that_no_network_can_read_are_told():
    train, test = (rows(60).assign(x=[f"{n / 7:.4f}{unit}" for n in range(60)], z="same") for unit in ("km", "m"))
    found = guess(tables(train.assign(y=[0, 1] * 30), test, test[["id"]].assign(y=0)))
    with pytest.raises(UsageError, match=r"nothing to learn from is in here: x .120 values in 120 rows., z .1 values"):
        plan(found)


def test_rows_that_repeat_train_rows_and_kin_are_noticed():
    train = rows(60, y=np.arange(60) % 2).assign(x=np.arange(60) // 4, houseId=np.arange(60) // 3)
    train["y"] = train["x"] % 2
    test = rows(40).assign(x=np.arange(40) // 4, houseId=100 + np.arange(40) // 3)
    found = guess(tables(train, test, test[["id"]].assign(y=0)))
    assert found.verbatim
    assert found.group == "houseId"
    assert guess(tables(train, test.assign(x=0.1), test[["id"]].assign(y=0))).verbatim is False


def test_in_a_terminal_it_asks_and_takes_the_guess_for_an_answer(tmp_path):
    write_zip(tmp_path / "iris.zip", {"iris.csv": b"id,a,b\n1,2,x\n2,3,y\n3,4,x\n4,5,y\n"})
    folder = Home(tmp_path / "home")
    folder.raw.mkdir(parents=True)
    (folder.raw / "iris").mkdir()
    (tmp_path / "iris.zip").rename(folder.raw / "iris" / "iris.zip")
    files = look(folder, "iris", "iris")
    said = iter(["what", "a", "id"])
    asked = drafted.ask(files, drafted.Asked(), lambda question, default: next(said))
    assert (asked.target, asked.id) == ("a", None)
    assert drafted.ask(files, drafted.Asked(), lambda question, default: default) == drafted.Asked()
