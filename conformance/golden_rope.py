"""Writes the frequencies of scaled rotary positions as Transformers computes them: `python3 conformance/golden_rope.py [FILE]`.

For each case the keys of config.json, the length of the text, the radians that each pair of components turns from position to
position, and the factor of sines and cosines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from decoders import ROPES
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden" / "rope.json"
SIZES = {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "max_position_embeddings": 128}
LENGTHS = {"dynamic": (64, 128, 200, 400)}


def case(rope: dict, length: int) -> dict:
    config = LlamaConfig(**SIZES, rope_parameters={"rope_theta": 10000.0, **rope})
    frequencies, factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, "cpu", seq_len=length)
    wanted = {"frequencies": frequencies.double().tolist(), "factor": float(factor)}
    return {"config": {**SIZES, "rope_parameters": {"rope_theta": 10000.0, **rope}}, "length": length, **wanted}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    cases = {
        f"{name}, {length} tokens": case(rope, length) for name, rope in ROPES.items() for length in LENGTHS.get(name, (100,))
    }
    target.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
