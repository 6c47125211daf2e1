"""Crossfit: a whole cross-validation, folds x members, trained as one network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.datasets import Fold
from data.metrics import Metric
from data.splits import Split
from models.config import Config, outputs_of
from models.devices import matmul_precision, threads
from models.ensemble import mean_of
from models.epochs import Epoch, RefitEpoch, Told, Watch, Within
from models.forms import form_of
from models.keeping import Keep, Nowhere, State, part, prefixed
from models.memory import give_back_freed_memory, hold_freed_memory
from models.selection import Best, DivergedError, Scorer
from models.training import Training, generators_of, pack_generators, predict


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossFit:
    """What a cross-validation leaves: each fold at the epoch that its own ensemble scored best in."""

    oof: np.ndarray  # float32 [train rows, columns]: of the networks that did not see the row
    test: np.ndarray  # float32 [test rows, columns]: the mean of the networks that answer
    score: float
    monitor: float  # the score by what chose the epochs
    fold_scores: tuple[float, ...]
    fold_epochs: tuple[int, ...]  # the chosen ones, from 1
    history: tuple[Epoch, ...]
    weights: dict[str, Tensor]  # [folds x members, ...]
    refit_weights: dict[str, Tensor]  # [members, ...], of networks trained on all rows; empty without refit
    answering: range  # the folds whose networks answer new rows, beside those of all rows


def crossfit(
    folds: Sequence[Fold],
    whole: Fold | None,
    config: Config,
    columns: int,
    metric: Metric,
    *,
    split: Split | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    watch: Watch | None = None,
    keep: Keep | None = None,
) -> CrossFit:
    """Trains all folds and members at once, chooses each fold's epoch, and predicts.

    Args:
        folds: encoded, in the order of their numbers.
        whole: the fold that holds nothing out, for the networks trained on all rows; None leaves those out.
        config: the networks and their training.
        columns: of the predictions.
        metric: the competition's.
        split: that made the folds; None: one whose folds all answer new rows.
        seed: of weights, batches and dropout; the same seed gives the same bytes on a CPU.
        device: where to train.
        watch: told of every epoch, and within long ones; may raise to stop. A training that goes on tells the epochs
            before again.
        keep: stores the state after epochs and within long ones, and gives back that of a training that was cut off.

    Raises:
        DivergedError: a fold never had a finite score, or a test row no finite prediction.
    """
    device = torch.device(device)
    watch = watch or _ignore
    keep = keep or Nowhere()
    hold_freed_memory()
    with matmul_precision(config.precision, device):
        state = keep.load() or {}
        validation = _Validation(folds, config, columns, metric, seed, device)
        with threads(validation.products):
            validation.restore(part("validation", state))
            validation.run(watch, keep)
            refits = 0 if whole is None else config.refits
            answering = (split or Split()).answering(len(folds), bool(refits))
            test, refit_weights = validation.test(answering), {}
            if whole is not None and refits:
                refit = _Refit(whole, validation, seed)
                refit.restore(part("refit", state))
                refit.run(watch, keep)
                test = mean_of(test, len(answering) * config.members, refit.test(), refits)
                refit_weights = _on_cpu(refit.network.state_dict())
    if not test.isfinite().all():
        raise DivergedError("the prediction of a test row is no number: lower lr, or look at the row's features")
    return validation.crossfit(test.cpu().numpy(), refit_weights, answering)


def _on_cpu(tensors: State) -> State:
    return {name: tensor.cpu() for name, tensor in tensors.items()}


def _ignore(epoch: Told) -> None:
    """Watches nothing."""


def _within(
    number: int, of: int, refit: bool, watch: Watch, keep: Keep, state: Callable[[], State]
) -> Callable[[float], None]:
    def tell(share: float) -> None:
        watch(Within(number=number, of=of, share=share, refit=refit))
        keep.save(state)

    return tell


class _Validation:
    """The cross-validation itself: all folds and members as one network, and each fold's best epoch."""

    def __init__(
        self, folds: Sequence[Fold], config: Config, columns: int, metric: Metric, seed: int, device: torch.device
    ) -> None:
        self.folds, self.config, self.device = folds, config, device
        self.outputs = outputs_of(config.loss, columns)
        self.form = form_of([fold.train for fold in folds])
        generators = pack_generators(seed, len(folds), config.members)
        self.network = config.build(self.form, self.outputs, generators).to(device)
        self.products = self.network.products * config.batch  # a step
        train = self.form.stack([fold.train for fold in folds], device)
        self.training = Training(self.network, train, config, generators)
        self.valid = self.form.stack([fold.valid for fold in folds], device)
        self.scorer = Scorer(folds, metric, config.monitor or metric)
        self.best = Best(self.network, self.scorer, columns)
        self.history: list[Epoch] = []

    def run(self, watch: Watch, keep: Keep) -> None:
        """Trains to the end, or until no fold gets better."""
        for epoch in self.history:
            watch(epoch)
        while self.training.epochs < self.config.epochs and not all(self.best.stopped):
            within = _within(self.training.epochs + 1, self.config.epochs, False, watch, keep, self.state)
            losses = self.training.epoch(within)
            give_back_freed_memory()
            oof = self.scorer.rows_of(predict(self.network, self.valid, self.config))
            self.history.append(self.scorer.epoch(self.training.epochs, float(losses.mean()), oof))
            self.best.update(self.history[-1], oof, self.config.patience)
            watch(self.history[-1])
            keep.save(self.state)
        self.best.check()

    def test(self, answering: range) -> Tensor:
        """The mean of the best networks of some folds, [test rows, columns]; of none it is 0."""
        if not answering:
            return torch.zeros(len(self.folds[0].test), self.best.oof.shape[1], device=self.device)
        self.network.load_state_dict(self.best.weights)
        rows = self.form.stack([fold.test for fold in self.folds], self.device)
        return predict(self.network, rows, self.config)[list(answering)].mean(dim=0)

    def crossfit(self, test: np.ndarray, refit_weights: State, answering: range) -> CrossFit:
        """What it comes to, with the test prediction of all networks."""
        best, metric = self.best, self.scorer.metric
        return CrossFit(
            oof=best.oof,
            test=test,
            score=metric.score(self.scorer.target, best.oof),
            monitor=self.scorer.monitor.score(self.scorer.target, best.oof),
            fold_scores=self.scorer.by_fold(metric, best.oof),
            fold_epochs=tuple(best.epochs),
            history=tuple(self.history),
            weights=_on_cpu(best.weights),
            refit_weights=refit_weights,
            answering=answering,
        )

    def result(self) -> State:
        """What is left of it when it has ended."""
        history = {str(epoch.number): torch.tensor(epoch.numbers(), dtype=torch.float64) for epoch in self.history}
        found = {**prefixed("best", self.best.state()), **prefixed("history", history)}
        return prefixed("validation", found)

    def state(self) -> State:
        """All that the next step depends on, and the result so far."""
        return {**prefixed("validation.training", self.training.state()), **self.result()}

    def restore(self, state: State) -> None:
        """Goes back to a state; to one without a training when that had ended."""
        if not state:
            return
        history = sorted(part("history", state).items(), key=lambda item: int(item[0]))
        self.history = [Epoch.of(numbers.tolist()) for _, numbers in history]
        self.best.restore(part("best", state))
        if training := part("training", state):
            self.training.restore(training)
        else:
            self.training.epochs = self.config.epochs


