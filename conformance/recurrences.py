"""Recurrent layers by PyTorch in float64, with every gradient: cases and what they come to.

A case is {kind, inputs, hidden, batch, time, options, lengths?, states?}: a class of torch.nn, its sizes and keyword
arguments, the lengths of packed sequences, and whether initial states are given. Tensors are [batch, time, width].
"""

from __future__ import annotations

from itertools import product

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SMALL = {"inputs": 3, "hidden": 4, "batch": 3, "time": 5}
LENGTHS = [3, 5, 1]

# What is committed for `npm test`.
CASES: dict[str, dict] = {
    "rnn": {"kind": "RNN", **SMALL, "options": {}},
    "rnn-relu": {"kind": "RNN", **SMALL, "options": {"nonlinearity": "relu", "num_layers": 2}, "states": True},
    "lstm": {"kind": "LSTM", **SMALL, "options": {}},
    "lstm-all": {
        "kind": "LSTM",
        **SMALL,
        "options": {"num_layers": 2, "bidirectional": True},
        "states": True,
        "lengths": LENGTHS,
    },
    "lstm-no-bias": {"kind": "LSTM", **SMALL, "options": {"bias": False}, "states": True},
    "lstm-projected": {"kind": "LSTM", **SMALL, "options": {"proj_size": 2, "num_layers": 2}, "states": True},
    "gru": {"kind": "GRU", **SMALL, "options": {}, "states": True},
    "gru-all": {
        "kind": "GRU",
        **SMALL,
        "options": {"num_layers": 2, "bidirectional": True},
        "states": True,
        "lengths": LENGTHS,
    },
    "gru-no-bias": {"kind": "GRU", **SMALL, "options": {"bias": False}, "lengths": LENGTHS},
}


def variants() -> dict[str, dict]:
    """Every combination, in wider layers."""
    kinds = {
        "rnn tanh": ("RNN", {"nonlinearity": "tanh"}),
        "rnn relu": ("RNN", {"nonlinearity": "relu"}),
        "lstm": ("LSTM", {}),
        "lstm projected": ("LSTM", {"proj_size": 9}),
        "gru": ("GRU", {}),
    }
    sizes = {"inputs": 11, "hidden": 18, "batch": 5, "time": 13}
    found = {}
    for (name, (kind, more)), layers, both, bias, batch_first, states, packed in product(
        kinds.items(), (1, 3), (False, True), (True, False), (True, False), (False, True), (False, True)
    ):
        words = [name, f"layers {layers}"]
        words += [word for word, on in (("bidirectional", both), ("states", states), ("packed", packed)) if on]
        words += ["" if bias else "no bias", "" if batch_first else "time first"]
        options = {**more, "num_layers": layers, "bidirectional": both, "bias": bias, "batch_first": batch_first}
        case = {"kind": kind, **sizes, "options": options, "states": states}
        if packed:
            case["lengths"] = [7, 13, 1, 7, 10]
        found[", ".join(filter(None, words))] = case
    return found


def single(tensor: torch.Tensor) -> torch.Tensor:
    """Values that float32 holds exactly, in float64."""
    return tensor.to(torch.float32).to(torch.float64)


def results(case: dict, seed: int) -> dict[str, torch.Tensor]:
    """x, states, parameters, outputs, the cotangents that backward() starts from, and the gradients, as float32."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: single(torch.randn(shape, generator=generator))
    options = {"batch_first": True, **case["options"]}
    layer = getattr(nn, case["kind"])(case["inputs"], case["hidden"], **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(0.5 * draw(*parameter.shape))
    x = draw(case["batch"], case["time"], case["inputs"]).requires_grad_()
    directions = 2 if layer.bidirectional else 1
    names = ("h", "c") if case["kind"] == "LSTM" else ("h",)
    widths = {"h": layer.proj_size or layer.hidden_size, "c": layer.hidden_size}
    states = {}
    if case.get("states"):
        for name in names:
            states[name] = draw(layer.num_layers * directions, case["batch"], widths[name]).requires_grad_()
    given = (tuple(states.values()) if len(names) > 1 else states["h"]) if states else None
    turned = x if layer.batch_first else x.transpose(0, 1)
    lengths = case.get("lengths")
    if lengths:
        turned = pack_padded_sequence(turned, lengths, batch_first=layer.batch_first, enforce_sorted=False)
    output, finals = layer(turned, given)
    if lengths:
        output, _ = pad_packed_sequence(output, batch_first=layer.batch_first, total_length=case["time"])
    output = output if layer.batch_first else output.transpose(0, 1)
    ends = dict(zip(names, finals if len(names) > 1 else (finals,), strict=True))
    outcomes = {"output": output, **{f"final.{name}": value for name, value in ends.items()}}
    cotangents = {name: draw(*value.shape) for name, value in outcomes.items()}
    torch.autograd.backward(list(outcomes.values()), list(cotangents.values()))
    found = {"x": x, "gradient.x": x.grad, **outcomes}
    found |= {f"cotangent.{name}": value for name, value in cotangents.items()}
    for name, state in states.items():
        found |= {f"initial.{name}": state, f"gradient.initial.{name}": state.grad}
    for name, parameter in layer.named_parameters():
        found |= {f"weights.{name}": parameter, f"gradient.{name}": parameter.grad}
    return {name: value.detach().to(torch.float32).contiguous().clone() for name, value in found.items()}
