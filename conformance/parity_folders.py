"""Opens folders that Transformers saved and has Transformers load what Sluice writes: `python3 conformance/parity_folders.py`.

Each model type is saved whole, in shards, in bfloat16, as its base model with an old spelling, and with what old
versions saved too. The logits must be those of Transformers; what is written back must load with every weight in its
place, and have the same bytes. A model that `sluice pull` fetched must be found by huggingface_hub.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from report import Report

ROOT = Path(__file__).resolve().parent.parent
OPEN = ["node", str(ROOT / "conformance" / "open_folder.js")]
TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
TOLERANCE = 1e-4
SMALL = {"vocab_size": 40, "tie_word_embeddings": False}
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
}
KINDS = {
    "llama": {**SIZES, **SMALL},
    "llama tied": {**SIZES, **SMALL, "tie_word_embeddings": True},
    "arcee": {**SIZES, **SMALL},
    "qwen2": {**SIZES, **SMALL},
    "gemma": {**SIZES, "vocab_size": 40, "head_dim": 8},
    "gpt2": {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32},
}
COMMIT = "a" * 40


def make(kind: str):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(len(kind))
    config = AutoConfig.for_model(kind.split()[0], **KINDS[kind])
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def save_plain(model, folder: Path) -> None:
    model.save_pretrained(folder)


def save_shards(model, folder: Path) -> None:
    model.save_pretrained(folder, max_shard_size="6KB")


def save_bfloat16(model, folder: Path) -> None:
    import torch

    model.to(torch.bfloat16).save_pretrained(folder)
    model.float()


def save_old(model, folder: Path) -> None:
    """Without the prefix of the base model, with a tied head and the buffers of old versions."""
    import torch
    from safetensors.torch import save_file

    model.save_pretrained(folder)
    prefix = f"{model.base_model_prefix}."
    tensors = {name.removeprefix(prefix): tensor.clone() for name, tensor in model.state_dict().items()}
    layer = "h" if model.config.model_type == "gpt2" else "layers"
    for i in range(model.config.num_hidden_layers):
        if layer == "h":
            tensors[f"h.{i}.attn.bias"] = torch.ones(1, 1, 32, 32, dtype=torch.bool)
            tensors[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
        else:
            tensors[f"layers.{i}.self_attn.rotary_emb.inv_freq"] = torch.ones(2)
    save_file(tensors, folder / "model.safetensors")


SAVES = {"whole": save_plain, "in shards": save_shards, "bfloat16": save_bfloat16, "old spelling": save_old}


def tensors_of(folder: Path) -> dict:
    from safetensors.torch import load_file

    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def same_bytes(before: dict, after: dict) -> str:
    import torch

    for name, tensor in after.items():
        if name not in before:
            return f"{name} is new"
        if before[name].dtype != tensor.dtype or not torch.equal(before[name], tensor):
            return f"{name} has other bytes"
    return "" if len(after) == len(before) else f"lost: {sorted(before.keys() - after.keys())}"


def check_folder(report: Report, kind: str, way: str, model, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    SAVES[way](model, folder)
    out = folder.with_name(f"{folder.name}-out")
    dtype = "bfloat16" if way == "bfloat16" else "float32"
    result = subprocess.run(
        [*OPEN, str(folder), str(out), dtype, *map(str, TOKENS)], capture_output=True, text=True, check=False
    )
    name = f"{kind}, {way}"
    if result.returncode != 0:
        report.check(name, result.stderr.strip()[-400:])
        return
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    with torch.no_grad():
        theirs = reference(torch.tensor([TOKENS])).logits.double().flatten()
    ours = torch.tensor(json.loads(result.stdout)["logits"], dtype=torch.float64)
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    report.check(f"{name}: logits", "" if error <= TOLERANCE else f"differ by {error} of the largest")
    _, info = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    wrong = {key: sorted(map(str, names)) for key, names in info.items() if names}
    report.check(f"{name}: what is written loads", str(wrong)[:300] if wrong else "")
    if way != "old spelling":
        report.check(f"{name}: the same bytes", same_bytes(tensors_of(folder), tensors_of(out)))


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as a model takes."""

    def __init__(self, folder: Path, *rest) -> None:
        self.folder = folder
        super().__init__(*rest)

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/me/tiny/revision/main"):
            files = sorted(path for path in self.folder.iterdir() if path.is_file())
            content = json.dumps({"sha": COMMIT, "siblings": [entry(path) for path in files]}).encode()
        else:
            content = (self.folder / self.path.rsplit("/", 1)[1]).read_bytes()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def entry(path: Path) -> dict:
    content = path.read_bytes()
    git = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
    listed = {"rfilename": path.name, "size": len(content), "blobId": git}
    if path.suffix != ".safetensors":
        return listed
    return {**listed, "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}}


def check_pull(report: Report, folder: Path, cache: Path) -> None:
    from huggingface_hub import snapshot_download

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "", "HF_TOKEN": ""}
    command = ["node", str(ROOT / "bin" / "sluice.js"), "pull", "me/tiny", "--json", "--quiet"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    server.shutdown()
    report.check("sluice pull", "" if result.returncode == 0 else result.stderr.strip()[-300:])
    if result.returncode != 0:
        return
    found = snapshot_download("me/tiny", cache_dir=cache, local_files_only=True)
    mine = json.loads(result.stdout)["folder"]
    same = Path(found).resolve() == Path(mine).resolve()
    report.check("huggingface_hub finds what was pulled", "" if same else f"{found}, not {mine}")


def main() -> int:
    report = Report()
    if not (ROOT / "dist").is_dir():
        report.skip("folders", "the sluice command is not built")
        return report.finish()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for i, kind in enumerate(KINDS):
            model = make(kind)
            for j, way in enumerate(SAVES):
                check_folder(report, kind, way, model, root / f"{i}-{j}")
        check_pull(report, root / "0-0", root / "cache")
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
