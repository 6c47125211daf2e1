"""Blending: a run made of other runs' predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from data.metrics import Metric
from models.devices import resolve
from pipelines import artifacts, champion, keys, pipeline, stages
from pipelines.home import MODEL, scratch
from pipelines.job import Job
from pipelines.origin import working_commit
from pipelines.packaging import package
from pipelines.runs import FinishedRun
from pipelines.scoring import score_metrics, tuned
from pipelines.stages import Trained
from pipelines.tracking import Tracker
from pipelines.tuning import Effort, search
from submissions.blend import blend

NAME = "blend"


def train_and_blend(job: Job, effort: Effort | None = None) -> list[Trained]:
    """The runs of all candidates that the job wants, and their blend where there are several.

    Args:
        job: what is wanted.
        effort: how long their spaces are searched first; None: not at all.

    Raises:
        UsageError: trials are wanted, and no candidate has a space.
    """
    jobs = [replace(job, model=model) for model in job.models]
    for each in jobs:
        _, candidate = each.competition.candidate(each.model)  # what makes no sense is told before long work
        (candidate.recipe or each.competition.recipe).require()
    resolve(job.device)
    ingested = stages.ingest(job)
    if effort is not None:
        search(jobs, ingested, effort)
    trained = [stages.train(each, ingested) for each in jobs]
    return [*trained, blended(job, trained)] if len(trained) > 1 else trained


def blended(job: Job, trained: Sequence[Trained]) -> Trained:
    """The blend of the runs of several candidates, found or made.

    Raises:
        UsageError: their folds differ.
    """
    competition, schema, ingested = job.competition, job.competition.schema, trained[0].ingested
    key = keys.blend_key([each.key for each in trained])
    tracker = Tracker(job.home.mlruns)
    run = stages.finished(job, ingested, key, tracker)
    if run is not None:
        return _trained(run, trained, key, hit=True)

    runs = [each.run for each in trained]
    oof = [artifacts.read_oof(run.artifacts, schema) for run in runs]
    tests = [artifacts.read_test_predictions(run.artifacts, schema) for run in runs]
    tables = ingested.tables.scored
    hashes = [run.tags["fold_hash"] for run in runs]
    found = blend(oof, tables.target, tables.fold, hashes, competition.metric, job.seed, schema.target.has_temperature)
    shares = {
        each.model: {"weight": float(weight), "run": each.run.id, "key": each.key}
        for each, weight in zip(trained, found.weights, strict=True)
    }
    same = ("competition", "metric", "seed", "fold_hash", "data_hash", "data_source", "device", "versions")
    tags = {tag: runs[0].tags[tag] for tag in same}
    parts = ", ".join(f"{weight:.2f} {run.name}" for run, weight in zip(runs, found.weights, strict=True))
    tags |= {
        "model": NAME,
        "key": key,
        "git_commit": working_commit(),
        "blended": f"{parts}, temperature {found.temperature:.2f}",
    }
    params = {tag: tags[tag] for tag in ("data_source", "device")}
    params |= {f"weight/{model}": f"{share['weight']:.4f}" for model, share in shares.items()}
    params["temperature"] = f"{found.temperature:.4f}"
    with tracker.run(ingested.label, f"{NAME}-{key[:8]}", tags, params) as running:
        running.log(score_metrics(competition, tables, found.oof))
        with scratch() as folder:
            test = found.apply([predictions for _, predictions in tests])
            artifacts.write_predictions(folder, competition, tables, found.oof, test)
            told = {"temperature": found.temperature, "models": shares}
            (folder / "blend.json").write_text(json.dumps(told, indent=2) + "\n")
            weighed = {
                each.model: (each.run.artifacts / artifacts.PIPELINE, float(weight))
                for each, weight in zip(trained, found.weights, strict=True)
            }
            with scratch() as made, pipeline.unkept_told(NAME):
                values = tuned(competition, tables.target, found.oof)
                pipeline.join(made / "pipeline", job.name, weighed, found.temperature, values)
                package(folder / MODEL, competition, tables, made / "pipeline")
            running.keep(folder)
    champion.crown(ingested.label, competition.metric, tracker)
    return _trained(tracker.read(running.id), trained, key, hit=False)


def _trained(run: FinishedRun, parts: Sequence[Trained], key: str, hit: bool) -> Trained:
    settings = "; ".join(f"{each.model} {each.settings}" for each in parts)
    return Trained(run=run, ingested=parts[0].ingested, model=NAME, config=None, key=key, hit=hit, settings=settings)


def best(metric: Metric, trained: Sequence[Trained]) -> Trained:
    """The run of the best score; the first of equals."""
    found = trained[0]
    for each in trained[1:]:
        if metric.better(each.run.metrics["cv_score"], found.run.metrics["cv_score"]):
            found = each
    return found
