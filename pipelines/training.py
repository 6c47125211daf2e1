"""Training: networks, figures, files and MLflow: all that a run takes which is not found, and no other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from data.sources import Source
from models.config import Config
from models.devices import resolve
from models.epochs import RefitEpoch, Told, Watch, Within
from pipelines import artifact_writing, artifacts, card_kept, champion, console, fitting, notes, pipeline
from pipelines.checkpoints import Checkpoint
from pipelines.competition import Candidate
from pipelines.home import MODEL, scratch
from pipelines.job import Job
from pipelines.origin import tags_of, working_commit
from pipelines.packaging import package
from pipelines.params import params_of
from pipelines.progress import progress
from pipelines.running import RunningRun
from pipelines.runs import NOTE, FinishedRun
from pipelines.scoring import blend_of, decided_oof, score_metrics, tuned
from pipelines.stages import BLEND, Ingested, Trained
from pipelines.tracking import Tracker
from pipelines.workshop import KeptWorkshop


def train_anew(
    job: Job, candidate: Candidate, ingested: Ingested, key: str, tracker: Tracker, searched: Mapping[str, str]
) -> FinishedRun:
    """Trains a candidate, and leaves a finished run with its files, which is crowned where it is the best.

    Args:
        job: of whose candidate.
        candidate: as declared, with the settings to train.
        ingested: the tables.
        key: of the run.
        tracker: of the home.
        searched: tags of the trial that it follows.
    """
    competition, config, found = job.competition, candidate.config, ingested.tables
    model, device = competition.candidate(job.model)[0], resolve(job.device)
    tags = {**tags_of(job, model, found, device.type), "key": key, **searched}
    params = params_of(competition, candidate, found, device.type)
    recipe = competition.recipe_of(candidate)
    for notice in recipe.notices():
        console.warn(notice)
    if recipe.origins():
        tags["origins"] = ", ".join(recipe.origins())
    encoded = fitting.encode(competition, found, candidate, KeptWorkshop(job.home.cache, device))
    layers = fitting.summary(competition, encoded, config)
    checkpoint = Checkpoint(job.home.checkpoints / f"{ingested.label}-{model}-{key[:16]}.safetensors")
    describe(job, ingested, tracker)
    with tracker.run(ingested.label, f"{model}-{key[:8]}", tags, params) as running:
        with progress(f"{job.name} {model}", competition.metric, config.epochs) as show:
            watch = _watch(show, running, competition.metric.name, config)
            fit = fitting.fit(competition, encoded, config, seed=job.seed, device=device, watch=watch, keep=checkpoint)
        decided = decided_oof(competition, found.scored.target, found.scored.fold, fit.oof)
        running.log({**score_metrics(competition, found, fit.oof, decided), "train_seconds": checkpoint.seconds})
        with scratch() as folder:
            artifact_writing.write(folder, competition, found, config, fit, decided, layers)
            card_kept.copy(job.name, competition, found, job.home.cache, folder)
            with scratch() as made, pipeline.unkept_told(model):
                pipeline.write(made / "pipeline", job.name, model, competition, found, encoded, config, fit)
                package(folder / MODEL, competition, [model], found, made / "pipeline")
            running.keep(folder)
    checkpoint.drop()
    run = tracker.read(running.id)
    tracker.tag(run.id, {NOTE: notes.of_run(run, competition)})
    champion.crown(ingested.label, competition.metric, tracker)
    return run


def blend_anew(job: Job, trained: Sequence[Trained], key: str, tracker: Tracker) -> FinishedRun:
    """Blends the runs of several candidates, and leaves a finished run, which is crowned where it is the best.

    Raises:
        UsageError: their folds differ.
    """
    competition, schema, ingested = job.competition, job.competition.schema, trained[0].ingested
    runs = [each.run for each in trained]
    oof = [artifacts.read_oof(run.artifacts, schema) for run in runs]
    tests = [artifacts.read_test_predictions(run.artifacts, schema) for run in runs]
    tables = ingested.tables.scored
    hashes = [run.tags["fold_hash"] for run in runs]
    found = blend_of(competition, tables, oof, hashes, job.seed)
    shares = {
        each.model: {"weight": float(weight), "run": each.run.id, "key": each.key}
        for each, weight in zip(trained, found.weights, strict=True)
    }
    same = ("competition", "metric", "seed", "fold_hash", "data_hash", "data_source", "device", "versions")
    tags = {tag: runs[0].tags[tag] for tag in same}
    parts = ", ".join(f"{weight:.2f} {run.name}" for run, weight in zip(runs, found.weights, strict=True))
    tags |= {
        "model": BLEND,
        "key": key,
        "git_commit": working_commit(),
        "blended": f"{parts}, temperature {found.temperature:.2f}",
    }
    params = {tag: tags[tag] for tag in ("data_source", "device")}
    params |= {f"weight/{model}": f"{share['weight']:.4f}" for model, share in shares.items()}
    params["temperature"] = f"{found.temperature:.4f}"
    with tracker.run(ingested.label, f"{BLEND}-{key[:8]}", tags, params) as running:
        decided = decided_oof(competition, tables.target, tables.fold, found.oof)
        running.log(score_metrics(competition, ingested.tables, found.oof, decided))
        with scratch() as folder:
            test = found.apply([predictions for _, predictions in tests])
            artifact_writing.write_predictions(folder, competition, tables, found.oof, test, decided)
            told = {"temperature": found.temperature, "models": shares}
            (folder / "blend.json").write_text(json.dumps(told, indent=2) + "\n")
            weighed = {
                each.model: (each.run.artifacts / artifacts.PIPELINE, float(weight))
                for each, weight in zip(trained, found.weights, strict=True)
            }
            with scratch() as made, pipeline.unkept_told(BLEND):
                values = tuned(competition, tables.target, found.oof)
                pipeline.join(made / "pipeline", job.name, weighed, found.temperature, values)
                package(folder / MODEL, competition, list(weighed), tables, made / "pipeline")
            running.keep(folder)
    champion.crown(ingested.label, competition.metric, tracker)
    return tracker.read(running.id)


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
