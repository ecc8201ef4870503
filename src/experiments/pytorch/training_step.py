"""A LLaMA's training step, AdamW and clipping included; the batch is drawn within it, as ours is."""

from __future__ import annotations

import torch
from llama import Llama, Shape
from training import optimizer_of, stepper


class Step:
    def __init__(self, item: dict, way: str) -> None:
        torch.manual_seed(0)
        self.batch, self.context = item["batch"], item["context"]
        shape = Shape(*(item[n] for n in ("vocabulary", "dim", "layers", "heads", "kvHeads", "hidden", "context")))
        self.tokens = torch.arange(65_536).square() % shape.vocabulary
        model = Llama(shape)
        self.parameters = list(model.parameters())
        optimizer = optimizer_of(model, 1e-3, (0.9, 0.95), 0.1)
        self.step = stepper(model, optimizer, torch.compile(model) if way == "compile" else model)

    def run(self) -> float:
        starts = torch.randint(len(self.tokens) - self.context - 1, (self.batch, 1))
        window = self.tokens[starts + torch.arange(self.context + 1)]
        return self.step(window[:, :-1].contiguous(), window[:, 1:].contiguous())

    def check(self) -> list[float]:
        """The number of parameters: it is the same model."""
        return [sum(parameter.numel() for parameter in self.parameters)]


def prepare(item: dict, way: str) -> Step:
    return Step(item, way)
