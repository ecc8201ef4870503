"""Writes test/golden/sequence-model/: a bidirectional LSTM trained by PyTorch, and all that it computes.

`python3 conformance/golden_sequence_model.py [FOLDER]`. The module is one that somebody might have written elsewhere; its
weights are saved as they are, with a config.json by hand. The states and gates of every layer at every step are computed
from the equations, one sequence at a time, and held against nn.LSTM.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden"
VOCABULARY, DIM, HIDDEN, CLASSES, LAYERS = 11, 5, 6, 3, 2
LENGTHS = [4, 7, 1, 7]

CONFIG = {
    "model_type": "sequence",
    "cell": "lstm",
    "vocab_size": VOCABULARY,
    "input_size": DIM,
    "hidden_size": HIDDEN,
    "num_layers": LAYERS,
    "bidirectional": True,
    "output_size": CLASSES,
}


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, DIM)
        self.recurrent = nn.LSTM(DIM, HIDDEN, LAYERS, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * HIDDEN, CLASSES)

    def forward(self, tokens: torch.Tensor, lengths: list[int]) -> tuple[torch.Tensor, ...]:
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        output, (h, c) = self.recurrent(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        return self.head(torch.cat([h[-2], h[-1]], 1)), output, h, c


def train(model: Classifier, generator: torch.Generator) -> None:
    """Some steps, so that the weights are no longer those of the start."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(20):
        tokens = torch.randint(VOCABULARY, (8, 6), generator=generator)
        loss = nn.functional.cross_entropy(model(tokens, [6] * 8)[0], tokens.sum(1) % CLASSES)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def run(layer: nn.LSTM, suffix: str, steps: torch.Tensor) -> dict[str, torch.Tensor]:
    """One layer and direction over one sequence, by the equations: h, c and the gates, [time, hidden]."""
    w_ih, w_hh = getattr(layer, f"weight_ih{suffix}"), getattr(layer, f"weight_hh{suffix}")
    bias = getattr(layer, f"bias_ih{suffix}") + getattr(layer, f"bias_hh{suffix}")
    h, c = torch.zeros(HIDDEN).double(), torch.zeros(HIDDEN).double()
    rows: dict[str, list[torch.Tensor]] = {name: [] for name in ("h", "c", "i", "f", "g", "o", "output")}
    for x in steps.flip(0) if suffix.endswith("reverse") else steps:
        a, b, d, e = (w_ih @ x + w_hh @ h + bias).chunk(4)
        i, f, g, o = a.sigmoid(), b.sigmoid(), d.tanh(), e.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        values = {"h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "output": c.tanh()}
        for name, value in values.items():
            rows[name].append(value)
    stacked = {name: torch.stack(values) for name, values in rows.items()}
    return {name: value.flip(0) for name, value in stacked.items()} if suffix.endswith("reverse") else stacked


def traced(model: Classifier, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of every layer and direction, [batch, time, hidden], 0 where a sequence has ended."""
    found: dict[str, torch.Tensor] = {}
    for sequence, length in enumerate(LENGTHS):
        signal = model.embedding(tokens[sequence, :length])
        for layer in range(LAYERS):
            outputs = []
            for suffix in (f"_l{layer}", f"_l{layer}_reverse"):
                values = run(model.recurrent, suffix, signal)
                outputs.append(values["h"])
                for name, value in values.items():
                    shape = (len(LENGTHS), max(LENGTHS), HIDDEN)
                    whole = found.setdefault(f"{suffix[1:]}.{name}", torch.zeros(shape).double())
                    whole[sequence, :length] = value
            signal = torch.cat(outputs, 1)
    return found


def main() -> None:
    folder = (Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET) / "sequence-model"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = Classifier().double()
    train(model, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.float())
        tokens = torch.randint(VOCABULARY, (len(LENGTHS), max(LENGTHS)), generator=generator)
        logits, output, h, c = model(tokens, LENGTHS)
        traces = traced(model, tokens)
    top = torch.cat([traces[f"l{LAYERS - 1}.h"], traces[f"l{LAYERS - 1}_reverse.h"]], 2)
    torch.testing.assert_close(top, output, rtol=1e-12, atol=1e-12)
    save_file({name: value.float().contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    expected = {"logits": logits, "output": output, "h": h, "c": c, **traces}
    tensors = {name: value.float().contiguous() for name, value in expected.items()}
    tensors["tokens"] = tokens.to(torch.int32)
    tensors["lengths"] = torch.tensor(LENGTHS, dtype=torch.int32)
    save_file(tensors, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
