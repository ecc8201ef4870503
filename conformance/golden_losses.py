"""Writes test/golden/losses.json by PyTorch in float64: losses, their reductions and gradients; outputs and gradients of
MLPs and of bags of tokens (nn.EmbeddingBag); Rosenblatt's rule by numpy; deviations of torch.nn.init.

`python3 conformance/golden_losses.py [FILE]`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
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
        weights = single(torch.rand(7, generator=torch.Generator().manual_seed(3)) + 0.25)
        for smoothing in (0.0, 0.2):
            loss = lambda x, t, reduction, s=smoothing: F.cross_entropy(
                x, t, weight=weights, label_smoothing=s, reduction=reduction
            )
            options = {"labelSmoothing": smoothing, "classWeights": weights.tolist()}
            cases.append(case("crossEntropy", loss, logits, classes, options, reduction))
        bce = F.binary_cross_entropy_with_logits
        cases.append(case("binaryCrossEntropy", bce, values, shares, {}, reduction))
        for weight in (2.5, [0.5, 1.0, 4.0]):
            loss = lambda x, t, reduction, w=weight: bce(x, t, pos_weight=torch.tensor(w), reduction=reduction)
            cases.append(case("binaryCrossEntropy", loss, values, shares, {"posWeight": weight}, reduction))
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


def parameters_of(module: nn.Module) -> dict:
    return {
        key: {"shape": list(value.shape), "data": value.detach().flatten().tolist(), "gradient": value.grad.flatten().tolist()}
        for key, value in module.named_parameters()
    }


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(11, 6, mode="mean", dtype=torch.float64)
        self.mlp = nn.Module()
        self.mlp.layers = nn.ModuleList([nn.Linear(6, 5, dtype=torch.float64), nn.Linear(5, 3, dtype=torch.float64)])

    def forward(self, tokens: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        first, last = self.mlp.layers
        return last(torch.tanh(first(self.embedding(tokens, offsets))))


def bag() -> dict:
    """Bags of different lengths, one of them with a token that is there twice."""
    torch.manual_seed(20)
    model = Bag()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(single(parameter))
    bags = [[3, 1, 4], [1], [5, 9, 2, 6, 5], [3, 5, 10, 0]]
    offsets = torch.tensor([0, *np.cumsum([len(one) for one in bags])[:-1]])
    outputs = model(torch.tensor(sum(bags, [])), offsets)
    targets = torch.tensor([0, 2, 1, 0])
    F.cross_entropy(outputs, targets).backward()
    return {
        "bags": bags,
        "targets": targets.tolist(),
        "outputs": outputs.detach().flatten().tolist(),
        "parameters": parameters_of(model),
    }


def perceptrons() -> list[dict]:
    """Rosenblatt's rule, an example after the other: w += rate (target - output) x, from 0 on."""
    generator = np.random.default_rng(5)
    x = generator.normal(size=(40, 3)).astype(np.float32).astype(np.float64)
    above = x @ np.array([1.0, -2.0, 0.5]) + 0.3 * generator.normal(size=40) > 0.2
    cases = []
    for low, rate in ((0.0, 1.0), (-1.0, 0.5)):
        targets = np.where(above, 1.0, low)
        weight, bias, passes = np.zeros(3), 0.0, []
        for _ in range(3):
            for row, target in zip(x, targets, strict=True):
                error = target - (low if row @ weight + bias < 0 else 1.0)
                weight, bias = weight + rate * error * row, bias + rate * error
            outputs = np.where(x @ weight + bias < 0, low, 1.0)
            passes.append({"weight": weight.tolist(), "bias": [bias], "outputs": outputs.tolist()})
        cases.append({"low": low, "rate": rate, "targets": targets.tolist(), "passes": passes})
    return [{"x": x.flatten().tolist(), **one} for one in cases]


def initializations() -> list[dict]:
    """The deviation of each scheme by torch.nn.init, from a large sample's bound where it is uniform, else its own formula."""
    inputs, outputs = 40, 25
    empty = torch.empty(outputs, inputs)
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(empty)
    cases = []
    for behind, nonlinearity, parameter in (("identity", "linear", None), ("relu", "relu", None), ("leakyRelu", "leaky_relu", 0.01)):
        gain = nn.init.calculate_gain(nonlinearity, parameter)
        he, xavier, lecun = gain / fan_in**0.5, gain * (2 / (fan_in + fan_out)) ** 0.5, 1 / fan_in**0.5
        for scheme, deviation in (("he", he), ("xavier", xavier), ("lecun", lecun)):
            for distribution in ("", "-uniform"):
                cases.append({"scheme": scheme + distribution, "behind": behind, "inputs": inputs, "outputs": outputs, "deviation": deviation})
        # What PyTorch draws agrees with the formulas above.
        torch.manual_seed(0)
        large = torch.empty(4000, inputs, dtype=torch.float64)
        nn.init.kaiming_uniform_(large, a=parameter or 0, nonlinearity=nonlinearity)
        assert abs(large.abs().max().item() / (3**0.5 * he) - 1) < 1e-3
        nn.init.kaiming_normal_(large, a=parameter or 0, nonlinearity=nonlinearity)
        assert abs(large.std().item() / he - 1) < 1e-2
        square = torch.empty(1000, 1000, dtype=torch.float64)
        for draw in (nn.init.xavier_uniform_, nn.init.xavier_normal_):
            draw(square, gain=gain)
            assert abs(square.std().item() / (gain * (2 / 2000) ** 0.5) - 1) < 1e-2
    return cases


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    golden = {
        "losses": losses(),
        "mlp": mlp(),
        "bag": bag(),
        "perceptrons": perceptrons(),
        "initializations": initializations(),
    }
    path.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
