"""Pipeline: raw rows to answers, by the encoders and networks that a run left."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import BadDataError, Fault, StorageError
from data.reading import as_text, missing_columns
from data.tables import Tables
from features.recipe import Encoder, encode_later
from models.config import Config
from models.crossfit import CrossFit
from models.ensemble import Ensemble
from pipelines import console, keys, tensors
from pipelines.competition import Competition, find
from pipelines.encoders import DAMAGED, Encoders, UnkeptError
from pipelines.fitting import Encoded
from pipelines.scoring import decided, memory_columns, memory_of, tuned
from submissions.blend import blended

MADE_OF = "pipeline.json"
MEMORY = "memory.parquet"  # rows that were seen with their class
CONFIG = "config.json"  # of a part, as the next three
ENCODERS = "encoders.skops"
WEIGHTS = "weights.safetensors"
REFIT_WEIGHTS = "refit_weights.safetensors"
SEEN = "__class__"  # the column of the memory beside those of the rows
SAMPLE = 16  # rows that encoders are tried on


class Pipeline:
    """What a run predicts new rows with.

    Args:
        competition: its declaration.
        parts: the trainings that are blended; one alone is not.
        weights: float [parts].
        temperature: of the blend.
        memory: rows that were seen, and their class int64; None: they are not looked up.
        thresholds: that decide on labels; None: none do.
    """

    def __init__(
        self,
        competition: Competition,
        parts: Sequence[Part],
        weights: np.ndarray,
        temperature: float,
        memory: tuple[pd.DataFrame, np.ndarray] | None,
        thresholds: np.ndarray | None,
    ) -> None:
        self.competition, self.parts, self.weights, self.temperature = competition, parts, weights, temperature
        self.memory = None if memory is None else memory_of(competition).fit(*memory)
        self.thresholds = thresholds
        self._one_at_a_time = threading.Lock()  # one request has all cores

    @staticmethod
    def load(folder: Path) -> Pipeline:
        """Reads what `write` or `join` wrote.

        Raises:
            StorageError: it is damaged, or holds types that are not ours.
            UsageError: the candidate's config has other fields by now.
            UnavailableError: a package that it cannot do without is not installed.
        """
        try:
            made_of = json.loads((folder / MADE_OF).read_text())
            competition, shares = find(made_of["competition"]), dict(made_of["parts"])
            if not shares:
                raise ValueError("it has no parts")
            memory = pd.read_parquet(folder / MEMORY) if competition.verbatim else None
            parts = [Part.load(folder / model, competition, model) for model in shares]
            return Pipeline(
                competition,
                parts,
                np.array(list(shares.values())),
                made_of["temperature"],
                None if memory is None else (memory, memory.pop(SEEN).to_numpy()),
                np.array(made_of["thresholds"]) if competition.thresholds is not None else None,
            )
        except (OSError, *DAMAGED) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StorageError(f"{folder}: the pipeline cannot be read ({told})") from error

    def predict(self, rows: pd.DataFrame, file: str = "the rows", first: int = 1) -> pd.DataFrame:
        """The answer of each row, see `data.targets.Target.answers`, with the id where the rows have it.

        Args:
            rows: raw ones, with all declared columns; cells of any type, texts included.
            file: their name in errors.
            first: the number of the first row in errors.

        Raises:
            BadDataError: naming all cells and columns at fault.
        """
        schema = self.competition.schema
        faults = missing_columns(list(map(str, rows)), schema.names, file)
        if not len(rows):
            faults.append(Fault(file=file, what="there is no row", mend="add one"))
        ids = rows.get(schema.id)
        blank = np.zeros(len(rows), dtype=bool) if ids is None else ids.isna().to_numpy()
        if blank.any() and not blank.all():
            row = int(blank.argmax()) + first
            faults.append(
                Fault(file=file, row=row, column=schema.id, what="the id is missing", mend="give all rows one, or none")
            )
        if faults:
            raise BadDataError(faults)
        checked = schema.typed(as_text(rows[list(schema.names)]), file, first)
        with self._one_at_a_time:
            found = self.predictions(checked)
        named = {} if ids is None or blank.all() else {schema.id: ids.to_numpy()}
        answers = schema.target.answers(found)
        if self.thresholds is not None:
            labels = schema.target.answers(self.decided(found))
            answers |= {name: labels[name] for name in schema.target.columns}
        return pd.DataFrame({**named, **answers})

    def decided(self, predictions: np.ndarray) -> np.ndarray:
        """Predictions as they are written into a submission: labels, where thresholds decide on them."""
        return decided(self.competition, predictions, self.thresholds)

    def predictions(self, rows: pd.DataFrame) -> np.ndarray:
        """The predictions, float32 [rows, columns], of checked rows, as in a submission."""
        predictions = [part.predict(rows) for part in self.parts]
        alone = len(self.parts) == 1 and self.temperature == 1
        found = predictions[0] if alone else blended(predictions, self.weights, self.temperature)
        return found if self.memory is None else self.memory.apply(rows, found)[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One training: the encoders of the folds that answer and perhaps one of all rows, and their networks."""

    folds: Sequence[Encoder]
    whole: Encoder | None
    ensemble: Ensemble

    @staticmethod
    def load(folder: Path, competition: Competition, model: str) -> Part:
        """See `Pipeline.load`."""
        candidate = competition.candidate(model)[1]
        config = keys.config_of(candidate.config, json.loads((folder / CONFIG).read_text()))
        competition.recipe_of(candidate).require()
        encoders = Encoders.read(folder / ENCODERS)
        folds, whole = encoders.folds, encoders.whole
        none = _no_rows(competition)
        ensemble = Ensemble(
            [encode_later(encoder, none) for encoder in folds],
            None if whole is None else encode_later(whole, none),
            config,
            len(competition.schema.target.outputs),
            tensors.read(folder / WEIGHTS) if folds else {},
            {} if whole is None else tensors.read(folder / REFIT_WEIGHTS),
        )
        return Part(folds=folds, whole=whole, ensemble=ensemble)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """The mean of all networks, float32 [rows, classes]."""
        whole = None if self.whole is None else encode_later(self.whole, rows)
        return self.ensemble.predict([encode_later(encoder, rows) for encoder in self.folds], whole).numpy()


