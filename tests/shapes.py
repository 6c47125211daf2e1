"""Shapes: files of competitions as strangers bring them, made up, with what is to be guessed of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

ROWS, TESTS = 240, 60
MOODS = ["glad", 'so "sad"', "a\\d"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Files by their names, and what the declaration must say."""

    files: dict[str, bytes]
    says: tuple[str, ...]


def _csv(frame: pd.DataFrame, separator: str = ",") -> bytes:
    return frame.to_csv(index=False, sep=separator).encode()


def _three(rows: pd.DataFrame, target: list[str], sample: pd.DataFrame, separator: str = ",") -> dict[str, bytes]:
    return {
        "train.csv": _csv(rows[:ROWS], separator),
        "test.csv": _csv(rows[ROWS:].drop(columns=target), separator),
        "sample_submission.csv": _csv(sample),
    }


def _base(generator: np.random.Generator, first: int = 1) -> pd.DataFrame:
    """An id, two numbers and a category that tell, and one number that is sometimes missing."""
    rows = ROWS + TESTS
    area = generator.gamma(4, 30, size=rows).round(1)
    age = pd.Series(generator.integers(0, 80, size=rows)).astype(object).where(generator.random(rows) > 0.1, "NA")
    kind = np.array(["flat", "house", "hut"])[generator.integers(3, size=rows)]
    return pd.DataFrame({"Id": np.arange(first, first + rows), "area": area, "age": age, "kind": kind})


def _tests(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"Id": np.arange(ROWS + 1, ROWS + TESTS + 1), **columns})


def house_prices(generator: np.random.Generator) -> Shape:
    """Many columns, NA for what is missing, categories and grades, and a price with a long tail."""
    rows = _base(generator)
    for number in range(20):
        rows[f"Room{number}SF"] = generator.integers(0, 900, size=len(rows))
    for number in range(10):
        rows[f"Grade{number}"] = np.array(["Ex", "Gd", "TA", "Fa", "NA"])[generator.integers(5, size=len(rows))]
    rows["YearBuilt"] = generator.integers(1900, 2010, size=len(rows))
    rows["Fence"] = "NA"
    price = 1000 * np.exp(rows["area"] / 80 + (rows["kind"] == "house") + 0.1 * generator.normal(size=len(rows)))
    rows["SalePrice"] = price.round().astype(int)
    says = ("Number('SalePrice', Check.ge(0))", "RMSLE", "missing=('NA',)", "log_target=True", "Values(least=0)")
    return Shape(files=_three(rows, ["SalePrice"], _tests(SalePrice=180_000.5)), says=says)


def dated(generator: np.random.Generator) -> Shape:
    """Ten columns; the test rows come after the train rows."""
    rows = _base(generator)
    rows["date"] = pd.date_range("2024-01-01", periods=len(rows), freq="D").strftime("%Y-%m-%d")
    for name in "abcde":
        rows[name] = generator.normal(size=len(rows)).round(3)
    day = np.arange(len(rows))
    rows["sales"] = (50 + rows["area"] / 10 + 10 * np.sin(2 * np.pi * day / 7)).round(2)
    return Shape(
        files=_three(rows, ["sales"], _tests(sales=0.0)),
        says=("Dates(['date'])", "time='date'", "*DATES.names()", "metric=RMSE"),
    )


def passengers(generator: np.random.Generator) -> Shape:
    """True or False, and ids that are texts."""
    rows = _base(generator).assign(Id=lambda each: "p" + each["Id"].astype(str))
    rows["Gone"] = rows["area"] + 30 * (rows["kind"] == "hut") > 120 + 10 * generator.normal(size=len(rows))
    sample = pd.DataFrame({"Id": rows["Id"][ROWS:], "Gone": False})
    return Shape(files=_three(rows, ["Gone"], sample), says=("Classes('Gone', ('False', 'True'))", "Labels()"))


def risk(generator: np.random.Generator) -> Shape:
    """A probability of one of two classes, cells parted by semicolons, a column that only train has."""
    rows = _base(generator)
    rows["seen_later"] = generator.integers(9, size=len(rows))
    rows["default"] = (rows["area"] > 120 + 10 * generator.normal(size=len(rows))).astype(int)
    files = _three(rows, ["default", "seen_later"], _tests(default=0.5), ";")
    return Shape(files=files, says=("Probability()", "ROC_AUC", "ignored=('seen_later',)", "separator=';'"))


