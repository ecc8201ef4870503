"""An LSTM character model's training step, AdamW and clipping included, with its state carried on from window to window."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from training import optimizer_of, stepper


class Model(nn.Module):
    def __init__(self, vocabulary: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.recurrent = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)
        self.states = None

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        output, states = self.recurrent(self.embedding(tokens), self.states)
        self.states = tuple(state.detach() for state in states)
        return cross_entropy(self.head(output).flatten(0, 1), targets.flatten())


class Step:
    def __init__(self, item: dict, way: str) -> None:
        torch.manual_seed(0)
        self.batch, self.context, self.place = item["batch"], item["context"], 0
        # Without a pattern, as ours: see bench/lstm.js.
        self.tokens = torch.randint(item["vocabulary"], (65_536,))
        model = Model(item["vocabulary"], item["hidden"], item["layers"])
        self.parameters = list(model.parameters())
        optimizer = optimizer_of(model, 1e-3, (0.9, 0.95), 0.1)
        self.step = stepper(model, optimizer, torch.compile(model) if way == "compile" else model)

    def run(self) -> float:
        stretch = len(self.tokens) // self.batch
        starts = torch.arange(self.batch)[:, None] * stretch + self.place
        self.place = (self.place + self.context) % (stretch - self.context - 1)
        window = self.tokens[starts + torch.arange(self.context + 1)]
        return self.step(window[:, :-1].contiguous(), window[:, 1:].contiguous())

    def check(self) -> list[float]:
        """The number of parameters: it is the same model."""
        return [sum(parameter.numel() for parameter in self.parameters)]


def prepare(item: dict, way: str) -> Step:
    return Step(item, way)
