"""Writes the golden values of every activation, gate and row function: `python3 conformance/golden_activations.py [FILE]`.

The format is described in conformance/README.md.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from catalogue import ACTIVATIONS, GATES, ROWS, Activation, Gate, Row
from exact import Dual, evaluate, to_double
from inputs import SMALLEST_SUBNORMAL, around_kink, around_root, gate_pairs, grid, rows, unique
from mpmath import mp, mpf

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden" / "activations.json"
GRIDS = {"full": (20260101, 150, 100), "short": (20260102, 16, 24)}
GATE_SEED, ROW_SEED = 20260103, 20260104
SCAN_BOUND, SCAN_STEPS = 20, 800


def bound(entry: Activation | Gate):
    """The formula as a function of its inputs and learned parameters; the others are fixed."""
    learned = list(getattr(entry, "learned", ()))
    inputs = 2 if isinstance(entry, Gate) else 1

    def call(*arguments: Dual) -> Dual:
        fixed = {("lambda_" if k == "lambda" else k): v for k, v in entry.parameters.items() if k not in learned}
        given = dict(zip(learned, arguments[inputs:], strict=True))
        return entry.formula(*arguments[:inputs], **fixed, **given)

    return call


def derivative_roots(entry: Activation) -> list[float]:
    """Where the derivative passes through 0, away from kinks and from 0 itself."""
    call, learned = bound(entry), [entry.parameters[name] for name in entry.learned]

    def slope(x: mpf) -> mpf:
        arguments = [x, *map(mpf, learned)]
        return call(*(Dual(v, (mpf(int(i == 0)),)) for i, v in enumerate(arguments))).gradient[0]

    with mp.workdps(60):
        found = []
        xs = [mpf(2 * i + 1) / SCAN_STEPS * SCAN_BOUND - SCAN_BOUND + mpf("0.0007") for i in range(SCAN_STEPS)]
        slopes = [slope(x) for x in xs]
        for low, high, before, after in zip(xs, xs[1:], slopes, slopes[1:], strict=False):
            if before * after < 0:
                root = bisect(slope, low, high)
                # A jump changes its sign without passing through 0.
                if abs(slope(root)) < mpf("1e-15") and abs(root) > mpf("1e-9"):
                    found.append(float(root))
    return found


def bisect(slope, low: mpf, high: mpf) -> mpf:
    rising = slope(low) < 0
    for _ in range(120):
        middle = (low + high) / 2
        if (slope(middle) < 0) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def number(value: float) -> float | int | str:
    """A JSON number that is the double exactly; the special ones are strings."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else 0
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def values_at(call, inputs: Sequence[float]) -> list[float]:
    """Value and gradient as doubles."""
    size = 1 + len(inputs)
    if any(math.isnan(v) for v in inputs):
        return [math.nan] * size
    return [to_double(v) for v in evaluate(call, inputs)]


def signed_values_at(call, inputs: Sequence[float]) -> list[float]:
    """As `values_at`; a value of 0 at x = -0 takes its sign from just below."""
    doubles = values_at(call, inputs)
    if doubles[0] == 0 and inputs[0] == 0 and math.copysign(1, inputs[0]) < 0:
        doubles[0] = math.copysign(doubles[0], evaluate(call, [-SMALLEST_SUBNORMAL, *inputs[1:]])[0])
    return doubles


def activation_entry(entry: Activation, grids: dict[str, list[float]]) -> dict:
    extra = [x for kink in (0.0, *entry.kinks) for x in around_kink(kink)]
    extra += [x for root in derivative_roots(entry) for x in around_root(root)]
    shared = grids[entry.grid]
    extra = [x for x in unique(extra, shared) if x not in entry.ambiguous]
    learned = [entry.parameters[name] for name in entry.learned]
    columns = zip(*(signed_values_at(bound(entry), [x, *learned]) for x in [*shared, *extra]), strict=True)
    y, dy, *others = ([number(v) for v in column] for column in columns)
    result = {"name": entry.name, "parameters": dict(entry.parameters), "grid": entry.grid}
    result |= {"x": [number(x) for x in extra], "y": y, "dy": dy}
    if entry.learned:
        result["dParameters"] = dict(zip(entry.learned, others, strict=True))
    return result


def gate_entry(entry: Gate, pairs: Iterable[tuple[float, float]]) -> dict:
    results = [values_at(bound(entry), pair) for pair in pairs]
    y, d_gate, d_value = ([number(v) for v in column] for column in zip(*results, strict=True))
    return {"name": entry.name, "parameters": dict(entry.parameters), "y": y, "dGate": d_gate, "dValue": d_value}


def row_entry(entry: Row, vectors: Sequence[Sequence[float]]) -> dict:
    ys, jacobians = [], []
    for x in vectors:
        n = len(x)
        has_nan = any(math.isnan(v) for v in x)
        flat = [math.nan] * (n * (n + 1)) if has_nan else [to_double(v) for v in evaluate(entry.formula, x)]
        lines = [[number(v) for v in flat[i * (n + 1) : (i + 1) * (n + 1)]] for i in range(n)]
        ys.append([line[0] for line in lines])
        jacobians.append([line[1:] for line in lines])
    return {"name": entry.name, "y": ys, "jacobian": jacobians}


def build() -> dict:
    grids = {name: unique(grid(*settings)) for name, settings in GRIDS.items()}
    pairs = list(dict.fromkeys(gate_pairs(GATE_SEED, 12, 20)))
    vectors = rows(ROW_SEED)
    return {
        "about": "Exact values by mpmath; written by conformance/golden_activations.py, described in conformance/README.md.",
        "grids": {name: [number(x) for x in xs] for name, xs in grids.items()},
        "activations": [activation_entry(entry, grids) for entry in ACTIVATIONS],
        "pairs": {"gate": [number(p[0]) for p in pairs], "value": [number(p[1]) for p in pairs]},
        "gates": [gate_entry(entry, pairs) for entry in GATES],
        "vectors": [[number(v) for v in x] for x in vectors],
        "rows": [row_entry(entry, vectors) for entry in ROWS],
    }


def compact(value) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("e-0", "e-").replace("e+", "e")


def text(document: dict) -> str:
    """JSON with a line for each entry."""
    lines = []
    for key, value in document.items():
        listed = isinstance(value, list)
        inside = ",\n".join(compact(item) for item in value) if listed else compact(value)
        lines.append(f'"{key}":[\n{inside}\n]' if listed else f'"{key}":{inside}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text(build()), encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
