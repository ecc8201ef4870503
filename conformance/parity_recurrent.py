"""Holds RNN, LSTM and GRU layers against PyTorch in every variant: every output and gradient, on every device.

The cases are `recurrences.variants()`; the comparison is that of `test/layers/recurrent-golden.test.ts`, on these files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from report import Report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TEST = "test/layers/recurrent-golden.test.ts"


def main() -> int:
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run([sys.executable, HERE / "golden_recurrent.py", temporary, "--variants"], check=True)
        results = Path(temporary) / "results.json"
        command = ["npx", "vitest", "run", TEST, "--reporter=json", f"--outputFile={results}", "--testTimeout=120000"]
        environment = {**os.environ, "SLUICE_RECURRENT_CASES": str(Path(temporary) / "recurrent")}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if not results.is_file():
            report.check("recurrent layers", f"{TEST} did not run: {run.stderr.strip()[-400:]}")
            return report.finish()
        tests = [one for file in json.loads(results.read_text())["testResults"] for one in file["assertionResults"]]
    for one in tests:
        if one["status"] == "failed":
            report.check(one["fullName"], one["failureMessages"][0].splitlines()[0])
    passed = Counter(one["ancestorTitles"][0] for one in tests if one["status"] == "passed")
    for device, count in passed.items():
        print(f"passed: {count} variants on {device}")
    report.add(sum(passed.values()), 0 if tests else 1)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
