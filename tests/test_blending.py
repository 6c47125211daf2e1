"""The blend as a run: made of the candidates' runs, found again, and submitted where it is better."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from data.errors import UnavailableError, UsageError
from data.metrics import ACCURACY, LOG_LOSS
from features.pieces import LowerLayers
from pipelines import stages
from pipelines.blending import best, train_and_blend
from pipelines.closing import closing
from pipelines.competition import find
from pipelines.home import Home
from pipelines.job import Job


@pytest.fixture
def job(home, monkeypatch) -> Job:
    """Titanic's twin, with both of its candidates to blend."""
    both = replace(find("titanic"), blend=("mlp", "mlp_wide"), full=("mlp_wide",))
    monkeypatch.setattr("pipelines.job.find", lambda _: both)
    return Job(name="titanic", home=home)


def test_the_candidates_and_their_blend_are_runs_and_are_found_again(job):
    trained = train_and_blend(job)
    assert [each.model for each in trained] == ["mlp", "mlp_wide", "blend"]
    run, schema = trained[-1].run, job.competition.schema
    found = json.loads((run.artifacts / "blend.json").read_text())
    shares = found["models"]
    assert set(shares) == {"mlp", "mlp_wide"}
    assert sum(share["weight"] for share in shares.values()) == pytest.approx(1)
    oof = pd.read_parquet(run.artifacts / "oof_predictions.parquet")
    target = trained[0].ingested.tables.target
    score = job.competition.metric.score(target, oof[list(schema.target.outputs)].to_numpy())
    assert run.metrics["cv_score"] == pytest.approx(score)
    told = closing(job, trained, trained[-1], seconds=1.0)
    assert f"temperature {found['temperature']:.2f}\n" in told
    for each in trained[:-1]:
        weight = shares[each.model]["weight"]
        assert f"{weight:.2f} {each.run.name}" in told
        assert f"{each.run.name} {each.run.metrics['cv_score']:.4f}" in told
    path = stages.submit(job, trained[-1])
    assert "-blend-cv" in path.name
    again = train_and_blend(job)
    assert all(each.hit for each in again)
    assert [each.run.id for each in again] == [each.run.id for each in trained]
    assert stages.submit(job, again[-1]) == path


@pytest.mark.parametrize(("metric", "chosen"), [(ACCURACY, 1), (LOG_LOSS, 0)])
def test_the_best_score_is_submitted_and_the_first_of_equals(metric, chosen):
    trained: list[Any] = [SimpleNamespace(run=SimpleNamespace(metrics={"cv_score": cv})) for cv in (0.2, 0.9, 0.9, 0.2)]
    assert best(metric, trained) is trained[chosen]


def test_full_and_a_model_by_name_choose_what_is_trained(job):
    assert job.models == ("mlp", "mlp_wide")
    assert replace(job, full=True).models == ("mlp_wide",)
    assert replace(job, model="mlp").models == ("mlp",)
    with pytest.raises(UsageError, match="MODEL takes"):
        train_and_blend(replace(job, model="tree"))


def test_what_a_candidate_cannot_do_without_is_told_before_long_work(tmp_path, monkeypatch):
    monkeypatch.setattr(LowerLayers, "package", "no-such-package")
    monkeypatch.setattr(stages, "ingest", lambda _: pytest.fail("work before the error"))
    with pytest.raises(UnavailableError, match=r"no MiniLM \(pip install no-such-package\): this model tunes"):
        train_and_blend(Job(name="rotten_tomatoes", home=Home(tmp_path), full=True))


def test_a_blend_of_what_is_no_candidate_is_refused():
    with pytest.raises(ValueError, match="takes a tuple, but got 'mlp'"):
        replace(find("titanic"), blend="mlp")
    with pytest.raises(ValueError, match="blends candidates, which are mlp, mlp_wide, but got 'tree'"):
        replace(find("titanic"), blend=("mlp", "tree"))
