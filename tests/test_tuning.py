"""The search: what it tries, what it ends early, what fails, what is run again, and when it ends."""

from __future__ import annotations

import math
import shutil
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from data.errors import UsageError
from data.metrics import ACCURACY, LOG_LOSS
from models.config import Optimizer
from models.crossfit import crossfit
from models.epochs import Epoch
from models.mlp import MLPConfig
from models.pruners import Pruner
from models.pulse import StoppedError, Worker, stop
from models.samplers import Sampler, build_sampler
from models.trials import FIRST, SURPLUS, WORKER, abandon, best_of, finished, reason_of
from models.tuner import Tuning
from models.tuning import Budget, Search, applied, check_space, direction_of
from pipelines.storage import PatientStorage, open_storage
from tests.toy import folds_of

CONFIG = MLPConfig(width=8, depth=1, epochs=6, lr=1e-3, dropout=0.2)
SPACE = {"lr": FloatDistribution(1e-4, 1.0, log=True), "dropout": FloatDistribution(0.0, 0.8)}
HERE = Worker(name="here 1", dead=lambda name: name == "here 0")


def curve(config: MLPConfig, epochs: int = 6):
    """A made-up training whose loss is least where lr is .1 and dropout .4."""
    loss = (math.log10(config.lr) + 1) ** 2 + (config.dropout - 0.4) ** 2
    for number in range(1, epochs + 1):
        score = loss + 1 / number
        yield Epoch(
            number=number, train_loss=score, score=score, fold_scores=(score,) * 5,
            monitor=score, fold_monitors=tuple(score + shift / 100 for shift in range(5)),
        )  # fmt: skip


def fit(config, watch):
    for epoch in curve(config):
        watch(epoch)
    return SimpleNamespace(score=epoch.score, monitor=epoch.monitor)


@pytest.fixture
def search(tmp_path, no_studies):
    """Runs a search; calls share their study."""
    shutil.copy(no_studies, tmp_path)

    def search(trials=None, fit=fit, sampler=Sampler.TPE, pruner=Pruner.NONE, worker=HERE, space=SPACE, **more):
        storage = more.pop("storage", None) or open_storage(None, tmp_path)
        seed = more.pop("seed", 0)
        study = optuna.create_study(
            storage=storage, study_name="toy", direction=direction_of(LOG_LOSS), load_if_exists=True
        )
        wanted = {name: getattr(CONFIG, name) for name in space}
        study.enqueue_trial(
            {name: getattr(value, "value", value) for name, value in wanted.items()}, skip_if_exists=True
        )
        declared = Search(sampler=sampler, pruner=pruner, startup=5)
        budget = Budget(trials=trials, **more)
        Tuning(study, storage, CONFIG, space, declared, budget, worker, lambda: None, seed).run(fit)
        return study

    return search


def params_of(study: optuna.Study) -> list[dict]:
    return [trial.params for trial in finished(study)]


def test_the_declared_settings_come_first_and_better_ones_are_found(search):
    study = search(40)
    done = finished(study)
    assert len(done) == len(study.trials) == 40
    assert done[0].params == {"lr": 1e-3, "dropout": 0.2}
    assert best_of(study).values[0] < 0.1 * (done[0].values[0] - 1 / 6) + 1 / 6


@pytest.mark.parametrize("sampler", [each for each in Sampler if each is not Sampler.GRID])
def test_every_sampler_comes_near_the_best(search, sampler):
    least = min(trial.values[0] for trial in finished(search(30, sampler=sampler)))
    assert least < 1 / 6 + 0.25


@pytest.mark.parametrize("sampler", Sampler)
def test_a_seed_draws_the_same_and_another_one_others(tmp_path, search, sampler):
    space = {"width": IntDistribution(8, 64), "depth": IntDistribution(1, 8)}
    found = []
    for number, seed in enumerate((3, 3, 4)):
        storage = open_storage(None, tmp_path / str(number))
        found.append(params_of(search(9, sampler=sampler, space=space, storage=storage, seed=seed)))
    assert found[0] == found[1] != found[2]


