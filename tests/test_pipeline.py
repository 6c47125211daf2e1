"""Pipelines: what a run left predicts raw rows as the run did."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops

from data.errors import BadDataError, StorageError
from data.reading import read_text
from data.targets import Classes, Number
from features.tabular import tabular
from pipelines import artifacts, stages
from pipelines.blending import train_and_blend
from pipelines.competition import find, names
from pipelines.job import Job
from pipelines.pipeline import Pipeline, join
from submissions.blend import tempered
from submissions.layout import Labels

TITANIC = "titanic"
TABULAR = [name for name in names() if find(name).recipe.text is None]


def raw_test(home, name) -> pd.DataFrame:
    """The twin's test file, every cell as text."""
    schema = find(name).schema
    file = home.synthetic / name / schema.test
    return read_text(file.read_bytes(), str(file), schema.separator)


def shares_of(found, schema) -> np.ndarray:
    """The predictions: probabilities, or numbers."""
    target = schema.target
    columns = list(target.outputs) if isinstance(target, Number) else [f"probability_{each}" for each in target.outputs]
    return found[columns].to_numpy()


@pytest.fixture
def trained(trained_home):
    """Of a competition's name, its home, a finished run, and the run's pipeline."""

    def trained(name):
        job = Job(name=name, home=trained_home(name))
        run = stages.train(job)
        return job, run, Pipeline.load(run.run.artifacts / artifacts.PIPELINE)

    return trained


@pytest.mark.parametrize("name", names())
def test_raw_rows_come_to_the_numbers_of_the_submission(trained, name):
    job, run, pipeline = trained(name)
    schema = job.competition.schema
    found = pipeline.predict(raw_test(job.home, name))
    submitted = pd.read_csv(stages.submit(job, run), dtype={schema.id: str}).set_index(schema.id).loc[found[schema.id]]
    shares, target = shares_of(found, schema), schema.target
    if isinstance(target, Number):
        assert shares == pytest.approx(submitted[list(target.outputs)].to_numpy(), rel=1e-5)
        return
    assert isinstance(target, Classes)
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(found)))
    assert found[target.column].tolist() == np.array(target.classes)[shares.argmax(axis=1)].tolist()
    (answer, *_) = job.competition.layout.columns(schema)
    if isinstance(job.competition.layout, Labels):
        assert found[target.column].tolist() == submitted[answer].tolist()
    else:
        assert shares == pytest.approx(submitted[list(target.outputs)].to_numpy(), abs=1e-5)


@pytest.mark.parametrize("name", TABULAR)
def test_a_row_alone_and_in_any_order_comes_to_what_it_comes_to_among_others(trained, name):
    job, _, pipeline = trained(name)
    schema, rows = job.competition.schema, raw_test(job.home, name).head(40)
    among = shares_of(pipeline.predict(rows), schema)
    assert shares_of(pipeline.predict(rows[7:8]), schema)[0] == pytest.approx(among[7], abs=1e-5, rel=1e-5)
    assert shares_of(pipeline.predict(rows[::-1]), schema) == pytest.approx(among[::-1], abs=1e-5, rel=1e-5)


def test_threads_that_ask_at_once_get_their_own_answers(trained):
    job, _, pipeline = trained(TITANIC)
    schema, rows = job.competition.schema, raw_test(job.home, TITANIC).head(24)
    expected = pipeline.predict(rows)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: pipeline.predict(rows[at : at + 1]), range(len(rows))))
    assert [each[schema.id].item() for each in found] == expected[schema.id].tolist()
    assert np.concatenate([shares_of(each, schema) for each in found]) == pytest.approx(shares_of(expected, schema))


def test_cells_may_be_of_any_type_and_the_id_may_be_left_out(trained):
    job, _, pipeline = trained(TITANIC)
    rows = raw_test(job.home, TITANIC).head(9)
    expected = shares_of(pipeline.predict(rows), job.competition.schema)
    typed = rows.drop(columns="PassengerId").astype({"Pclass": int, "SibSp": float, "Parch": object})
    typed["Age"] = [float(age) if age else None for age in rows["Age"]]
    typed["Cabin"] = rows["Cabin"].replace("", None)
    found = pipeline.predict(typed)
    assert "PassengerId" not in found
    assert shares_of(found, job.competition.schema) == pytest.approx(expected)


def test_every_wrong_cell_is_told_with_its_column(trained):
    job, _, pipeline = trained(TITANIC)
    rows = raw_test(job.home, TITANIC).head(3)
    with pytest.raises(BadDataError) as told:
        pipeline.predict(rows.assign(Age=["old", "3", "young"], Pclass=["1", "x", "2"]), "asked")
    assert [str(fault).partition(";")[0] for fault in told.value.faults] == [
        "asked, row 1, column Age: 'old' is not a number",
        "asked, row 2, column Pclass: 'x' is not a number",
        "asked, row 3, column Age: 'young' is not a number",
    ]
    with pytest.raises(BadDataError, match="row 2, column Sex: 'man' is not"):
        pipeline.predict(rows.assign(Sex=["male", "man", "female"]))
    with pytest.raises(BadDataError, match="column Embarked: the column is missing; rename 'embarked'"):
        pipeline.predict(rows.rename(columns={"Embarked": "embarked"}))
    with pytest.raises(BadDataError, match="there is no row"):
        pipeline.predict(rows[:0])


