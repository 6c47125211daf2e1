"""Submissions: the layout follows the sample file, and nothing that Kaggle would refuse is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import BadDataError, StorageError
from data.schema import Schema
from data.targets import Classes, Flags, Number
from submissions import drafts
from submissions.check import RefusedError, check, check_sample
from submissions.layout import Labels, Probabilities, Probability, Values
from tests.toy import SCHEMA

NUMBERED = replace(SCHEMA, target=Classes("label", (0, 1)))
IDS = ["7", "8", "9"]
SHARES = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], dtype=np.float32)
CASES = [(Labels(), SCHEMA), (Labels(), NUMBERED), (Probabilities(), SCHEMA)]
every_layout = pytest.mark.parametrize(
    ("layout", "schema"), CASES, ids=["text labels", "number labels", "probabilities"]
)


def sample_of(layout, schema: Schema, ids=IDS) -> pd.DataFrame:
    return layout.blank(ids, schema).astype(str)


def frame_of(layout, schema: Schema) -> pd.DataFrame:
    return layout.frame(IDS, SHARES, schema, sample_of(layout, schema))


@every_layout
def test_a_submission_of_ours_passes_the_check(layout, schema):
    check(frame_of(layout, schema), sample_of(layout, schema), layout, schema)


def test_labels_are_the_likeliest_classes_as_they_were_declared():
    assert frame_of(Labels(), SCHEMA)["label"].tolist() == ["no", "yes", "yes"]
    assert drafts.content(frame_of(Labels(), NUMBERED)) == b"id,label\n7,0\n8,1\n9,1\n"
    turned = replace(SCHEMA, target=Classes("label", ("yes", "no")))  # in no order of the alphabet
    assert frame_of(Labels(), turned)["label"].tolist() == ["yes", "no", "no"]


@given(st.permutations(IDS), st.permutations(["no", "yes"]))
def test_rows_and_columns_follow_the_sample_file_whatever_its_order(ids, classes):
    sample = sample_of(Probabilities(), SCHEMA, ids)[["id", *classes]]
    frame = Probabilities().frame(IDS, SHARES, SCHEMA, sample)
    check(frame, sample, Probabilities(), SCHEMA)
    assert list(frame.columns) == ["id", *classes]
    for name, share in zip(IDS, SHARES, strict=True):
        row = frame[frame["id"] == name].iloc[0]
        assert (row["no"], row["yes"]) == pytest.approx(tuple(share))


def setting(column, value):
    """Puts a value into the first row."""
    return lambda frame: frame.assign(**{column: [value, *frame[column].tolist()[1:]]})


@pytest.mark.parametrize(
    ("layout", "schema", "spoil", "message"),
    [
        (Labels(), SCHEMA, lambda frame: frame.rename(columns={"label": "Label"}), "header is"),
        (Labels(), SCHEMA, lambda frame: frame[["label", "id"]], "header is"),
        (Labels(), SCHEMA, lambda frame: frame.iloc[[0, 1, 1]], "the id '8' twice"),
        (Labels(), SCHEMA, lambda frame: frame.iloc[:2], "the same ids: '9' is in one only"),
        (Labels(), SCHEMA, setting("id", "70"), "the same ids: '7' is in one only"),
        (Labels(), SCHEMA, lambda frame: frame.iloc[::-1], "not in the order"),
        (Labels(), SCHEMA, setting("label", "maybe"), "row 2 has the label 'maybe', which is no class"),
        (Labels(), NUMBERED, setting("label", 2), "row 2 has the label '2', which is no class"),
        (Labels(), NUMBERED, lambda frame: frame.assign(label=frame["label"] * 1.0), "labels are float64"),
        (Labels(), NUMBERED, lambda frame: frame.assign(label=frame["label"].astype(str)), "are str, the classes"),
        (Probabilities(), SCHEMA, setting("no", np.nan), "row 2 has a probability that is not finite"),
        (Probabilities(), SCHEMA, setting("no", np.inf), "row 2 has a probability that is not finite"),
        (Probabilities(), SCHEMA, setting("no", -0.1), r"row 2 has a probability outside \[0, 1\]"),
        (Probabilities(), SCHEMA, setting("no", 1.1), r"row 2 has a probability outside \[0, 1\]"),
        (Probabilities(), SCHEMA, setting("no", 0.8), "row 2 has probabilities that do not sum to 1"),
    ],
)  # fmt: skip
def test_what_kaggle_would_refuse_is_refused(layout, schema, spoil, message):
    with pytest.raises(RefusedError, match=message):
        check(spoil(frame_of(layout, schema)), sample_of(layout, schema), layout, schema)


@every_layout
def test_a_sample_file_of_another_layout_is_refused(layout, schema):
    sample = sample_of(layout, schema)
    check_sample(sample, layout, schema, "sample.csv")
    last = sample.columns[-1]
    with pytest.raises(
        BadDataError, match=f"^sample.csv, row 1, column {last}: the column is missing; download it again"
    ):
        check_sample(sample.rename(columns={last: "other"}), layout, schema, "sample.csv")


def test_float32_rounding_does_not_spoil_the_sum():
    shares = np.random.default_rng(0).dirichlet(np.ones(2), size=3).astype(np.float32)
    shares[0] = [np.float32(0.1), np.float32(0.9) + np.float32(3e-7)]
    frame = Probabilities().frame(IDS, shares, SCHEMA, sample_of(Probabilities(), SCHEMA))
    np.testing.assert_allclose(frame[["no", "yes"]].sum(axis=1), 1, atol=1e-12)


def test_the_outbox_names_a_file_after_what_made_it_and_keeps_a_copy(tmp_path):
    made = datetime(2030, 1, 2, 3, 4, 5)
    path = drafts.put(b"id\n1\n", tmp_path / "toy", "mlp", 0.85214, "abcdef0123456789", made)
    assert path.name == "20300102-030405-mlp-cv0.8521-abcdef01.csv"
    assert path.read_bytes() == (tmp_path / "toy" / "latest.csv").read_bytes() == b"id\n1\n"
    assert len(list(path.parent.iterdir())) == 2


def test_an_outbox_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "toy").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="toy: cannot be written"):
        drafts.put(b"", tmp_path / "toy", "mlp", 0.5, "abcdef01", datetime.now())


@pytest.mark.parametrize("kind", [Labels, Probability])
def test_a_sample_may_name_the_target_in_its_own_way(kind):
    layout = kind(column="Answer")
    check(frame_of(layout, NUMBERED), sample_of(layout, NUMBERED), layout, NUMBERED)
    assert list(frame_of(layout, NUMBERED).columns) == ["id", "Answer"]
    with pytest.raises(ValueError, match="2 columns, which one name cannot stand for"):
        Labels(column="Answer").check(Flags(("glad", "sad")))


def test_a_sample_may_put_something_before_each_class():
    layout = Probabilities(prefix="label_")
    check(frame_of(layout, SCHEMA), sample_of(layout, SCHEMA), layout, SCHEMA)
    assert list(frame_of(layout, SCHEMA).columns) == ["id", "label_no", "label_yes"]


def test_numbers_keep_to_their_bounds():
    schema = replace(SCHEMA, target=Number("price"))
    predictions = np.array([[-2.0], [0.5], [9.0]], dtype=np.float32)
    assert Values(least=0).cells(predictions, schema)["price"].tolist() == [0, 0.5, 9]
    assert Values(greatest=1).cells(predictions, schema)["price"].tolist() == [-2, 0.5, 1]
