"""Stages: ingest, train, submit. Each asks for the one before it, and does nothing that its key says is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import torch

from data import sources, synthetic, tables
from data.errors import BadDataError, UsageError
from data.files import beside, remove
from data.sources import RawFiles, Source, Uncut
from data.tables import Tables
from models.config import Config
from models.devices import resolve, rounds
from models.epochs import RefitEpoch, Told, Watch, Within
from pipelines import artifacts, card_kept, champion, console, fitting, keys, notes, pipeline, studies
from pipelines.checkpoints import Checkpoint
from pipelines.competition import Candidate
from pipelines.home import MODEL, scratch
from pipelines.job import Job
from pipelines.origin import tags_of
from pipelines.packaging import package
from pipelines.params import params_of
from pipelines.runs import FinishedRun, RunningRun
from pipelines.scoring import decided, remembered_test, score_metrics, tuned
from pipelines.tracking import NOTE, Tracker
from pipelines.workshop import KeptWorkshop
from submissions import drafts
from submissions.check import check, check_sample

TWIN_SUFFIX = "-twin"  # of a twin's experiment and of its folder of submissions
TWIN_WARNING = "SYNTHETIC TWIN: made-up rows, not the competition's; nothing here can be sent."


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """A competition's tables."""

    tables: Tables
    label: str  # names the experiment and the folder of submissions


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
    """The raw files of the first source that has them; the synthetic twin where none has.

    Raises:
        BadDataError: a source holds some of the files, or a broken archive.
    """
    schema = job.competition.schema
    places = (job.home.raw, job.home.archives())
    blank = partial(job.competition.layout.blank, schema=schema)
    labelled, split = job.competition.labelled, job.competition.split
    uncut = None if labelled is None else Uncut(labelled=labelled, schema=schema, split=split, blank=blank)
    raw, misses = sources.locate(job.name, job.competition.slug, schema, *places, console.tell, uncut)
    if raw is not None:
        return raw
    console.warn(f"{TWIN_WARNING} The real files were not found: {'; '.join(misses)}.")
    twin = synthetic.draw(schema, job.competition.metric, blank, job.competition.split)
    folder = job.home.synthetic / job.name
    told = {"twin.json": json.dumps({"metric": job.competition.metric.name, "best": twin.best}).encode() + b"\n"}
    for name, content in (twin.files | told).items():
        with beside(folder / name) as part:
            part.write_bytes(content)
    return RawFiles(source=Source.TWIN, place=str(folder), files=twin.files, best=twin.best)


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
    raw = locate(job)
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
    return Ingested(tables=found, label=label)


def train(job: Job, ingested: Ingested | None = None) -> Trained:
    """The finished run of the job's key, found or made; the tables are read where they are not given."""
    model, candidate = job.competition.candidate(job.model)
    device = resolve(job.device)
    ingested = ingested or ingest(job)
    chosen = studies.choose(job, ingested.tables, ingested.label)
    candidate = replace(candidate, config=chosen.config)
    key = key_of(job, ingested, chosen.config)
    tracker = Tracker(job.home.mlruns)
    found = finished(job, ingested, key, tracker)
    run = found or _train_anew(job, model, candidate, device, ingested, key, tracker, chosen.tags)
    hit, told = found is not None, chosen.told
    return Trained(run=run, ingested=ingested, model=model, config=chosen.config, key=key, hit=hit, settings=told)


def key_of(job: Job, ingested: Ingested, config: Config) -> str:
    """The key of a training of the job's candidate with some settings."""
    model, candidate = job.competition.candidate(job.model)
    device = resolve(job.device)
    where = device.type + ("-rounded" if rounds(config.precision, device) else "")
    origins = (candidate.recipe or job.competition.recipe).origins()
    return keys.train_key(job.name, ingested.tables.data_hash, model, config, job.seed, where, origins)


def finished(job: Job, ingested: Ingested, key: str, tracker: Tracker) -> FinishedRun | None:
    """The finished run of a key whose files can be read; None where there is none, or the job wants it made again."""
    run = None if job.again else tracker.finished(ingested.label, key)
    if run is None or "cv_score" not in run.metrics or not artifacts.readable(run.artifacts, job.competition.schema):
        return None
    return run


def _train_anew(
    job: Job,
    model: str,
    candidate: Candidate,
    device: torch.device,
    ingested: Ingested,
    key: str,
    tracker: Tracker,
    searched: Mapping[str, str],
) -> FinishedRun:
    competition, config, found = job.competition, candidate.config, ingested.tables
    tags = {**tags_of(job, model, found, device.type), "key": key, **searched}
    params = params_of(competition, candidate, found, device.type)
    recipe = candidate.recipe or competition.recipe
    for notice in recipe.notices():
        console.warn(notice)
    if recipe.origins():
        tags["origins"] = ", ".join(recipe.origins())
    encoded = fitting.encode(competition, found, candidate, KeptWorkshop(job.home.cache, device))
    layers = fitting.summary(competition, encoded, config)
    checkpoint = Checkpoint(job.home.checkpoints / f"{ingested.label}-{model}-{key[:16]}.safetensors")
    describe(job, ingested, tracker)
    with tracker.run(ingested.label, f"{model}-{key[:8]}", tags, params) as running:
        with console.progress(f"{job.name} {model}", competition.metric, config.epochs) as show:
            watch = _watch(show, running, competition.metric.name, config)
            fit = fitting.fit(competition, encoded, config, seed=job.seed, device=device, watch=watch, keep=checkpoint)
        running.log({**score_metrics(competition, found, fit.oof), "train_seconds": checkpoint.seconds})
        with scratch() as folder:
            artifacts.write(folder, competition, found, config, fit, layers)
            card_kept.copy(job.name, competition, found, job.home.cache, folder)
            with scratch() as made, pipeline.unkept_told(model):
                pipeline.write(made / "pipeline", job.name, model, competition, found, encoded, config, fit)
                package(folder / MODEL, competition, found, made / "pipeline")
            running.keep(folder)
    checkpoint.drop()
    run = tracker.read(running.id)
    tracker.tag(run.id, {NOTE: notes.of_run(run, competition)})
    champion.crown(ingested.label, competition.metric, tracker)
    return run


def describe(job: Job, ingested: Ingested, tracker: Tracker) -> None:
    """Says in MLflow's pages what the job's experiment is."""
    twin = ingested.tables.source is Source.TWIN
    tracker.describe(ingested.label, notes.experiment_tags(job.name, job.competition, twin))


def _watch(show: Watch, running: RunningRun, metric: str, config: Config) -> Watch:
    """Tells the progress bar and the run of every epoch."""

    def watch(epoch: Told) -> None:
        show(epoch)
        if isinstance(epoch, Within):
            return
        if isinstance(epoch, RefitEpoch):
            running.log({"train/loss/refit": epoch.train_loss}, step=epoch.number)
            return
        series = {"train/loss": epoch.train_loss, f"valid/{metric}": epoch.score}
        series |= {f"valid/{metric}/fold-{fold}": score for fold, score in enumerate(epoch.fold_scores)}
        if config.monitor is not None and config.monitor.name != metric:
            series[f"valid/{config.monitor.name}"] = epoch.monitor
        running.log(series, step=epoch.number)

    return watch


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
    Tracker(job.home.mlruns).tag(trained.run.id, tags)
    return path