class _Refit:
    """Networks trained on all rows for as many epochs as the folds chose on average."""

    def __init__(self, whole: Fold, validation: _Validation, seed: int) -> None:
        self.whole, self.config, self.device = whole, validation.config, validation.device
        self.done = validation.result()
        chosen = validation.best.epochs
        self.form = form_of([whole.train])
        self.epochs = round(float(np.mean(chosen)))
        generators = generators_of(seed, len(chosen), self.config.refits)  # those of the fold after the last
        self.network = self.config.build(self.form, validation.outputs, generators).to(self.device)
        self.training = Training(self.network, self.form.stack([whole.train], self.device), self.config, generators)

    def run(self, watch: Watch, keep: Keep) -> None:
        """Trains to the end."""
        while self.training.epochs < self.epochs:
            losses = self.training.epoch(_within(self.training.epochs + 1, self.epochs, True, watch, keep, self.state))
            give_back_freed_memory()
            watch(RefitEpoch(number=self.training.epochs, of=self.epochs, train_loss=float(losses.mean())))
            keep.save(self.state)

    def test(self) -> Tensor:
        """Their mean, [test rows, columns]."""
        return predict(self.network, self.form.stack([self.whole.test], self.device), self.config)[0]

    def state(self) -> State:
        """All that the next step depends on, and the result of the cross-validation."""
        return {**self.done, **prefixed("refit", self.training.state())}

    def restore(self, state: State) -> None:
        """Goes back to a state."""
        if state:
            self.training.restore(state)
