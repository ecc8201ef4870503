"""Trains encoders by Transformers and by Sluice from the same weights: `python3 conformance/parity_encoders.py`.

For BERT and ModernBERT in each activation of ACT2FN, on a padded batch: last hidden states, logits and every gradient within 1e-4 of
each tensor's largest element, and the loss of ten steps of AdamW within 1e-3.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import torch
from report import Report
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, ModernBertConfig, ModernBertForMaskedLM
from transformers.activations import ACT2CLS
from transformers.utils import logging

HERE = Path(__file__).resolve().parent
# xielu asks for a package of its own, and prints that it has none.
ACTIVATIONS = sorted(set(ACT2CLS) - {"xielu"})
SHAPE = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "max_position_embeddings": 24}
STEPS, RATE = 10, 1e-3
LENGTHS = (12, 7, 3)


def configs(activation: str) -> dict[str, torch.nn.Module]:
    modern = {**SHAPE, "num_hidden_layers": 2, "local_attention": 6, "pad_token_id": 0}
    modern |= {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    dropout = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    return {
        "bert": BertForMaskedLM(BertConfig(**SHAPE, **dropout, num_hidden_layers=2, hidden_act=activation)),
        "modernbert": ModernBertForMaskedLM(ModernBertConfig(**modern, hidden_activation=activation)),
    }


def train(model: torch.nn.Module, tokens: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    found, losses = {}, []
    for step in range(STEPS):
        logits = model(tokens, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
        losses.append(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            hidden = model.base_model(tokens, attention_mask=mask).last_hidden_state
            found = {"hidden": hidden * mask[..., None], "logits": logits * mask[..., None]}
            found |= {f"gradient.{name}": parameter.grad.clone() for name, parameter in model.named_parameters()}
        optimizer.step()
    return {name: value.detach() for name, value in found.items()} | {"losses": torch.stack(losses)}


def compare(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> str:
    for name, wanted in theirs.items():
        if name not in ours:
            return f"{name} is missing"
        error, scale = (ours[name] - wanted).abs().max().item(), wanted.abs().max().item()
        # Of a gradient that is 0 in exact arithmetic both have rounding alone.
        limit = 1e-3 if name == "losses" else max(1e-4 * scale, 1e-7)
        if not error <= limit:
            return f"{name}: differs by {error}, of {scale}"
    return ""


def prepare(folder: Path, model: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.uniform_(0.5, 1.5)
            elif "act_fn" not in name and ".act." not in name:
                parameter.normal_(0, 0.2)
    time = max(LENGTHS)
    mask = (torch.arange(time)[None] < torch.tensor(LENGTHS)[:, None]).long()
    tokens = torch.randint(3, SHAPE["vocab_size"], (len(LENGTHS), time)) * mask
    chosen = (torch.rand(tokens.shape) < 0.5) & mask.bool()
    targets = torch.where(chosen, torch.randint(0, SHAPE["vocab_size"], tokens.shape), -100)
    folder.mkdir()
    model.save_pretrained(folder)
    inputs = {"tokens": tokens, "targets": targets, "lengths": torch.tensor(LENGTHS)}
    save_file({name: value.to(torch.int32) for name, value in inputs.items()}, folder / "inputs.safetensors")
    return train(model.eval(), tokens, targets, mask)


def main() -> int:
    logging.disable_progress_bar()
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        expected = {}
        for seed, activation in enumerate(ACTIVATIONS):
            for kind, model in configs(activation).items():
                name = f"{kind}-{activation}"
                expected[name] = prepare(Path(temporary) / name, model, seed)
        command = ["node", str(HERE / "train_encoders.js"), *(str(Path(temporary) / name) for name in expected)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        errors = json.loads(result.stdout) if result.returncode == 0 else {}
        if result.returncode != 0:
            report.check("train_encoders.js", result.stderr.strip()[-400:])
        for name, theirs in expected.items():
            if name in errors:
                report.check(name, errors[name])
            elif result.returncode == 0:
                report.check(name, compare(load_file(Path(temporary) / name / "ours.safetensors"), theirs))
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
