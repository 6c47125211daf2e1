"""Predictions of new rows, as a user asks for them: of a server, and of the command line."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import mlflow
import pandas as pd
import pytest

from data.errors import UnavailableError
from pipelines import environment, stages
from pipelines.__main__ import cli
from pipelines.competition import find
from pipelines.home import Home
from pipelines.job import Job
from pipelines.packaging import has_other_code
from pipelines.runs import DATABASE
from pipelines.tracking import Tracker
from tests.serving import Server, records, served

NAME = "titanic"
TWIN = "titanic-twin"
SHARES = ["probability_0", "probability_1"]


@pytest.fixture(scope="module")
def served_home(tmp_path_factory, copy_trained) -> Home:
    home = copy_trained(NAME, tmp_path_factory.mktemp("served") / "home")
    stages.submit(Job(name=NAME, home=home), stages.train(Job(name=NAME, home=home)))
    return home


@pytest.fixture(scope="module")
def server(served_home):
    with served(served_home, NAME) as found:
        yield found


@pytest.fixture(scope="module")
def rows(served_home) -> pd.DataFrame:
    """The test file, read as anybody would."""
    return pd.read_csv(served_home.synthetic / NAME / "test.csv")


def submission(home: Home) -> pd.DataFrame:
    return pd.read_csv(home.submissions / TWIN / "latest.csv")


def test_raw_rows_get_the_answers_of_the_submission(server, rows, served_home):
    found = server[0].predict(rows)
    expected = submission(served_home)
    assert found["PassengerId"].tolist() == expected["PassengerId"].tolist()
    assert found["Survived"].tolist() == expected["Survived"].tolist()
    assert found[SHARES].sum(axis=1).tolist() == pytest.approx([1.0] * len(rows))
    alone = server[0].predict(rows[5:6].drop(columns="PassengerId"))
    assert alone[SHARES].to_numpy()[0] == pytest.approx(found[SHARES].to_numpy()[5], abs=1e-6)


def test_the_command_says_what_is_served_and_how_to_ask(server, served_home):
    _, said = server
    run = stages.train(Job(name=NAME, home=served_home)).run
    assert f"{run.name}: cv score {run.metrics['cv_score']:.4f}, rows from twin" in said
    curl = said.partition("ask")[2].strip()
    answer = subprocess.run([*shlex.split(curl), "-s"], capture_output=True, text=True, check=True, timeout=60)
    assert len(json.loads(answer.stdout)["predictions"]) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Sex": "man"}, "row 1, column Sex: 'man' is not"),
        ({"Sex": None}, "column Sex"),
        ({"Age": -1}, "row 1, column Age: -1.0 is not"),
        ({"Age": "old"}, "Age"),
        ({"SibSp": None}, "row 1, column SibSp: the cell is empty"),
        ({"SibSp": 1.5}, "row 1, column SibSp: '1.5' is not a whole number"),
        ({"SibSp": "many"}, "row 1, column SibSp: 'many' is not a number"),
        ({"Pclass": 4}, "row 1, column Pclass: 4 is not"),
    ],
)
def test_a_malformed_cell_is_a_400_that_names_the_column(server, rows, change, words):
    (row,) = records(rows[:1])
    status, answer = server[0].ask(json.dumps({"dataframe_records": [row | change]}))
    assert status == 400
    assert words in answer["message"]


@pytest.mark.parametrize("column", ["Sex", "Age", "Cabin"])
def test_a_missing_column_is_a_400_that_names_it(server, rows, column):
    status, answer = server[0].ask(json.dumps({"dataframe_records": records(rows[:2].drop(columns=column))}))
    assert status == 400
    assert f"missing inputs ['{column}']" in answer["message"]


@pytest.mark.parametrize("body", ["nonsense", "{}", "[]", '{"dataframe_records": []}', '{"dataframe_records": [[]]}'])
def test_a_request_of_no_rows_is_a_400(server, body):
    assert server[0].ask(body)[0] == 400


def test_unknown_cells_may_be_null_and_numbers_may_be_whole(server, rows):
    (row,) = records(rows[:1])
    odd = row | {"Age": 30, "Fare": None, "Cabin": None, "Embarked": None}
    assert len(server[0].predict(pd.DataFrame([odd]))) == 1


def test_the_model_is_mlflows_own_in_any_program(served_home, rows, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{served_home.mlruns / DATABASE}")
        model = mlflow.pyfunc.load_model(f"models:/{TWIN}@champion")
    assert model.predict(rows)["Survived"].tolist() == submission(served_home)["Survived"].tolist()
    assert [column.name for column in model.metadata.signature.inputs] == rows.columns.tolist()
    run = stages.train(Job(name=NAME, home=served_home)).run
    pinned = (run.artifacts / "model" / "requirements.txt").read_text().splitlines()
    assert {"torch", "pandas", "skops", "mlflow"} <= {line.partition("==")[0] for line in pinned}
    assert not {"pytest", "ruff", "transformers"} & {line.partition("==")[0] for line in pinned}


def test_the_command_line_predicts_a_file(served_home, run_in, rows, tmp_path):
    code, out, _ = run_in(served_home, "predict", NAME, str(served_home.synthetic / NAME / "test.csv"))
    assert code == 0
    found = pd.read_csv(io.StringIO(out))
    assert found["Survived"].tolist() == submission(served_home)["Survived"].tolist()
    train = served_home.synthetic / NAME / "train.csv"  # has the target, too
    code, out, err = run_in(served_home, "predict", NAME, str(train), "--csv", str(tmp_path / "a.csv"))
    assert (code, out) == (0, "")
    assert "a.csv" in err
    known = pd.read_csv(train)["Survived"]
    assert (pd.read_csv(tmp_path / "a.csv")["Survived"] == known).mean() > 0.8


def test_a_file_that_does_not_fit_is_told_line_by_line(served_home, run_in, rows, tmp_path):
    bad = rows.head(3).assign(Sex=["male", "man", "woman"])
    bad.to_csv(tmp_path / "bad.csv", index=False)
    code, out, err = run_in(served_home, "predict", NAME, str(tmp_path / "bad.csv"))
    assert (code, out) == (65, "")
    assert [line.partition("; ")[0] for line in err.splitlines()] == [
        f"podium: {tmp_path}/bad.csv, row {row}, column Sex: '{sex}' is not isin(['female', 'male'])"
        for row, sex in ((3, "man"), (4, "woman"))
    ]
    code, _, err = run_in(served_home, "predict", NAME, str(tmp_path / "none.csv"))
    assert code == 74
    assert "none.csv: No such file" in err


@pytest.fixture
def run_in(capsys):
    def run_in(home: Home, *arguments: str) -> tuple[int, str, str]:
        code = cli([*arguments, "--home", str(home.root)])
        out, err = capsys.readouterr()
        return code, out, err

    return run_in


def test_the_champion_is_the_best_run_and_another_can_be_named(trained_home, run_in, monkeypatch):
    home = trained_home(NAME)
    tracker = Tracker(home.mlruns)
    good = stages.train(Job(name=NAME, home=home)).run
    assert tracker.champion(TWIN) == good.id
    candidate = find(NAME).candidates["mlp"]
    short = replace(candidate.config, epochs=1, lr=1e-5, members=2)
    monkeypatch.setitem(find(NAME).candidates, "mlp", replace(candidate, config=short, space={}))
    bad = stages.train(Job(name=NAME, home=home, declared=True)).run
    assert bad.metrics["cv_score"] < good.metrics["cv_score"]
    assert tracker.champion(TWIN) == good.id
    monkeypatch.setitem(find(NAME).candidates, "mlp", candidate)

    file = str(home.synthetic / NAME / "test.csv")
    best, worse = (run_in(home, "predict", NAME, file, *named)[1] for named in ((), ("--run", bad.name)))
    assert best != worse
    tracker.client.delete_run(good.id)
    assert run_in(home, "predict", NAME, file)[1] == worse
    assert tracker.champion(TWIN) == bad.id


@pytest.mark.parametrize("command", ["serve", "predict"])
def test_what_a_model_reads_is_installed_first(served_home, run_in, monkeypatch, command, rows, tmp_path):
    def provide(packages):
        raise UnavailableError(f"wanted: {sorted(packages)}")

    monkeypatch.setattr(environment, "provide", provide)
    file = [str(served_home.synthetic / NAME / "test.csv")] if command == "predict" else []
    code, _, err = run_in(served_home, command, NAME, *file)
    assert code == UnavailableError.exit_code
    assert "'torch'" in err


def test_without_a_run_the_mend_is_told(home, run_in):
    for command in (("serve", NAME), ("predict", NAME, "test.csv")):
        code, _, err = run_in(home, *command)
        assert code == 64
        assert "there is no finished run of titanic with a model yet: make titanic" in err


def test_a_run_predicts_by_the_code_that_trained_it(trained_home, capfd):
    home = trained_home(NAME)
    run = stages.train(Job(name=NAME, home=home)).run
    file = str(home.synthetic / NAME / "test.csv")
    capfd.readouterr()
    cli(["predict", NAME, file, "--home", str(home.root)])
    expected = capfd.readouterr().out
    metrics = run.artifacts / "model" / "code" / "data" / "metrics.py"
    metrics.write_text(metrics.read_text().replace("LEAST_PROBABILITY = 1e-15", "LEAST_PROBABILITY = 0.49"))
    cli(["predict", NAME, file, "--home", str(home.root)])
    found = pd.read_csv(io.StringIO(capfd.readouterr().out))
    assert found["Survived"].tolist() == pd.read_csv(io.StringIO(expected))["Survived"].tolist()
    assert found[SHARES].to_numpy().min() >= 0.48


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("served.py", lambda text: text + "print()\n"),
        ("code/data/metrics.py", lambda text: text.replace("1e-15", "0.49")),
        ("code/yaml.py", lambda text: "print()"),
        ("code/models/__pycache__/mlp.cpython-311.pyc", lambda text: "bytes"),
        ("MLmodel", lambda text: text.replace("mlflow.pyfunc.loaders.code_model", "mlflow.sklearn")),
        ("MLmodel", lambda text: text.replace("flavors:", "flavors:\n  other:\n    loader_module: os")),
        ("code/pipelines/keys.py", lambda text: None),
    ],
)
def test_whatever_else_a_model_would_run_is_other_code(trained_home, file, change):
    model = stages.train(Job(name=NAME, home=trained_home(NAME))).run.artifacts / "model"
    assert not has_other_code(model)
    path = model / file
    path.parent.mkdir(exist_ok=True)
    content = change(path.read_text() if path.is_file() else "")
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    assert has_other_code(model)


@pytest.mark.parametrize("gone", ["code", "code/models", "MLmodel"])
def test_a_model_whose_code_is_gone_is_told(trained_home, run_in, gone):
    home = trained_home(NAME)
    path = stages.train(Job(name=NAME, home=home)).run.artifacts / "model" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, _, err = run_in(home, "predict", NAME, str(home.synthetic / NAME / "test.csv"))
    assert code == 74
    assert "the model cannot be read" in err
    assert "train it again" in err


def test_asking_leaves_the_model_as_it_was(served_home, server, rows):
    found: Server = server[0]
    found.predict(rows[:1])
    assert not list((served_home.mlruns / "artifacts").rglob("__pycache__"))


def test_a_taken_port_is_told(served_home, server, run_in):
    code, _, err = run_in(served_home, "serve", NAME, "--port", str(server[0].port))
    assert code == 69
    assert "name another, `make serve PORT=" in err


def test_eight_clients_at_once_are_answered(server, rows):
    found: Server = server[0]
    expected = found.predict(rows)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: found.predict(rows[at : at + 1]), range(64)))
    assert [each["PassengerId"].item() for each in answers] == expected["PassengerId"].tolist()[:64]
    assert [each["Survived"].item() for each in answers] == expected["Survived"].tolist()[:64]