def test_a_grid_tries_every_combination_once_and_ends(search):
    space = {
        "depth": IntDistribution(1, 3),
        "optimizer": CategoricalDistribution([each.value for each in Optimizer]),
        "dropout": FloatDistribution(0.0, 0.4, step=0.1),
    }
    study = search(sampler=Sampler.GRID, space=space)
    seen = {(each["depth"], each["optimizer"], round(each["dropout"], 9)) for each in params_of(study)}
    assert len(seen) == len(study.trials) == 3 * 5 * 5


def test_a_grid_goes_on_from_another_sampler_to_every_combination(search):
    space = {"width": IntDistribution(8, 11), "depth": IntDistribution(1, 3)}
    drawn = params_of(search(12, space=space))
    assert len({tuple(each.items()) for each in drawn}) < 12
    study = search(30, sampler=Sampler.GRID, space=space)
    assert len({tuple(each.items()) for each in params_of(study)}) == 12


@pytest.mark.parametrize("sampler", [Sampler.RANDOM, Sampler.GRID])
def test_hyperbands_brackets_draw_no_settings_twice(search, sampler):
    space = {"width": IntDistribution(8, 11), "depth": IntDistribution(1, 3)} if sampler is Sampler.GRID else SPACE
    study = search(12, sampler=sampler, pruner=Pruner.HYPERBAND, space=space)
    assert len({tuple(each.items()) for each in params_of(study)}) == len(study.trials) == 12


def test_workers_that_draw_from_a_grid_at_once_try_every_combination_once(search, tmp_path):
    space = {"width": IntDistribution(8, 11), "depth": IntDistribution(1, 4)}

    def work(number: int) -> None:
        worker = Worker(name=f"thread {number}", dead=lambda _: False)
        search(sampler=Sampler.GRID, space=space, worker=worker, storage=open_storage(None, tmp_path))

    search(1, sampler=Sampler.GRID, space=space)
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    study = search(1, sampler=Sampler.GRID, space=space)
    assert len(finished(study)) == len({tuple(each.items()) for each in params_of(study)}) == 16


def test_workers_that_drew_the_same_draw_others_then():
    """Each time both have drawn before the other's draw is known; two drawing in step must part."""
    space = {"width": IntDistribution(8, 9)}
    sampler, study, drawn = build_sampler(Sampler.GRID, space, 0, 0, {}), optuna.create_study(), []
    storage = study._storage
    for _ in range(20):
        pair = [storage.get_trial(storage.create_new_trial(study._study_id)) for _ in range(2)]
        for trial in pair:
            sampler.before_trial(study, trial)
            drawn.append(sampler.sample_relative(study, trial, space)["width"])
        for trial in pair:
            storage.set_trial_user_attr(trial._trial_id, SURPLUS, True)
            storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    assert any(one != other for one, other in zip(drawn[::2], drawn[1::2], strict=True))


def test_a_grid_ends_though_others_were_drawing_when_its_worker_began(search, tmp_path):
    """Trials whose settings are not written yet look alike, but none is drawn twice."""
    storage, space = open_storage(None, tmp_path), {"width": IntDistribution(8, 11)}
    study = search(1, sampler=Sampler.GRID, space=space)
    drawn = [storage.create_new_trial(study._study_id) for _ in range(2)]

    def give_up(config, watch):
        for trial_id in drawn:
            storage.set_trial_user_attr(trial_id, SURPLUS, True)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        drawn.clear()
        return fit(config, watch)

    study = search(sampler=Sampler.GRID, space=space, fit=give_up, storage=storage, seconds=20)
    assert sorted(each["width"] for each in params_of(study)) == [8, 9, 10, 11]
    assert len(study.trials) == 6


