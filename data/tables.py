"""Tables: raw files, read, checked and folded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from data import checks
from data.errors import BadDataError, Fault
from data.files import beside
from data.reading import read_text
from data.schema import Schema
from data.sources import RawFiles, Source
from data.splits import Split, may_teach

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """A competition's rows, ready for the features."""

    train: pd.DataFrame  # [train rows]: the id as text, then the declared columns
    test: pd.DataFrame  # [test rows]: the same columns
    sample: pd.DataFrame  # [test rows]: the sample submission, in its own order, every cell as text
    target: np.ndarray  # int64 or float32 [train rows, ...]: see `data.targets`
    fold: np.ndarray  # int8 [train rows]: the fold that holds the row out; -1 where none does
    forward: bool  # whether a fold is trained on those before it alone, and not on all others
    fold_hash: str  # of the ids and their folds: scores compare where it agrees
    data_hash: str  # of the raw bytes
    source: Source
    place: str
    best: float | None  # the best score possible, known for a twin only

    def held_out(self, fold: int | None) -> np.ndarray:
        """Which train rows a fold holds out, bool [train rows]; none where there is no fold."""
        return np.zeros(len(self.fold), dtype=bool) if fold is None else self.fold == fold

    def trained_on(self, fold: int | None) -> np.ndarray:
        """Which train rows a fold is trained on, bool [train rows]; all where there is no fold."""
        return ~self.held_out(None) if fold is None else may_teach(self.fold, fold, self.forward)

    @property
    def scored(self) -> Tables:
        """The same with those train rows alone that some fold holds out."""
        held = self.fold >= 0
        if held.all():
            return self
        train = self.train[held].reset_index(drop=True)
        return replace(self, train=train, target=self.target[held], fold=self.fold[held])


def ingest(raw: RawFiles, schema: Schema, split: Split) -> Tables:
    """Reads and checks the raw files and assigns the folds.

    Raises:
        BadDataError: naming everything that is wrong.
    """
    sample_name = next(name for name in schema.sample if name in raw.files)
    train_file, test_file, sample_file = map(raw.named, (schema.train, schema.test, sample_name))
    columns = schema.names
    beside = [name for name in split.columns if name not in (schema.id, *columns)]  # of the train file alone

    train_text, test_text, sample = checks.gather(
        lambda: schema.read(raw.files[schema.train], train_file, [*columns, *schema.target.columns, *beside]),
        lambda: schema.read(raw.files[schema.test], test_file, columns),
        lambda: read_text(raw.files[sample_name], sample_file, ","),
    )
    train_id, test_id = train_text[schema.id].str.strip(), test_text[schema.id].str.strip()
    apart = schema.numbered_apart or schema.counted_from is not None
    *_, target, train, test = checks.gather(
        lambda: checks.check_ids(train_id, train_file, schema.id),
        lambda: checks.check_ids(test_id, test_file, schema.id),
        lambda: None if apart else checks.check_apart(train_id, test_id, train_file, test_file, schema.id),
        lambda: checks.check_sample(sample, test_id, sample_file, schema.id),
        lambda: schema.target.read(train_text[list(schema.target.columns)], split.folds, train_file),
        lambda: schema.typed(train_text, train_file),
        lambda: schema.typed(test_text, test_file),
    )
    try:
        fold = split.assign(schema.target.strata(target, split.folds), pd.concat([train, train_text[beside]], axis=1))
    except ValueError as error:
        fault = Fault(file=train_file, what=str(error), mend="add rows, or lower the folds of the split")
        raise BadDataError([fault]) from error
    return Tables(
        train=pd.concat([train_id, train], axis=1),
        test=pd.concat([test_id, test], axis=1),
        sample=sample.assign(**{schema.id: sample[schema.id].str.strip()}),
        target=target,
        fold=fold,
        forward=split.forward,
        fold_hash=hashlib.sha256("\n".join(train_id).encode() + fold.tobytes()).hexdigest(),
        data_hash=raw.sha256,
        source=raw.source,
        place=raw.place,
        best=raw.best,
    )


def save(tables: Tables, folder: Path) -> None:
    """Writes the tables as Parquet and JSON; the folder appears whole or not at all."""
    with beside(folder) as part:
        part.mkdir(parents=True)
        target = np.atleast_2d(tables.target.T)
        columns = {f"{_TARGET}{number}": column for number, column in enumerate(target)}
        tables.train.assign(**columns, **{_FOLD: tables.fold}).to_parquet(part / "train.parquet")
        tables.test.to_parquet(part / "test.parquet")
        tables.sample.to_parquet(part / "sample.parquet")
        hashes = {path.name: _sha256(path) for path in sorted(part.iterdir())}
        told = {
            "fold_hash": tables.fold_hash,
            "forward": tables.forward,
            "columns": tables.target.ndim,
            "sha256": hashes,
        }
        (part / MANIFEST).write_text(json.dumps(told, indent=2) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(folder: Path, raw: RawFiles) -> Tables | None:
    """Reads what `save` wrote of the same raw files; None where it is not there, or not as it was written."""
    try:
        told = json.loads((folder / MANIFEST).read_text())
        if any(_sha256(folder / name) != sha256 for name, sha256 in told["sha256"].items()):
            return None
        fold_hash, forward, columns = told["fold_hash"], told["forward"], told["columns"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    train = pd.read_parquet(folder / "train.parquet")
    target = [name for name in train if str(name).startswith(_TARGET)]
    found = train[target].to_numpy()
    return Tables(
        train=train.drop(columns=[*target, _FOLD]),
        test=pd.read_parquet(folder / "test.parquet"),
        sample=pd.read_parquet(folder / "sample.parquet"),
        target=found[:, 0] if columns == 1 else found,
        fold=train[_FOLD].to_numpy(),
        forward=forward,
        fold_hash=fold_hash,
        data_hash=raw.sha256,
        source=raw.source,
        place=raw.place,
        best=raw.best,
    )


_TARGET, _FOLD = "__target__", "__fold__"  # columns of train.parquet beside the declared ones
