"""What bounds all works: products, reading, copying and special functions, by PyTorch and by NumPy."""

from __future__ import annotations

import numpy as np
import torch
from matmul import Product
from measure import tensor

ROW = 8192


class Work:
    def __init__(self, item: dict, way: str) -> None:
        self.x = tensor([item["elements"] // ROW, ROW], 4)
        self.y, self.vector, self.sums = torch.empty_like(self.x), torch.ones(ROW), torch.empty(len(self.x))
        arrays = [t.numpy() for t in (self.x, self.y, self.vector, self.sums)]
        x, y, vector, sums = arrays if way == "numpy" else (self.x, self.y, self.vector, self.sums)
        if way == "numpy":
            works = {"read": lambda: np.dot(x, vector, out=sums), "copy": lambda: np.copyto(y, x),
                     "exp": lambda: np.exp(x, out=y), "tanh": lambda: np.tanh(x, out=y)}  # fmt: skip
        else:
            works = {"read": lambda: torch.mv(x, vector, out=sums), "copy": lambda: y.copy_(x),
                     "exp": lambda: torch.exp(x, out=y), "tanh": lambda: torch.tanh(x, out=y)}  # fmt: skip
        self.run = works[item["work"]]

    def check(self) -> list[float]:
        return []


def prepare(item: dict, way: str) -> Work | Product:
    if item["work"] == "product":
        product = Product(item["size"], way)
        product.check = lambda: []
        return product
    return Work(item, way)
