"""The linter of submission files: each thing that Kaggle would refuse or score wrongly, with its row and its mend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.errors import BadDataError
from data.targets import Classes
from submissions.layout import Labels, Probabilities
from submissions.lint import agreement, lint
from tests.toy import SCHEMA

NUMBERED = replace(SCHEMA, target=Classes("label", (0, 1)))
IDS = ["7", "8", "9"]
LABELS = "id,label\n7,0\n8,1\n9,1\n"
SHARES = "id,no,yes\n7,0.9,0.1\n8,0.2,0.8\n9,0.4,0.6\n"


def linted(text: str, layout=None):
    layout = layout or Labels()
    schema = NUMBERED if isinstance(layout, Labels) else SCHEMA
    return lint(text.encode(), "mine.csv", layout.blank(IDS, schema).astype(str), layout, schema)


def faults_of(text: str, layout=None) -> list[str]:
    with pytest.raises(BadDataError) as told:
        linted(text, layout)
    return [str(fault) for fault in told.value.faults]


def test_what_kaggle_takes_is_taken():
    assert linted(LABELS).answers[:, 0].tolist() == ["0", "1", "1"]
    assert linted(LABELS).told == "0 in 33.3%, 1 in 66.7%"
    assert linted(LABELS.replace("\n", "\r\n")).frame["id"].tolist() == IDS
    assert linted(SHARES, Probabilities()).answers[0] == pytest.approx([0.9, 0.1])
    assert linted(SHARES.replace("0.4,", "0.4001,"), Probabilities())  # rounded


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            LABELS.replace("7,0", "7,0.0"),
            "mine.csv, row 2, column label: '0.0' is no class; write '0': the column",
        ),
        (LABELS.replace("7,0", "7,"), "mine.csv, row 2, column label: the label is empty; one of 0, 1"),
        (LABELS.replace("7,0", "7,2"), "row 2, column label: '2' is no class; one of 0, 1"),
        (LABELS.replace("id,label", "id,Label"), "row 1, column label: the column is missing; rename 'Label'"),
        (
            LABELS.replace("id,label", "label,id"),
            "row 1: the columns are in another order: label,id; the",
        ),
        (
            ",id,label\n0,7,0\n1,8,1\n2,9,1\n",
            "a column that the sample does not have; write the file",
        ),
        (LABELS.replace("8,1\n", ""), "mine.csv: 2 rows, where the sample has 3; answer every row"),
        (LABELS.replace("8,1", "7,1"), "row 3, column id: the id '7' stands there twice; remove one"),
        (LABELS.replace("8,1", "5,1"), "row 3, column id: the id '5' is not in the sample; use the ids of the test"),
        (LABELS.replace("8,1", "8.0,1"), "the id '8.0' is not in the sample; write the ids as whole numbers"),
        ("id,label\n8,1\n7,0\n9,1\n", "row 2, column id: the ids are in another order than the sample's; sort"),
        ("id,label\n7,0\n8,0\n9,0\n", "mine.csv: this is the sample file; send the file that a run has written"),
        ("", "the file is empty; send the file that a run has written"),
        ("id,label\n", "a header and no rows; answer every row"),
        (LABELS.replace(",", ";"), "row 1: semicolons between the cells; write it with commas"),
        (LABELS.replace(",", "\t"), "row 1: tabs between the cells; write it with commas"),
        (LABELS.removeprefix("id,label\n"), "row 1: the first line is no header; put id,label above it"),
        (LABELS.replace("8,1", "\n8,1"), "row 3: the line is blank; remove it"),
        ("PK\x03\x04", "a compressed file; unpack it"),
    ],
)
def test_each_fault_of_labels_has_its_line(text, told):
    assert any(told in fault for fault in faults_of(text)), faults_of(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SHARES.replace("0.9", "nan"), "row 2, column no: 'nan' is no finite number; write a number from 0 to 1"),
        (SHARES.replace("0.9", ""), "row 2, column no: the cell is empty"),
        (SHARES.replace("0.9,0.1", "1.9,-0.9"), "row 2, column no: 1.9 is out of range"),
        (SHARES.replace("0.9", "0.5"), "row 2: the probabilities sum to 0.6; divide the row by its sum"),
        ("id,yes,no\n7,0.9,0.1\n8,0.2,0.8\n9,0.4,0.6\n", "the columns are in another order: id,yes,no; the sample has"),
    ],
)
def test_each_fault_of_probabilities_has_its_line(text, told):
    assert any(told in fault for fault in faults_of(text, Probabilities())), faults_of(text, Probabilities())


def test_agreement_is_of_labels_or_of_probabilities():
    labels = linted(LABELS).answers
    assert agreement(labels, labels) == 1
    assert agreement(labels, np.array([["1"], ["1"], ["1"]])) == pytest.approx(2 / 3)
    shares = linted(SHARES, Probabilities()).answers
    assert agreement(shares, shares) == pytest.approx(1)
    assert agreement(shares, shares[:, ::-1]) < 0


def test_what_a_run_has_written_may_answer_as_the_sample_does():
    layout, schema = Labels(), SCHEMA
    sample = layout.blank(IDS, schema).astype(str)
    content = sample.to_csv(index=False).encode()
    with pytest.raises(BadDataError, match="this is the sample file"):
        lint(content, "mine.csv", sample, layout, schema)
    assert lint(content, "mine.csv", sample, layout, schema, ours=True).frame.equals(sample)
