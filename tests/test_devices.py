"""Devices: how numbers are rounded on each, and that it is as before when a training has ended."""

from __future__ import annotations

import pytest
import torch

from models.config import Precision
from models.devices import matmul_precision


@pytest.mark.parametrize(("precision", "rounded"), [(Precision.FULL, False), (Precision.FAST, True)])
def test_products_and_convolutions_are_rounded_on_cuda_where_that_is_said(precision, rounded):
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with matmul_precision(precision, torch.device("cuda")):
        assert (torch.get_float32_matmul_precision() == "highest") is not rounded
        assert torch.backends.cudnn.allow_tf32 is rounded
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before
