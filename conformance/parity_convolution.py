"""Holds convolutions and pooling against torch.nn on every device: `python3 conformance/parity_convolution.py`.

Cases are drawn: sizes, strides, paddings, dilations and groups; the committed ones are among them. Weights and inputs are
exchanged as safetensors by PyTorch's names. Outputs and every gradient agree within 1e-4 of each tensor's largest element.
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
import warnings
from pathlib import Path

from report import Report

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-4
DRAWN = 60
DEVICES = ("reference", "wasm", "native")


def convolution(draw: random.Random, axes: int) -> dict:
    groups = draw.choice([1, 1, 1, 2, 4])
    depthwise = groups == 4
    inputs = 4 if depthwise else groups * draw.randint(1, 5)
    sizes = lambda low, high: [draw.randint(low, high) for _ in range(axes)]
    arguments = {
        "in_channels": inputs,
        "out_channels": groups * draw.randint(1, 4),
        "kernel_size": sizes(1, 5),
        "stride": sizes(1, 3),
        "dilation": sizes(1, 2),
        "groups": groups,
        "bias": draw.random() < 0.7,
    }
    if draw.random() < 0.2:
        arguments |= {"padding": "same", "stride": [1] * axes}
    else:
        arguments["padding"] = sizes(0, 3)
    shape = [draw.randint(1, 3), inputs, *(draw.randint(9, 20) for _ in range(axes))]
    case = {"kind": f"Conv{axes}d", "arguments": arguments, "shape": shape, "inner": draw.random() < 0.4}
    if axes == 1:
        for key, value in arguments.items():
            if isinstance(value, list):
                arguments[key] = value[0]
        if draw.random() < 0.3:
            arguments |= {"padding": 0, "stride": 1}
            case["causal"] = True
    return case


def pooling(draw: random.Random, axes: int) -> dict:
    kernel = [draw.randint(1, 4) for _ in range(axes)]
    arguments = {
        "kernel_size": kernel,
        "stride": [draw.randint(1, 4) for _ in kernel],
        "padding": [draw.randint(0, size // 2) for size in kernel],
        "ceil_mode": draw.random() < 0.5,
    }
    largest = draw.random() < 0.5
    if largest:
        arguments["dilation"] = [draw.randint(1, 2) for _ in kernel]
    else:
        arguments["count_include_pad"] = draw.random() < 0.5
    if axes == 1:
        arguments = {key: value[0] if isinstance(value, list) else value for key, value in arguments.items()}
    shape = [draw.randint(1, 3), draw.randint(1, 4), *(draw.randint(8, 15) for _ in range(axes))]
    case = {"kind": f"{'Max' if largest else 'Avg'}Pool{axes}d", "arguments": arguments, "shape": shape}
    if largest and draw.random() < 0.5:
        case["levels"] = 3
    return case | {"inner": draw.random() < 0.4}


def drawn() -> dict[str, dict]:
    from convolutions import CASES

    draw = random.Random(4)
    cases = dict(CASES)
    for i in range(DRAWN):
        axes = draw.choice([1, 2])
        cases[f"drawn-{i}"] = convolution(draw, axes) if i % 3 else pooling(draw, axes)
    # Larger than what is unfolded at a time, and a step of a language model.
    cases["many-windows"] = {
        "kind": "Conv2d",
        "arguments": {"in_channels": 3, "out_channels": 8, "kernel_size": 5, "padding": 2},
        "shape": [16, 3, 40, 40],
    }
    cases["language-model"] = {
        "kind": "Conv1d",
        "arguments": {"in_channels": 64, "out_channels": 128, "kernel_size": 4},
        "shape": [4, 64, 96],
        "causal": True,
        "inner": True,
    }
    return cases


def difference(actual: list, wanted) -> str:
    shape, values = actual
    if shape != list(wanted.shape):
        return f"shape {shape}, not {list(wanted.shape)}"
    expected = wanted.flatten().tolist()
    largest = max(map(abs, expected))
    error = max(abs(a - b) for a, b in zip(values, expected, strict=True))
    return "" if error <= TOLERANCE * largest else f"differs by {error / largest:.1e} of its largest element"


def compare(report: Report, device: str, cases: dict, expected: dict, folder: Path) -> None:
    command = ["node", str(ROOT / "conformance" / "convolve.js"), str(folder), device]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        report.check(f"{device} answers", result.stderr.strip()[-400:])
        return
    answers = json.loads((folder / f"{device}.json").read_text(encoding="utf-8"))
    for name, case in cases.items():
        compared = [key for key in expected[name] if key == "y" or key.startswith("gradient.")]
        missing = [key for key in compared if key not in answers[name]]
        problems = [f"{key}: {difference(answers[name][key], expected[name][key])}" for key in compared if key in answers[name]]
        wrong = [f"{key} is missing" for key in missing] + [line for line in problems if not line.endswith(": ")]
        report.check(f"{device} {name} {case['kind']} {case['arguments']}", "; ".join(wrong))


def main() -> int:
    report = Report()
    if not (ROOT / "dist").is_dir():
        report.skip("convolutions", "Sluice is not built: npm run build")
        return report.finish()
    from convolutions import results
    from safetensors.torch import save_file

    warnings.filterwarnings("ignore", message="Using padding='same'")
    cases = drawn()
    expected = {name: results(case, seed) for seed, (name, case) in enumerate(cases.items())}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
        given = {f"{name}.{key}": value for name, tensors in expected.items() for key, value in tensors.items()}
        save_file(given, folder / "given.safetensors")
        for device in DEVICES:
            compare(report, device, cases, expected, folder)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
