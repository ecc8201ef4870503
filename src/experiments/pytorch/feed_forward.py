"""A SwiGLU block, forward and backward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from measure import noise, tensor
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.gate, self.up = (nn.Linear(dim, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Pass:
    def __init__(self, item: dict, way: str) -> None:
        tokens, self.dim, hidden = item["tokens"], item["dim"], item["hidden"]
        self.x, self.dy = tensor([tokens, self.dim], 1, 1), tensor([tokens, self.dim], 1, 2)
        self.x.requires_grad_()
        self.block = Block(self.dim, hidden)
        for seed, layer in enumerate((self.block.gate, self.block.up, self.block.down), 3):
            columns, rows = layer.weight.shape
            values = noise(rows * columns, 2 / rows**0.5, seed).reshape(rows, columns)
            layer.weight.data.copy_(torch.from_numpy(values).T)
        self.leaves = [self.x, *self.block.parameters()]
        self.forward = torch.compile(self.block) if way == "compile" else self.block

    def run(self) -> Tensor:
        for leaf in self.leaves:
            leaf.grad = None
        y = self.forward(self.x)
        y.backward(self.dy)
        return y

    def check(self) -> list[float]:
        y = self.run()
        parts = [y, self.x.grad, self.block.gate.weight.grad.T, self.block.down.weight.grad.T]
        return [value for part in parts for value in part.reshape(-1)[: self.dim].tolist()]


def prepare(item: dict, way: str) -> Pass:
    return Pass(item, way)
