"""Holds our decoders against Transformers in every activation of ACT2FN: `python3 conformance/parity_decoders.py [DEVICE ...] [only=TEXT]`.

Logits, hidden states, loss and every gradient agree within 1e-4 of each tensor's largest element, the losses of ten AdamW steps
within 1e-3, 200 greedy tokens and every search along beams token for token.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Report

ROOT = Path(__file__).resolve().parent.parent
DEVICES = ("wasm", "native")
TOLERANCE = 1e-4
LOSS_TOLERANCE = 1e-3
TRAIN = {"steps": 10, "lr": 1e-2, "weightDecay": 0.1}
GENERATE = {
    "prompt": [3, 1, 4, 1, 5],
    "maxTokens": 200,
    "ends": [7],
    "beams": [
        {"beams": 2, "lengthPenalty": 1, "maxTokens": 40},
        {"beams": 4, "lengthPenalty": 0, "maxTokens": 40},
        {"beams": 5, "lengthPenalty": 2.5, "maxTokens": 60},
        {"beams": 3, "lengthPenalty": -1.5, "maxTokens": 30},
        {"beams": 4, "lengthPenalty": 1, "maxTokens": 40, "repetitionPenalty": 1.3},
    ],
}


def cases() -> dict[str, tuple]:
    """By name: the model, what is asked of it, and how long a text is."""
    from decoders import MODELS, ROPES, make
    from transformers.activations import ACT2FN

    found: dict[str, tuple] = {}
    for place, model in enumerate(MODELS):
        for number, activation in enumerate(ACT2FN):
            ask = {"train": TRAIN} if number % 4 == place % 4 else {}
            found[f"{model} {activation}"] = (make(model, activation, 31 * place + number), ask, 12)
        found[f"{model} generation"] = (make(model, None, 500 + place), {"train": TRAIN, "generate": GENERATE}, 12)
    for number, (name, rope) in enumerate(ROPES.items()):
        for model in ("llama", "qwen2", "gemma"):
            positions = 32 if name == "dynamic" else 256
            made = make(
                model, None, 700 + number, rope_parameters={"rope_theta": 10000.0, **rope}, max_position_embeddings=positions
            )
            found[f"{model} rope {name}"] = (made, {}, 100 if name == "dynamic" else 200)
    extra = {
        "llama biases, wide heads, own head": make(
            "llama", None, 801, attention_bias=True, mlp_bias=True, head_dim=10, tie_word_embeddings=False
        ),
        "llama tied": make("llama", None, 802, tie_word_embeddings=True, rms_norm_eps=1e-3),
        "arcee biases": make("arcee", None, 803, attention_bias=True, mlp_bias=True),
        "qwen2 tied": make("qwen2", None, 804, tie_word_embeddings=True, num_key_value_heads=4),
        "gemma biases, own head": make("gemma", None, 805, attention_bias=True, tie_word_embeddings=False),
        "gpt2 scaled by layer": make("gpt2", None, 806, scale_attn_by_inverse_layer_idx=True),
        "gpt2 unscaled, own head": make("gpt2", None, 807, scale_attn_weights=False, tie_word_embeddings=False),
    }
    return found | {name: (model, {"train": TRAIN}, 12) for name, model in extra.items()}


def furthest(answers: dict, expected: dict) -> str:
    """What differs by too much, or is not there."""
    missing = [name for name in expected if name not in answers] + [name for name in answers if name not in expected]
    if missing:
        return f"other tensors: {missing[:4]}"
    for name, wanted in expected.items():
        actual, largest = answers[name], wanted.abs().max().item()
        if tuple(actual.shape) != tuple(wanted.shape):
            return f"{name}: shape {tuple(actual.shape)}, not {tuple(wanted.shape)}"
        error = (actual - wanted).abs().max().item()
        if not error <= TOLERANCE * largest:
            return f"{name} differs by {error / max(largest, 1e-30):.1e} of its largest element"
    return ""


def written(actual: dict, wanted: dict) -> str:
    for key in ("losses", "greedy"):
        mine, theirs = actual.get(key, []), wanted.get(key, [])
        if len(mine) != len(theirs):
            return f"{key}: {len(mine)}, not {len(theirs)}"
        for i, (own, other) in enumerate(zip(mine, theirs, strict=True)):
            if not abs(own - other) <= (LOSS_TOLERANCE if key == "losses" else 0):
                return f"{key}[{i}]: {own}, not {other}"
    for i, (own, other) in enumerate(zip(actual.get("beams", []), wanted.get("beams", []), strict=True)):
        if own != other:
            return f"beams {GENERATE['beams'][i]}: {own}, not {other}"
    return ""


def check(report: Report, device: str, folder: Path, names: list[str], expected: list[tuple[dict, dict]]) -> None:
    from safetensors.torch import load_file

    command = ["node", str(ROOT / "conformance" / "decode.js"), str(folder), device]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        report.check(f"{device} answers", result.stderr.strip()[-800:])
        return
    for number, name in enumerate(names):
        own = folder / f"{number:03d}"
        tensors, texts = expected[number]
        problem = furthest(load_file(own / f"{device}.safetensors"), tensors)
        problem = problem or written(json.loads((own / f"{device}.json").read_text(encoding="utf-8")), texts)
        report.check(f"{device} {name}", problem)


def main() -> int:
    report = Report()
    if not (ROOT / "dist").is_dir():
        report.skip("decoders", "Sluice is not built: npm run build")
        return report.finish()
    import torch
    from decoders import compute, generate, save, tokens_of, train
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    devices = [name for name in sys.argv[1:] if name in (*DEVICES, "reference")] or list(DEVICES)
    only = [text.removeprefix("only=") for text in sys.argv[1:] if text.startswith("only=")]
    made = {name: case for name, case in cases().items() if all(text in name for text in only)}
    with tempfile.TemporaryDirectory() as temporary:
        folder, expected = Path(temporary), []
        for number, (model, ask, length) in enumerate(made.values()):
            inputs, targets = tokens_of(model, number, length)
            save(model, folder / f"{number:03d}", inputs, targets, ask)
            tensors = compute(model, inputs, targets)
            texts = generate(model, ask["generate"]) if "generate" in ask else {}
            losses = train(model, inputs, targets, ask["train"]) if "train" in ask else []
            expected.append((tensors, {**texts, "losses": losses}))
        for device in devices:
            check(report, device, folder, list(made), expected)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
