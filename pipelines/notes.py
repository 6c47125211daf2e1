"""Notes: what MLflow's pages say of an experiment and of a run, in Markdown."""

from __future__ import annotations

import json

from pipelines.competition import Competition
from pipelines.runs import KIND, NOTE, VIEW, FinishedRun

TRAINING = "custom_model_development"  # MLflow's word for an experiment of trainings
COLUMNS = (
    *("metrics.`cv_score`", "metrics.`cv_se`", "metrics.`cv_std`", "metrics.`train_seconds`"),
    *("params.`data_source`", "params.`device`", "params.`members`"),
)


def experiment_tags(name: str, competition: Competition, twin: bool) -> dict[str, str]:
    """The tags of an experiment: its note, what kind it is, and the view of its runs that pages open with.

    Args:
        name: the competition's.
        competition: its declaration.
        twin: whether the rows are made up.
    """
    return {KIND: TRAINING, NOTE: of_experiment(name, competition, twin), VIEW: by_score(competition)}


def by_score(competition: Competition) -> str:
    """A saved view of MLflow's runs table, as its page writes one: the trainings, the best first."""
    state = {
        "searchFilter": "tags.key LIKE '%'",  # trials have none
        "orderByKey": "metrics.`cv_score`",
        "orderByAsc": not competition.metric.greater_is_better,
        "selectedColumns": COLUMNS,
    }
    return json.dumps({"name": "By score", "createdAt": 0, "state": json.dumps(state)})


def of_experiment(name: str, competition: Competition, twin: bool) -> str:
    """What an experiment is, and where to begin.

    Args:
        name: the competition's.
        competition: its declaration.
        twin: whether the rows are made up.
    """
    metric, board = competition.metric, competition.board
    better = "higher" if metric.greater_is_better else "lower"
    lines = [f"[{competition.slug}](https://www.kaggle.com/c/{competition.slug}): {metric.name}, {better} is better."]
    if twin:
        lines.append("**Made-up rows** of the competition's columns: nothing here can be sent.")
    elif board is not None and board.top is not None:
        lines.append(f"Of {board.teams:,} teams a tenth came past {board.top:.5f}.")
    lines += [
        "",
        "Sort by `cv_score`; a run `tune-...` is a search, and its trials lie below it.",
        "",
        f"- `make {name}` searches, trains and writes a submission",
        f"- `make leaderboard C={name}` ranks the trainings",
        "- `make compare A=<run> B=<run>` tells whether a lead is more than luck",
    ]
    return "\n".join(lines)


def of_run(run: FinishedRun, competition: Competition, submission: str | None = None) -> str:
    """What came out of a run, and what may be done with it.

    Args:
        run: a training or a blend.
        competition: its declaration.
        submission: the name of the file; None: not written yet.
    """
    metrics, params = run.metrics, run.params
    error = f" +- {metrics['cv_se']:.4f}" if "cv_se" in metrics else ""
    made = f"{params['folds']} folds x {params['members']} members" if "members" in params else run.tags["blended"]
    lines = [
        f"**{competition.metric.name} {metrics['cv_score']:.4f}{error}** out of fold: {made}.",
        "",
        f"Submission: `{submission}`" if submission else f"Submission: none yet, `{_submits(run)}` writes it",
        "",
        f"- `make compare A={run.name} B=<run>`",
        f"- `make reproduce RUN={run.name}`",
        f"- `make serve C={run.tags['competition']} RUN={run.name}`",
    ]
    return "\n".join(lines)


def _submits(run: FinishedRun) -> str:
    tags = run.tags
    return f"make submit C={tags['competition']} MODEL={tags['model']}" + f" SEED={tags['seed']}" * (
        tags["seed"] != "0"
    )
