"""The search as a user meets it: what it prints, what it leaves in MLflow, and what is trained afterwards."""

from __future__ import annotations

import io
import re
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

import data.metrics
from data.errors import StorageError, UnavailableError, UsageError
from data.metrics import ACCURACY, LOG_LOSS, METRICS
from models.config import Loss, Optimizer, Schedule
from models.epochs import Epoch
from models.mlp import Activation, MLPConfig
from models.pruners import Pruner
from models.samplers import Sampler
from models.trials import finished
from models.tuning import Budget, Search, direction_of
from pipelines import fitting, search_report, stages, tuning, workers
from pipelines.__main__ import cli
from pipelines.ablation import Case, curves
from pipelines.adopting import declaration
from pipelines.competition import find
from pipelines.effort import Effort
from pipelines.home import STUDIES
from pipelines.hunt import Hunt
from pipelines.job import Job
from pipelines.storage import open_storage
from pipelines.tracking import Tracker
from pipelines.workers import Crew
from tests.conftest import empty_home

NAME = "titanic"
WORKER = ("--session", "s", "--share", "1", "--parent", "1")


@pytest.fixture
def small(monkeypatch):
    """Titanic's trials are short, and two of its settings are searched."""
    candidates = find(NAME).candidates
    config = replace(candidates["mlp"].config, epochs=4, members=2, refit=1)
    space = {"lr": FloatDistribution(1e-4, 0.1, log=True), "optimizer": CategoricalDistribution([*map(str, Optimizer)])}
    small = replace(candidates["mlp"], config=config, space=space, search=Search(startup=3, members=1))
    monkeypatch.setitem(candidates, "mlp", small)
    return small


@pytest.fixture
def searched(once, migrated, home, small) -> str:
    """Makes the test's home one in which ten trials have run; what the search printed."""

    def search(folder: Path) -> None:
        with redirect_stdout(io.StringIO()) as printed:
            assert cli(["tune", NAME, "--trials", "10", "--home", str(empty_home(folder, migrated).root)]) == 0
        (folder / "printed").write_text(printed.getvalue())

    shutil.copytree(once("searched", search), home.root, dirs_exist_ok=True)
    return (home.root / "printed").read_text()


def study_of(home) -> optuna.Study:
    storage = open_storage(None, home.mlruns)
    (summary,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=summary.study_name, storage=storage)


def runs_of(home, **tags):
    client = Tracker(home.mlruns).client
    experiment = client.get_experiment_by_name(f"{NAME}-twin")
    where = " and ".join(f"tags.`{tag.replace('__', '.')}` = '{value}'" for tag, value in tags.items())
    return list(client.search_runs([experiment.experiment_id], where, max_results=1000))


def test_a_search_is_told_and_its_best_trial_is_trained(run, home, searched):
    study = study_of(home)
    assert study.study_name in searched
    assert "10 finished: " in searched
    assert "as declared" in searched
    assert "SYNTHETIC TWIN" in searched

    code, out, err = run("train", NAME)
    assert code == 0
    assert "Warning" not in err
    assert f"settings trial {study.best_trial.number}, the best of 10, log_loss {study.best_value:.4f}" in out
    (trained,) = [each for each in runs_of(home) if "key" in each.data.tags]
    assert trained.data.tags["optuna.study"] == study.study_name
    assert trained.data.tags["optuna.trial"] == str(study.best_trial.number)
    config = trained.data.params
    assert float(config["lr"]) == pytest.approx(study.best_params["lr"], rel=1e-3)
    assert config["optimizer"] == study.best_params["optimizer"]
    assert (config["members"], config["refit"]) == ("2", "1")  # as declared, not as searched


