"""Search report: the figures of a study, and its trials as a table."""

from __future__ import annotations

import html
import warnings
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState

from data.metrics import Metric
from models.trials import SECONDS, best_of, finished, reason_of
from pipelines.report import BLUE, GREY, ORANGE, SIZE, quiet, write_png

LEAST = 2  # complete trials that a comparison takes
LEAST_LEFT_OUT = 5  # complete trials of which the worst is left out
WORST = 0.1  # share of the trials that the axes of the page leave out at their bad end
EDGE = 0.02  # share of the scores that the axis of the curves leaves out at their bad end

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 1em }} div {{ overflow-x: auto }}</style>
<h1>{title}</h1>
<p>{note}</p>
{figures}"""


def write(folder: Path, study: optuna.Study, metric: Metric) -> None:
    """Writes `trials.csv`, `learning_curves.png`, and `study.html` where the trials are enough for figures.

    Args:
        folder: where to.
        study: what was searched.
        metric: what was searched for.
    """
    _table(study).to_csv(folder / "trials.csv", index=False)
    write_png(learning_curves(finished(study), best_of(study), metric), folder / "learning_curves.png")
    if drawn := page(study, metric):
        (folder / "study.html").write_text(drawn)


def learning_curves(trials: list[FrozenTrial], best: FrozenTrial | None, metric: Metric) -> Figure:
    """The score over all out-of-fold rows by epoch: complete trials grey, pruned ones orange, the best one blue."""
    figure = Figure(figsize=SIZE, layout="constrained")
    ax = figure.subplots()
    for trial in trials:
        epochs, scores = _curve(trial)
        pruned = trial.state is TrialState.PRUNED
        ax.plot(epochs, scores, color=ORANGE if pruned else GREY, linewidth=0.9, alpha=0.8)
        if pruned and len(epochs):
            ax.plot(epochs[-1], scores[-1], "o", color=ORANGE, markersize=4)
    if best is not None:
        ax.plot(*_curve(best), color=BLUE, linewidth=2)
    ax.plot([], [], color=GREY, label="complete")
    ax.plot([], [], color=ORANGE, marker="o", markersize=4, label="pruned")
    ax.plot([], [], color=BLUE, linewidth=2, label="the best" if best is None else f"the best, trial {best.number}")
    known = np.concatenate([_curve(trial)[1] for trial in trials] or [np.zeros(0)])
    if len(known):
        ax.set_ylim(*_range(known, metric, round(EDGE * len(known))))
    ax.set(title=f"out-of-fold {metric.name} of all trials", xlabel="epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False)
    quiet(np.array([ax]))
    return figure


def _curve(trial: FrozenTrial) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and finite scores."""
    steps = np.array(sorted(trial.intermediate_values), dtype=np.int64)
    scores = np.array([trial.intermediate_values[step] for step in steps], dtype=np.float64)
    held = np.isfinite(scores)
    return steps[held], scores[held]


def _range(scores: np.ndarray, metric: Metric, left_out: int) -> tuple[float, float]:
    """Of an axis that leaves out some scores at their bad end, where the few off the rest are."""
    ordered = np.sort(scores)
    kept = ordered[left_out:] if metric.greater_is_better else ordered[: len(ordered) - left_out]
    low, high = kept[0], kept[-1]
    margin = max(high - low, 1e-9) * 0.05
    return float(low - margin), float(high + margin)


def page(study: optuna.Study, metric: Metric) -> str:
    """Optuna's own figures, one below the other, as a page that needs no network; none where trials are too few.

    Args:
        study: what was searched.
        metric: what was searched for.
    """
    from optuna import visualization as drawn

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < LEAST:
        return ""
    name = metric.name
    left_out = max(1, round(WORST * len(complete))) if len(complete) >= LEAST_LEFT_OUT else 0
    low, high = _range(np.array([trial.values[0] for trial in complete]), metric, left_out)
    anova = optuna.importance.PedAnovaImportanceEvaluator()
    draws = {
        "history": lambda: drawn.plot_optimization_history(study, target_name=name).update_yaxes(range=(low, high)),
        "importances": lambda: drawn.plot_param_importances(study, evaluator=anova, target_name=name),
        "parallel": lambda: drawn.plot_parallel_coordinate(_within(study, low, high), target_name=name),
        "slice": lambda: drawn.plot_slice(study, target_name=name).update_yaxes(range=(low, high)),
        "timeline": lambda: drawn.plot_timeline(study),
    }
    parts: list[str] = []
    with warnings.catch_warnings(action="ignore"):  # experimental, and ranges of one value
        for part, draw in draws.items():
            parts.append(draw().to_html(full_html=False, include_plotlyjs=not parts, div_id=part))
    note = f"The axes of the score leave out the worst {left_out} of {len(complete)} complete trials." * bool(left_out)
    figures = "".join(f"<div>{part}</div>\n" for part in parts)
    return PAGE.format(title=html.escape(study.study_name), note=note, figures=figures)


def _within(study: optuna.Study, low: float, high: float) -> optuna.Study:
    """A copy in memory, of the complete trials of some values alone."""
    near = optuna.create_study(direction=study.direction)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    near.add_trials([trial for trial in complete if low <= trial.values[0] <= high])
    return near


def _table(study: optuna.Study) -> pd.DataFrame:
    """The finished trials, a row each."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name,
            "value": None if trial.values is None else trial.values[0],
            "seconds": trial.user_attrs.get(SECONDS),
            "epochs": len(trial.intermediate_values),
            **trial.params,
            "reason": reason_of(trial),
        }
        for trial in finished(study)
    ]
    return pd.DataFrame(rows)
