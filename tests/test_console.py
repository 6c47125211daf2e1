"""What a person sees in a terminal, and what a log file is spared."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from data.metrics import ACCURACY, LOG_LOSS
from models.epochs import Epoch, RefitEpoch, Within
from pipelines import console
from pipelines.progress import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_shows_epoch_score_and_time_in_a_terminal_and_nothing_elsewhere(monkeypatch, terminal):
    stream = io.StringIO()
    monkeypatch.setattr(console, "STDERR", Console(file=stream, force_terminal=terminal, width=80))
    with progress("titanic mlp", ACCURACY, epochs=30) as show:
        for number, score in ((1, 0.75), (2, 0.875), (3, 0.8125)):
            show(Epoch(number=number, train_loss=0.5, score=score, fold_scores=(), monitor=0.4, fold_monitors=()))
    shown = stream.getvalue()
    if terminal:
        assert "titanic mlp" in shown
        assert "epoch 3/30" in shown
        assert "accuracy 0.8125, best 0.8750" in shown
        assert "left" in shown
    else:
        assert shown == ""


def test_a_log_file_gets_a_line_now_and_then(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(console, "STDERR", Console(file=stream, force_terminal=False, width=40))
    monkeypatch.setattr(console, "QUIET", -1.0)
    with progress("otto mlp", LOG_LOSS, epochs=30) as show:
        show(Within(number=1, of=30, share=0.25, refit=False))
        for number, score in ((1, 0.75), (2, 0.875)):
            show(Epoch(number=number, train_loss=0.5, score=score, fold_scores=(), monitor=0.4, fold_monitors=()))
        show(Within(number=1, of=25, share=0.5, refit=True))
        show(RefitEpoch(number=1, of=25, train_loss=0.25))
    assert stream.getvalue().splitlines() == [
        "otto mlp: epoch 1/30 at 25%",
        "otto mlp: epoch 1/30, log_loss 0.7500, best 0.7500",
        "otto mlp: epoch 2/30, log_loss 0.8750, best 0.7500",
        "otto mlp, all rows: epoch 1/25 at 50%",
        "otto mlp, all rows: epoch 1/25, train loss 0.2500",
    ]


def test_a_warning_is_one_line_however_long(capsys, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(console, "STDERR", Console(file=stream, width=40))
    console.warn("[SYNTHETIC] " + "word " * 50)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().startswith("[SYNTHETIC] word")