def test_mlflow_shows_the_study_and_every_trial(run, home, searched):
    study = study_of(home)
    (parent,) = runs_of(home, optuna__role="study")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["trials"] == 10
    assert parent.data.metrics["best_log_loss"] == pytest.approx(study.best_value)
    assert parent.data.tags["sampler"] == "tpe"
    children = {
        int(each.data.tags["optuna.trial"]): each for each in runs_of(home, mlflow__parentRunId=parent.info.run_id)
    }
    assert sorted(children) == list(range(10))
    client = Tracker(home.mlruns).client
    for trial in study.trials:
        child = children[trial.number]
        assert child.data.params == {name: str(value) for name, value in trial.params.items()}
        curve = client.get_metric_history(child.info.run_id, "valid/log_loss")
        assert {each.step: each.value for each in curve} == trial.intermediate_values
        assert len(client.get_metric_history(child.info.run_id, "train/loss")) == len(curve)
        assert child.data.metrics["seconds"] > 0
        assert child.data.tags["optuna.study"] == study.study_name
        assert child.data.tags["optuna.state"] == trial.state.name
        if trial.state is TrialState.COMPLETE:
            assert child.data.metrics["trial_log_loss"] == trial.value
            assert 0 < child.data.metrics["trial_accuracy"] < 1
    code, _, err = run("tune", NAME, "--trials", "12")
    assert code == 0
    assert "Warning" not in err
    assert len(runs_of(home, optuna__role="study")) == 1
    assert len(runs_of(home, mlflow__parentRunId=parent.info.run_id)) == 12


def test_the_study_has_its_figures_and_table(home, searched):
    (parent,) = runs_of(home, optuna__role="study")
    folder = Path(parent.info.artifact_uri.removeprefix("file://"))
    assert {path.name for path in folder.iterdir()} == {"learning_curves.png", "study.html", "trials.csv"}
    page = (folder / "study.html").read_text()
    for part in ("history", "importances", "parallel", "slice", "timeline"):
        assert f'id="{part}"' in page
    assert "cdn.plot.ly" not in page.replace("https://cdn.plot.ly/un/", "")  # it needs no network
    table = pd.read_csv(folder / "trials.csv")
    assert table["trial"].tolist() == list(range(10))
    assert {"state", "value", "seconds", "lr", "optimizer", "reason"} <= set(table)


@pytest.mark.parametrize("metric", [LOG_LOSS, ACCURACY])
def test_a_trial_far_off_the_rest_does_not_flatten_the_figures(metric):
    study = optuna.create_study(direction=direction_of(metric))
    off = -90 if metric.greater_is_better else 90
    for value in [0.5, 0.6, off, *np.linspace(0.3, 0.4, 12)]:
        study.add_trial(create_trial(params={"lr": 0.1}, distributions={"lr": FloatDistribution(0, 1)}, value=value))
    figures = re.split(r'id="(history|importances|parallel|slice|timeline)"', search_report.page(study, metric))
    drawn = dict(zip(figures[1::2], figures[2::2], strict=True))
    assert str(float(off)) not in drawn["parallel"]
    ((low, high),) = {
        tuple(map(float, pair)) for pair in re.findall(r'"range":\[([-.\d]+),([-.\d]+)\]', drawn["history"])
    }
    assert 0.25 < low < high < 0.65


def test_failed_and_pruned_trials_are_shown_with_their_reason(run, home, small, monkeypatch):
    space = {"width": CategoricalDistribution([16, 10**13])}
    monkeypatch.setitem(find(NAME).candidates, "mlp", replace(small, space=space, search=Search(startup=3)))
    code, out, err = run("tune", NAME, "--trials", "6")
    assert code == 0
    assert "failed: out of memory" in err
    failed = [each for each in runs_of(home) if each.info.status == "FAILED"]
    assert failed
    assert all("out of memory" in each.data.tags["error"] for each in failed)
    assert f"{len(failed)} failed" in out