def test_a_grid_ends_though_a_worker_died_before_it_claimed_what_it_drew(search, tmp_path):
    """What is run again in its place draws something else, and what had been drawn is free."""
    storage, space = open_storage(None, tmp_path), {"width": IntDistribution(8, 11)}
    study = search(1, sampler=Sampler.GRID, space=space)
    with pytest.warns(UserWarning, match="Heartbeat"):
        abandon(study, storage, study.ask(space)._trial_id)
    study = search(sampler=Sampler.GRID, space=space, storage=storage, seconds=20)
    assert sorted(each["width"] for each in params_of(study)) == [8, 9, 10, 11]
    assert len(study.trials) == 5


def test_settings_that_nobody_queued_again_are_found(search, tmp_path, monkeypatch):
    """A worker may die after it failed the trial of another one, and before it queued it."""
    monkeypatch.setattr("models.tuner.GRACE", 0.0)
    storage = open_storage(None, tmp_path)
    begin(storage, "here 0")
    storage.set_trial_state_values(1, state=TrialState.FAIL)
    study = search(2)
    assert [trial.user_attrs.get(FIRST) for trial in study.trials] == [None, 0, None]
    assert len(finished(study)) == 2


def test_cma_es_leaves_no_pickle_in_the_storage(search):
    study = search(20, sampler=Sampler.CMA_ES)
    assert {name for trial in study.trials for name in trial.system_attrs} <= {"fixed_params"}


@pytest.mark.parametrize("pruner", Pruner)
def test_a_hopeless_trial_ends_early(search, pruner):
    epochs = []

    def hopeless(config, watch):
        for epoch in curve(config):
            worse = 9.0 + epoch.number
            bad = replace(epoch, monitor=worse, fold_monitors=tuple(worse + shift for shift in range(5)))
            watch(bad)
            epochs.append(epoch.number)
        return SimpleNamespace(score=9.0, monitor=9.0)

    search(8, pruner=pruner)
    study = search(9, fit=hopeless, pruner=pruner)
    last = study.trials[-1]
    if pruner is Pruner.NONE:
        assert last.state is TrialState.COMPLETE
        assert epochs == [1, 2, 3, 4, 5, 6]
    else:
        assert last.state is TrialState.PRUNED
        assert len(epochs) < 5
        assert study.best_trial.number != last.number


@pytest.mark.parametrize("pruner", Pruner)
def test_the_best_trial_is_not_pruned(search, pruner):
    search(8, pruner=pruner)

    def best(config, watch):
        found = 0.0
        for epoch in curve(replace(config, lr=0.1, dropout=0.4)):
            found = epoch.monitor - 0.2
            watch(replace(epoch, monitor=found, fold_monitors=tuple(each - 0.2 for each in epoch.fold_monitors)))
        return SimpleNamespace(score=found, monitor=found)

    study = search(9, fit=best, pruner=pruner)
    assert best_of(study).number == 8


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory: MemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes\nmore"), "out of memory: Default"),
        (ValueError("takes no such thing"), "takes no such thing"),
        (UsageError("these do not go together"), "these do not go together"),
        (RuntimeError("shapes differ"), "RuntimeError: shapes differ"),
    ],
)
def test_a_trial_that_fails_says_why_and_the_search_goes_on(search, error, reason):
    calls = []

    def fails(config, watch):
        calls.append(config)
        if len(calls) == 2:
            raise error
        return fit(config, watch)

    study = search(5, fit=fails)
    assert len(finished(study)) == 5
    assert [trial.state is TrialState.FAIL for trial in study.trials] == [False, True, False, False, False]
    assert reason_of(study.trials[1]).startswith(reason)


