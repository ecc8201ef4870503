"""Writes test/golden/recurrent/: recurrent layers by PyTorch in float64, with every gradient.

`python3 conformance/golden_recurrent.py [FOLDER] [--variants]`
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from recurrences import CASES, results, variants
from safetensors.torch import save_file

TARGET = Path(__file__).resolve().parent.parent / "test" / "golden"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=TARGET)
    parser.add_argument("--variants", action="store_true", help="every combination, which is not committed")
    arguments = parser.parse_args()
    folder = arguments.folder / "recurrent"
    folder.mkdir(parents=True, exist_ok=True)
    cases = variants() if arguments.variants else CASES
    (folder / "cases.json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    tensors = {
        f"{name}.{key}": value
        for seed, (name, case) in enumerate(cases.items())
        for key, value in results(case, seed).items()
    }
    save_file(tensors, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
