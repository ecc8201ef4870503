"""Convolutions and pooling by PyTorch in float64, with every gradient: cases and what they come to.

A case is {kind, arguments, shape}: the name of a class of torch.nn, its keyword arguments, and the shape of the input.
"""

from __future__ import annotations

import torch
from torch import nn

CASES: dict[str, dict] = {
    "line": {"kind": "Conv1d", "arguments": {"in_channels": 3, "out_channels": 4, "kernel_size": 3}, "shape": [2, 3, 8]},
    "line-strided": {
        "kind": "Conv1d",
        "arguments": {"in_channels": 2, "out_channels": 3, "kernel_size": 4, "stride": 3, "padding": 2, "dilation": 2},
        "shape": [2, 2, 13],
    },
    "line-same": {
        "kind": "Conv1d",
        "arguments": {"in_channels": 2, "out_channels": 2, "kernel_size": 4, "padding": "same", "dilation": 3},
        "shape": [1, 2, 7],
    },
    "line-depthwise": {
        "kind": "Conv1d",
        "arguments": {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "groups": 4, "bias": False},
        "shape": [2, 4, 6],
    },
    "line-causal": {
        "kind": "Conv1d",
        "arguments": {"in_channels": 3, "out_channels": 2, "kernel_size": 3, "dilation": 2},
        "shape": [2, 3, 9],
        "causal": True,
    },
    "image": {"kind": "Conv2d", "arguments": {"in_channels": 3, "out_channels": 4, "kernel_size": 3}, "shape": [2, 3, 6, 5]},
    "image-uneven": {
        "kind": "Conv2d",
        "arguments": {
            "in_channels": 2,
            "out_channels": 3,
            "kernel_size": [3, 2],
            "stride": [2, 1],
            "padding": [1, 2],
            "dilation": [1, 2],
        },
        "shape": [2, 2, 7, 6],
    },
    "image-groups": {
        "kind": "Conv2d",
        "arguments": {"in_channels": 4, "out_channels": 6, "kernel_size": 2, "groups": 2, "padding": "same"},
        "shape": [1, 4, 4, 5],
    },
    "image-multiplied": {
        "kind": "Conv2d",
        "arguments": {"in_channels": 3, "out_channels": 6, "kernel_size": 3, "groups": 3, "stride": 2, "bias": False},
        "shape": [2, 3, 5, 7],
    },
    "image-point": {"kind": "Conv2d", "arguments": {"in_channels": 5, "out_channels": 3, "kernel_size": 1}, "shape": [2, 5, 3, 3]},
    "largest": {"kind": "MaxPool2d", "arguments": {"kernel_size": 2}, "shape": [2, 2, 5, 6]},
    "largest-overlapping": {
        "kind": "MaxPool2d",
        "arguments": {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        "shape": [1, 2, 6, 7],
    },
    "largest-dilated": {
        "kind": "MaxPool2d",
        "arguments": {"kernel_size": [2, 3], "stride": [1, 2], "padding": [1, 1], "dilation": [2, 1]},
        "shape": [2, 2, 6, 7],
    },
    "largest-equal": {"kind": "MaxPool2d", "arguments": {"kernel_size": 3, "stride": 1}, "shape": [1, 2, 6, 6], "levels": 3},
    "largest-line": {
        "kind": "MaxPool1d",
        "arguments": {"kernel_size": 3, "stride": 2, "padding": 1},
        "shape": [2, 3, 9],
    },
    "mean": {"kind": "AvgPool2d", "arguments": {"kernel_size": 2}, "shape": [2, 2, 5, 6]},
    "mean-padded": {
        "kind": "AvgPool2d",
        "arguments": {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        "shape": [1, 2, 6, 7],
    },
    "mean-of-image": {
        "kind": "AvgPool2d",
        "arguments": {"kernel_size": [3, 2], "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
        "shape": [2, 1, 7, 6],
    },
    "mean-line": {"kind": "AvgPool1d", "arguments": {"kernel_size": 4, "stride": 3, "padding": 2}, "shape": [2, 2, 10]},
}


def single(tensor: torch.Tensor) -> torch.Tensor:
    """Values that float32 holds exactly, in float64."""
    return tensor.to(torch.float32).to(torch.float64)


def results(case: dict, seed: int) -> dict[str, torch.Tensor]:
    """x, parameters, y, the cotangent that backward() starts from, and the gradients, as float32."""
    generator = torch.Generator().manual_seed(seed)
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in case["arguments"].items()}
    layer = getattr(nn, case["kind"])(**arguments).double()
    x = single(torch.randn(case["shape"], generator=generator))
    if "levels" in case:
        x = x.mul(case["levels"]).round().div(case["levels"]).clamp(-1, 1)
    x.requires_grad_()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(single(torch.randn(parameter.shape, generator=generator)))
    reach = layer.dilation[0] * (layer.kernel_size[0] - 1) if case.get("causal") else 0
    y = layer(nn.functional.pad(x, (reach, 0)) if reach else x)
    cotangent = single(torch.randn(y.shape, generator=generator))
    y.backward(cotangent)
    found = {"x": x, "y": y, "cotangent": cotangent, "gradient.x": x.grad}
    for name, parameter in layer.named_parameters():
        found |= {name: parameter, f"gradient.{name}": parameter.grad}
    return {name: value.detach().to(torch.float32).contiguous() for name, value in found.items()}
