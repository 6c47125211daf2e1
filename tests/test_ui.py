"""MLflow's pages over the runs, as a person sees them in a browser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from models.tuning import Budget
from pipelines import stages
from pipelines.competition import find
from pipelines.home import Home
from pipelines.job import Job
from pipelines.tuning import tune
from pipelines.workers import Crew
from tests.browser import Pages, walk
from tests.clusters import wait_for
from tests.conftest import empty_home

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TWIN = "titanic-twin"


@pytest.fixture(scope="module")
def home(tmp_path_factory, migrated) -> Home:
    """Holds a search of three trials, of the twin."""
    home = empty_home(tmp_path_factory.mktemp("ui"), migrated)
    job = Job(name="titanic", home=home)
    tune(job, stages.ingest(job), Budget(trials=3), Crew())
    return home


@pytest.fixture(scope="module")
def runs(home) -> list:
    """Two trainings, a good one and one that was cut short."""
    candidates = find("titanic").candidates
    cut = replace(candidates["mlp_wide"], config=replace(candidates["mlp_wide"].config, epochs=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(candidates, "mlp_wide", cut)
        jobs = (Job(name="titanic", home=home, model=model, declared=True) for model in ("mlp", "mlp_wide"))
        return [stages.train(job).run for job in jobs]


@pytest.fixture(scope="module")
def pages(home, runs):
    with walk(home) as found:
        yield found


def test_the_trainings_are_listed_with_what_they_are_compared_by_and_columns_sort(pages: Pages, runs):
    pages.runs(TWIN)
    wait_for(partial(is_listed, pages, [run.name for run in runs]))  # the best first
    for run, cells in zip(runs, pages.rows(), strict=True):
        for metric in ("cv_score", "cv_se", "cv_std", "train_seconds"):
            assert str(run.metrics[metric]) in cells
        assert {"twin", "cpu", "8"} <= set(cells)
    for column in ("train_seconds", "cv_std"):
        by_value = {run.metrics[column]: run.name for run in runs}
        names = [by_value[value] for value in sorted(by_value)]
        pages.sort_by(column)
        wait_for(partial(is_listed, pages, names[::-1]))
        pages.sort_by(column)
        wait_for(partial(is_listed, pages, names))
    for column in ("data_source", "device"):
        pages.sort_by(column)
    text = pages.page.locator("body").inner_text()
    assert "made-up rows" in text.lower()
    assert "trial-0" not in text


def is_listed(pages: Pages, names: list[str]) -> bool:
    return [name for name, *_ in pages.rows()] == names


def test_two_runs_lie_side_by_side_and_their_curves_over_each_other(pages: Pages, runs):
    pages.runs(TWIN)
    text = pages.compare(*(run.name for run in runs))
    assert "recipe.numbers" in text
    assert "survival Age" in text
    curves = pages.curves("valid/accuracy")
    assert len(curves) == 2
    ends = sorted(run.metrics["valid/accuracy"] for run in runs)
    assert sorted(curve[-1] for curve in curves) == pytest.approx(ends)


def test_a_figure_of_a_run_opens(pages: Pages, runs):
    pages.runs(TWIN)
    width, height = pages.figure(runs[0].name, "confusion_matrix.png")
    assert width > 300
    assert height > 300


def test_a_run_says_what_came_out_and_what_comes_next(pages: Pages, runs):
    pages.runs(TWIN)
    pages.page.get_by_role("link", name=runs[0].name, exact=True).click()
    note = pages.page.get_by_text("out of fold: 5 folds x 8 members")
    note.wait_for()
    assert f"make compare A={runs[0].name}" in pages.page.locator("body").inner_text()


def test_a_study_holds_its_trials(pages: Pages):
    assert sorted(pages.trials(TWIN, "tune-mlp")) == ["trial-0", "trial-1", "trial-2"]
