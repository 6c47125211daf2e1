"""The movie reviews: faults of their files, texts that nobody expects, and the real files."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import BadDataError
from data.sources import RawFiles, Source
from data.tables import ingest
from features.text import text
from pipelines import stages
from pipelines.competition import Candidate, find
from pipelines.competitions.rotten_tomatoes import GRU
from pipelines.home import Home
from pipelines.job import Job
from tests.twins import twin_files

NAME = "rotten_tomatoes"
COMPETITION = find(NAME)
SMALL = Candidate(config=replace(GRU, epochs=1, members=1, refit=0, width=8, head=8), recipe=text("Phrase"))
ODD = (
    "None",
    "",
    "   ",
    "zzzz qqqq xxxx",
    "\U0001f600 \U0001f622",
    "good, bad, and ugly",
    "word " * 20_000,
    "NaN",
    "null",
    "\u00e9t\u00e9 \u4e2d\u6587",
)


def lines_of(name: str) -> list[str]:
    return twin_files(NAME)[name].decode().splitlines()


def faults_of(name: str, lines: list[str]) -> list[str]:
    """What is found in the twin's files with one of them changed."""
    files = {**twin_files(NAME), name: "\n".join(lines).encode() + b"\n"}
    with pytest.raises(BadDataError) as error:
        ingest(RawFiles(source=Source.RAW, place="raw", files=files), COMPETITION.schema, COMPETITION.split)
    return list(map(str, error.value.faults))


@pytest.fixture
def small(monkeypatch):
    """The competition, whose default is a network that trains in a second."""
    monkeypatch.setitem(COMPETITION.candidates, "lstm", SMALL)


def test_a_tab_too_few_is_told_with_its_row():
    lines = lines_of("train.tsv")
    lines[41] = lines[41].replace("\t", " ", 1)
    assert faults_of("train.tsv", lines) == [
        "raw/train.tsv, row 42: 3 cells where the header has 4; complete the row or remove it"
    ]


@pytest.mark.parametrize("name", ["train.tsv", "test.tsv"])
def test_a_quote_that_never_closes_is_told(name):
    lines = lines_of(name)
    cells = lines[7].split("\t")
    cells[2] = '"' + cells[2]
    lines[7] = "\t".join(cells)
    (fault,) = faults_of(name, lines)
    assert fault.startswith(f"raw/{name}, row 8")
    assert len(fault) < 200


def test_a_file_with_commas_is_told():
    found = faults_of("train.tsv", [line.replace("\t", ",") for line in lines_of("train.tsv")])
    assert found[0].startswith("raw/train.tsv, row 1, column PhraseId: the column is missing")


def with_phrases(home: Home, phrases: tuple[str, ...]) -> Job:
    """A home whose raw files are the twin's, with other phrases at the start of train and test."""
    folder = home.raw / NAME
    folder.mkdir(parents=True)
    for name, content in twin_files(NAME).items():
        separator = "," if "sample" in name else "\t"
        frame = pd.read_csv(io.BytesIO(content), sep=separator, keep_default_na=False)
        if "Phrase" in frame:
            frame.loc[: len(phrases) - 1, "Phrase"] = phrases
        frame.to_csv(folder / name, sep=separator, index=False)
    return Job(name=NAME, home=home)


def test_every_phrase_has_one_answer_whatever_it_is(home, small):
    job = with_phrases(home, ODD)
    trained = stages.train(job)
    found = pd.read_csv(stages.submit(job, trained))
    wanted = pd.read_csv(io.BytesIO(twin_files(NAME)["test.tsv"]), sep="\t")
    assert found["PhraseId"].tolist() == wanted["PhraseId"].tolist()
    assert found["Sentiment"].isin(range(5)).all()
    labels = stages.ingest(job).tables.target[: len(ODD)]
    assert found["Sentiment"][: len(ODD)].tolist() == labels.tolist()  # the memory knows them all


def test_the_same_seed_gives_the_same_bytes(tmp_path, small):
    files = []
    for home in (Home(tmp_path / "one"), Home(tmp_path / "two")):
        job = Job(name=NAME, home=home, seed=3)
        files.append(stages.submit(job, stages.train(job)).read_bytes())
    assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.real
def test_the_real_files_keep_sentences_together_and_every_phrase_is_answered(home, small, real_archives, monkeypatch):
    monkeypatch.setenv("KAGGLE_ARCHIVES", str(real_archives))
    job = Job(name=NAME, home=home)
    ingested = stages.ingest(job)
    tables = ingested.tables
    assert (len(tables.train), len(tables.test)) == (156_060, 66_292)
    assert np.bincount(tables.target).tolist() == [7072, 27273, 79582, 32927, 9206]
    folds_of_sentence = pd.Series(tables.fold).groupby(tables.train["SentenceId"].to_numpy()).nunique()
    assert (folds_of_sentence == 1).all()
    assert np.bincount(tables.fold).min() > 31_000
    phrases = dict(zip(tables.test["PhraseId"].astype(int), tables.test["Phrase"], strict=True))
    assert phrases[171_580] == "None"
    assert not phrases[157_451].strip()
    trained = stages.train(job, ingested)
    assert trained.run.metrics["cv_score"] > 0.55
    assert trained.run.metrics["verbatim/test_rows"] == 10_297
    found = pd.read_csv(stages.submit(job, trained)).set_index("PhraseId")["Sentiment"]
    assert found.index.is_unique
    assert set(found.index) == set(phrases)
    assert found.isin(range(5)).all()