def test_networks_that_do_not_fit_into_memory_and_losses_that_are_none_fail(search):
    folds = folds_of()

    def train(config, watch):
        return crossfit(folds, None, replace(config, members=1), 2, ACCURACY, watch=watch)

    space = {"width": CategoricalDistribution([8, 10**13]), "lr": CategoricalDistribution([1e-3, 1e30])}
    study = search(fit=train, sampler=Sampler.GRID, space=space)
    reasons = {(trial.params["width"], trial.params["lr"]): reason_of(trial) for trial in study.trials}
    assert reasons[8, 1e-3] is None
    assert "no number" in reasons[8, 1e30]
    assert "out of memory" in reasons[10**13, 1e-3]
    assert "out of memory" in reasons[10**13, 1e30]


def test_a_bug_is_no_failed_trial(search):
    def buggy(config, watch):
        raise AttributeError("a bug")

    with pytest.raises(AttributeError):
        search(5, fit=buggy)
    study = search(5)
    assert reason_of(study.trials[0]) == "AttributeError: a bug"
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, *[TrialState.COMPLETE] * 4]


def test_the_budget_is_the_studys(search):
    assert len(search(6).trials) == 6
    assert len(search(4).trials) == 6
    study = search(9)
    assert len(study.trials) == 9
    assert len({tuple(each.items()) for each in params_of(study)}) == 9  # not the first draws again


def test_minutes_end_a_search_after_the_trial_under_way(search):
    def slow(config, watch):
        time.sleep(0.05)
        return fit(config, watch)

    started = time.monotonic()
    study = search(fit=slow, seconds=1.0)
    assert 2 < len(finished(study)) < 25
    assert time.monotonic() - started < 4
    assert all(trial.state is TrialState.COMPLETE for trial in study.trials)


@pytest.mark.parametrize("broken", [{"trials": 0}, {"seconds": 0.0}, {"seconds": math.nan}])
def test_no_budget_is_refused(broken):
    with pytest.raises(UsageError, match=r"TRIALS|MINUTES"):
        Budget(**broken)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, StoppedError("stopped")])
def test_an_interrupted_search_comes_to_the_same_as_one_that_was_not(tmp_path, search, interrupt):
    calls = []

    def interrupted(config, watch):
        calls.append(config)
        if len(calls) == 8:
            raise interrupt
        return fit(config, watch)

    whole = params_of(search(14, storage=open_storage(None, tmp_path / "whole")))
    with pytest.raises((KeyboardInterrupt, StoppedError)):
        search(14, fit=interrupted)
    study = search(14)
    assert params_of(study) == whole
    assert [trial.user_attrs[FIRST] for trial in study.trials if FIRST in trial.user_attrs] == [7]


def begin(storage: PatientStorage, worker: str | None) -> None:
    """A trial whose worker died while it ran."""
    study = optuna.create_study(storage=storage, study_name="toy", direction="minimize", load_if_exists=True)
    if not study.trials:
        study.enqueue_trial({"lr": 1e-3, "dropout": 0.2})
    with pytest.warns(UserWarning, match="Heartbeat"):
        trial = study.ask(dict(SPACE))
    if worker is not None:
        storage.record_heartbeat(trial._trial_id)
        trial.set_user_attr(WORKER, worker)


def assert_run_again(study: optuna.Study, trials: int) -> None:
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 1
    assert len(finished(study)) == trials
    again = next(trial for trial in study.trials if FIRST in trial.user_attrs)
    assert again.params == study.trials[again.user_attrs[FIRST]].params
    assert again.state is TrialState.COMPLETE


def test_the_trial_of_a_dead_process_of_this_machine_is_run_again_at_once(search, tmp_path):
    begin(open_storage(None, tmp_path), "here 0")
    started = time.monotonic()
    assert_run_again(search(4), 4)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("worker", ["elsewhere 5", None])
def test_a_trial_without_signs_of_life_is_run_again(search, tmp_path, worker):
    """Even where its worker died before the first of them."""
    storage = open_storage(None, tmp_path)
    storage.grace_period = 1
    begin(storage, worker)
    study = search(2, storage=storage, seconds=20)
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 1
    assert len(finished(study)) == 2
    assert not [trial for trial in study.trials if trial.state in (TrialState.RUNNING, TrialState.WAITING)]


