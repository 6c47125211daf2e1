"""Bench: what each feature and setting of Titanic brings, on the real files; writes docs/titanic.md.

`python -m tests.bench_titanic` (KAGGLE_ARCHIVES names the folder with titanic.zip). Seeds 0 to 9 are those that the
default was chosen on, seeds 100 to 109 are the check: a seed draws the folds, the weights, the batches and the dropout.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import torch

from features.recipe import Workshop
from features.tabular import tabular
from models.mlp import MLPConfig
from pipelines import stages
from pipelines.competition import Candidate
from pipelines.competitions.titanic import COMPETITION, DERIVED, MLP
from pipelines.home import Home
from pipelines.job import Job
from pipelines.repeat import repeat

PAGE = Path(__file__).parents[1] / "docs" / "titanic.md"
CHOSEN_ON, CHECKED_ON = range(10), range(100, 110)
TITLE_CLASS = ["title", "Pclass"]


def with_columns(numbers=(), counts=(), categories=TITLE_CLASS, config: MLPConfig = MLP) -> Candidate:
    recipe = tabular(derive=DERIVED, numbers=numbers, counts=counts, categories=categories)
    return Candidate(config=config, recipe=recipe)


def default(**changes) -> Candidate:
    return with_columns(["survival"], config=replace(MLP, **changes))


VARIANTS = {
    "sex and class": with_columns(categories=["Sex", "Pclass"]),
    "title and class": with_columns(),
    "title, class, **survival of the group (the default, `mlp`)**": default(),
    "the default, with age": with_columns(["survival", "Age"]),
    "the default, with fare a head": with_columns(["survival"], ["fare_a_head"]),
    "the default, with family size": with_columns(["survival"], ["family_size"]),
    "the default, with deck": with_columns(["survival"], categories=[*TITLE_CLASS, "deck"]),
    "the default, with port": with_columns(["survival"], categories=[*TITLE_CLASS, "Embarked"]),
    "age, fare a head, family size and deck (`mlp_wide`)": COMPETITION.candidates["mlp_wide"],
    "the default, 1 member a fold": default(members=1),
    "the default, 64 units": default(width=64),
    "the default, 2 layers": default(depth=2),
    "the default, no dropout": default(dropout=0.0),
    "the default, no label smoothing": default(label_smoothing=0.0),
    "the default, no weight decay": default(weight_decay=0.0),
    "the default, 60 epochs": default(epochs=60, patience=60),
}


def line(name: str, candidate: Candidate, tables) -> str:
    cells = []
    for seeds in (CHOSEN_ON, CHECKED_ON):
        fits = list(repeat(COMPETITION, tables, candidate, seeds, torch.device("cpu"), Workshop()))
        scores = [fit.score for fit in fits]
        cells.append(f"{statistics.mean(scores):.4f} +- {statistics.stdev(scores):.4f}")
        cells.append(f"{statistics.mean(fit.history[-1].score for fit in fits):.4f}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    tables = stages.ingest(Job(name="titanic", home=Home())).tables
    assert len(tables.train) == 891
    assert tables.best is None, "this bench needs the real files: set KAGGLE_ARCHIVES"
    page = """# Titanic

Written by `python -m tests.bench_titanic` on the real files. Out-of-fold accuracy over all 891 rows, mean and standard
deviation of ten seeds, each with folds of its own. The default was chosen on the first ten; the others are the check.
"Last epoch" is the score without any choice of an epoch: where it agrees, the score owes nothing to that choice.

| columns and settings | seeds 0 to 9 | last epoch | seeds 100 to 109 | last epoch |
|---|---|---|---|---|
"""
    for name, candidate in VARIANTS.items():
        page += line(name, candidate, tables) + "\n"
        print(page.splitlines()[-1], flush=True)
    page += """
What follows from it:

- Nearly everything comes from the title, the class, and whether the women and boys of the own group lived. The survival
  of a group is counted over the other train rows of the fold alone: a row never sees its own label, nor a valid row's.
- One standard deviation of an accuracy over 891 rows is .012, and over the 418 rows of the test .0175: lines that are
  closer than the spread over seeds are equal.
- No label of the test is used anywhere.
"""
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
