"""Keys: which edits of the code and the declarations make a stage run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data.metrics import LOG_LOSS
from models.mlp import MLPConfig
from pipelines import keys
from pipelines.competition import FOLDER

DECLARATION = '''
"""A competition."""
CLASSES = (0, 1)
LIMIT = 3

def derived(rows):
    """Adds a column."""
    return helper(rows) + LIMIT

def helper(rows):
    return rows

COLUMNS = {"a": 1}
FOLDS = 5

COMPETITION = Competition(
    slug="toy",
    schema=Schema(target=CLASSES, columns=COLUMNS),
    split=Split(folds=FOLDS),
    metric=ACCURACY,
    recipe=tabular(derive=[derived]),
    candidates={
        "mlp": Candidate(config=MLPConfig(width=16), space={"lr": 1}),
        "wide": Candidate(config=MLPConfig(), recipe=tabular(numbers=["a"])),
    },
    layout=Labels(),
)
'''


def reached(source, stage):
    return keys.reached(source, keys.INGESTED) if stage == "ingest" else keys.reached(source, keys.TRAINED, stage)


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("LIMIT = 3", "LIMIT = 3  # a comment", set()),
        ('"""Adds a column."""', '"""Another docstring."""', set()),
        ("layout=Labels()", "layout=Probabilities()", set()),
        ('space={"lr": 1}', 'space={"lr": 2}', set()),
        ("width=16", "width=LIMIT", {"mlp"}),
        ("LIMIT = 3", 'LIMIT = 3\nCOLUMNS["a"] = 2', {"ingest", "mlp", "wide"}),
        ("LIMIT = 3", "LIMIT = 3\nCOLUMNS.update(a=2)", {"ingest", "mlp", "wide"}),
        ("LIMIT = 3", "LIMIT = 3\nif True:\n    def helper(rows):\n        return rows * 2", {"ingest", "mlp", "wide"}),
        ("LIMIT = 3", "LIMIT = 3\nfrom elsewhere import *", {"ingest", "mlp", "wide"}),
        ('"wide": Candidate(', '"wide": made(', {"wide"}),
        ('slug="toy"', 'slug="other"', set()),
        ("LIMIT = 3", "LIMIT = 4", {"mlp"}),
        ("return rows\n", "return rows[::-1]\n", {"mlp"}),
        ("derive=[derived]", "derive=[derived, derived]", {"mlp"}),
        ('numbers=["a"]', 'numbers=["b"]', {"wide"}),
        ("metric=ACCURACY", "metric=LOG_LOSS", {"mlp", "wide"}),
        ("CLASSES = (0, 1)", "CLASSES = (1, 0)", {"ingest"}),
        ('COLUMNS = {"a": 1}', 'COLUMNS = {"a": 2}', {"ingest"}),
        ("FOLDS = 5", "FOLDS = 4", {"ingest"}),
    ],
)
def test_an_edit_of_the_declaration_reaches_only_the_stages_that_use_it(old, new, again):
    assert old in DECLARATION
    edited = DECLARATION.replace(old, new)
    changed = {stage for stage in ("ingest", "mlp", "wide") if reached(DECLARATION, stage) != reached(edited, stage)}
    assert changed == again


def test_a_declaration_that_is_not_written_out_counts_as_a_whole():
    source = "SCHEMA = 1\nCOMPETITION = make(**{'layout': 1})\n"
    assert keys.reached(source, keys.INGESTED) != keys.reached(
        source.replace("'layout': 1", "'layout': 2"), keys.INGESTED
    )
    candidates = DECLARATION.replace("candidates={", "candidates=made or {")
    assert reached(candidates, "mlp") != reached(candidates.replace("width=16", "width=17"), "mlp")


def test_a_name_that_is_given_its_meaning_twice_counts_twice():
    source = "A = [1]\nA += [2]\nCOMPETITION = Competition(schema=A)\n"
    assert keys.reached(source, ("schema",)) != keys.reached(source.replace("[2]", "[3]"), ("schema",))
    assert keys.reached(source, ("schema",)) != keys.reached(source.replace("[1]", "[3]"), ("schema",))


CONFIG = MLPConfig(monitor=LOG_LOSS)


def train_key(name="titanic", data="d", model="mlp", config=CONFIG, seed=0, device="cpu", origins=("glove 1",)):
    return keys.train_key(name, data, model, config, seed, device, origins)


@pytest.mark.parametrize(
    "change",
    [
        {"data": "e"},
        {"model": "mlp_wide"},
        {"config": replace(CONFIG, width=65)},
        {"config": replace(CONFIG, monitor=None)},
        {"seed": 1},
        {"device": "cuda"},
        {"origins": ("glove 2",)},
    ],
)
def test_whatever_shapes_a_training_is_in_its_key(change):
    assert train_key() == train_key()
    assert train_key(**change) != train_key()


@pytest.mark.parametrize(
    ("room", "ingests_again", "trains_again"),
    [("data", True, True), ("features", False, True), ("models", False, True), ("submissions", False, False)],
)
def test_an_edit_in_a_room_reaches_the_stages_that_may_import_it(
    room, ingests_again, trains_again, tmp_path, monkeypatch
):
    for name in ("data", "features", "models", "submissions"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text("value = 1\n")
    monkeypatch.setattr(keys, "REPOSITORY", tmp_path)
    code = tmp_path / room / "code.py"

    def keys_after(source: str) -> tuple[str, str]:
        code.write_text(source)
        keys.sources_of.cache_clear()  # as another process would begin
        return keys.ingest_key("titanic", "d"), train_key()

    before = keys_after("value = 1\n")
    assert keys_after("value = 1  # said better\n") == before
    after = keys_after("value = 2\n")
    assert (before[0] != after[0], before[1] != after[1]) == (ingests_again, trains_again)
    keys.sources_of.cache_clear()


def test_an_edit_changes_no_key_of_a_process_that_has_begun(tmp_path, monkeypatch):
    for name in ("data", "features", "models"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(keys, "REPOSITORY", tmp_path)
    code = tmp_path / "models" / "mlp.py"
    code.write_text("value = 1\n")
    before = train_key()
    code.write_text("value = 2\n")
    assert train_key() == before


def test_settings_are_plain_values():
    found = keys.settings(CONFIG)
    assert (found["optimizer"], found["monitor"], found["clip"], found["width"]) == ("adamw", "log_loss", None, 64)


def test_every_competition_is_written_out_so_that_its_keys_are_exact():
    for path in FOLDER.glob("[!_]*.py"):
        source = path.read_text()
        commented = source.replace("layout=", "layout=  # a comment\n    ")
        assert keys.reached(source, keys.INGESTED) == keys.reached(commented, keys.INGESTED) != keys.syntax(source)


def test_helpers_that_competitions_share_count_for_all(tmp_path, monkeypatch):
    (tmp_path / "competitions").mkdir()
    (tmp_path / "fitting.py").write_text("")
    (tmp_path / "competitions" / "toy.py").write_text(DECLARATION)
    monkeypatch.setattr(keys, "FOLDER", tmp_path / "competitions")
    before = train_key("toy")
    helper = tmp_path / "competitions" / "_help.py"
    helper.write_text("value = 1\n")
    keys.sources_of.cache_clear()
    first = train_key("toy")
    helper.write_text("value = 2\n")
    keys.sources_of.cache_clear()
    assert len({before, first, train_key("toy")}) == 3