def test_a_search_without_a_score_is_an_error(run, home, small, monkeypatch):
    def fails(*_, **__):
        raise ValueError("nothing works")

    monkeypatch.setattr(fitting, "fit", fails)
    code, _, err = run("tune", NAME, "--trials", "2")
    assert code == 70
    assert "none of 2 trials came to a score; the last one: nothing works" in err.splitlines()[-1]
    assert run("adopt", NAME)[0] == 69


def test_make_searches_what_the_competition_says_and_once(run, home, searched, monkeypatch):
    code, out, _ = run("run", NAME, "--trials", "12")
    assert code == 0
    assert "the best of 12" in out
    assert len(finished(study_of(home))) == 12
    monkeypatch.setattr(tuning, "tune", lambda *_: pytest.fail("it searched again"))
    again = run("run", NAME, "--trials", "12")[1]
    assert again.splitlines()[-1] == out.splitlines()[-1]
    assert "found: nothing was trained" in again


def test_a_search_goes_on_with_another_sampler_and_pruner(run, home, small, searched, monkeypatch):
    other = replace(small, search=replace(small.search, sampler=Sampler.RANDOM, pruner=Pruner.NONE))
    monkeypatch.setitem(find(NAME).candidates, "mlp", other)
    assert run("tune", NAME, "--trials", "12")[0] == 0
    assert len(finished(study_of(home))) == 12
    (parent,) = runs_of(home, optuna__role="study")
    assert parent.data.tags["sampler"] == "random"


def test_trials_of_a_lost_study_are_not_taken_for_those_of_its_successor(run, home, searched):
    (home.mlruns / "optuna.db").unlink()
    run("tune", NAME, "--trials", "2")
    parents = runs_of(home, optuna__role="study")
    assert sorted(len(runs_of(home, mlflow__parentRunId=each.info.run_id)) for each in parents) == [2, 10]


def test_zero_trials_train_what_is_declared(run, home, searched):
    assert study_of(home).best_trial.number > 0
    assert "settings     as declared\n" in run("run", NAME, "--trials", "0")[1]


def test_zero_trials_need_no_database(run, home, small):
    assert run("run", NAME, "--trials", "0")[0] == 0
    assert not (home.mlruns / "optuna.db").exists()


def test_a_changed_space_or_split_starts_anew_and_trains_the_same(run, home, small, searched, monkeypatch):
    before = study_of(home).study_name
    key = stages.train(Job(name=NAME, home=home)).key
    space = {**small.space, "lr": FloatDistribution(1e-4, 0.2, log=True)}
    monkeypatch.setitem(find(NAME).candidates, "mlp", replace(small, space=space))
    found = stages.train(Job(name=NAME, home=home))
    assert "as declared" in found.settings
    run("tune", NAME, "--trials", "1")
    names = {study.study_name for study in optuna.get_all_study_summaries(open_storage(None, home.mlruns))}
    assert len(names) == 2
    assert before in names
    monkeypatch.setitem(find(NAME).candidates, "mlp", small)
    assert stages.train(Job(name=NAME, home=home)).key == key


def test_there_is_nothing_to_adopt_before_a_search(run):
    assert run("adopt", NAME)[0] == 69
    code, _, err = run("adopt", NAME, "--model", "mlp_wide")
    assert code == 64
    assert "mlp_wide has nothing to tune" in err


def test_adopt_prints_python_that_declares_the_best_settings(run, home, small, searched):
    code, out, _ = run("adopt", NAME)
    assert code == 0
    names = {each.__name__: each for each in (MLPConfig, Loss, Optimizer, Schedule, Activation)}
    config = eval(out, {**names, "LOG_LOSS": LOG_LOSS, "ACCURACY": ACCURACY})
    best = study_of(home).best_params
    assert config == replace(small.config, lr=float(f"{best['lr']:.4g}"), optimizer=Optimizer(best["optimizer"]))


