"""The inputs of the golden values: float32 numbers where implementations go wrong, and reproducible random ones."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Sequence

INFINITY = math.inf
FLOAT32_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
SMALLEST_SUBNORMAL = 2.0**-149
SMALLEST_NORMAL = 2.0**-126
# Beside a root of the derivative the accuracy contract gives no relative promise: inputs stay farther away than this.
ROOT_DISTANCE = 1.2e-7


def float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def step(value: float, count: int) -> float:
    """The float32 `count` places above (or below, if negative) a finite float32."""
    bits = struct.unpack("<i", struct.pack("<f", value))[0]
    place = bits if bits >= 0 else -(bits & 0x7FFFFFFF)
    place += count
    return struct.unpack("<f", struct.pack("<I", place if place >= 0 else 0x80000000 | -place))[0]


def special() -> list[float]:
    magnitudes = [0.0, SMALLEST_SUBNORMAL, SMALLEST_NORMAL, 1e-30, 1e-10, 1e-8, 1e-4, 0.001, 0.1, 0.5, 1, 3]
    magnitudes += [8, 10, 12.5, 20, 30, 88, 88.8, 90, 103, 104, 1e4, 1e20, FLOAT32_MAX, INFINITY]
    values = [float32(sign * m) for m in magnitudes for sign in (1.0, -1.0)]
    return [*values, 6.0, -5.0, math.nan]


def any_bits(generator: random.Random) -> float:
    """A finite float32 of uniformly random bits."""
    while True:
        value = struct.unpack("<f", struct.pack("<I", generator.getrandbits(32)))[0]
        if math.isfinite(value):
            return value


def within(generator: random.Random, bound: float) -> float:
    return float32((2 * generator.random() - 1) * bound)


def grid(seed: int, bit_patterns: int, uniform: int) -> list[float]:
    generator = random.Random(seed)
    values = special()
    values += [any_bits(generator) for _ in range(bit_patterns)]
    values += [within(generator, 12.0) for _ in range(uniform)]
    return values


def around_kink(kink: float) -> list[float]:
    centre = float32(kink)
    return [step(centre, count) for count in (-2, -1, 0, 1, 2)]


def around_root(root: float) -> list[float]:
    values = []
    for direction in (-1, 1):
        first = float32(root)
        while abs(first - root) <= ROOT_DISTANCE or (first - root) * direction < 0:
            first = step(first, direction)
        values += [step(first, direction * further) for further in (0, 1, 3, 15, 255, 4095)]
    return values


def unique(values: Sequence[float], known: Sequence[float] = ()) -> list[float]:
    """Without repeats and without those already known; 0 and -0 differ."""
    seen = {struct.pack("<f", v) for v in known}
    result = []
    for value in values:
        key = struct.pack("<f", value)
        if key not in seen:
            seen.add(key)
            result.append(value)
    return result


GATE_EDGES = [0.0, -0.0, SMALLEST_SUBNORMAL, 1e-30, -1e-8, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, -5.0, 7.0, -7.0, 10.0, -10.0]
GATE_EDGES += [step(7.0, -1), step(7.0, 1), 20.0, -20.0, -60.0, -88.0, -103.0, -104.0, 90.0, 1e4, -1e4, 1e20, -1e20]
GATE_EDGES += [FLOAT32_MAX, -FLOAT32_MAX]


def gate_pairs(seed: int, bit_patterns: int, uniform: int) -> list[tuple[float, float]]:
    """Pairs (gate, value). An infinity meets only a factor that is not 0, so that the limit exists."""
    edges = [float32(v) for v in GATE_EDGES]
    n = len(edges)
    pairs = [(gate, edges[(5 * i + 6) % n]) for i, gate in enumerate(edges)]
    pairs += [(gate, 1.5 if i % 2 else -2.75) for i, gate in enumerate(edges)]
    generator = random.Random(seed)
    pairs += [(any_bits(generator), any_bits(generator)) for _ in range(bit_patterns)]
    pairs += [(within(generator, 12.0), within(generator, 12.0)) for _ in range(uniform)]
    pairs += [(sign * INFINITY, 2.0) for sign in (1, -1)] + [(1.5, sign * INFINITY) for sign in (1, -1)]
    return [*pairs, (math.nan, 1.0), (1.0, math.nan)]


def rows(seed: int) -> list[list[float]]:
    generator = random.Random(seed)
    written = [[0, 0], [1e4, -1e4], [-30, 0], [88, 88.5, 89], [-1.25], [1, 2, 3], [-0.0, 0, 1e-30], [0.1, 0.1, 0.1, 0.2]]
    written += [[-INFINITY, 0, 1], [2, -INFINITY, -INFINITY, -88], [-103, 0, -104], [1e20, 1e20, -1e20]]
    written += [[FLOAT32_MAX, -FLOAT32_MAX, 0], [1, math.nan, 0]]
    random_rows = [[within(generator, bound) for _ in range(7)] for bound in (3.0, 12.0, 60.0)]
    return [[float32(v) for v in row] for row in written] + random_rows
