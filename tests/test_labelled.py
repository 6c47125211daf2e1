"""Labelled tables: cut into train and test files, by rows or by kin, and told where they are something else."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from data.errors import BadDataError
from data.labelled import Labelled, lines
from data.sources import Source, Uncut, locate
from data.splits import Split
from data.tables import ingest
from pipelines import stages
from pipelines.competition import find
from pipelines.competitions import digits, progression
from pipelines.job import Job
from submissions.layout import Labels
from tests.conftest import ARCHIVES
from tests.toy import SCHEMA, zip_bytes


def table(rows: int = 100) -> bytes:
    generator = np.random.default_rng(0)
    columns = {
        "height": generator.uniform(0, 3, rows).round(2),
        "count": generator.integers(0, 9, rows),
        "colour": generator.choice(["red", "green", "blue"], rows),
        "remark": [f"kin {row // 4}" for row in range(rows)],
        "label": generator.choice(["no", "yes"], rows),
    }
    return pd.DataFrame(columns).to_csv(index=False).encode()


def read(files: Mapping[str, bytes]) -> pd.DataFrame:
    return pd.concat([pd.read_csv(io.BytesIO(content)) for _, content in sorted(files.items())], ignore_index=True)


def uncut(group: str | None = None, seed: int = 0, time: str | None = None) -> Uncut:
    labelled, split = Labelled(files=("part*.csv",), read=read, seed=seed), Split(group=group, time=time)
    return Uncut(labelled=labelled, schema=SCHEMA, split=split, blank=partial(Labels().blank, schema=SCHEMA))


def found_in(folder, cut: Uncut, archives=()):
    return locate("toy", "toy-slug", SCHEMA, folder / "raw", archives, uncut=cut)[0]


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "toy-slug.zip").write_bytes(zip_bytes({"part1.csv": table(60), "part2.csv": table(40)}))
    return tmp_path


def test_an_archive_is_cut_into_files_that_fit_the_declaration(archive):
    raw = found_in(archive, uncut(), [archive])
    assert raw is not None
    assert raw.source is Source.ARCHIVES
    tables = ingest(raw, SCHEMA, Split(folds=3))
    assert (len(tables.train), len(tables.test)) == (80, 20)
    assert sorted([*tables.train["id"], *tables.test["id"]], key=int) == [str(row + 1) for row in range(100)]
    again = found_in(archive, uncut(), [archive])
    assert again is not None
    assert again.sha256 == raw.sha256
    other = found_in(archive, uncut(seed=1), [archive])
    assert other is not None
    assert other.sha256 != raw.sha256


def test_plain_files_of_the_user_are_cut_too(tmp_path):
    folder = tmp_path / "raw" / "toy"
    folder.mkdir(parents=True)
    (folder / "part1.csv").write_bytes(table())
    raw = found_in(tmp_path, uncut())
    assert raw is not None
    assert raw.source is Source.RAW


def test_files_that_somebody_has_cut_come_first(tmp_path, toy, archive):
    folder = tmp_path / "raw" / "toy"
    folder.mkdir(parents=True)
    for name, content in toy.files.items():
        (folder / name).write_bytes(content)
    raw = found_in(tmp_path, uncut(), [archive])
    assert raw is not None
    assert dict(raw.files) == toy.files


def test_kin_are_not_torn_apart(archive):
    raw = found_in(archive, uncut(group="remark"), [archive])
    assert raw is not None
    tables = ingest(raw, SCHEMA, Split(folds=3))
    assert not {*tables.train["remark"]} & {*tables.test["remark"]}
    assert 10 <= len(tables.test) <= 20


def test_in_time_the_last_rows_are_cut_off(archive):
    raw = found_in(archive, uncut(time="count"), [archive])
    assert raw is not None
    tables = ingest(raw, SCHEMA, Split(folds=3, time="count"))
    assert tables.train["count"].max() < tables.test["count"].min()
    assert 5 <= len(tables.test) <= 40
    with pytest.raises(BadDataError, match=r"toy-slug.zip, column remark: remark holds 'kin 0'.*times are numbers"):
        found_in(archive, uncut(time="remark"), [archive])


def test_a_table_of_something_else_is_told(tmp_path):
    (tmp_path / "toy-slug.zip").write_bytes(zip_bytes({"part1.csv": b"height,label\n1,no\n"}))
    with pytest.raises(BadDataError, match=r"toy-slug.zip: cannot be read as a table \(.*not in index"):
        found_in(tmp_path, uncut(), [tmp_path])
    with pytest.raises(ValueError, match="files or a package"):
        Labelled(read=read)


def test_a_package_has_the_rows_of_progression(home, as_declared, monkeypatch):
    labelled = Labelled(package="scikit-learn", read=progression.read)
    monkeypatch.setitem(vars(find("progression")), "labelled", labelled)
    job = Job(name="progression", home=home)
    trained = stages.train(job)
    assert trained.ingested.tables.source is Source.PACKAGE
    assert (len(trained.ingested.tables.train), len(trained.ingested.tables.test)) == (354, 88)
    assert trained.run.metrics["cv_score"] < 55.2  # a ridge regression on the same folds comes to 55.42
    path = stages.submit(job, trained)
    assert pd.read_csv(path)["progression"].between(20, 350).all()


def test_files_named_after_classes_are_read_line_by_line():
    table = lines("word", "tongue")({"b/Two.txt": "äh\r\n  uh \n".encode(), "One.txt": b"ah\n\nuh"})
    assert table.to_dict("list") == {"word": ["ah", "uh", "äh", "uh"], "tongue": ["One", "One", "Two", "Two"]}


def test_a_line_that_is_no_utf8_is_told_with_its_file(tmp_path):
    cut = replace(uncut(), labelled=Labelled(files=("*.txt",), read=lines("remark", "label")))
    files = {"no.txt": b"ah\nuh\n", "yes.txt": b"ah\n\xe4h\n"}
    (tmp_path / "toy-slug.zip").write_bytes(zip_bytes(files))
    with pytest.raises(BadDataError, match=r"^yes.txt, row 2: byte 0xe4 is not UTF-8; save it as UTF-8$"):
        found_in(tmp_path, cut, [tmp_path])


@pytest.mark.skipif(not (ARCHIVES / "names.zip").is_file(), reason="KAGGLE_ARCHIVES has no names.zip")
def test_no_surname_stands_on_two_sides(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(ARCHIVES))
    tables = stages.ingest(Job(name="names", home=home)).tables
    assert (len(tables.train), len(tables.test)) == (16_060, 4_014)
    assert (tables.train.groupby("Name").size() > 1).any()
    assert not {*tables.train["Name"]} & {*tables.test["Name"]}
    assert (tables.train.assign(fold=tables.fold).groupby("Name")["fold"].nunique() == 1).all()
    assert set(tables.target) == set(range(18))


def test_digits_of_a_package_become_images_of_kaggles_form():
    table, small = digits.read({}), load_digits()
    images = table[digits.PIXELS].to_numpy().reshape(-1, 28, 28)
    assert (images.min(), images.max(), len(images)) == (0, 255, 1797)
    np.testing.assert_array_equal(images[:, 3:-2:3, 3:-2:3], (small.images * 255 / 16).round())
    assert not images[:, [0, 1, -2, -1]].any()
    assert not images[:, :, [0, 1, -2, -1]].any()
    assert table["label"].tolist() == small.target.tolist()


@pytest.mark.skipif(not (ARCHIVES / "diabetes.zip").is_file(), reason="KAGGLE_ARCHIVES has no diabetes.zip")
def test_pima_is_learned(home, as_declared, monkeypatch):
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(ARCHIVES))
    job = Job(name="diabetes", home=home)
    good, notes = (stages.train(replace(job, model=model)) for model in ("mlp", "notes"))
    assert good.run.metrics["cv_score"] >= 0.77
    assert 0.75 < notes.run.metrics["cv_score"] <= good.run.metrics["cv_score"]
    layers = (notes.run.artifacts / "network.txt").read_text()
    assert [int(line.split()[-1]) for line in layers.splitlines() if line.startswith(("hidden", "output"))] == [
        8 * 6 + 6,
        6 * 4 + 4,
        4 * 1 + 1,
    ]
