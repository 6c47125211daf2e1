"""Scoring: the figures of a run, from the predictions of rows whose networks did not see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.tables import Tables
from features.verbatim import Verbatim
from pipelines.competition import Competition
from submissions.blend import Blend, blend
from submissions.paired import standard_error


def score_metrics(competition: Competition, every: Tables, oof: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    """The scores as they are logged.

    Args:
        competition: names the metric.
        every: all rows, with their target and folds.
        oof: float [scored rows, columns].
        decided: see `decided_oof`.
    """
    tables = every.scored
    metric, target, fold = competition.metric, tables.target, tables.fold
    usual, raw = competition.schema.target.usual, metric.score(target, oof)
    usual_score, oof = usual.score(target, oof), decided
    by_fold = [metric.score(target[fold == number], oof[fold == number]) for number in range(competition.split.folds)]
    found = {
        "cv_score": metric.score(target, oof),
        "cv_std": float(np.nanstd(by_fold)),  # a fold of one class has no AUC
        f"cv_{usual.name}": usual_score,
        **{f"cv_score/fold-{number}": score for number, score in enumerate(by_fold)},
    }
    group = None if competition.split.group is None else tables.train[competition.split.group].to_numpy()
    error = standard_error(target, oof, metric, group)
    if error is not None:
        found["cv_se"] = error
    if competition.thresholds is not None:
        found["cv_score_untuned"] = raw
    if competition.verbatim:
        remembered, known = remembered_oof(competition, every, oof)
        found["cv_score_verbatim"] = metric.score(target, remembered)
        found["verbatim/train_rows"] = float(known.sum())
        nothing = np.zeros((len(tables.test), oof.shape[1]))
        found["verbatim/test_rows"] = float(remembered_test(competition, tables, nothing)[1].sum())
    return found


def blend_of(
    competition: Competition, tables: Tables, oof: Sequence[np.ndarray], fold_hashes: Sequence[str], seed: int
) -> Blend:
    """The blend of several models.

    Args:
        competition: names the metric.
        tables: the scored rows alone.
        oof: of each model, float [scored rows, columns].
        fold_hashes: of each model's folds.
        seed: see `submissions.blend`.

    Raises:
        UsageError: their folds differ.
    """
    return blend(
        oof,
        tables.target,
        tables.fold,
        fold_hashes,
        competition.metric,
        seed,
        competition.schema.target.has_temperature,
        competition.split.forward,
    )


def decided_oof(competition: Competition, target: np.ndarray, fold: np.ndarray, oof: np.ndarray) -> np.ndarray:
    """What is scored: predictions, or the labels of each fold by thresholds that the other folds chose.

    Of folds in time those before chose them.
    """
    if competition.thresholds is None:
        return oof
    rule = competition.thresholds.rule(competition.schema.target)
    return rule.nested(target, fold, oof, competition.metric, competition.split.forward)


def tuned(competition: Competition, target: np.ndarray, oof: np.ndarray) -> np.ndarray | None:
    """The values by which new rows are decided, of all out-of-fold predictions; None where nothing is tuned."""
    if competition.thresholds is None:
        return None
    return competition.thresholds.rule(competition.schema.target).fit(target, oof, competition.metric)


def decided(competition: Competition, predictions: np.ndarray, values: np.ndarray | None) -> np.ndarray:
    """Predictions, or the labels that `tuned` values make of them."""
    if competition.thresholds is None or values is None:
        return predictions
    return competition.thresholds.rule(competition.schema.target).decide(predictions, values)


def remembered_oof(competition: Competition, tables: Tables, oof: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """See `Verbatim.apply`: of scored rows, of which each fold's are compared with all that it was trained on.

    Args:
        competition: the declaration.
        tables: all rows.
        oof: float [scored rows, columns].
    """
    found, known = oof.copy(), np.zeros(len(oof), dtype=bool)
    scored = tables.scored
    for fold in np.unique(scored.fold):
        own, others = scored.held_out(fold), tables.trained_on(fold)
        memory = memory_of(competition).fit(tables.train[others], tables.target[others])
        found[own], known[own] = memory.apply(scored.train[own], oof[own])
    return found, known


def remembered_test(competition: Competition, tables: Tables, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """See `Verbatim.apply`: of test rows, which are compared with all train rows."""
    return memory_of(competition).fit(tables.train, tables.target).apply(tables.test, predictions)


def memory_of(competition: Competition) -> Verbatim:
    """What remembers rows of a competition; it knows none yet."""
    return Verbatim(memory_columns(competition), len(competition.schema.target.outputs))


def memory_columns(competition: Competition) -> list[str]:
    """The columns in which a row must repeat another."""
    return [name for name in competition.schema.names if name != competition.split.group]