def test_rows_of_which_some_have_an_id_are_refused(trained):
    job, _, pipeline = trained(TITANIC)
    rows = raw_test(job.home, TITANIC).head(3)
    with pytest.raises(BadDataError, match="row 2, column PassengerId: the id is missing; give all rows one, or none"):
        pipeline.predict(rows.assign(PassengerId=["7", None, "9"]))
    assert "PassengerId" not in pipeline.predict(rows.assign(PassengerId=None))


def test_networks_of_another_shape_are_told(trained):
    _, run, _ = trained(TITANIC)
    folder = run.run.artifacts / artifacts.PIPELINE / "mlp"
    shutil.copy(folder / "refit_weights.safetensors", folder / "weights.safetensors")
    with pytest.raises(StorageError, match="the pipeline cannot be read"):
        Pipeline.load(folder.parent)


def test_a_blend_weighs_its_parts(trained_home, monkeypatch):
    candidates = find(TITANIC).candidates
    for model in ("mlp", "mlp_wide"):
        short = replace(candidates[model].config, epochs=3, members=2)
        monkeypatch.setitem(candidates, model, replace(candidates[model], config=short))
    monkeypatch.setattr(Job, "models", ("mlp", "mlp_wide"))
    job = Job(name=TITANIC, home=trained_home(TITANIC))
    *_, blend = train_and_blend(job)
    pipeline = Pipeline.load(blend.run.artifacts / artifacts.PIPELINE)
    schema = job.competition.schema
    _, predicted = artifacts.read_test_predictions(blend.run.artifacts, schema)
    assert shares_of(pipeline.predict(raw_test(job.home, TITANIC)), schema) == pytest.approx(predicted, abs=1e-5)


def test_a_blend_that_one_part_has_all_weight_of_keeps_its_temperature(trained, tmp_path):
    job, run, alone = trained(TITANIC)
    part = run.run.artifacts / artifacts.PIPELINE
    (tmp_path / "joined").mkdir()
    join(tmp_path / "joined", TITANIC, {"mlp": (part, 1.0), "mlp_wide": (part, 0.0)}, 1.5)
    rows, schema = raw_test(job.home, TITANIC), job.competition.schema
    found = shares_of(Pipeline.load(tmp_path / "joined").predict(rows), schema)
    assert found == pytest.approx(tempered(shares_of(alone.predict(rows), schema), 1.5), abs=1e-5)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("pipeline.json", b"{"),
        ("pipeline.json", b"[]"),
        ("pipeline.json", b"null"),
        ("pipeline.json", b'{"competition": "titanic", "parts": {}, "temperature": 1.0}'),
        ("mlp/encoders.skops", b"no archive"),
        ("mlp/weights.safetensors", b"no tensors"),
        ("mlp/config.json", b"{"),
        ("mlp/weights.safetensors", None),
    ],
)
def test_damaged_files_are_told(trained, file, content):
    _, run, _ = trained(TITANIC)
    folder = run.run.artifacts / artifacts.PIPELINE
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(StorageError, match="cannot be read"):
        Pipeline.load(folder)


def test_encoders_of_types_that_are_not_ours_are_not_loaded(trained):
    _, run, _ = trained(TITANIC)
    folder = run.run.artifacts / artifacts.PIPELINE
    skops.dump({"folds": [shutil.rmtree], "whole": None}, folder / "mlp" / "encoders.skops")
    with pytest.raises(StorageError, match=r"holds shutil\.rmtree, which encoders are not made of"):
        Pipeline.load(folder)


def test_an_encoder_that_no_file_can_hold_costs_the_model_and_not_the_training(home, run, monkeypatch):
    candidates = find(TITANIC).candidates
    nameless = FunctionTransformer(lambda rows: rows)
    short = replace(candidates["mlp"].config, epochs=2, members=1)
    odd = replace(candidates["mlp"], config=short, space={}, recipe=tabular(derive=[nameless], numbers=["Fare"]))
    monkeypatch.setitem(candidates, "mlp", odd)
    code, out, err = run("run", TITANIC)
    assert code == 0
    assert out.splitlines()[-1].endswith(".csv")
    assert "the run of mlp predicts no new rows: FunctionTransformer.func (function) cannot be kept" in err
    assert run("leaderboard")[0] == 0
    code, _, err = run("predict", TITANIC, str(home.synthetic / TITANIC / "test.csv"))
    assert code == 64
    assert "there is no finished run of titanic with a model yet" in err


def test_a_run_leaves_no_pickle(trained):
    _, run, _ = trained(TITANIC)
    names = {path.suffix for path in (run.run.artifacts / "model").rglob("*") if path.is_file()}
    assert names <= {"", ".json", ".yaml", ".txt", ".py", ".skops", ".safetensors"}
    assert json.loads((run.run.artifacts / artifacts.PIPELINE / "pipeline.json").read_text())["parts"] == {"mlp": 1.0}
