"""Runs side by side, as a user asks for them: ranked, compared, trained again."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.metrics import LOG_LOSS
from data.targets import Classes
from pipelines import stages
from pipelines.__main__ import cli
from pipelines.artifacts import OOF_PREDICTIONS
from pipelines.blending import train_and_blend
from pipelines.competition import FOLDER, find
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from pipelines.tracking import Tracker

NAME = "titanic"


@pytest.fixture
def home(trained_home):
    """Holds a finished run of seed 0 on the twin."""
    return trained_home(NAME)


@pytest.fixture
def two(home, once, monkeypatch):
    """The run of seed 0, and one of networks that learned next to nothing."""
    good = stages.train(Job(name=NAME, home=home)).key
    candidate = find(NAME).candidates["mlp"]
    short = replace(candidate.config, epochs=1, lr=1e-5, members=2)
    monkeypatch.setitem(find(NAME).candidates, "mlp", replace(candidate, config=short, space={}))

    def train(folder: Path) -> None:
        stages.train(Job(name=NAME, home=Home(shutil.copytree(home.root, folder, dirs_exist_ok=True))))

    shutil.copytree(once("two", train), home.root, dirs_exist_ok=True)
    return Tracker(home.mlruns).find(good), stages.train(Job(name=NAME, home=home)).run


def test_the_leaderboard_ranks_all_runs(run, two):
    good, bad = two
    code, out, _ = run("leaderboard")
    assert code == 0
    assert "titanic-twin: out-of-fold accuracy, made-up rows" in out
    lines = [line.split() for line in out.splitlines() if "mlp-" in line]
    assert [line[:3] for line in lines] == [["1", good.name, "mlp"], ["2", bad.name, "mlp"]]
    assert f"{good.metrics['cv_score']:.4f} +- {good.metrics['cv_se']:.4f}" in out
    assert "5 x 8" in out
    assert "top-10%" not in out  # a twin's score stands on no real board


def test_runs_of_another_metric_are_not_ranked(run, two, home, monkeypatch):
    good, bad = two
    monkeypatch.setitem(vars(find(NAME)), "metric", LOG_LOSS)
    again = stages.train(Job(name=NAME, home=home, seed=1)).run
    assert again.tags["metric"] == "log_loss"
    code, out, err = run("leaderboard", NAME)
    assert code == 0
    assert "titanic-twin: runs left out, as they were not scored by log_loss: 2" in err
    assert again.name in out
    assert good.name not in out
    assert bad.name not in out
    assert Tracker(home.mlruns).champion(f"{NAME}-twin") == again.id


def test_a_broken_declaration_keeps_no_other_from_the_leaderboard(run, home, tmp_path, monkeypatch):
    for each in FOLDER.glob("*.py"):
        (tmp_path / each.name).write_bytes(each.read_bytes())
    (tmp_path / "broken.py").write_text("COMPETITION = (")
    (tmp_path / "unused.py").write_text("COMPETITION = (")
    Tracker(home.mlruns).experiment("broken")  # has had runs, and so its declaration is read
    monkeypatch.setattr("pipelines.competition.FOLDER", tmp_path)
    monkeypatch.setattr("pipelines.competitions.__path__", [str(tmp_path)])
    code, out, err = run("leaderboard")
    assert code == 0
    assert "titanic" in out
    assert "left out: " in err
    assert "broken.py: SyntaxError" in err
    assert "unused" not in err
    assert run("leaderboard", "broken")[0] == 64


def test_the_leaderboard_is_csv_and_a_page_too(run, two, tmp_path):
    good, bad = two
    code, out, err = run("leaderboard", NAME, "--csv", str(tmp_path / "a.csv"), "--html", str(tmp_path / "a.html"))
    assert (code, out) == (0, "")
    assert "a.csv" in err
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["run"].tolist() == [good.name, bad.name]
    assert table["cv_score"].tolist() == pytest.approx([good.metrics["cv_score"], bad.metrics["cv_score"]])
    page = (tmp_path / "a.html").read_text()
    assert page.count('<img alt="learning curves" src="data:image/png;base64,iVBOR') == 2
    assert page.count('<img alt="confusion matrix"') == 2
    assert page.index(good.name) < page.index(bad.name)
    assert "http" not in page
    assert run("leaderboard", "--csv", "-")[1].startswith("rank,competition,run,")


def test_a_real_run_is_told_where_it_would_stand(run, two, home):
    good, _ = two
    client = Tracker(home.mlruns).client
    client.rename_experiment(client.get_run(good.id).info.experiment_id, NAME)
    for each in two:
        client.set_tag(each.id, "data_source", "archives")
    _, out, _ = run("leaderboard", NAME)
    standing = find(NAME).board.standing(good.metrics["cv_score"])
    assert f"{good.metrics['cv_score']:.4f}: {standing}" in out
    client.log_metric(good.id, "lb_public", 0.79)
    _, out, _ = run("leaderboard", NAME)
    assert "0.79000   about 2,144th" in out


def test_nothing_to_rank_is_told(tmp_path, capsys):
    assert cli(["leaderboard", "otto", "--home", str(tmp_path)]) == 64
    assert "there is no finished run yet: make otto" in capsys.readouterr().err
    assert cli(["leaderboard", "ottto", "--home", str(tmp_path)]) == 64
    assert "did you mean otto?" in capsys.readouterr().err


def test_a_better_run_is_told_with_all_that_differs(run, two):
    good, bad = two
    code, out, _ = run("compare", bad.name, good.id[:8])
    assert code == 0
    gain = good.metrics["cv_score"] - bad.metrics["cv_score"]
    assert (
        out.splitlines()[-1] == f"{good.name} is better than {bad.name}, by {gain:.4f} accuracy: more than luck gives."
    )
    words = [line.split() for line in out.splitlines()]
    assert ["epochs", "1", "30"] in words
    assert ["lr", "1e-05", "0.005"] in words
    assert ["members", "2", "8"] in words
    assert not any(line[:1] == ["dropout"] for line in words)
    folds = [line for line in words if len(line) == 4 and line[0] in "01234" and line[3][0] in "+-"]
    assert len(folds) == 5 + 2  # and two classes
    assert f"{gain:+.4f}" in out
    assert run("compare", good.name, bad.name)[1].splitlines()[-1].startswith(f"{bad.name} is worse than {good.name}")


def test_a_lead_that_may_be_luck_is_told_with_the_rows_that_could_tell(run, home):
    first = stages.train(Job(name=NAME, home=home)).run
    second = stages.train(Job(name=NAME, home=home, seed=1)).run
    last = run("compare", first.name, second.name)[1].splitlines()[-1]
    assert last.startswith("Cannot tell")
    assert last.endswith(("rows could tell.", "they score the same."))


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("fold_hash", "their rows lie in other folds (fold_hash "),
        ("data_hash", "they read other rows (data_hash "),
        ("competition", "they are of different competitions (competition "),
    ],
)
def test_runs_that_do_not_compare_are_refused_with_the_reason(run, two, home, tag, words):
    good, bad = two
    Tracker(home.mlruns).client.set_tag(bad.id, tag, "other")
    code, _, err = run("compare", good.name, bad.name)
    assert code == 64
    assert words in err


def test_runs_of_classes_that_are_no_more_are_told(run, two, monkeypatch):
    schema = find(NAME).schema
    monkeypatch.setitem(vars(find(NAME)), "schema", replace(schema, target=Classes("Survived", (0, 2))))
    code, _, err = run("compare", *(each.name for each in two))
    assert code == 74
    assert "they are of other classes than are declared by now: 2" in err


def test_the_newest_run_of_a_model_has_a_short_name(run, two):
    good, bad = two
    assert good.name != bad.name
    assert f"B {bad.name}" in run("compare", good.name, "titanic/mlp")[1]
    assert run("compare", good.name, "titanic/gru")[0] == 64


def test_a_run_that_is_not_there_is_told_with_the_nearest(run, two):
    good, _ = two
    code, _, err = run("compare", good.name, good.name[:-2] + "zz")
    assert code == 64
    assert "did you mean" in err
    assert run("compare", good.name, good.name)[0] == 64
    assert "is the beginning of 2 runs" in run("compare", "mlp", good.name)[2]


def test_a_run_is_reproduced_to_the_bit(run, two, home):
    bad = two[1]
    code, out, _ = run("reproduce", bad.name)
    assert code == 0
    assert "train rows   891 predictions, equal to the bit" in out
    assert "test rows    418 predictions, equal to the bit" in out
    assert "the same: python==" in out


def test_a_blend_is_reproduced_from_its_parts(run, two, home, monkeypatch):
    both = replace(find(NAME), blend=("mlp", "mlp_wide"))
    monkeypatch.setattr("pipelines.job.find", lambda _: both)
    blend = train_and_blend(Job(name=NAME, home=home))[-1].run
    code, out, _ = run("reproduce", blend.name)
    assert code == 0
    assert out.count("equal to the bit") == 2
    _, out, _ = run("leaderboard")
    assert blend.name in out


def test_predictions_that_are_others_are_an_error(run, two):
    bad = two[1]
    path = bad.artifacts / OOF_PREDICTIONS
    frame = pd.read_parquet(path)
    frame["0"] = np.clip(frame["0"] + np.float32(1e-6), 0, 1)
    frame.to_parquet(path)
    code, _, err = run("reproduce", bad.name)
    assert code == 70
    assert "and 1e-06 at most, on the same machine" in err


def test_another_machine_may_differ_a_little_and_not_more(run, two, home):
    bad = two[1]
    Tracker(home.mlruns).client.set_tag(bad.id, "machine", "another")
    path = bad.artifacts / OOF_PREDICTIONS
    frame = pd.read_parquet(path)
    for off, expected in ((0.001, 0), (0.1, 70)):
        frame.assign(**{"0": frame["0"] + np.float32(off)}).to_parquet(path)
        code, out, _ = run("reproduce", bad.name)
        assert code == expected
        assert "; then another" in out


def test_raw_files_that_are_gone_are_told(run, two, home):
    (home.root / "data" / "raw" / NAME).mkdir(parents=True)
    for path in (home.synthetic / NAME).glob("*.csv"):
        text = path.read_text().replace("female", "male", 1)
        (home.root / "data" / "raw" / NAME / path.name).write_text(text)
    code, _, err = run("reproduce", two[0].name)
    assert code == 69
    assert "the raw files are others" in err


def test_code_that_has_changed_since_is_taken_from_the_history(tmp_path, python):
    repository = tmp_path / "repository"
    home = tmp_path / "home"
    _git(tmp_path, "clone", "--quiet", "--shared", str(REPOSITORY), str(repository))
    _commit_working_copy(repository)
    train = _podium(python, repository, "train", NAME, "--home", home)
    name = train.stdout.split()[0]
    network = repository / "models" / "mlp.py"
    network.write_text(network.read_text() + "\nEDITED = 1\n")
    edited = _podium(python, repository, "train", NAME, "--home", home).stdout.split()[0]
    assert edited != name
    _git(repository, "commit", "--quiet", "--all", "--message", "Edit")
    again = _podium(python, repository, "reproduce", name, "--home", home)
    assert again.returncode == 0, again.stderr
    assert "is taken from the history" in again.stdout
    assert again.stdout.count("equal to the bit") == 2
    network.write_text(network.read_text() + "\nEDITED = 2\n")
    lost = _podium(python, repository, "reproduce", edited, "--home", home)
    assert lost.returncode == 69
    assert "edits of" in lost.stderr


def _commit_working_copy(repository: Path) -> None:
    """What is edited in the tested repository belongs to its clone's first commit."""
    changed = _git(REPOSITORY, "ls-files", "--modified", "--others", "--exclude-standard").split()
    for name in changed:
        if (REPOSITORY / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_bytes((REPOSITORY / name).read_bytes())
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--allow-empty", "--message", "Begin")


def _git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _podium(python: Path, repository: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "pipelines", *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
