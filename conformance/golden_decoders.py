"""Writes tiny decoders of Transformers with their logits, loss and gradients: `python3 conformance/golden_decoders.py [FOLDER]`.

Each case is a folder: `config.json` and `model.safetensors` as Transformers saves them, and `expected.safetensors` with `inputs`,
`targets` (int32, batch x tokens), `logits`, `loss` (mean cross-entropy over all targets, in nats) and `gradient.<parameter>`.
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
    ArceeConfig,
    ArceeForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.models.arcee import modeling_arcee
from transformers.models.gemma import modeling_gemma
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2
from transformers.utils import logging

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden"
BATCH, TOKENS = 2, 12
WEIGHT_SPREAD = 0.3
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SMALL = {**SHAPE, "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LONG_ROPE = {"rope_type": "default", "rope_theta": 500000.0}
CASES = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SHAPE, tie_word_embeddings=True, rope_parameters=ROPE), 1),
    "arcee": (ArceeForCausalLM, ArceeConfig(**SHAPE, tie_word_embeddings=False, rope_parameters=ROPE), 2),
    # Heads wider than hidden / heads, so that q_proj and o_proj are not square, and Llama 3's rope.
    "llama-head-dim": (
        LlamaForCausalLM,
        LlamaConfig(**SHAPE, tie_word_embeddings=True, rope_parameters=LONG_ROPE, head_dim=16, attention_bias=False),
        3,
    ),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SMALL, tie_word_embeddings=False, rope_parameters=ROPE), 4),
    # Its embeddings are multiplied by the square root of the width, which float32 has exactly for 16.
    "gemma": (GemmaForCausalLM, GemmaConfig(**SMALL, rope_parameters=ROPE, head_dim=8, pad_token_id=None), 5),
    "gpt2": (
        GPT2LMHeadModel,
        GPT2Config(
            vocab_size=32, n_embd=16, n_inner=24, n_layer=2, n_head=4, n_positions=24, bos_token_id=1, eos_token_id=2
        ),
        6,
    ),
    # An activation with weights of its own, and with constants beside them.
    "gpt2-xielu": (
        GPT2LMHeadModel,
        GPT2Config(
            vocab_size=32,
            n_embd=16,
            n_layer=1,
            n_head=2,
            n_positions=24,
            activation_function="xielu",
            scale_attn_by_inverse_layer_idx=True,
            bos_token_id=1,
            eos_token_id=2,
        ),
        7,
    ),
}


def head_width(config) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def rms_norm(self, hidden: torch.Tensor) -> torch.Tensor:
    variance = hidden.pow(2).mean(-1, keepdim=True)
    return self.weight * (hidden * torch.rsqrt(variance + self.variance_epsilon))


def offset_rms_norm(self, hidden: torch.Tensor) -> torch.Tensor:
    return hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.eps) * (1 + self.weight)


def rotary(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    theta, width = self.config.rope_parameters["rope_theta"], head_width(self.config)
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = position_ids[..., None].to(x.dtype) * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


@contextmanager
def without_float32() -> Iterator[None]:
    """Transformers casts inside norms and rotary embeddings to float32, even in a float64 model."""
    places = [
        (modeling_llama.LlamaRMSNorm, rms_norm),
        (modeling_arcee.ArceeRMSNorm, rms_norm),
        (modeling_qwen2.Qwen2RMSNorm, rms_norm),
        (modeling_gemma.GemmaRMSNorm, offset_rms_norm),
        (modeling_llama.LlamaRotaryEmbedding, rotary),
        (modeling_arcee.ArceeRotaryEmbedding, rotary),
        (modeling_qwen2.Qwen2RotaryEmbedding, rotary),
        (modeling_gemma.GemmaRotaryEmbedding, rotary),
    ]
    originals = [cls.forward for cls, _ in places]
    for cls, replacement in places:
        cls.forward = replacement
    try:
        yield
    finally:
        for (cls, _), original in zip(places, originals, strict=True):
            cls.forward = original


def fill(model: torch.nn.Module, random: np.random.RandomState) -> None:
    """Weights wide enough for gradients of every parameter to be sizeable; RandomState's stream never changes."""
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            shape = tuple(parameter.shape)
            norm = name.endswith("norm.weight")
            values = random.uniform(0.5, 1.5, shape) if norm else random.standard_normal(shape) * WEIGHT_SPREAD
            parameter.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))


def run(model: torch.nn.Module, inputs: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    model.zero_grad()
    logits = model(torch.from_numpy(inputs.astype(np.int64)), use_cache=False).logits
    flat = torch.from_numpy(targets.astype(np.int64)).flatten()
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), flat)
    loss.backward()
    tensors = {"logits": logits, "loss": loss}
    tensors |= {f"gradient.{name}": parameter.grad for name, parameter in model.named_parameters()}
    return {name: tensor.detach().numpy().astype(np.float32) for name, tensor in tensors.items()}


def agree(exact: dict[str, np.ndarray], stock: dict[str, np.ndarray]) -> None:
    """The untouched float32 model must say the same, within float32's rounding."""
    for name, values in exact.items():
        error, scale = np.abs(values - stock[name]).max(), np.abs(values).max()
        if not error <= 2e-5 * scale:
            raise ArithmeticError(f"{name}: {error} beside the float32 model, of {scale}")


def write(folder: Path, model_class: type, config, seed: int) -> None:
    random = np.random.RandomState(seed)
    config._attn_implementation = "sdpa"  # the eager one rounds its softmax to float32
    model = model_class(config).eval().float()  # an xIELU is made in bfloat16
    fill(model, random)
    tokens = random.randint(0, config.vocab_size, (BATCH, TOKENS + 1)).astype(np.int32)
    inputs, targets = np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_bytes((Path(saved) / name).read_bytes())
    stock = run(model, inputs, targets)
    with without_float32():
        expected = run(model.double(), inputs, targets)
    agree(expected, stock)
    tensors = {"inputs": inputs, "targets": targets, **expected}
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