def tickets(generator: np.random.Generator) -> Shape:
    """Rows that share a ticket fare alike, a number that is mostly small, a column of many values, and an odd cell."""
    rows = _base(generator)
    ticket = generator.integers(100, size=len(rows))
    luck = generator.normal(size=100)
    rows["ticket"] = [f"A{number:03d}x" for number in ticket]
    rows["fare"] = np.exp(2 * generator.normal(size=len(rows))).round(2)
    rows["weight"] = np.where(
        np.arange(len(rows)) == 7, "heavy", generator.integers(50, 90, size=len(rows)).astype(str)
    )
    rows["gone"] = (rows["area"] / 60 - 2 + 3 * luck[ticket] + generator.normal(size=len(rows)) > 0).astype(int)
    return Shape(
        files=_three(rows, ["gone"], _tests(gone=0)),
        says=(
            "Shared(['ticket']",
            "COUNTS = ['fare']",
            "weight is read as text: 1 of its 300 cells are no numbers, as 'heavy'",
            "left out: weight",
        ),
    )


def phrases(generator: np.random.Generator) -> Shape:
    """Rows of the test file repeat rows of the train file; both count from 1; the day stands first in dates."""
    rows = ROWS + TESTS
    plot = generator.integers(80, size=rows)
    says = np.array(["good", "bad"])[plot % 2]
    days = pd.Series(pd.date_range("2024-01-01", periods=80))[plot].dt.strftime("%d/%m/%Y").to_numpy()
    frame = pd.DataFrame({"Id": [*range(1, ROWS + 1), *range(1, TESTS + 1)], "plot": plot, "seen": days, "mood": says})
    sample = pd.DataFrame({"Id": np.arange(1, TESTS + 1), "mood": "good"})
    said = ("verbatim=True", "numbered_apart=True", "day_first=True", "Classes('mood', ('bad', 'good'))")
    return Shape(files=_three(frame, ["mood"], sample), says=said)


def churn(generator: np.random.Generator) -> Shape:
    """A probability of one of two named classes; blanks around cells; a column that only the test file has."""
    rows = _base(generator).assign(kind=lambda each: " " + each["kind"])
    rows["status"] = np.where(rows["area"] > 120, "left", "stayed")
    files = _three(rows, ["status"], _tests(status=0.5))
    test = rows[ROWS:].drop(columns="status").assign(Usage="Public")
    says = (
        "Check.isin([' flat', ' house', ' hut'])",
        "the probability asked for is that of 'stayed'",
        "ignored=('Usage',)",
    )
    return Shape(files=files | {"test.csv": _csv(test)}, says=says)


def fraud(generator: np.random.Generator) -> Shape:
    """One table, of which a class has so few rows that the folds must be few."""
    rows = _base(generator).drop(columns="Id")
    rows["class"] = (np.arange(len(rows)) % 60 == 0).astype(int)
    says = ("stands in 4 rows: so few folds", "Split(folds=4)", "rows are '1': accuracy hardly sees them; F1 does")
    return Shape(files={"fraud.csv": _csv(rows)}, says=says)


def outcomes(generator: np.random.Generator) -> Shape:
    """A column a class, each with something before it."""
    rows = _base(generator)
    rows["Status"] = np.where(rows["area"] > 130, "C", np.where(rows["kind"] == "hut", "CL", "D"))
    sample = _tests(Status_C=0.3, Status_CL=0.3, Status_D=0.4)
    says = ("Classes('Status', ('C', 'CL', 'D'))", "Probabilities(prefix='Status_')", "LOG_LOSS")
    return Shape(files=_three(rows, ["Status"], sample), says=says)


