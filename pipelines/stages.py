"""Stages: ingest, train, submit. Each asks for the one before it, and does nothing that its key says is done."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from data import sources, synthetic, tables
from data.errors import BadDataError, UsageError
from data.files import beside, remove
from data.sources import RawFiles, Source, Uncut
from data.tables import Tables
from models.config import Config
from pipelines import artifacts, console, keys, notes, studies
from pipelines.job import Job
from pipelines.place import check_device, place_of
from pipelines.reading import open_runs
from pipelines.runs import NOTE, FinishedRun, Runs
from pipelines.scoring import decided, remembered_test, tuned
from submissions import drafts
from submissions.check import check, check_sample

BLEND = "blend"  # the model of a run that is made of other runs
TWIN_SUFFIX = "-twin"  # of a twin's experiment and of its folder of submissions
TWIN_WARNING = "SYNTHETIC TWIN: made-up rows, not the competition's; nothing here can be sent."


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """A competition's tables."""

    tables: Tables
    label: str  # names the experiment and the folder of submissions
    warning: str = ""  # of where the rows come from, as it was told


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished run; `hit` when it was found and not made."""

    run: FinishedRun
    ingested: Ingested
    model: str
    config: Config | None  # None: a blend of other runs
    key: str
    hit: bool
    settings: str  # where they come from


def locate(job: Job) -> RawFiles:
    """The raw files of the first source that has them; the synthetic twin where none has, with a warning.

    Raises:
        BadDataError: a source holds some of the files, or a broken archive.
    """
    return _located(job)[0]


def _located(job: Job) -> tuple[RawFiles, str]:
    """See `locate`; and the warning, "" where there is none."""
    schema = job.competition.schema
    places = (job.home.raw, job.home.archives())
    blank = partial(job.competition.layout.blank, schema=schema)
    labelled, split = job.competition.labelled, job.competition.split
    uncut = None if labelled is None else Uncut(labelled=labelled, schema=schema, split=split, blank=blank)
    raw, misses = sources.locate(job.name, job.competition.slug, schema, *places, console.tell, uncut)
    if raw is not None:
        return raw, ""
    warning = f"{TWIN_WARNING} The real files were not found: {'; '.join(misses)}."
    console.warn(warning)
    twin = synthetic.draw(schema, job.competition.metric, blank, job.competition.split)
    folder = job.home.synthetic / job.name
    told = {"twin.json": json.dumps({"metric": job.competition.metric.name, "best": twin.best}).encode() + b"\n"}
    for name, content in (twin.files | told).items():
        with beside(folder / name) as part:
            part.write_bytes(content)
    return RawFiles(source=Source.TWIN, place=str(folder), files=twin.files, best=twin.best), warning


def read(job: Job, raw: RawFiles) -> Tables:
    """The raw files, checked and folded.

    Raises:
        BadDataError: they do not fit the declaration.
    """
    try:
        found = tables.ingest(raw, job.competition.schema, job.competition.split)
    except BadDataError as error:
        if raw.source is not Source.TWIN:
            raise
        raise UsageError(f"the twin does not fit the declaration it was drawn from: {error.faults[0]}") from error
    _check_sample(job, raw, found)
    return found


def _check_sample(job: Job, raw: RawFiles, found: Tables) -> None:
    schema = job.competition.schema
    sample = next(name for name in schema.sample if name in raw.files)
    check_sample(found.sample, job.competition.layout, schema, raw.named(sample))


def ingest(job: Job) -> Ingested:
    """The competition's tables, from the cache where the same bytes were read before."""
    raw, warning = _located(job)
    folder = job.home.cache / f"{job.name}-{keys.ingest_key(job.name, raw.sha256)[:16]}"
    found = tables.load(folder, raw)
    if found is not None:
        _check_sample(job, raw, found)  # the layout may have changed since
    else:
        found = read(job, raw)
        if tables.load(folder, raw) is None:  # another process may have read the same meanwhile
            remove(folder)  # damaged, if it is there
            tables.save(found, folder)
    label = job.name + (TWIN_SUFFIX if raw.source is Source.TWIN else "")
    return Ingested(tables=found, label=label, warning=warning)


def train(job: Job, ingested: Ingested | None = None) -> Trained:
    """The finished run of the job's key, found or made; the tables are read where they are not given."""
    model, candidate = job.competition.candidate(job.model)
    check_device(job.device)
    ingested = ingested or ingest(job)
    chosen = studies.choose(job, ingested.tables, ingested.label)
    key = key_of(job, ingested, chosen.config)
    runs = open_runs(job.home.mlruns)
    found = finished(job, ingested, key, runs)
    if found is None:
        from pipelines.training import train_anew  # torch, MLflow, figures: what a hit does without

        trained = train_anew(job, replace(candidate, config=chosen.config), ingested, key, runs.writable(), chosen.tags)
    hit, told, run = found is not None, chosen.told, found or trained
    return Trained(run=run, ingested=ingested, model=model, config=chosen.config, key=key, hit=hit, settings=told)


def key_of(job: Job, ingested: Ingested, config: Config) -> str:
    """The key of a training of the job's candidate with some settings."""
    model, candidate = job.competition.candidate(job.model)
    origins = job.competition.recipe_of(candidate).origins()
    where = place_of(job.device, config.precision)
    return keys.train_key(job.name, ingested.tables.data_hash, model, config, job.seed, where, origins)


def finished(job: Job, ingested: Ingested, key: str, runs: Runs) -> FinishedRun | None:
    """The finished run of a key whose files can be read; None where there is none, or the job wants it made again."""
    run = None if job.again else runs.finished(ingested.label, key)
    if run is None or "cv_score" not in run.metrics or not artifacts.readable(run.artifacts, job.competition.schema):
        return None
    return run


def submit(job: Job, trained: Trained) -> Path:
    """The submission of a run, checked against the sample file; written unless the same bytes lie there already.

    In a notebook of Kaggle it lies in `/kaggle/working/submission.csv`, too.

    Raises:
        RefusedError: Kaggle would not accept it; nothing is written.
    """
    schema, layout = job.competition.schema, job.competition.layout
    sample = trained.ingested.tables.sample
    ids, predictions = artifacts.read_test_predictions(trained.run.artifacts, schema)
    if job.competition.thresholds is not None:
        oof = artifacts.read_oof(trained.run.artifacts, schema)
        values = tuned(job.competition, trained.ingested.tables.scored.target, oof)
        predictions = decided(job.competition, predictions, values)
    if job.competition.verbatim:
        predictions, _ = remembered_test(job.competition, trained.ingested.tables, predictions)
    frame = layout.frame(ids, predictions, schema, sample)
    check(frame, sample, layout, schema)
    folder = job.home.submissions / trained.ingested.label
    content = drafts.content(frame)
    if (output := job.home.notebook_output()) is not None:
        drafts.write(content, output)
    before = trained.run.tags.get("submission")
    if before and (folder / before).is_file() and (folder / before).read_bytes() == content:
        drafts.copy_latest(content, folder)
        return folder / before
    score = trained.run.metrics["cv_score"]
    path = drafts.put(content, folder, trained.model, score, trained.key, datetime.now())
    tags = {"submission": path.name, "submission_sha256": drafts.sha256(content)}
    tags[NOTE] = notes.of_run(trained.run, job.competition, path.name)
    open_runs(job.home.mlruns).writable().tag(trained.run.id, tags)
    return path
