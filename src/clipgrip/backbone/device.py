"""The device that a model runs on, and its precision."""

from __future__ import annotations

from typing import Literal

import torch

from clipgrip.errors import ConfigError, among

Precision = Literal["auto", "float32", "bfloat16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def choose_precision(precision: str, device: torch.device) -> str:
    """A key of `DTYPES`; ``auto`` is bfloat16 where the processor multiplies it natively. ConfigError: unknown."""
    if precision == "auto":
        return "bfloat16" if _multiplies_bfloat16(device) else "float32"
    if precision not in DTYPES:
        known = ("auto", *DTYPES)
        raise ConfigError(
            'precision "{precision}" is unknown; known are {known}.{nearest}',
            precision=precision,
            **among(precision, known),
        )
    return precision


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in checks)


def device_named(name: str) -> torch.device:
    """The torch device of this name. ConfigError: it cannot be used on this machine."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(
            'device "{name}" cannot be used here: {first} Use "cpu".', name=name, first=first
        ) from error
    return device
