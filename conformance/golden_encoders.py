"""Writes tiny encoders of Transformers with what they say and their gradients: `python3 conformance/golden_encoders.py [FOLDER]`.

Each case is a folder: `config.json` and `model.safetensors` as Transformers saves them, and `expected.safetensors` with `inputs`
(int32, batch x tokens, padded on the right), `lengths`, `targets` (-100 where nothing is to be said), `hidden` (the last hidden
states) and `logits`, both 0 for padding, `loss` (mean cross-entropy of all targets, in nats) and `gradient.<parameter>`.
Everything is computed in float64 and stored as float32.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
)
from transformers.models.modernbert import modeling_modernbert
from transformers.utils import logging

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden"
TOKENS = 14
LENGTHS = (14, 9, 1)
WEIGHT_SPREAD = 0.3
SHAPE = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 20, "num_attention_heads": 2, "max_position_embeddings": 32}
BERT = {**SHAPE, "num_hidden_layers": 2, "pad_token_id": 0}
# One layer sees all, the others two tokens to either side.
MODERN = {**SHAPE, "num_hidden_layers": 3, "local_attention": 4, "pad_token_id": 0}
MODERN |= {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
CASES = {
    "bert-words": (BertForMaskedLM, BertConfig(**BERT, hidden_act="gelu"), 11),
    "bert-texts": (BertForSequenceClassification, BertConfig(**BERT, hidden_act="silu", num_labels=3), 12),
    "modernbert-words": (ModernBertForMaskedLM, ModernBertConfig(**MODERN), 13),
    "modernbert-texts": (
        ModernBertForSequenceClassification,
        ModernBertConfig(**MODERN, num_labels=3, classifier_pooling="mean", hidden_activation="silu", mlp_bias=True, norm_bias=True),
        14,
    ),
    "modernbert-tokens": (ModernBertForTokenClassification, ModernBertConfig(**MODERN, num_labels=5, attention_bias=True), 15),
}


def rotate(q, k, cos, sin, unsqueeze_dim=1):
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    half = modeling_modernbert.rotate_half
    return q * cos + half(q) * sin, k * cos + half(k) * sin


def rotary(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str) -> tuple[torch.Tensor, torch.Tensor]:
    theta = self.config.rope_parameters[layer_type]["rope_theta"]
    width = self.config.hidden_size // self.config.num_attention_heads
    angles = position_ids[..., None].to(x.dtype) * theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


@contextmanager
def without_float32() -> Iterator[None]:
    """Transformers casts rotary positions to float32, even in a float64 model."""
    module, embedding = modeling_modernbert, modeling_modernbert.ModernBertRotaryEmbedding
    originals = module.apply_rotary_pos_emb, embedding.forward
    module.apply_rotary_pos_emb, embedding.forward = rotate, rotary
    try:
        yield
    finally:
        module.apply_rotary_pos_emb, embedding.forward = originals


def fill(model: torch.nn.Module, random: np.random.RandomState) -> None:
    """Weights wide enough for gradients of every parameter to be sizeable; RandomState's stream never changes."""
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            shape = tuple(parameter.shape)
            norm = name.lower().endswith("norm.weight")
            values = random.uniform(0.5, 1.5, shape) if norm else random.standard_normal(shape) * WEIGHT_SPREAD
            parameter.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))


def run(model: torch.nn.Module, inputs: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    model.zero_grad()
    mask = torch.arange(inputs.shape[1])[None, :] < torch.tensor(LENGTHS)[:, None]
    tokens = torch.from_numpy(inputs.astype(np.int64))
    logits = model(tokens, attention_mask=mask.long()).logits
    flat = torch.from_numpy(targets.astype(np.int64)).flatten()
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, -2), flat, ignore_index=-100)
    loss.backward()
    encoder = getattr(model, model.base_model_prefix)
    with torch.no_grad():
        hidden = encoder(tokens, attention_mask=mask.long()).last_hidden_state
    tensors = {"hidden": hidden * mask[..., None], "loss": loss}
    tensors["logits"] = logits * mask[..., None] if logits.dim() == 3 else logits
    tensors |= {f"gradient.{name}": parameter.grad for name, parameter in model.named_parameters()}
    # The bias of keys moves every score of a query alike: its gradient is 0 but for rounding, which is not to be kept.
    arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
    return {name: np.where(abs(array) < 1e-12, 0, array).astype(np.float32) for name, array in arrays.items()}


def agree(exact: dict[str, np.ndarray], stock: dict[str, np.ndarray]) -> None:
    """The untouched float32 model must say the same, within float32's rounding."""
    for name, values in exact.items():
        error, scale = np.abs(values - stock[name]).max(), np.abs(values).max()
        if not error <= 5e-5 * scale + 1e-6:
            raise ArithmeticError(f"{name}: {error} beside the float32 model, of {scale}")


def targets_of(inputs: np.ndarray, labels: int, per_token: bool, random: np.random.RandomState) -> np.ndarray:
    if not per_token:
        return random.randint(0, labels, len(LENGTHS)).astype(np.int32)
    targets = random.randint(0, labels, inputs.shape).astype(np.int32)
    chosen = random.uniform(size=inputs.shape) < 0.5
    chosen &= np.arange(inputs.shape[1])[None, :] < np.array(LENGTHS)[:, None]
    return np.where(chosen, targets, -100).astype(np.int32)


def write(folder: Path, model_class: type, config, seed: int) -> None:
    random = np.random.RandomState(seed)
    config._attn_implementation = "sdpa"  # the eager one rounds its softmax to float32
    model = model_class(config).eval()
    fill(model, random)
    inputs = random.randint(3, config.vocab_size, (len(LENGTHS), TOKENS)).astype(np.int32)
    for row, length in enumerate(LENGTHS):
        inputs[row, length:] = config.pad_token_id
    name = model_class.__name__
    labels = config.vocab_size if name.endswith("MaskedLM") else config.num_labels
    targets = targets_of(inputs, labels, not name.endswith("SequenceClassification"), random)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        for file in ("config.json", "model.safetensors"):
            (folder / file).write_bytes((Path(saved) / file).read_bytes())
    stock = run(model, inputs, targets)
    with without_float32():
        expected = run(model.double(), inputs, targets)
    agree(expected, stock)
    tensors = {"inputs": inputs, "lengths": np.array(LENGTHS, dtype=np.int32), "targets": targets, **expected}
    (folder / "expected.safetensors").write_bytes(save(tensors, {"format": "pt"}))


def main() -> None:
    logging.disable_progress_bar()
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    for name, (model_class, config, seed) in CASES.items():
        write(target / name, model_class, config, seed)
        size = sum(file.stat().st_size for file in (target / name).iterdir())
        print(f"{name}: {size} bytes")


if __name__ == "__main__":
    main()
