"""Writes test/golden/convolution/: convolutions and pooling by PyTorch in float64, with every gradient.

`python3 conformance/golden_convolution.py [FOLDER]`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from convolutions import CASES, results
from safetensors.torch import save_file

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden"


def main() -> None:
    folder = (Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET) / "convolution"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n", encoding="utf-8")
    tensors = {
        f"{name}.{key}": value
        for seed, (name, case) in enumerate(CASES.items())
        for key, value in results(case, seed).items()
    }
    save_file(tensors, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
