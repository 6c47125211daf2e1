"""What every competition must keep, from its declaration to the submission of its twin."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import pyfunc

from data import synthetic, tables
from data.errors import BadDataError
from data.hardware import has_bfloat16
from data.reading import kind, read_text
from data.schema import Schema
from data.sources import RawFiles, Source
from data.targets import Classes, Number, Target
from features.recipe import Workshop
from models.crossfit import CrossFit
from pipelines import artifacts, fitting, stages
from pipelines.competition import Competition, find, names
from pipelines.home import REPOSITORY
from pipelines.job import Job
from pipelines.pipeline import Pipeline
from pipelines.scoring import remembered_test
from pipelines.tracking import Tracker
from submissions.check import check
from tests import short
from tests.conftest import empty_home
from tests.spoilt import spoilt
from tests.twins import twin_tables

FEW = 12  # epochs
FEW_ROWS, FEW_LATER = 1500, 100
APART = 2e-2 if has_bfloat16(torch.device("cpu")) else 2e-3  # of rows in other batches, where factors are rounded
every_competition = pytest.mark.parametrize("name", names())
every_candidate = pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name in names() for model in find(name).candidates]
)


def guess(target: Target, rows: np.ndarray) -> np.ndarray:
    """The same prediction for every row."""
    found = np.eye(len(target.outputs))[rows] if isinstance(target, Classes) else rows.reshape(len(rows), -1)
    return np.tile(found.mean(axis=0), (len(rows), 1))


def share_of_best(competition: Competition) -> float:
    """What every candidate comes to: texts have more to be learned; so has an image, and few rows of it are drawn."""
    if competition.recipe.text is not None:
        return 0.5
    return 0.65 if len(competition.schema.names) > synthetic.PIXELS else 0.95


def share_learned(competition: Competition, tables: tables.Tables, score: float) -> float:
    """0: no better than the same prediction for every row; 1: the best that can be expected."""
    assert tables.best is not None
    chance = competition.metric.score(tables.target, guess(competition.schema.target, tables.target))
    return (score - chance) / (tables.best - chance)


@pytest.mark.slow
@pytest.mark.usefixtures("whole_twins", "as_declared")
@every_candidate
def test_the_twin_is_learned_and_its_submission_is_accepted(home, name, model, capsys, monkeypatch):
    candidates = find(name).candidates
    config, least = candidates[model].config, 0.5 if find(name).recipe.text is None else 0.4
    long = short.is_long(name, model)
    part = 1 if not long else 2 if find(name).recipe.text is None else 3
    monkeypatch.setattr(synthetic, "MOST_ROWS", FEW_ROWS // part)
    if long:  # a short training shows that they learn
        config, least = replace(config, members=1, refit=1, epochs=2), 0.05
    elif config.epochs < FEW:  # enough for the real rows, of which there are more
        config = replace(config, epochs=FEW, patience=FEW)
    monkeypatch.setitem(candidates, model, replace(candidates[model], config=config))
    job = Job(name=name, home=home, model=model)
    trained = stages.train(job)
    path = stages.submit(job, trained)
    tables, competition = trained.ingested.tables, job.competition
    sample = tables.sample
    frame = pd.read_csv(path, dtype={competition.schema.id: str})
    check(frame, sample, competition.layout, competition.schema)
    assert path.parent.name == f"{name}-twin"
    score = trained.run.metrics["cv_score"]
    assert least < share_learned(competition, tables, score) < 1.1
    if competition.metric.greater_is_better and not long:
        assert score > share_of_best(competition) * tables.best
    assert "SYNTHETIC TWIN" in capsys.readouterr().err
    pipeline = Pipeline.load(trained.run.artifacts / artifacts.PIPELINE)
    _, predicted = artifacts.read_test_predictions(trained.run.artifacts, competition.schema)
    pipeline.memory = None  # labels that are looked up are no predictions
    later = pipeline.predictions(tables.test.head(FEW_LATER))
    assert later == pytest.approx(predicted[:FEW_LATER], abs=APART, rel=1e-3)


@cache
def encoded(name: str) -> fitting.Encoded:
    """The folds of a competition's twin, as its default reads them."""
    candidate = find(name).candidate(None)[1]
    candidate = replace(candidate, config=replace(candidate.config, refit=1))
    return fitting.encode(find(name), twin_tables(name), candidate, Workshop())


def crossfit(name: str, epochs: int, seed: int = 0) -> CrossFit:
    """A short cross-validation of a competition's default over its twin."""
    config = find(name).candidate(None)[1].config
    config = replace(config, epochs=epochs, patience=epochs, members=1, refit=1)
    return fitting.fit(find(name), encoded(name), config, seed=seed, device=torch.device("cpu"))


@every_competition
def test_the_default_learns_within_a_few_epochs(name):
    tables, competition = twin_tables(name), find(name)
    fit = crossfit(name, epochs=4)
    assert share_learned(competition, tables, fit.score) > 0.02
    assert np.isfinite(fit.test).all()
    assert len(fit.test) == len(tables.test)


@every_competition
def test_a_seed_gives_the_same_bytes_and_another_gives_others(name):
    one, same, other = (crossfit(name, epochs=1, seed=seed) for seed in (3, 3, 4))
    assert (one.oof.tobytes(), one.test.tobytes()) == (same.oof.tobytes(), same.test.tobytes())
    assert one.test.tobytes() != other.test.tobytes()


