"""Titanic's own features, and the real files."""

from __future__ import annotations

import statistics

import numpy as np
import pandas as pd
import pytest
import torch

from features.recipe import Workshop
from pipelines import stages
from pipelines.competitions.titanic import Group, personal
from pipelines.job import Job
from pipelines.repeat import repeat


def passengers(*rows) -> pd.DataFrame:
    """Rows of (name, sex, ticket, fare), third class, from Southampton."""
    frame = pd.DataFrame(rows, columns=["Name", "Sex", "Ticket", "Fare"])
    frame = frame.assign(Pclass=3, SibSp=1, Parch=0, Cabin=None, Embarked="S")
    return personal(frame)


FAMILY = (
    ("Sage, Mrs. John", "female", "2343", 69.55),
    ("Sage, Master. Thomas", "male", "2343", 69.55),
    ("Sage, Mr. John", "male", "2343", 69.55),
    ("Sage, Miss. Ada", "female", "2344", 69.55),
)


def test_titles_decks_and_families_are_read_off_a_row():
    rows = passengers(
        ("Rothes, the Countess. of (Lucy)", "female", "1", 1.0),
        ("Moran, Mr. James", "male", "2", 1.0),
        ("Minahan, Dr. William", "male", "3", 1.0),
        ("Sagesser, Mlle. Emma", "female", "4", 1.0),
        ("Nobody", "female", "5", 1.0),
    )
    assert rows["title"].tolist() == ["Mrs", "Mr", "Mr", "Miss", "Mrs"]
    assert rows["family_size"].tolist() == [2.0] * 5
    assert personal(rows.assign(Cabin="C85"))["deck"].tolist() == ["C"] * 5
    assert rows["deck"].tolist() == [""] * 5


def test_a_train_row_knows_the_women_and_boys_of_its_group_but_not_itself():
    lived = Group().fit_transform(passengers(*FAMILY), np.array([1, 0, 1, 0]))["survival"]
    # Mrs (1): the boy and Ada died; the boy (0): one of two; Mr: one of three, himself not counted; Ada: one of two
    assert lived.tolist() == pytest.approx([-2 / 3, 0, -1 / 4, 0])


def test_a_new_row_knows_all_of_its_group():
    group = Group()
    group.fit(passengers(*FAMILY), np.array([1, 0, 1, 0]))
    new = passengers(("Sage, Miss. Dorothy", "female", "2345", 69.55), ("Other, Miss. A", "female", "99", 8.0))
    assert group.transform(new)["survival"].tolist() == pytest.approx([-1 / 4, 0])


def test_kin_of_whom_nobody_is_known_join_by_ticket():
    group = Group()
    group.fit(passengers(*FAMILY), np.array([1, 1, 0, 1]))
    nurse = passengers(("Bowen, Miss. Grace", "female", "2346", 69.55))
    assert group.transform(nurse)["survival"].tolist() == pytest.approx([3 / 4])


def test_the_fare_is_shared_by_the_train_rows_of_a_ticket_and_oneself():
    group = Group()
    assert group.fit_transform(passengers(*FAMILY), np.zeros(4))["fare_a_head"].tolist() == pytest.approx(
        [69.55 / 3] * 3 + [69.55]
    )
    assert group.transform(passengers(FAMILY[0]))["fare_a_head"].tolist() == pytest.approx([69.55 / 4])


@pytest.mark.slow
@pytest.mark.real
def test_the_real_files_are_ingested_whole(home, real_archives, monkeypatch):
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(real_archives))
    tables = stages.ingest(Job(name="titanic", home=home)).tables
    assert (len(tables.train), len(tables.test), tables.target.sum()) == (891, 418, 342)
    assert tables.sample["PassengerId"].tolist() == [str(number) for number in range(892, 1310)]
    assert tables.train[["Age", "Cabin", "Embarked"]].isna().sum().tolist() == [177, 687, 2]
    assert tables.test["Fare"].isna().sum() == 1


@pytest.mark.slow
@pytest.mark.real
def test_the_default_model_passes_the_mark_over_several_splits(home, real_archives, monkeypatch):
    """.840 is the mark; the mean of ten seeds stands in the README."""
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(real_archives))
    job = Job(name="titanic", home=home)
    tables, candidate = stages.ingest(job).tables, job.competition.candidate(None)[1]
    fits = repeat(job.competition, tables, candidate, range(4), torch.device("cpu"), Workshop())
    assert statistics.mean(fit.score for fit in fits) > 0.845


@pytest.mark.slow
@pytest.mark.real
def test_shuffled_labels_score_like_the_greater_class(home, real_archives, monkeypatch):
    """Group features that saw a row's own label would betray it."""
    from dataclasses import replace

    monkeypatch.setenv("KAGGLE_ARCHIVES", str(real_archives))
    job = Job(name="titanic", home=home)
    tables, candidate = stages.ingest(job).tables, job.competition.candidate(None)[1]
    shuffled = replace(tables, target=np.random.default_rng(0).permutation(tables.target))
    (fit,) = repeat(job.competition, shuffled, candidate, range(1), torch.device("cpu"), Workshop())
    assert fit.score == pytest.approx(1 - 342 / 891, abs=0.02)
