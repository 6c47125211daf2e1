"""The card: what was planted in the rows is told, and of honest rows nothing is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandera.pandas import Check, Column, DataFrameSchema

from data.schema import Schema
from data.sources import Source
from data.splits import Split
from data.tables import Tables
from data.targets import Classes, Flags, Number, Shares
from pipelines import card, card_figure, card_kept, keys
from pipelines.card_words import findings
from pipelines.competition import find, names
from pipelines.home import Home
from tests.twins import twin_files, twin_tables

ROWS, TEST_ROWS = 600, 300
LABEL = Classes("label", ("no", "yes"))
PLAIN = {"size": Column(float, Check.ge(-1e9), nullable=True), "colour": Column(str), "words": Column(str)}


def honest(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """A number, a category and a text, which have no secrets."""
    words = [" ".join(generator.choice(list("abcdefghij"), 6)) + f" {generator.integers(10**9)}" for _ in range(rows)]
    return pd.DataFrame(
        {"size": generator.normal(size=rows), "colour": generator.choice(["red", "green"], rows), "words": words}
    ).astype({"colour": "str", "words": "str"})


class World:
    """Some rows, to be spoilt, and a declaration that fits them."""

    def __init__(self, target: Classes | Number | Flags | Shares = LABEL, rows: int = ROWS, test_rows: int = TEST_ROWS):
        self.generator = np.random.default_rng(0)
        self.declared = target
        self.train, self.test = honest(rows, self.generator), honest(test_rows, self.generator)
        self.columns = dict(PLAIN)
        signal = self.train["size"].to_numpy() + self.generator.normal(size=rows)
        if isinstance(target, Classes):
            self.target = (signal > 0).astype(np.int64)
        elif isinstance(target, Number):
            self.target = signal.astype(np.float32)
        else:
            flags = np.stack([signal > each for each in np.linspace(-0.5, 0.5, len(target.names))], axis=1)
            self.target = flags.astype(np.float32)
            if isinstance(target, Shares):
                self.target = (flags + 1).astype(np.float32) / (flags + 1).sum(axis=1, keepdims=True)
        self.split = Split(folds=3)

    def add(self, name, train, test, column=None):
        """One more column."""
        self.train[name], self.test[name] = train, test
        self.columns[name] = column or Column(float, nullable=True)

    def card(self, seed=0):
        """What its card says."""
        schema = Schema(
            id="id", target=self.declared, columns=DataFrameSchema(self.columns),
            train_rows=len(self.train), test_rows=len(self.test),
        )  # fmt: skip
        competition = replace_unchecked(find("titanic"), schema=schema, split=self.split)
        ids = np.arange(len(self.train) + len(self.test)).astype(str)
        known, order = len(self.train), list(self.columns)
        tables = Tables(
            train=pd.concat([pd.Series(ids[:known], name="id"), self.train[order]], axis=1),
            test=pd.concat([pd.Series(ids[known:], name="id"), self.test[order]], axis=1),
            sample=pd.DataFrame(),
            target=self.target,
            fold=(np.arange(known) % 3).astype(np.int8),
            forward=False,
            fold_hash="",
            data_hash="",
            source=Source.RAW,
            place="",
            best=None,
        )
        return card.make("toy", competition, tables, seed)


def replace_unchecked(competition, **changes):
    """A declaration of which nothing but what a card reads need fit."""
    found = object.__new__(type(competition))
    for name, value in {**vars(competition), **changes}.items():
        object.__setattr__(found, name, value)
    return found


@pytest.fixture
def world():
    return World()


def said(found) -> str:
    return "\n".join(findings(found))


def test_of_honest_rows_nothing_is_suspected(world):
    found = world.card()
    assert found.tells.suspects == []
    assert found.tells.orders == []
    assert found.drift.carriers == []
    assert 0.65 < found.tells.alone["size"] < 0.85
    assert "are alike" in said(found)
    assert found.duplicates.near.across == found.duplicates.near.train == 0


def test_a_column_that_drifts_is_named(world):
    world.add("day", world.generator.normal(size=ROWS), world.generator.normal(2.5, size=TEST_ROWS))
    found = world.card()
    assert found.drift.auc > 0.9
    assert found.drift.carriers == ["day"]
    assert "so much that a cross-validation says little" in said(found)
    assert "alone by day)" in said(found)
    assert found.shapes[1].name == "day"


def test_texts_that_drift_are_found_in_their_words_and_their_cells_that_are_missing(world):
    world.test["words"] = ["x y z " + text for text in world.test["words"]]
    assert world.card().drift.carriers == ["words"]
    other = World()
    other.train.loc[::2, "size"] = np.nan
    found = other.card()
    assert found.columns[0].missing_train == 0.5
    assert found.columns[0].missing_test == 0
    assert found.drift.carriers == ["size"]
    assert "Missing more in one file than in the other: size" in said(found)


def test_a_test_file_of_another_distribution_is_told_from_the_train_file_by_none_alone(world):
    """The two numbers are alike by themselves, and alike in one file only."""
    first, second = world.generator.normal(size=(2, ROWS + TEST_ROWS))
    world.add("a", first[:ROWS], first[ROWS:])
    world.add("b", second[:ROWS], first[ROWS:])
    found = world.card()
    assert found.drift.carriers == []
    assert found.drift.auc > 0.75


@pytest.mark.parametrize("target", [LABEL, Number("cost"), Flags(("a", "b", "c")), Shares(("a", "b", "c"))])
def test_a_planted_leak_of_any_target_is_told_and_no_other(target):
    world = World(target)
    assert world.card().tells.suspects == []
    copied = world.target if world.target.ndim == 1 else world.target[:, 1]
    world.add("copy", copied * 3.0 - 1, np.zeros(TEST_ROWS))
    found = world.card()
    assert found.tells.suspects == ["copy"]
    assert "Suspected leak: the target can almost be told from copy" in said(found)


def test_a_leak_that_is_wrong_now_and_then_is_suspected(world):
    wrong = world.generator.random(ROWS) < 0.02
    world.add("late", np.where(wrong, 1.0 - world.target, world.target), np.zeros(TEST_ROWS))
    assert world.card().tells.suspects == ["late"]


def test_a_leak_of_one_class_among_many_is_told(world):
    world.declared = Classes("label", tuple("abcdef"))
    world.target = world.generator.integers(6, size=ROWS)
    world.add("is_d", (world.target == 3).astype(float), np.zeros(TEST_ROWS))
    found = world.card()
    assert found.tells.suspects == ["is_d"]
    assert "from is_d (of one class AUC 1.000) alone" in said(found)


def test_an_order_that_hardly_tells_is_no_finding(world):
    world.add("later", np.arange(ROWS) + 0.0, np.zeros(TEST_ROWS))
    world.target = (world.generator.random(ROWS) < np.linspace(0.25, 0.75, ROWS)).astype(np.int64)
    found = world.card()
    assert found.tells.orders == ["id", card.ORDER]
    assert 0.65 < found.tells.apart["id"] < 0.85


def test_chance_among_few_kin_is_no_drift():
    for seed in range(5):
        generator = np.random.default_rng(seed)
        household = np.repeat(np.arange(40), 30)
        like = np.repeat(generator.normal(size=40), 30)
        in_test = np.isin(household, generator.permutation(40)[:10])
        world = World(rows=int((~in_test).sum()), test_rows=int(in_test.sum()))
        world.add("household", household[~in_test], household[in_test], Column(int))
        world.add("like", like[~in_test], like[in_test])
        world.split = Split(folds=3, group="household")
        drift = world.card().drift
        assert drift.carriers == []
        assert drift.words == "train and test rows are alike"


def test_a_label_in_the_order_of_the_rows_is_told(world):
    world.train = world.train.iloc[np.argsort(world.target, kind="stable")].reset_index(drop=True)
    world.target = np.sort(world.target)
    found = world.card()
    assert found.tells.orders == ["id", card.ORDER]
    assert found.tells.suspects == []
    assert "the order of the rows (AUC 0.9" in said(found)


def test_the_id_and_the_group_differ_by_design(world):
    world.add("household", np.arange(ROWS) // 3, 1000 + np.arange(TEST_ROWS) // 3, Column(int))
    world.split = Split(folds=3, group="household")
    found = world.card()
    assert found.drift.apart["household"] > 0.95
    assert found.drift.apart["id"] > 0.95
    assert "household" not in found.drift.alone
    assert found.drift.auc < 0.6
    assert "by design: id (1.00) and household (1.00)" in said(found)
    assert set(found.tells.apart) == {"id", card.ORDER}


def test_rows_that_repeat_others_are_counted_exactly_and_nearly(world):
    for column in world.train:
        world.test.loc[:9, column] = world.train.loc[:9, column].to_numpy()  # ten
        world.train.loc[100:103, column] = world.train.loc[200:203, column].to_numpy()  # four pairs
    world.target[[100, 101, 102, 103]] = world.target[[200, 201, 202, 203]] ^ np.array([1, 1, 1, 0])
    world.test.loc[5:9, "size"] += 1e-6
    world.test.loc[5:9, "words"] = world.test.loc[5:9, "words"].str.upper().str.replace(" ", ", ")
    found = world.card().duplicates
    assert found.exact.across == 5
    assert found.near.across == 10
    assert (found.exact.train, found.exact.disagree) == (8, 6)
    assert (found.near.train, found.near.disagree) == (8, 6)
    assert found.exact.test == found.near.test == 0


def test_the_groups_column_makes_no_row_another(world):
    world.add("household", np.arange(ROWS), np.arange(TEST_ROWS), Column(int))
    world.split = Split(folds=3, group="household")
    for column in PLAIN:
        world.test.loc[:9, column] = world.train.loc[:9, column].to_numpy()
    assert world.card().duplicates.exact.across == 10


def test_columns_of_nothing_and_of_one_value_are_told_and_harm_nothing(world):
    world.add("same", 7.0, 7.0)
    world.add("none", np.nan, np.nan)
    world.add("blank", pd.Series([""] * ROWS, dtype="str"), pd.Series([""] * TEST_ROWS, dtype="str"), Column(str))
    world.add("gone", pd.Series([None] * ROWS, dtype="str"), pd.Series([None] * TEST_ROWS, dtype="str"),
              Column(str, nullable=True))  # fmt: skip
    world.add("huge", np.linspace(-1, 1, ROWS) * 1.7e308, np.full(TEST_ROWS, 1e308))
    world.add("$\\frac [bold]", np.arange(ROWS) * 1.0, np.arange(TEST_ROWS) * 2.0)
    found = world.card()
    assert "The same in all train rows: same, none, blank and gone" in said(found)
    assert {column.name: column.missing_train for column in found.columns}["blank"] == 1
    assert found.drift.alone["same"] == found.drift.alone["none"] == found.drift.alone["blank"] == 0.5
    json.dumps(found.plain(), allow_nan=False)


def test_categories_that_no_train_row_has_are_told(world):
    world.test.loc[:29, "colour"] = "blue"
    found = world.card()
    assert {column.name: column.new for column in found.columns}["colour"] == pytest.approx(0.1)
    assert "Categories that no train row has: colour (10% of test)" in said(found)


def test_a_rare_class_and_a_long_tail_are_told(world):
    world.target = (np.arange(ROWS) % 50 == 0).astype(np.int64)
    assert "Rare in label: yes (2.0%)" in said(world.card())
    many = World(Classes("label", tuple(range(40))))
    many.target = np.arange(ROWS) % 40
    assert "Rare" not in said(many.card())
    priced = World(Number("price"))
    priced.target = np.exp(2 * priced.target)
    assert "price has a long tail upward" in said(priced.card())


@pytest.mark.parametrize(("rows", "test_rows"), [(6, 3), (ROWS, 1), (40, 400)])
def test_few_rows_are_no_trouble(rows, test_rows):
    found = World(rows=rows, test_rows=test_rows).card()
    assert found.tells.suspects == []
    assert (found.drift.auc is None) == (test_rows < 10)


def test_one_column_and_thousands_are_no_trouble():
    world = World()
    world.columns = {"size": world.columns["size"]}
    assert world.card().drift.carriers == []
    many = World(rows=200, test_rows=100)
    wide = {f"pixel_{number}": Column(int) for number in range(1500)}
    many.train = pd.DataFrame(many.generator.integers(0, 256, (200, 1500)), columns=list(wide))
    many.test = pd.DataFrame(many.generator.integers(0, 256, (100, 1500)), columns=list(wide))
    many.test["pixel_700"] += 200
    many.columns = wide
    found = many.card()
    assert found.drift.carriers == ["pixel_700"]
    assert len(found.columns) == 1500


def test_a_seed_gives_the_same_card_and_another_almost(world):
    assert world.card() == world.card()
    assert world.card(seed=1).drift.auc != world.card().drift.auc


@pytest.mark.parametrize("target", [LABEL, Number("cost"), Flags(("a", "b")), Shares(("a", "b"))])
def test_a_card_is_kept_in_json_and_drawn(target, tmp_path):
    world = World(target)
    world.add("$\\frac 字", world.generator.normal(size=ROWS), np.full(TEST_ROWS, np.nan))
    found = world.card()
    assert card.read(json.loads(card_kept.text_of(found))) == found
    card_figure.write(found, tmp_path / "card.png")
    assert (tmp_path / "card.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", names())
def test_no_leak_is_suspected_in_a_twin(name):
    found = card.make(name, find(name), twin_tables(name))
    assert found.twin
    assert found.tells.suspects == found.tells.orders == []
    assert "train and test rows are alike" in said(found).lower()


def test_a_card_is_made_once_until_its_code_or_its_rows_change(tmp_path, monkeypatch):
    made = []
    make = card_kept.make
    monkeypatch.setattr(card_kept, "make", lambda *given: made.append(1) or make(*given))
    tables = twin_tables("diabetes")

    def ask(tables=tables):
        return card_kept.card_of("diabetes", find("diabetes"), tables, tmp_path)

    (first, folder), (second, _) = ask(), ask()
    assert first == second
    assert len(made) == 1
    for name in ("card.json", "card.png"):
        (folder / name).write_bytes(b"{}")
        assert ask()[0] == first  # damaged: made again
        assert (folder / "card.png").read_bytes().startswith(b"\x89PNG")
    assert len(made) == 3
    ask(replace(tables, data_hash="other"))
    assert len(made) == 4
    sources = keys.sources_of
    monkeypatch.setattr(
        keys,
        "sources_of",
        lambda folder: {**sources(folder), **({"card_drift.py": "x = 1"} if folder.name == "pipelines" else {})},
    )
    ask()
    assert len(made) == 5


def test_the_command_says_what_was_found_and_where_the_figure_is(run, home):
    code, out, err = run("card", "titanic")
    assert code == 0
    assert "SYNTHETIC TWIN" in err
    lines = out.splitlines()
    assert lines[0] == "titanic: 891 train rows, 418 test rows, made-up rows"
    assert any(line.startswith("- Train and test rows are alike") for line in lines)
    assert any(line.split()[:2] == ["Sex", "category"] for line in lines)
    assert Home(home.root).cache.joinpath(*lines[-1].split("/")[-2:]).is_file()
    code, out, _ = run("card", "titanic", "--json")
    assert code == 0
    assert json.loads(out)["train_rows"] == 891


def test_wide_tables_are_cut_unless_all_is_wanted(run):
    _, out, _ = run("card", "otto")
    assert "93 columns; 15 of 93, --all shows all" in out
    assert len([line for line in out.splitlines() if line.startswith("feat_")]) == 30
    _, out, _ = run("card", "otto", "--all")
    assert len([line for line in out.splitlines() if line.startswith("feat_")]) == 186


def test_a_name_that_is_none_and_rows_that_do_not_fit_are_told_in_a_line(run, home):
    code, _, err = run("card", "titanik")
    assert code == 64
    assert "did you mean titanic?" in err
    folder = home.raw / "titanic"
    folder.mkdir(parents=True)
    for name, content in twin_files("titanic").items():
        (folder / name).write_bytes(content.replace(b",female,", b",cat,"))
    code, _, err = run("card", "titanic")
    assert code == 65
    assert "isin(['female', 'male'])" in err
