"""Holds `sluice evaluate` against Transformers on the same run folder: `python3 conformance/parity_from_pretrained.py [RUN --data TEXT]`.

Without a run, small ones of several kinds are trained first.
The run is opened with `AutoModelForCausalLM.from_pretrained` and `AutoTokenizer`. Pieces of the text of exactly one window
(context + 1 tokens) are evaluated by both, so that the result does not hang on how a longer text is cut into windows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from report import Report

ROOT = Path(__file__).resolve().parent.parent
SLUICE = ["node", str(ROOT / "bin" / "sluice.js")]
COMMAND = [*SLUICE, "evaluate"]
SONNETS = ROOT / "examples" / "sonnets.txt"
SMALL = "--dim 32 --layers 2 --heads 4 --context 32 --batch 4 --steps 30 --lr 1e-2 --quiet".split()
KINDS = {
    "swiglu, grouped heads, BPE": "--kv-heads 2 --tokenizer bpe:300",
    "geglu, bytes": "--ffn geglu --tokenizer byte",
    "plain relu2, characters": "--ffn mlp --tokenizer char",
    "plain gelu, BPE": "--ffn mlp --activation gelu --tokenizer bpe:400",
    "gpt2": "--model gpt2 --tokenizer bpe:300",
    "gpt2 of mish, with dropout": "--model gpt2 --activation mish --dropout 0.1 --tokenizer byte",
    "gpt2 of xielu, with weights of its own": "--model gpt2 --activation xielu --tokenizer bpe:300",
    "qwen2, grouped heads": "--model qwen2 --kv-heads 2 --tokenizer bpe:300",
    "qwen2 gated by prelu": "--model qwen2 --ffn gated --activation prelu --tokenizer byte",
    "gemma, one head for keys": "--model gemma --kv-heads 1 --tokenizer bpe:300",
    "gemma of the exact gelu": "--model gemma --ffn geglu --tokenizer char",
}
PIECES = 4
ATTEMPTS = 64
RELATIVE = 2e-5


def reason_to_skip() -> str:
    built = (ROOT / "bin" / "sluice.js").is_file() and (ROOT / "dist").is_dir()
    return "" if built else "the sluice command is not built"


def wrong_usage(run: Path, data: Path | None) -> str:
    if not (run / "config.json").is_file():
        return f"RUN must hold a config.json, received {run}"
    if data is None or not data.is_file():
        return f"a run needs a text file, received --data {data}"
    return ""


def context(config) -> int:
    return getattr(config, "max_position_embeddings", None) or config.n_positions


def pieces(tokenizer, text: str, length: int) -> Iterator[tuple[str, list[int]]]:
    """Parts of the text that are `length` tokens when they stand alone; a shorter text is one piece."""
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(whole) <= length:
        yield text, whole
        return
    found, start = 0, 0
    stride = max(1, len(text) // (PIECES + 1))
    for _ in range(ATTEMPTS):
        encoded = tokenizer(text[start:], add_special_tokens=False, return_offsets_mapping=True)
        if found == PIECES or len(encoded["input_ids"]) < length:
            return
        piece = text[start : start + encoded["offset_mapping"][length - 1][1]]
        ids = tokenizer(piece, add_special_tokens=False)["input_ids"]
        if len(ids) == length:
            found += 1
            yield piece, ids
            start = min(found * stride, len(text))
        else:
            start += 1


def theirs(model, ids: list[int]) -> float:
    import torch

    tokens = torch.tensor([ids])
    with torch.no_grad():
        logits = model(tokens[:, :-1]).logits.double()
    return torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:]).item()


def ours(run: Path, piece: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "piece.txt"
        file.write_bytes(piece.encode("utf-8"))
        command = [*COMMAND, str(run), "--data", str(file), "--json"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ChildProcessError(f"exit {result.returncode}: {result.stderr.strip()[-300:]}")
    return json.loads(result.stdout)


def difference(run: Path, model, piece: str, ids: list[int]) -> str:
    try:
        mine = float(ours(run, piece)["loss"])
    except (ChildProcessError, ValueError, KeyError, TypeError) as error:
        return f"sluice evaluate gave no loss: {error!r}"
    other = theirs(model, ids)
    return "" if abs(mine - other) <= RELATIVE * abs(other) else f"ours {mine}, Transformers {other}"


def check(report: Report, run: Path, data: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(run)
    model, info = AutoModelForCausalLM.from_pretrained(run, dtype=torch.float32, output_loading_info=True)
    names = {kind: sorted(map(str, keys)) for kind, keys in info.items() if keys}
    report.check("every weight has its name and shape", "" if not names else str(names)[:300])
    checked = 0
    for piece, ids in pieces(tokenizer, data.read_bytes().decode("utf-8"), context(model.config) + 1):
        checked += 1
        report.check(f"loss of piece {checked} ({len(ids)} tokens)", difference(run, model.eval(), piece, ids))
    report.check("the text gave a piece to compare", "" if checked else "no piece kept its tokens when cut out")


def check_small_runs(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, flags) in enumerate(KINDS.items()):
            run = Path(folder) / str(number)
            command = [*SLUICE, "train", "--data", str(SONNETS), "--out", str(run), *SMALL, *flags.split()]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            report.check(f"training: {kind}", "" if result.returncode == 0 else result.stderr.strip()[-300:])
            if result.returncode == 0:
                check(report, run, SONNETS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    report = Report()
    reason = reason_to_skip()
    wrong = "" if options.run is None else wrong_usage(options.run, options.data)
    if wrong:
        parser.error(wrong)
    if reason:
        report.skip("from_pretrained", reason)
    elif options.run is None:
        check_small_runs(report)
    else:
        check(report, options.run, options.data)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
