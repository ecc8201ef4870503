"""What every question needs: the same numbers as measure.js makes, and the same way to time a call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch


def noise(length: int, scale: float = 1.0, seed: int = 1) -> np.ndarray:
    """The numbers of `noise` in measure.js: the same generator, whose n-th state is a^n s + c (a^(n-1) + ... + 1)."""
    start = np.uint32((seed * 2654435761) % 2**32)
    powers = np.cumprod(np.concatenate([[1], np.full(length, 1664525)]).astype(np.uint32), dtype=np.uint32)
    sums = np.cumsum(powers[:-1], dtype=np.uint32)
    states = powers[1:] * start + sums * np.uint32(1013904223)
    return (((states >> np.uint32(8)) / 2**23 - 1) * scale).astype(np.float32)


def tensor(shape: list[int], scale: float = 1.0, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(noise(int(np.prod(shape)), scale, seed)).reshape(shape)


def timed(call: Callable[[], object], repetitions: int = 5, minimum: float = 60) -> dict[str, float]:
    """Median and best milliseconds of a call, over at least `repetitions` calls and about `minimum` milliseconds."""
    times: list[float] = []
    while len(times) < repetitions or (sum(times) < minimum and len(times) < 200):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
    return {"median": statistics.median(times), "best": min(times)}
