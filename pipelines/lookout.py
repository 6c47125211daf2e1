"""Lookout: what a person sees of a search while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optuna.trial import FrozenTrial, TrialState

from models.epochs import Epoch, Told
from models.trials import best_among, finished, is_finished, reason_of
from pipelines import console
from pipelines.hunt import Hunt
from pipelines.mirror import Mirror

MOST_NAMED = 4  # trials under way


class Lookout:
    """Tells of trials that failed, writes the finished ones into MLflow, and shows how far the search has come.

    Args:
        hunt: the search.
        mirror: of its study.
        show: takes how many trials are finished, and what there is to say.
    """

    def __init__(self, hunt: Hunt, mirror: Mirror, show: Callable[[int, str], None]) -> None:
        self.hunt, self.mirror, self.show = hunt, mirror, show
        self.told = {trial.number for trial in finished(hunt.study)}
        self.done, self.text = len(self.told), ""

    def look(self, named: bool = False) -> None:
        """Reads the study, and brings all up to date.

        Args:
            named: whether the trials under way are named, too.

        Raises:
            StorageError: the study is gone.
        """
        self.hunt.storage.require()
        trials = self.hunt.study.get_trials(deepcopy=False)
        done = [trial for trial in trials if is_finished(trial)]
        for trial in done:
            if trial.number not in self.told and trial.state is TrialState.FAIL:
                console.tell(f"trial {trial.number} failed: {reason_of(trial)}")
        self.told.update(trial.number for trial in done)
        self.mirror.update(done)
        self.done, self.text = len(done), self._standing(trials)
        self.show(self.done, ", ".join([self.text, *(_running(trials) if named else [])]))

    def within(self, epoch: Told) -> None:
        """Shows an epoch of the trial that this process runs."""
        if isinstance(epoch, Epoch):
            self.show(self.done, f"{self.text}, epoch {epoch.number}" if self.text else f"epoch {epoch.number}")

    def _standing(self, trials: Sequence[FrozenTrial]) -> str:
        """What the finished trials came to."""
        best = best_among(trials, self.hunt.study.direction)
        texts = [] if best is None else [f"best {self.hunt.metric.name} {best.values[0]:.4f} (trial {best.number})"]
        texts += [f"{count} {word}" for word, count in counts(trials).items() if count and word != "complete"]
        return ", ".join(texts) or "no score yet"


def _running(trials: Sequence[FrozenTrial]) -> list[str]:
    """The trials under way, and the last epoch that each of them told; of many, how many they are."""
    running = [trial for trial in trials if trial.state is TrialState.RUNNING]
    if len(running) > MOST_NAMED:
        return [f"{len(running)} running"]
    return [f"trial {trial.number} in epoch {(trial.last_step or 0) + 1}" for trial in running]


def counts(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """How many of the finished ones among some trials ended in which way."""
    names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    done = [trial.state for trial in trials if is_finished(trial)]
    return {name: done.count(state) for state, name in names.items()}
