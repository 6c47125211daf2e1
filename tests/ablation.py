"""Ablation: cross-validations of variants, kept as files, so that a long bench can be stopped and run again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from data.files import beside
from data.metrics import Metric
from data.tables import Tables
from features.recipe import Recipe, Workshop
from models.config import Config
from models.crossfit import CrossFit
from pipelines.competition import Candidate, Competition
from pipelines.fitting import encode, fit
from submissions.blend import Blend, blend

KIND = re.compile(r"\*\*`(\w+)`\*\*")  # in the name of a variant that a blend can take


@dataclass(frozen=True)
class Variant:
    """One line of a table."""

    config: Config
    recipe: Recipe | None = None  # None: the competition's
    kept: bool = False


Variants = Mapping[str, Variant | None]  # None: a heading


def trained(competition: Competition, variant: Variant, tables: Tables, workshop: Workshop) -> CrossFit:
    """The cross-validation of a variant."""
    candidate = Candidate(config=variant.config, recipe=variant.recipe)
    encoded = encode(competition, tables, candidate, workshop)
    return fit(competition, encoded, variant.config, seed=0, device=torch.device("cpu"))


def measured(
    competition: Competition, tables: Tables, variants: Variants, kept: Path, only: str, workshop: Workshop
) -> dict[str, np.ndarray]:
    """The out-of-fold predictions of every variant whose name holds `only`, or that was measured before."""
    kept.mkdir(parents=True, exist_ok=True)
    known: dict[str, np.ndarray] = {}
    for name, variant in variants.items():
        path = kept / (re.sub(r"\W+", "-", name).strip("-") + ".npy")
        if variant is not None and only in name and not path.is_file():
            fitted = trained(competition, variant, tables, workshop)
            with beside(path) as part, part.open("wb") as file:
                np.save(file, fitted.oof)
            print(f"{name}: {fitted.score:.4f}", flush=True)
        if path.is_file():
            known[name] = np.load(path)
    return known


def lines_of(page: Path) -> dict[str, str]:
    """The lines of the tables of a page, by their first cell: what was measured before, on whatever machine."""
    lines = page.read_text().splitlines() if page.is_file() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def kinds_of(known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The predictions of those variants that have a short name."""
    return {match[1]: oof for name, oof in known.items() if (match := KIND.search(name))}


def together(oof: list[np.ndarray], tables: Tables, metric: Metric) -> Blend:
    """The blend of some predictions."""
    return blend(oof, tables.target, tables.fold, [tables.fold_hash] * len(oof), metric)
