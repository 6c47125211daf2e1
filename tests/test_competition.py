"""Competitions are found by their files, and a mistake in one is told in a line."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import pipelines.competitions
from data import metrics
from data.errors import UsageError
from data.splits import Split
from models.pruners import Pruner
from models.tuning import Search
from pipelines import competition
from pipelines.competition import find, names
from pipelines.home import REPOSITORY
from submissions.layout import Probability
from submissions.thresholds import Thresholds

# What trains, tracks, draws, keeps or reads texts: a command that only reads runs is not to wait for it.
HEAVY = "torch mlflow matplotlib plotly skops transformers tokenizers sentence_transformers wordllama wordfreq nltk "
HEAVY += "textblob vaderSentiment sqlalchemy alembic"
IMPORTS = """
import sys
from importlib import import_module
from pipelines.competition import names

for module in ("pipelines.competition", *(f"pipelines.competitions.{name}" for name in names())):
    import_module(module)
    print(module, *sorted({*sys.argv[1:]} & {*sys.modules}))
"""


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Writes a competition's file into a folder of its own."""
    monkeypatch.setattr(competition, "FOLDER", tmp_path)
    monkeypatch.setattr(pipelines.competitions, "__path__", [str(tmp_path)])

    def declare(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return declare


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken_syntax", "COMPETITION = (", r"broken_syntax\.py: SyntaxError: .*line 1"),
        ("broken_import", "import nowhere", r"broken_import\.py: ModuleNotFoundError: No module named 'nowhere'"),
        (
            "broken_name",
            "COMPETITION = Competition()",
            r"broken_name\.py: NameError: name 'Competition' is not defined",
        ),
        ("broken_value", "from data.splits import Split\nSplit(folds=1)", r"ValueError: a split takes 2 to 127 folds"),
        ("empty", "", r"empty\.py: declares no COMPETITION = Competition\(\.\.\.\)"),
        ("another", "COMPETITION = 3", r"another\.py: declares no COMPETITION"),
    ],
)
def test_a_mistake_in_a_declaration_names_the_file(declare, name, text, message):
    with pytest.raises(UsageError, match=message):
        find(declare(name, text))


def test_a_declaration_is_read_without_what_trains_tracks_or_draws():
    command = [sys.executable, "-c", IMPORTS, *HEAVY.split()]
    read = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert read.stdout.split() == ["pipelines.competition", *(f"pipelines.competitions.{name}" for name in names())]


def test_files_are_competitions_and_hidden_ones_are_not(declare):
    declare("otto", "")
    declare("_shared", "")
    assert names() == ["otto"]
    for name in ("_shared", "../titanic", ""):
        with pytest.raises(UsageError, match="there is no competition"):
            find(name)


def test_a_group_that_is_no_column_and_a_competition_without_candidates_are_refused():
    titanic = find("titanic")
    with pytest.raises(ValueError, match="got 'Family'"):
        replace(titanic, split=Split(group="Family"))
    with pytest.raises(ValueError, match="one candidate or more"):
        replace(titanic, candidates={})


def test_wilcoxons_test_is_refused_where_its_folds_can_never_tell():
    titanic = find("titanic")
    pruned = {"mlp": replace(titanic.candidates["mlp"], search=Search(pruner=Pruner.WILCOXON))}
    replace(titanic, candidates=pruned)
    with pytest.raises(ValueError, match="5 folds or more"):
        replace(titanic, candidates=pruned, split=Split(folds=4), blend=(), full=())


def test_thresholds_want_labels_to_decide_on():
    titanic = find("titanic")
    assert replace(titanic, thresholds=Thresholds()).thresholds is not None
    with pytest.raises(ValueError, match="asks for no labels"):
        replace(titanic, thresholds=Thresholds(), layout=Probability())


@pytest.mark.parametrize(
    ("name", "metric", "told"),
    [
        ("titanic", metrics.RMSE, "a metric of Classes is one of accuracy, log_loss, .*, but got rmse"),
        ("otto", metrics.F1, "is one of accuracy, .*average_precision, f1_macro.*, but got f1"),
        ("progression", metrics.LOG_LOSS, "a metric of Number is one of rmse, .*, but got log_loss"),
    ],
)
def test_a_metric_that_scores_other_targets_is_refused(name, metric, told):
    declared = find(name)
    with pytest.raises(ValueError, match=told):
        replace(declared, metric=metric)
    model, candidate = declared.candidate(None)
    watched = replace(candidate, config=replace(candidate.config, monitor=metric))
    with pytest.raises(ValueError, match=f"the monitor of {model} of"):
        replace(declared, candidates={model: watched}, blend=(), full=())
    own = metrics.Metric(name="own", greater_is_better=True, score=metric.score)
    assert replace(declared, metric=own).metric is own