def test_declarations_leave_out_what_the_class_says():
    assert declaration(MLPConfig(width=9, optimizer=Optimizer.SGD)) == "MLPConfig(optimizer=Optimizer.SGD, width=9)"


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_declarations_name_metrics_as_their_module_does(metric):
    config = MLPConfig(monitor=metric)
    assert eval(declaration(config), {"MLPConfig": MLPConfig, **vars(data.metrics)}) == config


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("tune", NAME, "--model", "mlp_wide"), 64, "titanic mlp_wide has nothing to tune"),
        (("run", NAME, "--model", "mlp_wide", "--trials", "3"), 64, "nothing to tune in mlp_wide"),
        (("tune", NAME, "--trials", "0"), 64, "TRIALS takes 1 or more"),
        (("tune", NAME, "--trials", "-1"), 64, "--trials"),
        (("tune", NAME, "--minutes", "0"), 64, "MINUTES takes a number above 0"),
        (("tune", NAME, "--minutes", "nan"), 64, "MINUTES takes a number above 0"),
        (("tune", NAME, "--workers", "0"), 64, "WORKERS takes 1 or more"),
        (("tune", NAME, "--backend", "spark"), 64, "BACKEND takes ray, dask"),
        (("tune", NAME, "--backend", "dask"), 64, "ADDRESS"),
        (("tune", NAME, "--address", "tcp://a:1"), 64, "ADDRESS=tcp://a:1 needs BACKEND"),
        (("ablate", NAME, "--over", "width", "--values", "16.7,8"), 64, "width takes whole numbers, but got '16.7'"),
        (("tune", NAME, "--storage", "mysql://a:secret@b"), 64, "STORAGE takes postgresql://"),
        (("adopt", NAME, "--model", "nope"), 64, "MODEL takes mlp"),
        (("ablate", NAME, "--over", "optimiser"), 64, "did you mean optimizer?"),
        (("ablate", NAME, "--over", "lr"), 64, "--values 0.1,0.2"),
        (("ablate", NAME, "--over", "optimizer", "--values", "sgd,foo"), 64, "adagrad, but got 'foo'"),
        (("ablate", NAME, "--over", "width", "--values", "many"), 64, "whole numbers, but got 'many'"),
    ],
)
def test_what_makes_no_sense_is_one_line(run, arguments, code, words):
    found, _, err = run(*arguments)
    assert found == code
    assert words in err.splitlines()[-1]
    assert "secret" not in err
    assert "Traceback" not in err


def test_a_folder_in_the_place_of_the_database_is_told(run, home):
    (home.mlruns / STUDIES).mkdir(parents=True)
    for command in ("adopt", "tune"):
        code, _, err = run(command, "titanic")
        assert code == StorageError.exit_code
        assert "unable to open database file" in err


def test_a_worker_refuses_a_study_of_other_data_or_code(run):
    code, _, err = run("work", NAME, "--study", "titanic/mlp/other", "--born", "b", *WORKER)
    assert code == 64
    assert "the data or the code of this machine are others" in err.splitlines()[-1]


def test_a_worker_refuses_a_storage_that_is_not_the_searchs(run, home, searched):
    name = study_of(home).study_name
    code, _, err = run("work", NAME, "--study", name, "--born", "elsewhere", *WORKER)
    assert code == 69
    assert "optuna.db does not hold this search: name a STORAGE" in err.splitlines()[-1]
    (home.mlruns / STUDIES).unlink()
    assert run("work", NAME, "--study", name, "--born", "elsewhere", *WORKER)[0] == 69
    assert optuna.get_all_study_names(open_storage(None, home.mlruns)) == []


@pytest.mark.parametrize("complete", [False, True])
def test_workers_that_are_lost_end_a_search_that_lacks_trials(run, home, searched, monkeypatch, complete):
    def lose(*_):
        raise ConnectionError("scheduler gone\nand much more")

    monkeypatch.setattr(workers, "employ", lose)
    code, out, err = run("tune", NAME, "--trials", "10" if complete else "11", "--workers", "2")
    assert "the workers were lost (ConnectionError: scheduler gone)" in err
    assert code == (0 if complete else 69)
    assert ("10 finished" in out) is complete