def _no_rows(competition: Competition) -> pd.DataFrame:
    """The declared columns, with their types and without a row."""
    schema = competition.schema
    return schema.typed(pd.DataFrame({name: [] for name in schema.names}, dtype=str), "no rows")


def write(
    folder: Path,
    name: str,
    model: str,
    competition: Competition,
    tables: Tables,
    encoded: Encoded,
    config: Config,
    fit: CrossFit,
) -> None:
    """Writes the pipeline of a training.

    Args:
        folder: where to.
        name: the competition's.
        model: the candidate's name.
        competition: its declaration.
        tables: what was trained on.
        encoded: with the fitted encoders.
        config: the networks.
        fit: what came out.

    Raises:
        UnkeptError: see `Encoders.write`.
    """
    part = folder / model
    part.mkdir(parents=True)
    (part / CONFIG).write_text(json.dumps(keys.settings(config), indent=2) + "\n")
    folds = [encoded.encoders[fold] for fold in fit.answering]
    encoders = Encoders(folds=folds, whole=encoded.whole_encoder if fit.refit_weights else None)
    encoders.write(part / ENCODERS, tables.test.head(SAMPLE))
    if folds:
        own = slice(fit.answering.start * config.members, fit.answering.stop * config.members)
        tensors.write({name: tensor[own] for name, tensor in fit.weights.items()}, part / WEIGHTS)
    if fit.refit_weights:
        tensors.write(fit.refit_weights, part / REFIT_WEIGHTS)
    if competition.verbatim:
        seen = tables.train[memory_columns(competition)].assign(**{SEEN: tables.target})
        seen.to_parquet(folder / MEMORY, index=False)
    _describe(folder, name, {model: 1.0}, 1.0, tuned(competition, tables.scored.target, fit.oof))


@contextmanager
def unkept_told(model: str) -> Iterator[None]:
    """Says that a run has no model, where its pipeline cannot be kept: what was trained is worth more."""
    try:
        yield
    except UnkeptError as error:
        console.warn(f"the run of {model} predicts no new rows: {error}; once that is mended, ARGS=--again")


def join(
    folder: Path,
    name: str,
    parts: Mapping[str, tuple[Path, float]],
    temperature: float,
    thresholds: np.ndarray | None = None,
) -> None:
    """Writes the pipeline of a blend, from those of its trainings.

    Args:
        folder: where to.
        name: the competition's.
        parts: the folder of each training's pipeline, and its weight, by model; those that weigh nothing are left out.
        temperature: of the mean.
        thresholds: see `Pipeline`.

    Raises:
        UnkeptError: a training has none.
    """
    weights = {model: weight for model, (_, weight) in parts.items() if weight}
    for model in weights:
        if not (parts[model][0] / MADE_OF).is_file():
            raise UnkeptError(f"that of {model} does not")
        shutil.copytree(parts[model][0] / model, folder / model)
    memory = parts[next(iter(weights))][0] / MEMORY
    if memory.is_file():
        shutil.copy(memory, folder)
    _describe(folder, name, weights, temperature, thresholds)


def _describe(
    folder: Path, name: str, weights: Mapping[str, float], temperature: float, thresholds: np.ndarray | None
) -> None:
    told: dict[str, object] = {"competition": name, "parts": dict(weights), "temperature": temperature}
    if thresholds is not None:
        told["thresholds"] = thresholds.tolist()
    (folder / MADE_OF).write_text(json.dumps(told, indent=2) + "\n")
