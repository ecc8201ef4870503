"""Writes test/golden/optimizers.json: ten steps of each optimizer by PyTorch in float64, and what it then remembers.

`python3 conformance/golden_optimizers.py [FILE]`

A matrix decays and a vector does not, as two parameter groups; gradients are given, and clipped where a case says so.
PyTorch has no Lion: it is written from the paper's algorithm 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden" / "optimizers.json"
STEPS = 10
SHAPES = {"matrix": (4, 3), "vector": (5,)}


class Lion(torch.optim.Optimizer):
    """Chen 2023, arXiv:2302.06675, algorithm 2."""

    def __init__(self, groups, lr: float, betas: tuple[float, float], weight_decay: float = 0.0) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            (beta1, beta2), lr = group["betas"], group["lr"]
            for parameter in group["params"]:
                state = self.state[parameter]
                mean = state.setdefault("exp_avg", torch.zeros_like(parameter))
                interpolated = beta1 * mean + (1 - beta1) * parameter.grad
                parameter -= lr * (torch.sign(interpolated) + group["weight_decay"] * parameter)
                state["exp_avg"] = beta2 * mean + (1 - beta2) * parameter.grad


# Name here, our options, PyTorch's class and arguments.
CASES = [
    ("sgd", {}, torch.optim.SGD, {}),
    ("sgd", {"weightDecay": 0.1}, torch.optim.SGD, {"weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "dampening": 0.5, "weightDecay": 0.1}, torch.optim.SGD,
     {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ("sgd", {"momentum": 0.8, "nesterov": True, "weightDecay": 0.2, "clip": 1}, torch.optim.SGD,
     {"momentum": 0.8, "nesterov": True, "weight_decay": 0.2}),
    ("adagrad", {}, torch.optim.Adagrad, {}),
    ("adagrad", {"lrDecay": 0.3, "initialAccumulator": 0.1, "weightDecay": 0.1, "epsilon": 1e-6}, torch.optim.Adagrad,
     {"lr_decay": 0.3, "initial_accumulator_value": 0.1, "weight_decay": 0.1, "eps": 1e-6}),
    ("rmsprop", {}, torch.optim.RMSprop, {}),
    ("rmsprop", {"alpha": 0.9, "weightDecay": 0.1}, torch.optim.RMSprop, {"alpha": 0.9, "weight_decay": 0.1}),
    ("rmsprop", {"momentum": 0.9}, torch.optim.RMSprop, {"momentum": 0.9}),
    ("rmsprop", {"centered": True, "epsilon": 1e-3}, torch.optim.RMSprop, {"centered": True, "eps": 1e-3}),
    ("rmsprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-3, "clip": 1}, torch.optim.RMSprop,
     {"centered": True, "momentum": 0.5, "eps": 1e-3}),
    ("adam", {}, torch.optim.Adam, {}),
    ("adam", {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-2, "weightDecay": 0.1}, torch.optim.Adam,
     {"betas": (0.8, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("adam", {"amsgrad": True, "beta2": 0.7}, torch.optim.Adam, {"amsgrad": True, "betas": (0.9, 0.7)}),
    ("adamw", {}, torch.optim.AdamW, {"betas": (0.9, 0.95), "weight_decay": 0.1}),
    ("adamw", {"beta2": 0.999, "weightDecay": 0.01, "clip": 0}, torch.optim.AdamW, {}),
    ("adamw", {"amsgrad": True, "beta2": 0.7, "clip": 0}, torch.optim.AdamW,
     {"amsgrad": True, "betas": (0.9, 0.7), "weight_decay": 0.1}),
    ("lion", {}, Lion, {"betas": (0.9, 0.99)}),
    ("lion", {"beta1": 0.95, "beta2": 0.98, "weightDecay": 0.3}, Lion, {"betas": (0.95, 0.98), "weight_decay": 0.3}),
]


def single(tensor: torch.Tensor) -> torch.Tensor:
    """Values that float32 holds exactly, in float64."""
    return tensor.to(torch.float32).to(torch.float64)


def numbers(tensor: torch.Tensor) -> list[float]:
    return tensor.detach().flatten().tolist()


def rate(step: int) -> float:
    return 0.05 / (1 + step)


def case(name: str, options: dict, make, arguments: dict, start: dict, gradients: list[dict]) -> dict:
    parameters = {key: value.clone().requires_grad_() for key, value in start.items()}
    plain = {**arguments, "weight_decay": 0.0}
    groups = [{"params": [parameters["matrix"]]}, {"params": [parameters["vector"]], **plain}]
    optimizer = make(groups, **{"lr": rate(0), **arguments})
    # As our defaults have it: AdamW clips.
    clip = options.get("clip", 1 if name == "adamw" else 0)
    after = []
    for step in range(STEPS):
        for key, parameter in parameters.items():
            parameter.grad = gradients[step][key].clone()
        if clip:
            torch.nn.utils.clip_grad_norm_(list(parameters.values()), clip)
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        after.append({key: numbers(parameter) for key, parameter in parameters.items()})
    state = {
        f"{kind}.{key}": numbers(value)
        for key, parameter in parameters.items()
        for kind, value in optimizer.state[parameter].items()
        if kind != "step" and value is not None
    }
    return {"optimizer": name, "options": options, "after": [after[0], after[-1]], "state": state}


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    generator = torch.Generator().manual_seed(4)
    draw = lambda scale: {k: single(scale * torch.randn(s, generator=generator)) for k, s in SHAPES.items()}
    start = draw(1.0)
    gradients = [draw(1.5 if step % 3 == 0 else 0.1) for step in range(STEPS)]
    golden = {
        "shapes": SHAPES,
        "rates": [rate(step) for step in range(STEPS)],
        "start": {key: numbers(value) for key, value in start.items()},
        "gradients": [{key: numbers(value) for key, value in one.items()} for one in gradients],
        "cases": [case(*one, start, gradients) for one in CASES],
    }
    path.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
