"""A run that has nothing to do tells at once what it told before, and never what does not hold any more."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import create_trial

from pipelines import run_command, up_to_date
from pipelines.__main__ import cli
from pipelines.competition import names
from pipelines.home import REPOSITORY, STUDIES, Home
from pipelines.outside import reads_outside
from pipelines.runs import ADDRESS, DATABASE
from pipelines.storage import open_storage
from pipelines.tracking import Tracker
from pipelines.up_to_date import Command
from tests.checkout import copy_code
from tests.environment import without_make

NAME = "titanic"


@pytest.fixture
def home(searched_files, tmp_path, monkeypatch) -> Home:
    """In which a search and a training have ended well; beside it lies a folder of archives."""
    shutil.copytree(searched_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(tmp_path / "archives"))
    Tracker(tmp_path / "home" / "mlruns")  # finds out that the home was copied, which is no change of a test's own
    return Home(tmp_path / "home")


@pytest.fixture
def command(home, tmp_path, monkeypatch) -> Command:
    """The run of the home, by code that may be edited."""
    copy_code(tmp_path / "code")
    (tmp_path / "code" / "features" / "own").mkdir()
    (tmp_path / "code" / "features" / "own" / "__init__.py").touch()
    monkeypatch.setattr(up_to_date, "REPOSITORY", tmp_path / "code")
    return Command(name=NAME, home=home, options={"seed": 0, "trials": 2})


def edit(path: Path, old: str = "", new: str = "# edited\n") -> None:
    text = path.read_text()
    path.write_text(text.replace(old, new) if old else text + new)


def ask(database: Path, *changes: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for change in changes:
            connection.execute(change)


def run_of(home: Home) -> str:
    return Tracker(home.mlruns).find(f"{NAME}/mlp").id


def submission(home: Home) -> Path:
    (found,) = (path for path in (home.submissions / NAME).glob("*.csv") if path.name != "latest.csv")
    return found


def swap_a_cell(home: Home) -> None:
    """Puts another row into the archive, which keeps its size and its time."""
    path = home.root.parent / "archives" / "titanic.zip"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def add_raw_rows(home: Home) -> None:
    (home.raw / NAME).mkdir(parents=True)
    (home.raw / NAME / "train.csv").write_text("PassengerId\n")


def client_of(home: Home):
    return Tracker(home.mlruns).client


CODE = {
    "a declaration": "pipelines/competitions/titanic.py",
    "another declaration": "pipelines/competitions/otto.py",
    "a network": "models/mlp.py",
    "a layout": "submissions/layout.py",
    "a stage": "pipelines/stages.py",
    "a module of a package in a room": "features/own/__init__.py",
    "the requirements": "requirements.txt",
}
CHANGES = {
    "a cell of the archive": swap_a_cell,
    "the archive is gone": lambda home: (home.root.parent / "archives" / "titanic.zip").unlink(),
    "raw files of one's own": add_raw_rows,
    "a deleted run": lambda home: client_of(home).delete_run(run_of(home)),
    "a renamed run": lambda home: client_of(home).update_run(run_of(home), name="other"),
    "a run with another tag": lambda home: client_of(home).set_tag(run_of(home), "seed", "9"),
    "a run with another key": lambda home: client_of(home).set_tag(run_of(home), "key", "9"),
    "a run with another score": lambda home: client_of(home).log_metric(run_of(home), "cv_score", 0.1, step=1),
    "a run that fails now": lambda home: client_of(home).update_run(run_of(home), status="FAILED"),
    "a newer run": lambda home: client_of(home).create_run(Tracker(home.mlruns).experiment(NAME), tags={"key": "k"}),
    "a deleted experiment": lambda home: client_of(home).delete_experiment(Tracker(home.mlruns).experiment(NAME)),
    "predictions that are gone": lambda home: next(home.mlruns.rglob("test_predictions.parquet")).unlink(),
    "predictions that are others": lambda home: next(home.mlruns.rglob("oof_predictions.parquet")).write_bytes(b""),
    "no runs at all": lambda home: (home.mlruns / DATABASE).unlink(),
    "another MLflow": lambda home: ask(home.mlruns / DATABASE, "UPDATE alembic_version SET version_num = 'x'"),
    "a damaged database": lambda home: (home.mlruns / DATABASE).write_bytes(b"none" * 999),
    "a new trial": lambda home: ask(
        home.mlruns / STUDIES,
        "INSERT INTO trials (number, study_id, state) SELECT 7, study_id, 'COMPLETE' FROM studies",
    ),
    "a better trial": lambda home: ask(home.mlruns / STUDIES, "UPDATE trial_values SET value = 0 WHERE trial_id = 1"),
    "no searches at all": lambda home: (home.mlruns / STUDIES).unlink(),
    "a deleted submission": lambda home: submission(home).unlink(),
    "an edited submission": lambda home: submission(home).write_text("PassengerId,Survived\n"),
    "another latest submission": lambda home: (home.submissions / NAME / "latest.csv").write_text("PassengerId\n"),
    "tables that are damaged": lambda home: next(home.cache.rglob("train.parquet")).write_bytes(b""),
}
VARIABLES = {
    "a server": (ADDRESS, "http://127.0.0.1:1"),
    "a storage": ("STORAGE", "postgresql://nobody@127.0.0.1/none"),
    "word vectors": ("WORD_VECTORS", "vectors.txt"),
    "another place of archives": ("KAGGLE_ARCHIVES", "/nowhere"),
    "other devices": ("CUDA_VISIBLE_DEVICES", "3"),
    "an account": ("KAGGLE_API_TOKEN", "KGAT_none"),
    "no archives": ("KAGGLE_ARCHIVES", ""),
}


def states_of(command: Command) -> tuple[str | None, str | None]:
    return command.inputs(), command.kept()


def check(command: Command, before: tuple[str | None, str | None]) -> None:
    """No answer that was kept may be told now."""
    answer = up_to_date.Answer(text="told", path=str(submission(command.home)), warning="")
    assert None not in before
    command.keep(str(before[0]), str(before[1]), answer)
    assert command.answer(*before) == answer


@pytest.mark.parametrize("change", CODE)
def test_edited_code_is_asked_again(command, change):
    before = states_of(command)
    check(command, before)
    assert states_of(command) == before
    edit(up_to_date.REPOSITORY / CODE[change])
    assert command.answer(*states_of(command)) is None


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_in_the_home_is_asked_again(command, change):
    before = states_of(command)
    check(command, before)
    CHANGES[change](command.home)
    assert command.answer(*states_of(command)) is None


@pytest.mark.parametrize("change", VARIABLES)
def test_another_environment_is_asked_again(command, change, monkeypatch):
    before = states_of(command)
    check(command, before)
    monkeypatch.setenv(*VARIABLES[change])
    assert command.answer(*states_of(command)) is None


@pytest.mark.parametrize("options", [{"seed": 1, "trials": 2}, {"seed": 0, "trials": 3}, {"seed": 0}])
def test_other_options_have_an_answer_of_their_own(command, options):
    before = states_of(command)
    check(command, before)
    assert replace(command, options=options).answer(*before) is None


def test_a_copied_home_has_no_answer(command, tmp_path):
    before = states_of(command)
    check(command, before)
    copied = replace(command, home=Home(shutil.copytree(command.home.root, tmp_path / "copied")))
    assert copied.answer(*states_of(copied)) is None
    assert states_of(copied)[1] != before[1]


def test_what_others_do_in_the_home_changes_nothing(command):
    before = states_of(command)
    tracker = Tracker(command.home.mlruns)
    tracker.client.create_run(tracker.experiment("otto"), tags={"key": "k"})
    (command.home.submissions / "otto").mkdir()
    (command.home.submissions / "otto" / "latest.csv").touch()
    assert states_of(command) == before


@pytest.mark.parametrize("spoilt", ["", "[]", '{"state": 1}', "not JSON"])
def test_a_damaged_answer_is_none(command, spoilt):
    before = states_of(command)
    check(command, before)
    command.file.write_text(spoilt)
    assert command.answer(*before) is None


def podium(home: Home, *arguments: str) -> tuple[list[str], list[str], set[str]]:
    """The lines of a command on stdout and stderr, and the heavy modules that its process had at the end."""
    code = (
        "import sys; from pipelines.__main__ import cli; code = cli(sys.argv[1:], keeps=True); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *arguments, "--home", str(home.root)]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, env=without_make(), check=False)
    assert found.returncode == 0, found.stderr
    *told, modules = found.stderr.splitlines()
    return found.stdout.splitlines(), told, set(modules.split())


def unhurried(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("  seconds ")]


def test_a_run_with_nothing_to_do_loads_nothing_and_tells_the_same(home):
    ordinary, _, modules = podium(home, "run", NAME, "--trials", "2")
    assert "pandas" in modules
    out, err, modules = podium(home, "run", NAME, "--trials", "2")
    assert not modules & {"numpy", "pandas", "sklearn", "torch", "optuna", "mlflow", "sqlalchemy"}
    assert unhurried(out) == unhurried(ordinary)
    assert sum(line.startswith("  seconds ") for line in out) == 1
    assert err == []
    submission(home).unlink()
    out, _, _ = podium(home, "run", NAME, "--trials", "2")
    assert Path(out[-1]).is_file()
    assert podium(home, "run", NAME, "--trials", "2")[0][-1] == out[-1]


def test_the_warning_of_a_twin_is_told_again(home, monkeypatch):
    monkeypatch.delenv("KAGGLE_ARCHIVES")
    ordinary, warned, _ = podium(home, "run", NAME, "--trials", "0")
    warned = warned[:1]  # a slow machine shows the training's progress, too
    assert warned[0].startswith("SYNTHETIC TWIN: made-up rows")
    out, err, modules = podium(home, "run", NAME, "--trials", "0")
    assert "pandas" not in modules
    assert err == warned
    assert "found: nothing was trained" in "\n".join(out)
    assert [line for line in unhurried(out) if "  run " not in line] == [
        line for line in unhurried(ordinary) if "  run " not in line
    ]


def test_a_process_that_changed_what_it_loaded_keeps_nothing(home, capsys):
    assert cli(["run", NAME, "--trials", "2", "--home", str(home.root)]) == 0
    assert not (home.cache / up_to_date.FOLDER).exists()


def test_an_answer_holds_no_secret(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_a-token-of-mine")
    podium(home, "run", NAME, "--trials", "2")
    (kept,) = (home.cache / up_to_date.FOLDER).glob("*.json")
    assert set(json.loads(kept.read_text())) == {"state", "text", "path", "warning"}
    assert "KGAT" not in kept.read_text()


OUTSIDE = {
    "a module beside the rooms": ("import my_settings", True),
    "a name of such a module": ("from my_settings import MEMBERS", True),
    "a module that nobody finds": ("import not_there", True),
    "a variable": ("import os", True),
    "a file": ("import json\nSETTINGS = json.load(open('settings.json'))", True),
    "a table by its name": ("import pandas as pd\nTABLE = pd.read_csv('members.csv')", True),
    "a helper that reads a variable": ("from pipelines.competitions._helper import MEMBERS", True),
    "a module of a room that reads one beside": ("from features.mine import MEMBERS", True),
    "a package of a room": ("from features.own import MEMBERS", False),
    "the rows that it is given": (
        "import io\nimport pandas as pd\ndef f(x): return pd.read_csv(io.StringIO(x))",
        False,
    ),
    "rows of a library": ("from sklearn.datasets import load_iris\nROWS = load_iris(as_frame=True)", False),
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_a_declaration_that_reads_what_no_state_knows_is_asked_again(tmp_path, monkeypatch, what):
    code, (lines, expected) = copy_code(tmp_path / "code"), OUTSIDE[what]
    (code / "my_settings.py").write_text("MEMBERS = 8\n")
    (code / "features" / "mine.py").write_text("from my_settings import MEMBERS\n")
    (code / "features" / "own").mkdir()
    (code / "features" / "own" / "__init__.py").write_text("MEMBERS = 8\n")
    declaration = code / "pipelines" / "competitions" / "titanic.py"
    if "helper" in what:
        (declaration.parent / "_helper.py").write_text("from os import environ\nMEMBERS = environ.get('MEMBERS')\n")
    declaration.write_text(declaration.read_text().replace("import numpy as np\n", f"import numpy as np\n{lines}\n"))
    known = {path for room in up_to_date.ROOMS for path in (code / room).rglob("*.py")}
    assert reads_outside(declaration, known) == expected


@pytest.mark.parametrize("name", names())
def test_what_we_declare_reads_nothing_else(name):
    assert not reads_outside(up_to_date.declaration_of(name), set(up_to_date.code_files()))


def test_a_better_trial_that_ends_after_a_training_is_left_to_the_next_run(home, capsys, monkeypatch):
    """As of another terminal: the submission that was told is the last one that was written."""
    command = ["run", NAME, "--trials", "2", "--seed", "5", "--home", str(home.root)]
    told = run_command.print_path

    def meanwhile(path: Path) -> None:
        storage = open_storage(None, home.mlruns)
        studies = optuna.get_all_study_summaries(storage)
        latest = max(studies, key=lambda each: str(each.datetime_start))  # the seed's own
        study = optuna.load_study(study_name=latest.study_name, storage=storage)
        best = study.best_trial
        params = {**best.params, "dropout": best.params["dropout"] / 2}
        study.add_trial(create_trial(params=params, distributions=best.distributions, value=study.best_value - 1))
        told(path)

    with monkeypatch.context() as patch:
        patch.setattr(run_command, "print_path", meanwhile)
        assert cli(command, keeps=True) == 0
    out = capsys.readouterr().out
    files = sorted((home.submissions / NAME).glob("2*.csv"), key=lambda path: path.stat().st_mtime_ns)
    assert out.splitlines()[-1] == str(files[-1])
    assert len(files) == 2
    assert cli(command, keeps=True) == 0
    assert "trained in" in capsys.readouterr().out
