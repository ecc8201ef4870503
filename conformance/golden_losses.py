"""Writes test/golden/losses.json: losses, their reductions and their gradients by PyTorch in float64, and an MLP's.

`python3 conformance/golden_losses.py [FILE]`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden" / "losses.json"
REDUCTIONS = ("none", "sum", "mean")


def single(tensor: torch.Tensor) -> torch.Tensor:
    """Values that float32 holds exactly, in float64."""
    return tensor.to(torch.float32).to(torch.float64)


def case(name: str, loss, prediction: torch.Tensor, target: torch.Tensor, options: dict, reduction: str) -> dict:
    leaf = prediction.clone().requires_grad_()
    value = loss(leaf, target, reduction=reduction)
    value.sum().backward()
    return {
        "loss": name,
        "options": {**options, "reduction": reduction},
        "shape": list(prediction.shape),
        "prediction": prediction.flatten().tolist(),
        "target": target.flatten().tolist(),
        "value": value.detach().flatten().tolist(),
        "gradient": leaf.grad.flatten().tolist(),
    }


def losses() -> list[dict]:
    generator = torch.Generator().manual_seed(1)
    logits = single(4 * torch.randn(5, 7, generator=generator))
    classes = torch.tensor([3, 0, -100, 6, 2])
    values = single(2 * torch.randn(4, 3, generator=generator))
    wanted = single(torch.randn(4, 3, generator=generator))
    shares = single(torch.rand(4, 3, generator=generator).round(decimals=2))
    cases = []
    for reduction in REDUCTIONS:
        for smoothing in (0.0, 0.1):
            loss = lambda x, t, reduction, s=smoothing: F.cross_entropy(x, t, label_smoothing=s, reduction=reduction)
            cases.append(case("crossEntropy", loss, logits, classes, {"labelSmoothing": smoothing}, reduction))
        bce = F.binary_cross_entropy_with_logits
        cases.append(case("binaryCrossEntropy", bce, values, shares, {}, reduction))
        cases.append(case("meanSquaredError", F.mse_loss, values, wanted, {}, reduction))
        for delta in (1.0, 2.5):
            loss = lambda x, t, reduction, d=delta: F.huber_loss(x, t, delta=d, reduction=reduction)
            cases.append(case("huber", loss, values, wanted, {"delta": delta}, reduction))
    return cases


def mlp() -> list[dict]:
    """Networks under the names of a ModuleList, with every gradient of a cross-entropy."""
    activations = {"relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "selu": F.selu}
    cases = []
    for seed, (name, activation) in enumerate(activations.items()):
        torch.manual_seed(seed)
        widths = [3, 5, 4, 3]
        layers = nn.ModuleList(nn.Linear(a, b, dtype=torch.float64) for a, b in zip(widths, widths[1:], strict=False))
        with torch.no_grad():
            for parameter in layers.parameters():
                parameter.copy_(single(parameter))
        x = single(torch.randn(6, 3))
        targets = torch.tensor([0, 2, 1, 1, 0, 2])
        signal = x
        for i, layer in enumerate(layers):
            signal = layer(signal) if i == len(layers) - 1 else activation(layer(signal))
        F.cross_entropy(signal, targets).backward()
        parameters = {
            f"layers.{key}": {
                "shape": list(value.shape),
                "data": value.detach().flatten().tolist(),
                "gradient": value.grad.flatten().tolist(),
            }
            for key, value in layers.named_parameters()
        }
        cases.append(
            {
                "activation": name,
                "widths": widths,
                "x": x.flatten().tolist(),
                "targets": targets.tolist(),
                "outputs": signal.detach().flatten().tolist(),
                "parameters": parameters,
            }
        )
    return cases


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    path.write_text(json.dumps({"losses": losses(), "mlp": mlp()}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
