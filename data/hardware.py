"""What the machine has fast units for."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 faster than float32.

    A CPU does with AMX or with AVX-512's own products of bfloat16; without them it is several times slower.
    """
    return device.type == "cuda" or torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