def test_a_cluster_that_is_not_there_is_told(home, small):
    job = Job(name=NAME, home=home)
    hunt = Hunt.begin(job, stages.ingest(job), Budget(trials=1))
    assert hunt.model == "mlp"
    pytest.importorskip("distributed")
    with pytest.raises(UnavailableError, match="no Dask scheduler at tcp:"):
        tuning.tune(job, stages.ingest(job), Budget(trials=1), Crew(backend="dask", address="tcp://127.0.0.1:1"))


def test_an_effort_counts_trials_minutes_or_the_competitions_own(home):
    job = Job(name=NAME, home=home)
    assert Effort().budget(job) == Budget(trials=find(NAME).trials)
    assert Effort(trials=0).budget(job) is None
    assert Effort(minutes=2).budget(job) == Budget(seconds=120.0)
    with pytest.raises(UsageError):
        Effort(trials=-1).budget(job)


def test_ablation_compares_all_values_in_a_table_and_a_figure(run, home, small):
    code, out, _ = run("ablate", NAME, "--over", "optimizer")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["optimizer", "accuracy"]
    assert {line.split()[0] for line in lines[1:6]} == {*map(str, Optimizer)}
    scores = [float(line.replace("(declared)", "").split()[1]) for line in lines[1:6]]
    assert scores == sorted(scores, reverse=True)
    assert "adamw (declared)" in out
    (parent,) = [
        each for each in runs_of(home, ablation__over="optimizer") if "mlflow.parentRunId" not in each.data.tags
    ]
    folder = Path(parent.info.artifact_uri.removeprefix("file://"))
    assert (folder / "ablation_optimizer.png").read_bytes().startswith(b"\x89PNG")
    children = runs_of(home, mlflow__parentRunId=parent.info.run_id)
    assert {each.data.params["optimizer"] for each in children} == {*map(str, Optimizer)}


@pytest.mark.parametrize(
    ("over", "values", "words"),
    [
        ("monitor", "accuracy", "values of monitor cannot be written here"),
        ("clip", "true", "clip takes numbers and none, but got 'true'"),
        ("monitor", "1", "values of monitor cannot be written here"),
        ("epochs", "1.5", "epochs takes whole numbers, but got '1.5'"),
        ("clip", "much", "clip takes numbers and none, but got 'much'"),
        ("lr", "none", "lr takes numbers, but got 'none'"),
        ("lr", None, 'ARGS="--values 0.1,0.2"'),
    ],
)
def test_ablation_refuses_what_is_no_value(run, small, over, values, words):
    code, _, err = run("ablate", NAME, "--over", over, *([] if values is None else ["--values", values]))
    assert code == 64
    assert words in err


def test_the_figure_of_many_values_keeps_its_axes():
    epochs = tuple(
        Epoch(number=number, train_loss=0.5, score=0.8, fold_scores=(0.8,), monitor=0.8, fold_monitors=(0.8,))
        for number in (1, 2)
    )
    cases = [Case(value=value, history=epochs, fit=None, reason=None, started=0.0, ended=1.0) for value in range(40)]
    figure = curves(cases, "width", ACCURACY)
    FigureCanvasAgg(figure).draw()
    assert all(ax.get_position().width > 0.3 for ax in figure.axes)
    assert len({tuple(line.get_color()) for line in figure.axes[0].lines}) == 40


def test_ablation_tells_what_cannot_be_trained(run, home, small):
    code, out, _ = run("ablate", NAME, "--over", "lr", "--values", "0.01,1e30,-1")
    assert code == 0
    assert "failed" in out
    assert "takes positive rates" in out
    code, _, err = run("ablate", NAME, "--over", "lr", "--values", "-1,-2")
    assert code == 70
    assert "no value of lr could be trained" in err
