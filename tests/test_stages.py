"""Stages: what is damaged, moved or edited since is noticed, and mended where it can be."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cached_property

import pytest

from data.errors import BadDataError
from models.selection import DivergedError
from pipelines import stages
from pipelines.home import Home
from pipelines.job import Job
from pipelines.tracking import Tracker
from submissions.layout import Probabilities
from tests.twins import twin_files


@pytest.fixture
def job(home) -> Job:
    return Job(name="titanic", home=home)


@pytest.fixture
def trained(trained_home) -> Job:
    """In its home there is a finished run."""
    return Job(name="titanic", home=trained_home("titanic"))


class EditedJob(Job):
    """A job whose competition was edited after it was found."""

    @cached_property
    def competition(self):
        return self.edit(super().competition)


def edited(home: Home, edit) -> Job:
    job = EditedJob(name="titanic", home=home)
    object.__setattr__(job, "edit", edit)
    return job


def with_mlp(competition, **changes):
    mlp = competition.candidates["mlp"]
    return replace(competition, candidates={"mlp": replace(mlp, config=replace(mlp.config, **changes), space={})})


@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted", "emptied", "no manifest", "another manifest"])
def test_a_damaged_cache_is_made_anew(job, damage):
    before = stages.ingest(job).tables
    (folder,) = job.home.cache.glob("titanic-*")
    path = folder / "train.parquet"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:500])
    elif damage == "flipped":
        path.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    elif damage == "deleted":
        path.unlink()
    elif damage == "emptied":
        shutil.rmtree(folder)
        folder.mkdir()
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text("[]")
    after = stages.ingest(job).tables
    assert after.train.equals(before.train)
    assert path.read_bytes() == content


def test_tables_that_another_process_wrote_meanwhile_stay(job, monkeypatch):
    def read(*given, read=stages.read):
        monkeypatch.setattr(stages, "read", read)
        stages.ingest(job)  # as another process would
        (written,) = job.home.cache.glob("titanic-*")
        (written / "mark").touch()
        return read(*given)

    monkeypatch.setattr(stages, "read", read)
    found = stages.ingest(job).tables
    (folder,) = job.home.cache.glob("titanic-*")
    assert (folder / "mark").exists()
    assert stages.ingest(job).tables.fold_hash == found.fold_hash


def test_damaged_predictions_are_made_anew(trained):
    job = trained
    content = stages.submit(job, stages.train(job)).read_bytes()
    for spoilt in (b"", b"PAR1 and no more"):
        for path in job.home.mlruns.rglob("test_predictions.parquet"):
            path.write_bytes(spoilt)
        again = stages.train(job)
        assert not again.hit
        assert stages.submit(job, again).read_bytes() == content
    assert stages.train(job).hit


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_home_that_was_moved_or_copied_keeps_its_runs_and_writes_to_itself(trained, tmp_path, how):
    job = trained
    stages.submit(job, stages.train(job))
    how(job.home.root, tmp_path / "elsewhere")
    moved = Job(name="titanic", home=Home(tmp_path / "elsewhere"))
    found = stages.train(moved)
    assert found.hit
    assert found.run.artifacts.is_relative_to(moved.home.root)
    client = Tracker(moved.home.mlruns).client
    version = client.get_model_version_by_alias("titanic-twin", "champion").version
    assert str(moved.home.root) in client.get_model_version_download_uri("titanic-twin", version)
    new = stages.train(replace(moved, seed=1))
    assert new.run.artifacts.is_relative_to(moved.home.root)
    assert (new.run.artifacts / "model" / "MLmodel").is_file()


def test_a_layout_that_was_edited_since_is_held_against_the_sample_file(job, home):
    (home.raw / "titanic").mkdir(parents=True)
    for name, content in twin_files("titanic").items():
        (home.raw / "titanic" / name).write_bytes(content)
    stages.train(job)
    with pytest.raises(BadDataError, match="column 0: the column is missing"):
        stages.train(edited(home, lambda competition: replace(competition, layout=Probabilities())))


@pytest.mark.parametrize("changes", [{"lr": 1e30}, {"lr": 1e30, "monitor": None}])
def test_a_training_that_diverges_is_no_run_to_submit(home, changes):
    with pytest.raises(DivergedError):
        stages.train(edited(home, lambda competition: with_mlp(competition, **changes)))
    assert not list(home.submissions.rglob("*.csv"))