def pictures(generator: np.random.Generator) -> Shape:
    """No ids, and a sample that spells the target in its own way, as Digit Recognizer."""
    pixels = generator.integers(0, 256, size=(ROWS + TESTS, 12))
    rows = pd.DataFrame(pixels, columns=[f"pixel{number}" for number in range(12)])
    rows.insert(0, "label", pixels[:, 3] // 86)
    sample = pd.DataFrame({"ImageId": np.arange(1, TESTS + 1), "Label": 0})
    says = ("counted_from=1", "Labels(column='Label')", "Classes('label', (0, 1, 2))")
    return Shape(files=_three(rows, ["label"], sample), says=says)


def crimes(generator: np.random.Generator) -> Shape:
    """Only the test rows have ids, and the sample has a column a class."""
    rows = _base(generator, first=0)
    rows["Category"] = np.where(rows["area"] > 130, "FRAUD", np.where(rows["kind"] == "hut", "ARSON", "THEFT"))
    tests = rows[ROWS:].drop(columns="Category").assign(Id=np.arange(TESTS))
    sample = pd.DataFrame({"Id": np.arange(TESTS), "ARSON": 0, "FRAUD": 0, "THEFT": 1})
    files = {"train.csv": _csv(rows[:ROWS].drop(columns="Id")), "test.csv": _csv(tests), "sample.csv": _csv(sample)}
    says = ("counted_from=0", "Probabilities()", "the rows of train.csv have no Id: they are counted from 0")
    return Shape(files=files, says=says)


def exported(generator: np.random.Generator) -> Shape:
    """As pandas writes a frame: an index without a name, flags as 0.0 and 1.0; and only a date tells."""
    days = pd.Series(pd.date_range("2024-01-01", periods=ROWS + TESTS)).sample(frac=1, random_state=generator)
    rows = pd.DataFrame({"": range(len(days)), "Id": range(1, len(days) + 1), "day": days.dt.strftime("%Y-%m-%d")})
    rows["open"] = (days.dt.dayofweek < 5).astype(float).to_numpy()
    says = ("Classes('open', ('0.0', '1.0'))", "Probability()", "numbers=[*DATES.names()]", "ignored=('',)")
    return Shape(files=_three(rows, ["open"], _tests(open=0.5)), says=says)


def moods(generator: np.random.Generator) -> Shape:
    """Several flags, whose names hold what Python reads as its own."""
    rows = _base(generator)
    for number, name in enumerate(MOODS):
        rows[name] = (rows["area"] > 90 + 40 * number + 10 * generator.normal(size=len(rows))).astype(int)
    files = _three(rows, MOODS, _tests(**dict.fromkeys(MOODS, 0.5)))
    return Shape(files=files, says=("Flags((", "Loss.MULTILABEL", "Probabilities()"))


def reviews(generator: np.random.Generator) -> Shape:
    """Texts beside a table, and rows of one customer together."""
    words = np.array(["good", "bad", "fine", "poor", "the", "a", "of", "film", "plot", "cast", "music"])
    texts = [" ".join(generator.choice(words, size=12)) for _ in range(ROWS + TESTS)]
    rows = _base(generator).assign(customer_id=np.arange(ROWS + TESTS) // 3, review=texts)
    rows["liked"] = [
        int(text.count("good") + text.count("fine") > text.count("bad") + text.count("poor")) for text in texts
    ]
    files = _three(rows, ["liked"], _tests(liked=0))
    return Shape(files=files, says=("group='customer_id'", "text('review'", "blend=('mlp', 'gru')"))


def table(generator: np.random.Generator) -> Shape:
    """One labelled table alone."""
    rows = _base(generator).drop(columns="Id")
    rows["species"] = np.where(rows["area"] > 120, "big", "small")
    return Shape(
        files={"iris.csv": _csv(rows)},
        says=("Labelled(files=('iris.csv',), read=read)", "'big', 'small'", "# guessed: species is what is predicted"),
    )


def lines(generator: np.random.Generator) -> Shape:
    """Lines of a text file a class."""
    files = {}
    for name, letters in {"North": "skjold", "South": "amorinu"}.items():
        words = {"".join(generator.choice(list(letters), size=generator.integers(3, 8))) for _ in range(120)}
        files[f"{name}.txt"] = ("\n".join(sorted(words)) + "\n").encode()
    return Shape(files=files, says=("Labelled(files=('North.txt', 'South.txt')", "characters=True"))


SHAPES: dict[str, Callable[[np.random.Generator], Shape]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        house_prices,
        dated,
        passengers,
        risk,
        outcomes,
        pictures,
        crimes,
        exported,
        tickets,
        phrases,
        churn,
        fraud,
        moods,
        reviews,
        table,
        lines,
    )
}
