"""Rehearsal: what would the submission score? A fifth of the labelled rows plays the test rows, and is scored.

`python -m tests.rehearsal otto [--full] [--model mlp]` (KAGGLE_ARCHIVES names the folder with the archive) trains on
the other rows as a run would, in a home of its own, and prints the cross-validation's score of each run beside its
score on the rows that played the test. The gap is what the other folds' networks and the refit bring; a submission has
a quarter more rows to learn from besides.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit

from data.sources import Source
from pipelines import artifacts, stages
from pipelines.blending import best, train_and_blend
from pipelines.home import Home
from pipelines.job import Job

SHARE = 0.2


def stage(job: Job, folder: Path, seed: int) -> pd.Series:
    """Writes raw files whose test rows are labelled ones; their labels by id."""
    schema, split = job.competition.schema, job.competition.split
    (target,) = schema.target.columns
    raw = stages.locate(job)
    assert raw.source is not Source.TWIN, "a rehearsal needs the real files: set KAGGLE_ARCHIVES"
    rows = pd.read_csv(io.BytesIO(raw.files[schema.train]), sep=schema.separator, dtype=str, keep_default_na=False)
    if split.group is None:
        shuffle, groups = StratifiedShuffleSplit(1, test_size=SHARE, random_state=seed), None
    else:
        shuffle, groups = GroupShuffleSplit(1, test_size=SHARE, random_state=seed), rows[split.group]
    ((kept, held_out),) = shuffle.split(rows, rows[target], groups)
    folder.mkdir(parents=True)
    test = rows.iloc[held_out]
    rows.iloc[kept].to_csv(folder / schema.train, sep=schema.separator, index=False)
    test.drop(columns=target).to_csv(folder / schema.test, sep=schema.separator, index=False)
    job.competition.layout.blank(test[schema.id].tolist(), schema).to_csv(folder / schema.sample[0], index=False)
    return test.set_index(schema.id)[target]


def main(job: Job, seed: int) -> None:
    """Rehearses, and prints what each run came to."""
    schema, metric = job.competition.schema, job.competition.metric
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        labels = stage(job, home.raw / job.name, seed)
        started = time.perf_counter()
        trained = train_and_blend(replace(job, home=home))
        chosen = best(metric, trained)
        print(f"{job.name}: {len(labels):,} rows held out, {time.perf_counter() - started:.0f} s")
        for each in trained:
            ids, predictions = artifacts.read_test_predictions(each.run.artifacts, schema)
            target = np.array([schema.target.outputs.index(label) for label in labels.loc[list(ids)]])
            score = metric.score(target, predictions)
            sent = " (submitted)" if each is chosen else ""
            print(f"  {each.model:12} cv {each.run.metrics['cv_score']:.4f}, held out {score:.4f}{sent}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("competition")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int, default=0, help="of which rows are held out")
    wanted = parser.parse_args()
    main(Job(name=wanted.competition, home=Home(), full=wanted.full, model=wanted.model), wanted.seed)
