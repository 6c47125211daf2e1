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
from pipelines.guess import Kind
from pipelines.guessing import guess
from pipelines.home import Home
from pipelines.planning import plan
from pipelines.undeclared import Undeclared, look, roles
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
def checkout(tmp_path_factory, migrated, python) -> tuple[Path, str]:
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
        command = [python, "-c", program, *names]
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


@pytest.mark.parametrize(
    ("train", "sample", "asked", "told"),
    [
        ({"y": [0, 1]}, {"id": ["a"]}, {}, "sample_submission.csv has no column beside 'id'"),
        ({"y": [0, 1]}, {"ID": ["a"], "y": [0]}, {}, "sample_submission.csv says ID where test.csv says id"),
        ({"y": [0, 1]}, {"id": ["a"], "y": [0]}, {"target": "id"}, "id cannot be predicted, as test.csv has it, too"),
        ({"y": [0, 1]}, {"id": ["a"], "y": [0]}, {"target": "y", "id": "y"}, "cannot both name a row and be predicted"),
        ({"y": [f"1,{n}" for n in range(60)]}, {"id": ["a"], "y": ["1,5"]}, {}, "which is no number as 1234.5 is"),
        ({"y": ["a", *"bc" * 29, "b"]}, {"id": ["a"], "y": ["b"]}, {}, "the class 'a' of y stands in 1 row to learn"),
        (
            {"a": [0.5, 2], "b": [1, 3]},
            {"id": ["a"], "a": [0], "b": [0]},
            {},
            "several numbers are predicted one by one",
        ),
    ],
)
def test_files_that_do_not_say_what_is_predicted_are_told_in_a_line(train, sample, asked, told):
    columns = {name: np.resize(values, 60) for name, values in train.items()}
    with pytest.raises(UsageError, match=told) as error:
        guess(tables(rows(60, **columns), rows(30), pd.DataFrame(sample)), **asked)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("columns", "target"),
    [({"v1": ["ham", "spam"], "v2": ["call me now", "see you there"]}, "v1"), ({"a": [1, 2], "b": ["x", "y"]}, "b")],
)
def test_what_is_predicted_of_one_table_is_no_text(columns, target):
    train = pd.DataFrame({name: np.resize(values, 60) for name, values in columns.items()}).astype(str)
    if "v2" in train:
        train["v2"] += [f" {number}" for number in range(60)]
    alone = Undeclared(place="here", train="spam.csv", tables={"spam.csv": train}, lines={})
    assert guess(alone).targets == (target,)


def test_the_split_fits_what_the_rows_can_fill():
    dated = {"when": [f"2024-01-0{1 + n // 20}" for n in range(60)], "y": [0, 1] * 30}
    later = rows(30, when=["2024-02-01"] * 30)
    sample = rows(30)[["id"]].assign(y=0)
    assert guess(tables(rows(60, **dated), later, sample)).time is None  # three days are no five folds
    few = {"patientId": np.arange(60) // 15, "y": [0, 1] * 30}
    assert guess(tables(rows(60, **few), rows(30, patientId=9), sample)).group is None
    many = {"patientId": np.arange(60) // 3, "y": [0, 1] * 30}
    assert guess(tables(rows(60, **many), rows(30, patientId=99), sample)).group == "patientId"


def test_files_in_a_folder_of_the_name_on_kaggle_are_those_that_are_read(run, home, monkeypatch, tmp_path):
    monkeypatch.setattr(drafted, "FOLDER", tmp_path)
    monkeypatch.setattr("pipelines.competition.FOLDER", tmp_path)
    monkeypatch.setattr("pipelines.competitions.__path__", [str(tmp_path)])
    folder = home.raw / "late-Shift"
    folder.mkdir(parents=True)
    for name, content in SHAPES["churn"](np.random.default_rng(0)).files.items():
        (folder / name).write_bytes(content)
    code, out, err = run("new", "late-Shift", "--yes")
    assert code == 0, err
    assert "SYNTHETIC" not in err
    code, out, err = run("check", "late_shift")
    assert code == 0, err
    assert str(folder) in out


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


def test_what_is_no_declaration_leaves_what_was_there(home, monkeypatch, tmp_path):
    monkeypatch.setattr(drafted, "FOLDER", tmp_path)
    monkeypatch.setattr("pipelines.competition.FOLDER", tmp_path)
    monkeypatch.setattr("pipelines.competitions.__path__", [str(tmp_path)])
    monkeypatch.setattr(drafted, "draft", lambda *_: "COMPETITION = (")
    files = tables(rows(60, y=[0, 1] * 30), rows(30), rows(30)[["id"]].assign(y=0))
    for name, before in (("older", "COMPETITION = 1"), ("newer", None)):
        path = tmp_path / f"{name}.py"
        if before is not None:
            path.write_text(before)
        with pytest.raises(UsageError, match=rf"{name}.py: SyntaxError"):
            drafted.write(name, name, files, drafted.Asked(), home)
        assert (path.read_text() if path.is_file() else None) == before


def test_in_a_terminal_it_asks_what_is_predicted_where_nobody_can_guess():
    files = tables(rows(60, a=np.arange(60) % 2, b=np.arange(60) % 3), rows(30), rows(30)[["id"]].assign(y=0))
    questions = []

    def prompt(question: str, default: str) -> str:
        questions.append(question)
        return "a" if "predicted" in question else default

    assert drafted.ask(files, drafted.Asked(), prompt) == drafted.Asked(target="a")
    assert questions[0] == "which column is predicted (a, b)"
