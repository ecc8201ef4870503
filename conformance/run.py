"""Everything here: `python3 conformance/run.py [RUN --data TEXT]`; the arguments go to the parity suites.

Regenerates the golden values and compares them with the committed ones, then runs every `parity_*.py`.
The Python with the packages is `SLUICE_PYTHON`, else the one that runs this file. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

from report import Report

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "test" / "golden"
PYTHON = os.environ.get("SLUICE_PYTHON") or sys.executable
MODELS = {
    "golden_decoders.py": ("llama", "arcee", "llama-head-dim", "qwen2", "gemma", "gpt2", "gpt2-xielu"),
    "golden_encoders.py": ("bert-words", "bert-texts", "modernbert-words", "modernbert-texts", "modernbert-tokens"),
}
# Scripts that write a folder, and the folder's name.
FOLDERS = {
    "golden_convolution.py": "convolution",
    "golden_recurrent.py": "recurrent",
    "golden_sequence_model.py": "sequence-model",
}
# Of a tensor's largest element: float64 sums in another order, stored as float32.
TOLERANCE = 1e-6


def missing(*modules: str) -> str:
    """What this Python lacks, with the remedy."""
    code = "import importlib.util, sys; print(*(m for m in sys.argv[1:] if importlib.util.find_spec(m) is None))"
    try:
        found = subprocess.run([PYTHON, "-c", code, *modules], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"SLUICE_PYTHON must name a working Python: {error}"
    absent = ", ".join(found.stdout.split())
    remedy = "install conformance/requirements.txt and name that Python in SLUICE_PYTHON"
    return f"{absent} not installed: {remedy}" if absent else ""


def regenerate(script: str, target: Path) -> str:
    result = subprocess.run([PYTHON, HERE / script, target], capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else f"{script} failed: {result.stderr.strip()[-400:]}"


def read_safetensors(path: Path) -> dict[str, tuple[str, list[int], array]]:
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = array({"F32": "f", "I32": "i"}[entry["dtype"]], data[8 + length + begin : 8 + length + end])
            tensors[name] = (entry["dtype"], entry["shape"], values)
    return tensors


def same_tensors(committed: Path, fresh: Path, tolerance: float) -> str:
    old, new = read_safetensors(committed), read_safetensors(fresh)
    if old.keys() != new.keys():
        return f"other names: {sorted(old.keys() ^ new.keys())}"
    for name, (dtype, shape, values) in old.items():
        if new[name][:2] != (dtype, shape):
            return f"{name}: {dtype} {shape} became {new[name][:2]}"
        scale = max(map(abs, values))
        error = max(abs(a - b) for a, b in zip(values, new[name][2], strict=True))
        if not error <= tolerance * scale:
            return f"{name}: differs by {error}, of {scale}"
    return ""


def same_config(committed: Path, fresh: Path) -> str:
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (committed, fresh))
    changed = [key for key in old if key != "transformers_version" and old[key] != new.get(key)]
    return f"changed: {', '.join(changed)}" if changed else ""


def check_activations(report: Report, folder: Path) -> None:
    name = "golden activations.json"
    fresh = folder / "activations.json"
    problem = missing("mpmath") or regenerate("golden_activations.py", fresh)
    if not problem:
        committed = GOLDEN / "activations.json"
        old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (committed, fresh))
        problem = "" if old == new else f"the committed file differs in {[k for k in new if new[k] != old.get(k)]}"
    report.check(name, problem)


def check_models(report: Report, folder: Path) -> None:
    for script, models in MODELS.items():
        problem = missing("torch", "transformers", "safetensors", "numpy") or regenerate(script, folder)
        if problem:
            report.check(f"golden models of {script}", problem)
            continue
        for model in models:
            old, new = GOLDEN / model, folder / model
            report.check(f"golden {model} config", same_config(old / "config.json", new / "config.json"))
            weights = same_tensors(old / "model.safetensors", new / "model.safetensors", 0)
            report.check(f"golden {model} weights", weights)
            expected = same_tensors(old / "expected.safetensors", new / "expected.safetensors", TOLERANCE)
            report.check(f"golden {model} results", expected)


def close_numbers(old: object, new: object, path: str = "") -> str:
    """Where two JSON values differ by more than float64's rounding in another order."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return next(filter(None, (close_numbers(old[key], new[key], f"{path}.{key}") for key in old)), "")
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return next(filter(None, (close_numbers(a, b, f"{path}[{i}]") for i, (a, b) in pairs)), "")
    if isinstance(old, float) and isinstance(new, float):
        return "" if abs(old - new) <= 1e-12 * max(1, abs(old)) else f"{path}: {old} became {new}"
    return "" if old == new else f"{path}: {old!r} became {new!r}"


def check_numbers(report: Report, folder: Path) -> None:
    for name in ("losses", "optimizers"):
        fresh = folder / f"{name}.json"
        problem = missing("torch", "numpy") or regenerate(f"golden_{name}.py", fresh)
        if not problem:
            old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (GOLDEN / f"{name}.json", fresh))
            problem = close_numbers(old, new)
        report.check(f"golden {name}.json", problem)


def check_folders(report: Report, folder: Path) -> None:
    for script, name in FOLDERS.items():
        problem = missing("torch", "safetensors") or regenerate(script, folder)
        for committed in [] if problem else sorted((GOLDEN / name).iterdir()):
            fresh = folder / name / committed.name
            if committed.suffix == ".json":
                same = committed.read_text(encoding="utf-8") == fresh.read_text(encoding="utf-8")
                problem = problem or ("" if same else f"another {committed.name}")
            else:
                problem = problem or same_tensors(committed, fresh, TOLERANCE)
        report.check(f"golden {name}", problem)


def run_suite(report: Report, suite: Path, arguments: list[str]) -> None:
    result = subprocess.run([PYTHON, suite, *arguments], capture_output=True, text=True, check=False)
    lines = result.stdout.strip().splitlines()
    totals = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1]) if lines else None
    print("\n".join(f"{suite.stem}: {line}" for line in (lines[:-1] if totals else lines)))
    if totals is None:
        report.check(suite.stem, f"exit {result.returncode} without totals: {result.stderr.strip()[-400:]}")
    else:
        report.add(int(totals[1]), int(totals[2]))


def main() -> int:
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        check_activations(report, Path(temporary))
        check_models(report, Path(temporary))
        check_numbers(report, Path(temporary))
        check_folders(report, Path(temporary))
    absent = missing("torch", "transformers")
    for suite in sorted(HERE.glob("parity_*.py")):
        if absent:
            report.check(suite.stem, absent)
        else:
            run_suite(report, suite, sys.argv[1:])
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
