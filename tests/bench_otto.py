"""Bench: what each part brings on Otto, on the real files; writes docs/otto.md.

`python -m tests.bench_otto` (KAGGLE_ARCHIVES names the folder with the archive). One cross-validation a line, of five
folds with a few members; what was measured before is read from the page's own folder `--kept`, so that it can be
stopped and run again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data.metrics import ACCURACY, LOG_LOSS
from data.tables import Tables
from features.recipe import Recipe
from features.tabular import tabular
from models.config import Schedule
from models.mlp import MLPConfig
from pipelines import stages
from pipelines.competition import Candidate
from pipelines.competitions.otto import COMPETITION, FEATURES, MLP
from pipelines.fitting import encode, fit
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from submissions.blend import raised
from tests.bench_otto_parts import PeriodicConfig, Quantiles, Scaled, TabMConfig, anscombe, signed_power

START = replace(MLP, members=2, epochs=20, refit=False)
PLAIN = replace(START, expanded=None, pieces=0, sums=0, input_dropout=0.0)
PAGE = REPOSITORY / "docs" / "otto.md"
POWERS = np.arange(0.6, 1.3, 0.02)


def scaled(function) -> Recipe:
    return tabular(derive=[Scaled(FEATURES, function)], plain=FEATURES)


def of(kind: type[MLPConfig], **changes) -> MLPConfig:
    """A config of another family with the default's settings."""
    return kind(**{**vars(START), **changes})


LOG = scaled(np.log1p)
COUNTS = tabular(plain=FEATURES)
VARIANTS: dict[str, tuple[MLPConfig, Recipe | None] | None] = {
    "**how a count is written, without anything else**": None,
    "log(1 + x), standardised": (PLAIN, LOG),
    "signed power .6": (PLAIN, scaled(signed_power)),
    "Anscombe's square root": (PLAIN, scaled(anscombe)),
    "normal quantiles": (PLAIN, tabular(derive=[Quantiles(FEATURES)], plain=FEATURES)),
    "log, input dropout .2": (replace(PLAIN, input_dropout=0.2), LOG),
    "**parts, one by one**": None,
    "log and 113 signed sums": (replace(PLAIN, sums=113), LOG),
    "7 pieces": (replace(PLAIN, pieces=7), COUNTS),
    "7 pieces, input dropout .5": (replace(PLAIN, pieces=7, input_dropout=0.5), COUNTS),
    "7 pieces and 113 sums": (replace(PLAIN, pieces=7, sums=113), COUNTS),
    "7 pieces, 113 sums, input dropout .5": (START, COUNTS),
    "the same, weights shared by the members (TabM)": (of(TabMConfig), COUNTS),
    "the same, weights shared, no input dropout": (of(TabMConfig, input_dropout=0.0), COUNTS),
    "log, 8 learned frequencies a number": (of(PeriodicConfig, pieces=0, sums=0, input_dropout=0.2), LOG),
    "7 pieces, 113 sums, input dropout .5, nearest neighbours (**the default's parts**)": (START, None),
    "the same, the neighbours in pieces and sums too": (replace(START, expanded=None), None),
    "**settings around the default's parts**": None,
    "4 pieces": (replace(START, pieces=4), None),
    "12 pieces": (replace(START, pieces=12), None),
    "300 sums": (replace(START, sums=300), None),
    "input dropout .4": (replace(START, input_dropout=0.4), None),
    "input dropout .6": (replace(START, input_dropout=0.6), None),
    "dropout .3": (replace(START, dropout=0.3), None),
    "3 layers": (replace(START, depth=3), None),
    "768 units": (replace(START, width=768), None),
    "batches of 1024, rate 2e-3": (replace(START, batch=1024, lr=2e-3), None),
    "rate 2.5e-3": (replace(START, lr=2.5e-3), None),
    "cosine to zero": (replace(START, schedule=Schedule.COSINE), None),
    "constant rate": (replace(START, schedule=Schedule.CONSTANT), None),
    "weight decay .01": (replace(START, weight_decay=0.01), None),
    "label smoothing .03": (replace(START, label_smoothing=0.03), None),
    "40 epochs": (replace(START, epochs=40, patience=40), None),
    "4 members": (replace(START, members=4), None),
}


def measured(config, recipe, tables: Tables) -> dict[str, float]:
    candidate = Candidate(config=config, recipe=recipe)
    started = time.perf_counter()
    found = fit(COMPETITION, encode(COMPETITION, tables, candidate), config, seed=0, device=torch.device("cpu"))
    cooled = min(LOG_LOSS.score(tables.target, raised(found.oof, power)) for power in POWERS)
    return {
        "log_loss": found.score,
        "cooled": cooled,
        "accuracy": ACCURACY.score(tables.target, found.oof),
        "seconds": time.perf_counter() - started,
    }


def main(kept: Path, only: str) -> None:
    tables = stages.ingest(Job(name="otto", home=Home())).tables
    assert tables.best is None, "this bench needs the real files: set KAGGLE_ARCHIVES"
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    for name, variant in VARIANTS.items():
        if variant is None or name in known or only not in name:
            continue
        known[name] = measured(*variant, tables)
        kept.write_text(json.dumps(known, indent=1))
        print(name, known[name], flush=True)
    PAGE.write_text(page(known))


def page(known: dict[str, dict[str, float]]) -> str:
    """The lines that were measured, as Markdown."""
    lines = []
    for name, variant in VARIANTS.items():
        if variant is None:
            lines.append(f"| {name} | | | | |")
        elif name in known:
            found = known[name]
            figures = f"{found['log_loss']:.4f} | {found['cooled']:.4f} | {found['accuracy']:.4f}"
            lines.append(f"| {name} | {figures} | {found['seconds']:.0f} |")
    return (
        f"""# Otto

Written by `python -m tests.bench_otto` on the real files. Out-of-fold log loss over all 49,502 rows, the same with one
temperature for all rows (chosen on them: a bound, not a promise), and accuracy. {START.members} members a fold and
{START.epochs} epochs where a line does not say otherwise: fewer than the default's, so that many lines compare.

| parts and settings | log loss | cooled | accuracy | seconds |
|---|---|---|---|---|
"""
        + "\n".join(lines)
        + "\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kept", type=Path, default=Path("otto-bench.json"))
    parser.add_argument("--only", default="", help="a part of the lines' names")
    main(**vars(parser.parse_args()))
