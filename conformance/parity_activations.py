"""Holds PyTorch's and Transformers' activations (float64, gradients by autograd) against the golden values.

Proves that the catalogue's names, formulas and kinks mean what they mean there; differences are listed by name, with their reason.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from report import Report
from torch.nn import functional as F
from transformers.activations import ACT2CLS

GOLDEN = Path(__file__).resolve().parent.parent / "test" / "golden" / "activations.json"
RELATIVE = 1e-7
# Of the largest of 1, |x| and, for gates, the product: float64 formulas that cancel keep this much.
ABSOLUTE = 1e-12


def hub(name: str):
    cls = ACT2CLS[name]
    cls, options = cls if isinstance(cls, tuple) else (cls, {})
    return cls(**options).double()


def xielu(x, alphaP, alphaN, beta, eps):
    # As Transformers' XIELUActivation, whose buffers are bfloat16 and would round beta and eps.
    p, n = F.softplus(alphaP), beta + F.softplus(alphaN)
    held = torch.minimum(x, torch.tensor(eps, dtype=x.dtype))
    return torch.where(x > 0, p * x * x + beta * x, (torch.expm1(held) - x) * n + beta * x)


ONE_INPUT = {
    "identity": lambda x: x * 1,
    "relu": F.relu,
    "relu6": F.relu6,
    "leakyRelu": lambda x, slope: F.leaky_relu(x, slope),
    "prelu": lambda x, slope: F.prelu(x, slope.reshape(1)),
    "rrelu": lambda x, lower, upper: F.rrelu(x, lower, upper, training=False),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "celu": lambda x, alpha: F.celu(x, alpha),
    "selu": F.selu,
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "quickGelu": hub("quick_gelu"),
    "gelu10": hub("gelu_10"),
    "silu": F.silu,
    "swish": lambda x, beta: x * torch.sigmoid(beta * x),
    "mish": F.mish,
    "softplus": lambda x, beta: F.softplus(x, beta),
    "softsign": F.softsign,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "logSigmoid": F.logsigmoid,
    "hardSigmoid": F.hardsigmoid,
    "hardTanh": lambda x, lower, upper: F.hardtanh(x, lower, upper),
    "hardSwish": F.hardswish,
    "tanhShrink": F.tanhshrink,
    "softShrink": lambda x, **p: F.softshrink(x, p["lambda"]),
    "hardShrink": lambda x, **p: F.hardshrink(x, p["lambda"]),
    "relu2": hub("relu2"),
    "laplace": lambda x, mu, sigma: hub("laplace")(x),
    "xielu": xielu,
    "sqrtSoftplus": hub("sqrtsoftplus"),
    "threshold": lambda x, threshold, value: F.threshold(x, threshold, value),
    "thresholdedRelu": lambda x, alpha: F.threshold(x, alpha, 0),
}
GATE = {
    "glu": lambda g, v: F.glu(torch.stack([v, g], -1), -1).squeeze(-1),
    "bilinear": lambda g, v: g * v,
    "reglu": lambda g, v: F.relu(g) * v,
    "geglu": lambda g, v: F.gelu(g) * v,
    "gegluTanh": lambda g, v: F.gelu(g, approximate="tanh") * v,
    "swiglu": lambda g, v, beta: g * torch.sigmoid(beta * g) * v,
    "drelu": lambda g, v: F.relu(g) * F.relu(v),
    "clampedSwiglu": lambda g, v, alpha, limit: (
        g.clamp(max=limit) * torch.sigmoid(alpha * g.clamp(max=limit)) * (v.clamp(-limit, limit) + 1)
    ),
}
ROW = {
    "softmax": lambda x: F.softmax(x, -1),
    "softmin": lambda x: F.softmin(x, -1),
    "logSoftmax": lambda x: F.log_softmax(x, -1),
    "solu": lambda x: x * F.softmax(x, -1),
}
# Where PyTorch differs on purpose or by a known weakness: entry, inputs, reason.
DIFFERENT = {
    "sqrtSoftplus": (lambda x: x < -700, "0/0 where PyTorch's softplus underflows in float64"),
}


def floats(values) -> list[float]:
    return [float(v) for v in values]


def close(ours: float, theirs: float, scale: float) -> bool:
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return ours == theirs or abs(ours - theirs) <= RELATIVE * abs(ours) + ABSOLUTE * scale


def different(name: str, *inputs: float) -> bool:
    return name in DIFFERENT and any(DIFFERENT[name][0](x) for x in inputs)


def compare(name: str, inputs: list, ours: dict, theirs: dict, scales: list[float]) -> str:
    """The first disagreement, or nothing. Non-finite inputs are left out: PyTorch gives no limits there."""
    for label, values in ours.items():
        for i, at in enumerate(zip(*inputs, strict=True)):
            if not all(map(math.isfinite, at)) or different(name, *at):
                continue
            if not close(values[i], theirs[label][i], scales[i]):
                return f"{label} at {at}: golden {values[i]}, PyTorch {theirs[label][i]}"
    return ""


def one_input(entry: dict, shared: list[float]) -> str:
    xs = shared + floats(entry["x"])
    learned = entry.get("dParameters", {})
    x = torch.tensor(xs, dtype=torch.float64, requires_grad=True)
    parameters = dict(entry["parameters"])
    for name in learned:
        parameters[name] = torch.full_like(x, parameters[name]).requires_grad_()
    if entry["name"] == "prelu":
        return prelu(entry, xs)
    y = ONE_INPUT[entry["name"]](x, **parameters)
    gradients = torch.autograd.grad(y.sum(), [x, *(parameters[n] for n in learned)])
    theirs = {"y": y.tolist(), "dy": gradients[0].tolist()}
    ours = {"y": floats(entry["y"]), "dy": floats(entry["dy"])}
    for name, gradient in zip(learned, gradients[1:], strict=True):
        ours[name], theirs[name] = floats(learned[name]), gradient.tolist()
    return compare(entry["name"], [xs], ours, theirs, [max(1.0, abs(v)) for v in xs])


def prelu(entry: dict, xs: list[float]) -> str:
    # The slope's gradient is a sum over all inputs: a single infinity would make every one of them NaN.
    x = torch.tensor(xs, dtype=torch.float64).nan_to_num(0, 0, 0).requires_grad_()
    slope = torch.tensor([entry["parameters"]["slope"]], dtype=torch.float64, requires_grad=True)
    y = F.prelu(x, slope)
    each = [torch.autograd.grad(v, [x, slope], retain_graph=True) for v in y]
    theirs = {"y": y.tolist(), "dy": [g[0][i].item() for i, g in enumerate(each)], "slope": [g[1].item() for g in each]}
    ours = {"y": floats(entry["y"]), "dy": floats(entry["dy"]), "slope": floats(entry["dParameters"]["slope"])}
    return compare("prelu", [xs], ours, theirs, [1.0] * len(y))


def gate(entry: dict, pairs: dict) -> str:
    inputs = [floats(pairs["gate"]), floats(pairs["value"])]
    g, v = (torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in inputs)
    y = GATE[entry["name"]](g, v, **entry["parameters"])
    d_gate, d_value = torch.autograd.grad(y.sum(), [g, v])
    theirs = {"y": y.tolist(), "dGate": d_gate.tolist(), "dValue": d_value.tolist()}
    ours = {label: floats(entry[label]) for label in theirs}
    scales = [max(1.0, abs(a), abs(b), abs(a * b)) for a, b in zip(*inputs, strict=True)]
    return compare(entry["name"], inputs, ours, theirs, scales)


def row(entry: dict, vectors: list) -> str:
    for index, vector in enumerate(vectors):
        x = torch.tensor(floats(vector), dtype=torch.float64)
        if not torch.isfinite(x).all():
            continue
        apply = ROW[entry["name"]]
        theirs = [*apply(x).tolist(), *torch.autograd.functional.jacobian(apply, x).flatten().tolist()]
        ours = floats([*entry["y"][index], *(v for line in entry["jacobian"][index] for v in line)])
        scale = max(1.0, x.abs().max().item())
        for a, b in zip(ours, theirs, strict=True):
            if not close(a, b, scale):
                return f"{vector}: golden {a}, PyTorch {b}"
    return ""


def main() -> int:
    golden, report = json.loads(GOLDEN.read_text(encoding="utf-8")), Report()
    grids = {name: floats(xs) for name, xs in golden["grids"].items()}
    for entry in golden["activations"]:
        label = f"{entry['name']} {entry['parameters'] or ''}".strip()
        if entry["name"] in ONE_INPUT:
            report.check(label, one_input(entry, grids[entry["grid"]]))
        else:
            report.skip(label, "no counterpart in PyTorch or Transformers")
    for entry in golden["gates"]:
        report.check(f"{entry['name']} {entry['parameters'] or ''}".strip(), gate(entry, golden["pairs"]))
    for entry in golden["rows"]:
        report.check(entry["name"], row(entry, golden["vectors"]))
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
