"""Tiny decoders of Transformers with random weights, and what it computes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import transformers

BATCH, TOKENS = 2, 12
WEIGHT_SPREAD = 0.3
SHAPE = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
GPT2 = {
    "vocab_size": 40,
    "n_embd": 16,
    "n_inner": 24,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 256,
    "bos_token_id": None,
    "eos_token_id": None,
    "resid_pdrop": 0,
    "embd_pdrop": 0,
    "attn_pdrop": 0,
}
MODELS = {
    "llama": ("Llama", "hidden_act", SHAPE),
    "arcee": ("Arcee", "hidden_act", SHAPE),
    "qwen2": ("Qwen2", "hidden_act", SHAPE),
    "gemma": ("Gemma", "hidden_act", {**SHAPE, "head_dim": 8}),
    "gpt2": ("GPT2", "activation_function", GPT2),
}
ROPES = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    "yarn with its own scales": {
        "rope_type": "yarn",
        "factor": 8.0,
        "original_max_position_embeddings": 32,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "mscale": 0.7,
        "mscale_all_dim": 0.3,
        "truncate": False,
    },
}
# Decayed as ours are: matrices of products, neither embeddings nor what an activation learns.
NOT_DECAYED = ("norm.weight", "ln_1.weight", "ln_2.weight", "ln_f.weight", "bias", "embed_tokens.weight", "wte.weight", "wpe.weight")


def make(model: str, activation: str | None, seed: int, **changes) -> torch.nn.Module:
    name, key, shape = MODELS[model]
    given = {**shape, **({} if activation is None else {key: activation}), **changes}
    config = getattr(transformers, f"{name}Config")(**given)
    made = getattr(transformers, f"{name}LMHeadModel" if model == "gpt2" else f"{name}ForCausalLM")(config).eval().float()
    fill(made, np.random.RandomState(seed))
    return made


def fill(model: torch.nn.Module, random: np.random.RandomState) -> None:
    """Weights wide enough for gradients of every parameter to be sizeable; RandomState's stream never changes."""
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            shape = tuple(parameter.shape)
            if name.endswith(("norm.weight", "ln_1.weight", "ln_2.weight", "ln_f.weight")):
                values = random.uniform(0.5, 1.5, shape)
            else:
                values = random.standard_normal(shape) * WEIGHT_SPREAD
            parameter.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))


def tokens_of(model: torch.nn.Module, seed: int, length: int = TOKENS) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.random.RandomState(seed + 1000).randint(0, model.config.vocab_size, (BATCH, length + 1))
    return tokens[:, :-1], tokens[:, 1:]


def loss_of(logits: torch.Tensor, targets: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets).flatten())


def compute(model: torch.nn.Module, inputs: np.ndarray, targets: np.ndarray) -> dict[str, torch.Tensor]:
    """Logits, loss, what goes into the layers and comes out of each, and every gradient."""
    hidden: list[torch.Tensor] = []
    layers = model.transformer.h if hasattr(model, "transformer") else model.model.layers
    hooks = [layers[0].register_forward_pre_hook(lambda _, given, kwargs: hidden.append(given[0]), with_kwargs=True)]
    first = lambda output: output[0] if isinstance(output, tuple) else output
    hooks += [layer.register_forward_hook(lambda _, __, output: hidden.append(first(output))) for layer in layers]
    model.zero_grad()
    logits = model(torch.from_numpy(inputs), use_cache=False).logits
    for hook in hooks:
        hook.remove()
    loss = loss_of(logits, targets)
    loss.backward()
    found = {"logits": logits, "loss": loss} | {f"hidden.{i}": state for i, state in enumerate(hidden)}
    found |= {f"gradient.{name}": parameter.grad for name, parameter in model.named_parameters()}
    return {name: value.detach().clone() for name, value in found.items()}


def train(model: torch.nn.Module, inputs: np.ndarray, targets: np.ndarray, ask: dict) -> list[float]:
    named = list(model.named_parameters())
    decays = lambda name: not name.endswith(NOT_DECAYED) and ".act" not in name
    groups = [
        {"params": [p for n, p in named if decays(n)], "weight_decay": ask["weightDecay"]},
        {"params": [p for n, p in named if not decays(n)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=ask["lr"], betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for _ in range(ask["steps"]):
        optimizer.zero_grad()
        loss = loss_of(model(torch.from_numpy(inputs), use_cache=False).logits, targets)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return losses


def generate(model: torch.nn.Module, ask: dict) -> dict[str, list]:
    """Greedy tokens, and those of each search along beams without the token that ends them."""
    prompt = torch.tensor([ask["prompt"]])
    common = {"do_sample": False, "attention_mask": torch.ones_like(prompt), "pad_token_id": 0}
    start = prompt.shape[1]
    greedy = model.generate(prompt, max_new_tokens=ask["maxTokens"], eos_token_id=None, **common)
    searches = []
    for one in ask["beams"]:
        found = model.generate(
            prompt,
            num_beams=one["beams"],
            length_penalty=float(one["lengthPenalty"]),
            repetition_penalty=float(one.get("repetitionPenalty", 1)),
            max_new_tokens=one["maxTokens"],
            eos_token_id=ask["ends"],
            **common,
        )
        tokens = found[0, start:].tolist()
        ended = next((i for i, token in enumerate(tokens) if token in ask["ends"]), len(tokens))
        searches.append(tokens[:ended])
    return {"greedy": greedy[0, start:].tolist(), "beams": searches}


def save(model: torch.nn.Module, folder: Path, inputs: np.ndarray, targets: np.ndarray, ask: dict) -> None:
    model.save_pretrained(folder)
    asked = {"inputs": inputs.tolist(), "targets": targets.tolist(), **ask}
    (folder / "ask.json").write_text(json.dumps(asked), encoding="utf-8")
