"""Search closing: what a finished search tells."""

from __future__ import annotations

from optuna.trial import FrozenTrial

from data.sources import Source
from models.trials import SCORE, best_of, finished
from models.tuning import applied, plain
from pipelines import studies
from pipelines.closing import columns
from pipelines.lookout import counts
from pipelines.stages import TWIN_WARNING
from pipelines.tuning import Tuned


def closing_of_search(tuned: Tuned) -> str:
    """The summary of a search."""
    hunt, study = tuned.hunt, tuned.hunt.study
    job, metric = hunt.job, hunt.metric
    done, best = finished(study), best_of(study)
    ways = ", ".join(f"{count} {word}" for word, count in counts(done).items() if count)
    lines = {
        "study": study.study_name,
        "storage": hunt.storage.name,
        "trials": f"{len(done)} finished: {ways or 'none'}",
        "new": f"{tuned.new} in {tuned.seconds:.1f} s, {60 * tuned.new / tuned.seconds:.1f} a minute",
    }
    if best is not None:
        declared = studies.trial_of_default(study, hunt.candidate)
        beside = "" if declared is None else f"; {declared.values[0]:.4f} as declared"
        lines[metric.name] = f"{best.values[0]:.4f} in trial {best.number}{beside}"
        if metric.name != job.competition.metric.name:
            own, theirs = (_score(trial) for trial in (best, declared))
            lines[job.competition.metric.name] = f"{own} in that trial" + (f"; {theirs} as declared" if theirs else "")
        if job.competition.thresholds is not None:
            lines[job.competition.metric.name] += ", thresholds untuned"
        config = applied(hunt.candidate.config, best.params)
        lines["settings"] = ", ".join(f"{name}={plain(getattr(config, name))}" for name in best.params)
        wanted = f"C={job.name} MODEL={hunt.model}" + f" SEED={job.seed}" * (job.seed != 0)
        place = ", with the same STORAGE" * (job.storage is not None)
        lines["next"] = f"make submit {wanted} trains them; make adopt {wanted} prints them{place}"
    return columns(lines) + (f"\n{TWIN_WARNING}" if hunt.ingested.tables.source is Source.TWIN else "")


def _score(trial: FrozenTrial | None) -> str:
    score = None if trial is None else trial.user_attrs.get(SCORE)
    return "" if score is None else f"{score:.4f}"
