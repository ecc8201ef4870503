"""PyTorch's activations: by autograd (`eager`), and its kernels writing to tensors that are there (`out`)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from measure import tensor
from torch import Tensor

aten = torch.ops.aten
ROW, CHECKED = 1024, 4096
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

EAGER: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leakyRelu": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "logSigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "hardSigmoid": F.hardsigmoid,
    "hardTanh": F.hardtanh,
    "hardSwish": F.hardswish,
    "hardShrink": F.hardshrink,
    "softShrink": F.softshrink,
    "tanhShrink": F.tanhshrink,
    "softmax": lambda x: F.softmax(x, -1),
    "logSoftmax": lambda x: F.log_softmax(x, -1),
}

# Value to `y`; the gradient of `x` to `dx`, from the one of the output. Where one is not listed, PyTorch has no such form.
OUT: dict[str, tuple[Callable, Callable]] = {
    "copy": (lambda x, y: y.copy_(x), lambda g, x, y, dx: dx.copy_(g)),
    "relu": (
        lambda x, y: torch.clamp_min(x, 0, out=y),
        lambda g, x, y, dx: aten.threshold_backward.grad_input(g, x, 0, grad_input=dx),
    ),
    "relu6": (
        lambda x, y: torch.clamp(x, 0, 6, out=y),
        lambda g, x, y, dx: aten.hardtanh_backward.grad_input(g, x, 0, 6, grad_input=dx),
    ),
    "leakyRelu": (
        lambda x, y: aten.leaky_relu.out(x, 0.01, out=y),
        lambda g, x, y, dx: aten.leaky_relu_backward.grad_input(g, x, 0.01, False, grad_input=dx),
    ),
    "elu": (
        lambda x, y: aten.elu.out(x, 1, 1, 1, out=y),
        lambda g, x, y, dx: aten.elu_backward.grad_input(g, 1, 1, 1, False, x, grad_input=dx),
    ),
    "celu": (
        lambda x, y: aten.elu.out(x, 1, 1, 1, out=y),
        lambda g, x, y, dx: aten.elu_backward.grad_input(g, 1, 1, 1, False, x, grad_input=dx),
    ),
    "selu": (
        lambda x, y: aten.elu.out(x, SELU_ALPHA, SELU_SCALE, 1, out=y),
        lambda g, x, y, dx: aten.elu_backward.grad_input(g, SELU_ALPHA, SELU_SCALE, 1, False, x, grad_input=dx),
    ),
    "sigmoid": (
        lambda x, y: torch.sigmoid(x, out=y),
        lambda g, x, y, dx: aten.sigmoid_backward.grad_input(g, y, grad_input=dx),
    ),
    "tanh": (
        lambda x, y: torch.tanh(x, out=y),
        lambda g, x, y, dx: aten.tanh_backward.grad_input(g, y, grad_input=dx),
    ),
    "softplus": (
        lambda x, y: aten.softplus.out(x, 1, 20, out=y),
        lambda g, x, y, dx: aten.softplus_backward.grad_input(g, x, 1, 20, grad_input=dx),
    ),
    "gelu": (
        lambda x, y: aten.gelu.out(x, out=y),
        lambda g, x, y, dx: aten.gelu_backward.grad_input(g, x, grad_input=dx),
    ),
    "geluTanh": (
        lambda x, y: aten.gelu.out(x, approximate="tanh", out=y),
        lambda g, x, y, dx: aten.gelu_backward.grad_input(g, x, approximate="tanh", grad_input=dx),
    ),
    "silu": (
        lambda x, y: aten.silu.out(x, out=y),
        lambda g, x, y, dx: aten.silu_backward.grad_input(g, x, grad_input=dx),
    ),
    "hardSigmoid": (
        lambda x, y: aten.hardsigmoid.out(x, out=y),
        lambda g, x, y, dx: aten.hardsigmoid_backward.grad_input(g, x, grad_input=dx),
    ),
    "hardTanh": (
        lambda x, y: aten.hardtanh.out(x, -1, 1, out=y),
        lambda g, x, y, dx: aten.hardtanh_backward.grad_input(g, x, -1, 1, grad_input=dx),
    ),
    "hardSwish": (
        lambda x, y: aten.hardswish.out(x, out=y),
        lambda g, x, y, dx: aten.hardswish_backward.out(g, x, out=dx),
    ),
    "hardShrink": (
        lambda x, y: aten.hardshrink.out(x, 0.5, out=y),
        lambda g, x, y, dx: aten.hardshrink_backward.grad_input(g, x, 0.5, grad_input=dx),
    ),
    "softShrink": (
        lambda x, y: aten.softshrink.out(x, 0.5, out=y),
        lambda g, x, y, dx: aten.softshrink_backward.grad_input(g, x, 0.5, grad_input=dx),
    ),
    "softmax": (
        lambda x, y: aten._softmax.out(x, 1, False, out=y),
        lambda g, x, y, dx: aten._softmax_backward_data.out(g, y, 1, torch.float32, grad_input=dx),
    ),
    "logSoftmax": (
        lambda x, y: aten._log_softmax.out(x, 1, False, out=y),
        lambda g, x, y, dx: aten._log_softmax_backward_data.out(g, y, 1, torch.float32, out=dx),
    ),
}


def checked(*tensors: Tensor) -> list[float]:
    return [value for t in tensors for value in t.detach().reshape(-1)[:CHECKED].tolist()]


class Eager:
    def __init__(self, item: dict) -> None:
        shape = [item["elements"] // ROW, ROW]
        self.f, self.gradient = EAGER[item["function"]], item["mode"] == "y and dx"
        self.x, self.dy = tensor(shape, 4, 1), tensor(shape, 1, 2)

    def run(self) -> tuple[Tensor, ...]:
        if not self.gradient:
            with torch.no_grad():
                return (self.f(self.x),)
        self.x.requires_grad_()
        self.x.grad = None
        y = self.f(self.x)
        y.backward(self.dy)
        return (y, self.x.grad)

    def check(self) -> list[float]:
        return checked(*self.run())


class Out:
    def __init__(self, item: dict) -> None:
        shape = [item["elements"] // ROW, ROW]
        (self.value, self.slope), self.gradient = OUT[item["function"]], item["mode"] == "dx"
        self.x, self.dy = tensor(shape, 4, 1), tensor(shape, 1, 2)
        self.y, self.dx = torch.empty(shape), torch.empty(shape)
        self.value(self.x, self.y)

    def run(self) -> None:
        if self.gradient:
            self.slope(self.dy, self.x, self.y, self.dx)
        else:
            self.value(self.x, self.y)

    def check(self) -> list[float]:
        self.run()
        return checked(self.dx if self.gradient else self.y)


def prepare(item: dict, way: str) -> Eager | Out | None:
    kind, known, mode = {"eager": (Eager, EAGER, "dx"), "out": (Out, OUT, "y and dx")}[way]
    return kind(item) if item["function"] in known and item["mode"] != mode else None
