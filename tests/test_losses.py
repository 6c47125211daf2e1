"""The losses are what their names say, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.config import Loss, outputs_of
from models.losses import predictions, row_losses

NETS, ROWS, CLASSES = 3, 7, 4


def drawn(outputs: int, classes: int):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(NETS, ROWS, outputs, generator=generator, dtype=torch.float64, requires_grad=True)
    return logits, torch.randint(classes, (NETS, ROWS), generator=generator)


def test_cross_entropy_is_log_softmax_followed_by_negative_log_likelihood_in_value_and_gradient():
    logits, target = drawn(CLASSES, CLASSES)
    ours = row_losses(Loss.CROSS_ENTROPY, logits, target)
    by_hand = functional.nll_loss(
        functional.log_softmax(logits, dim=-1).flatten(0, 1), target.flatten(), reduction="none"
    ).view(NETS, ROWS)
    torch.testing.assert_close(ours, by_hand)
    (ours_gradient,) = torch.autograd.grad(ours.sum(), logits)
    (gradient_by_hand,) = torch.autograd.grad(by_hand.sum(), logits)
    torch.testing.assert_close(ours_gradient, gradient_by_hand)
    residual = torch.softmax(logits, dim=-1) - functional.one_hot(target, CLASSES)
    torch.testing.assert_close(ours_gradient, residual)


def test_binary_is_the_cross_entropy_of_two_classes_in_value_and_gradient():
    logits, target = drawn(1, 2)
    two = torch.cat([torch.zeros_like(logits), logits], dim=-1)
    for smoothing in (0.0, 0.1):
        binary = row_losses(Loss.BINARY, logits, target, smoothing)
        crossed = row_losses(Loss.CROSS_ENTROPY, two, target, smoothing)
        torch.testing.assert_close(binary, crossed)
        pair = [torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in (binary, crossed)]
        torch.testing.assert_close(*pair)
    torch.testing.assert_close(predictions(Loss.BINARY, logits), predictions(Loss.CROSS_ENTROPY, two))


def test_smoothing_spreads_its_share_over_all_classes():
    logits, target = drawn(CLASSES, CLASSES)
    wanted = functional.one_hot(target, CLASSES) * 0.8 + 0.2 / CLASSES
    by_hand = -(wanted * functional.log_softmax(logits, dim=-1)).sum(dim=-1)
    torch.testing.assert_close(row_losses(Loss.CROSS_ENTROPY, logits, target, 0.2), by_hand)


@pytest.mark.parametrize(("loss", "classes"), [(Loss.CROSS_ENTROPY, 4), (Loss.BINARY, 2)])
def test_predictions_are_such(loss, classes):
    logits, _ = drawn(outputs_of(loss, classes), classes)
    found = predictions(loss, logits * 100)
    assert found.shape == (NETS, ROWS, classes)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(NETS, ROWS, dtype=torch.float64))


def test_the_binary_loss_refuses_three_classes():
    with pytest.raises(ValueError, match="two classes, but got 3"):
        outputs_of(Loss.BINARY, 3)
