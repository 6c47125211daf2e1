"""Otto: faults of its raw files, the order of the classes, and the real files."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from data.errors import BadDataError
from data.sources import RawFiles, Source
from data.tables import ingest
from pipelines import stages
from pipelines.competition import find
from pipelines.job import Job
from pipelines.stages import Ingested
from tests.twins import twin_files

TEST_ROWS_OF_KAGGLE = 144_368
COMPETITION = find("otto")


def frame_of(name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(twin_files("otto")[f"{name}.csv"]), dtype=str)


def faults_of(**changed: pd.DataFrame) -> list[str]:
    """What is found in the twin's files with some of them changed."""
    files = {f"{name}.csv": frame.to_csv(index=False).encode() for name, frame in changed.items()}
    raw = RawFiles(source=Source.RAW, place="raw", files={**twin_files("otto"), **files})
    with pytest.raises(BadDataError) as error:
        ingest(raw, COMPETITION.schema, COMPETITION.split)
    return list(map(str, error.value.faults))


def with_cell(name: str, row: int, column: str, cell: str) -> pd.DataFrame:
    frame = frame_of(name)
    frame.loc[row - 2, column] = cell
    return frame


@pytest.mark.parametrize(("cell", "told"), [("-1", "-1"), ("2.5", "2.5"), ("1e400", "1e400"), ("", "empty")])
@pytest.mark.parametrize("name", ["train", "test"])
def test_what_is_no_count_is_refused_where_it_stands(name, cell, told):
    (fault,) = faults_of(**{name: with_cell(name, 7, "feat_33", cell)})
    assert fault.startswith(f"raw/{name}.csv, row 7, column feat_33: ")
    assert told in fault


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_missing_feature_of_93_is_named(name):
    (fault,) = faults_of(**{name: frame_of(name).drop(columns="feat_61")})
    assert fault.startswith(f"raw/{name}.csv, row 1, column feat_61: the column is missing; add it")


def test_an_id_that_stands_twice_among_all_test_rows_is_named():
    rows = frame_of("test")
    many = rows.iloc[np.arange(TEST_ROWS_OF_KAGGLE) % len(rows)].reset_index(drop=True)
    many["id"] = np.arange(1, TEST_ROWS_OF_KAGGLE + 1).astype(str)
    many.loc[TEST_ROWS_OF_KAGGLE - 1, "id"] = "77"
    found = faults_of(test=many)
    row = TEST_ROWS_OF_KAGGLE + 1
    assert f"raw/test.csv, row {row}, column id: the id '77' stands in row 78 too; remove one of the two" in found


def test_every_class_keeps_its_probability_when_the_sample_file_shuffles_its_header(trained_home):
    job = Job(name="otto", home=trained_home("otto"))
    ingested = stages.ingest(job)
    trained = stages.train(job, ingested)
    straight = pd.read_csv(stages.submit(job, trained)).set_index("id")
    sample = ingested.tables.sample
    header = [sample.columns[0], *np.random.default_rng(0).permutation(sample.columns[1:])]
    assert header != list(sample.columns)
    tables = stages.tables.Tables(**{**vars(ingested.tables), "sample": sample[header]})
    shuffled = stages.Trained(**{**vars(trained), "ingested": Ingested(tables=tables, label=ingested.label)})
    path = stages.submit(job, shuffled)
    assert path.read_text().splitlines()[0] == ",".join(header)
    pd.testing.assert_frame_equal(pd.read_csv(path).set_index("id")[straight.columns], straight)


@pytest.mark.slow
@pytest.mark.real
def test_the_real_files_are_ingested_whole(home, real_archives, monkeypatch):
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(real_archives))
    tables = stages.ingest(Job(name="otto", home=home)).tables
    assert (len(tables.train), len(tables.test)) == (49_502, 156_744)
    assert np.bincount(tables.target).tolist() == [1543, 12898, 6403, 2153, 2191, 11308, 2271, 6771, 3964]
    assert tables.train.iloc[:, 1:].to_numpy().min() == 0