def test_a_trial_that_kills_its_workers_is_given_up(search, tmp_path):
    storage = open_storage(None, tmp_path)
    begin(storage, "here 0")
    study = optuna.load_study(study_name="toy", storage=storage)
    worker = Worker(name="here 0", dead=lambda name: name == "here 0")

    def dies(config, watch):
        raise SystemExit

    for _ in range(5):
        with pytest.raises(SystemExit):
            search(1, fit=dies, worker=worker)
    search(1, fit=dies, worker=worker)
    assert reason_of(study.trials[-1]) == "its worker died 6 times"
    assert len(finished(study)) == 1


def test_workers_share_a_budget_to_the_trial(search, tmp_path):
    def work(number: int) -> None:
        worker = Worker(name=f"thread {number}", dead=lambda _: False)
        search(20, worker=worker, storage=open_storage(None, tmp_path))

    search(1)
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    study = search(1)
    assert len(finished(study)) == 20
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    assert len({trial.user_attrs[WORKER] for trial in finished(study)}) > 2


def test_a_search_is_stopped_from_outside_and_by_the_end_of_its_parent(search, monkeypatch):
    monkeypatch.setattr("models.pulse.TICK", 0.05)
    gone = threading.Event()

    def endless(config, watch):
        stop(study, "s")
        gone.set()
        for number in range(10_000):
            time.sleep(0.01)
            watch(replace(next(curve(config)), number=1 + number))
        pytest.fail("nobody stopped it")

    study = search(1)
    for worker in (
        replace(HERE, session="s"),
        replace(HERE, orphaned=gone.is_set),
    ):
        with pytest.raises(StoppedError):
            search(3, fit=endless, worker=worker)
    assert len(finished(search(3))) == 3


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"lrr": FloatDistribution(0, 1)}, "fields of MLPConfig, but got 'lrr'"),
        ({"members": IntDistribution(1, 9)}, "how trials are scored"),
        ({"lr": (0, 1)}, "Optuna's distributions"),
        ({"lr": FloatDistribution(0.1, 1)}, "lies in its range, but got lr=0.001"),
        ({"optimizer": CategoricalDistribution(["sgd", "adam"])}, "optimizer='adamw'"),
        ({"optimizer": IntDistribution(0, 9)}, "optimizer='adamw'"),
        ({"optimizer": CategoricalDistribution(["adamw", "nope"])}, "takes sgd, adam, adamw"),
        ({"width": FloatDistribution(8, 64)}, "from an IntDistribution, but got width"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space, words):
    with pytest.raises(ValueError, match=words):
        check_space(CONFIG, space, Search())


def test_a_grid_of_floats_without_a_step_is_refused():
    with pytest.raises(ValueError, match="a step"):
        check_space(CONFIG, SPACE, Search(sampler=Sampler.GRID))


def test_a_grid_that_nobody_would_live_to_see_is_refused():
    space = {"width": IntDistribution(1, 3000), "batch": IntDistribution(1, 3000)}
    with pytest.raises(ValueError, match="1,000,000 combinations at most, but got 9,000,000"):
        check_space(CONFIG, space, Search(sampler=Sampler.GRID))


def test_a_field_of_numbers_that_is_declared_as_zero_is_drawn_from_numbers():
    check_space(replace(CONFIG, weight_decay=0), {"weight_decay": FloatDistribution(0, 1)}, Search())


def test_settings_are_applied_as_one_would_write_them():
    config = replace(CONFIG, weight_decay=0.0123456789)
    found = applied(config, {"lr": 0.0123456789, "optimizer": "sgd", "width": 12, "weight_decay": 0.0123456789})
    assert found == replace(config, lr=0.01235, optimizer=Optimizer.SGD, width=12)


def test_the_best_of_equals_is_the_first(search):
    study = search(3, fit=lambda *_: SimpleNamespace(score=1.0, monitor=1.0))
    assert best_of(study).number == 0