@every_competition
def test_a_second_run_trains_nothing(trained_home, name, monkeypatch):
    job = Job(name=name, home=trained_home(name))
    monkeypatch.setattr(fitting, "fit", lambda *_, **__: pytest.fail("it trained"))
    monkeypatch.setattr(stages.tables, "ingest", lambda *_: pytest.fail("it ingested"))
    found = stages.train(job)
    assert found.hit
    path = stages.submit(job, found)
    content, files = path.read_bytes(), sorted(path.parent.iterdir())
    assert stages.submit(job, stages.train(job)) == path
    assert path.read_bytes() == content
    assert sorted(path.parent.iterdir()) == files


@every_competition
def test_the_run_holds_all_that_a_comparison_needs(trained_home, name):
    home = trained_home(name)
    trained = stages.train(Job(name=name, home=home))
    competition, tables, run = find(name), trained.ingested.tables, trained.run
    wanted = {
        "card.json", "card.png", "config.json", "folds.parquet", "learning_curves.png", "model", "network.txt",
        "oof_predictions.parquet", "test_predictions.parquet",
    }  # fmt: skip
    target = competition.schema.target
    wanted |= {Classes: {"confusion_matrix.png"}, Number: {"predicted.png"}}[type(target)]
    of_texts = set() if competition.recipe.text is None else {"score_by_length.png"}
    assert {path.name for path in run.artifacts.iterdir()} == wanted | of_texts
    predictions = artifacts.read_oof(run.artifacts, competition.schema)
    usual = target.usual
    assert run.metrics[f"cv_{usual.name}"] == pytest.approx(usual.score(tables.target, predictions))
    scored = artifacts.read_scored(run.artifacts, competition)
    assert competition.metric.score(scored.target, scored.oof) == pytest.approx(run.metrics["cv_score"])
    assert scored.fold.tolist() == tables.fold.tolist()
    assert len(pd.read_parquet(run.artifacts / "test_predictions.parquet")) == len(tables.test)
    assert (run.artifacts / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((run.artifacts / "config.json").read_text())
    assert config["members"] == trained.config.members
    for tag in ("competition", "model", "seed", "key", "fold_hash", "data_hash", "data_source", "device", "versions"):
        assert run.tags[tag], tag
    client = Tracker(home.mlruns).client
    for series in ("train/loss", f"valid/{competition.metric.name}", f"valid/{competition.metric.name}/fold-0"):
        steps = [metric.step for metric in client.get_metric_history(run.id, series)]
        assert steps == list(range(1, len(steps) + 1))
    assert {"cv_score", "cv_std", "train_seconds"} <= set(run.metrics)


@every_competition
def test_whatever_is_wrong_with_its_files_is_told_with_its_place(name, monkeypatch):
    competition = find(name)
    monkeypatch.setattr(synthetic, "MOST_ROWS", short.ROWS)
    blank = partial(competition.layout.blank, schema=competition.schema)
    files = synthetic.draw(competition.schema, competition.metric, blank, competition.split).files
    for what, wrong, told in spoilt(files, competition.schema):
        raw = RawFiles(source=Source.RAW, place="raw", files=wrong)
        with pytest.raises(BadDataError) as error:
            tables.ingest(raw, competition.schema, competition.split)
        faults = [str(fault) for fault in error.value.faults]
        assert any(told in fault for fault in faults), (what, told, faults[:3])
        assert not any("\n" in fault for fault in faults), what


@pytest.mark.parametrize(
    "name", ["titanic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("names", "digits"))]
)  # one of tables, of texts and of images
def test_a_killed_training_goes_on_to_the_bytes_of_an_unharmed_one(
    tmp_path, python, migrated, home, name, monkeypatch, capsys
):
    killed = empty_home(tmp_path / "killed", migrated)
    command = [python, "-m", "tests.short", name, killed.root]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    short.shorten(monkeypatch, name)
    found = []
    for place in (killed, home):
        job = Job(name=name, home=place)
        run = stages.train(job)
        found.append((stages.submit(job, run).read_bytes(), artifacts.read_oof(run.run.artifacts, find(name).schema)))
        assert ("going on after" in capsys.readouterr().err) is (place is not home)
        assert not list(place.root.rglob("*.part"))
    (submission, oof), (wanted, predictions) = found
    assert submission == wanted
    assert oof.tobytes() == predictions.tobytes()


@every_competition
def test_the_model_that_mlflow_loads_gives_the_answers_of_the_submission(trained_home, name):
    job = Job(name=name, home=trained_home(name))
    trained = stages.train(job)
    schema = job.competition.schema
    test = job.home.synthetic / name / schema.test
    rows = read_text(test.read_bytes(), str(test), schema.separator)
    model = pyfunc.load_model(str(trained.run.artifacts / "model"))
    asked = rows.assign(**{each: pd.to_numeric(rows[each]) for each in rows if asks_for_numbers(schema, each)})
    found = model.predict(asked)
    _, predicted = artifacts.read_test_predictions(trained.run.artifacts, schema)
    if job.competition.verbatim:
        predicted, _ = remembered_test(job.competition, trained.ingested.tables, predicted)
    target = schema.target
    shares = list(target.outputs) if isinstance(target, Number) else [f"probability_{each}" for each in target.outputs]
    assert found[schema.id].astype(str).tolist() == trained.ingested.tables.test[schema.id].tolist()
    assert found[shares].to_numpy() == pytest.approx(predicted, abs=APART, rel=1e-3)


def asks_for_numbers(schema: Schema, column: str) -> bool:
    """Whether the model wants a column typed; text may hold anything."""
    return column == schema.id or (column in schema.names and kind(schema.columns.columns[column]) is not str)
