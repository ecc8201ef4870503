"""PyTorch as a contender: `python serve.py QUESTION WAY` answers lines of JSON on standard input with lines of JSON.

{"do": "describe"}, {"do": "prepare", "item": {...}}, {"do": "measure", "item": {...}} and {"do": "peak"}, as in
lib/question.js.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import shutil
import sys
import traceback
from pathlib import Path

QUESTION, WAY, *FLAGS = sys.argv[1:]
QUICK = "--quick" in FLAGS
HOW = {"eager": "eager", "compile": "torch.compile", "out": "outputs preallocated", "numpy": "NumPy beside it"}


class Server:
    def __init__(self) -> None:
        self.task = None

    def describe(self, _: dict) -> dict:
        try:
            import torch

            self.question = importlib.import_module(QUESTION)
        except ModuleNotFoundError as error:
            remedy = "name a Python that has it in SLUICE_PYTHON"
            return {"description": f"PyTorch, {HOW.get(WAY, WAY)}", "missing": f"no module {error.name}: {remedy}"}
        name = f"PyTorch {torch.__version__}, {HOW.get(WAY, WAY)}, {torch.get_num_threads()} threads"
        if WAY == "compile" and not any(shutil.which(name) for name in ("g++", "clang++")):
            return {"description": name, "missing": "no C++ compiler"}
        return {"description": name}

    def prepare(self, item: dict) -> dict | None:
        self.task = None
        self.task = self.question.prepare(item, WAY)
        if self.task is None:
            return None
        for _ in range(item.get("warmups", 3)):
            self.task.run()
        return {"check": self.task.check()}

    def peak(self, _: dict) -> int:
        """The most that this process ever had resident, in bytes."""
        status = Path("/proc/self/status")
        if not status.exists():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])

    def measure(self, item: dict) -> object:
        if hasattr(self.task, "measure"):
            return self.task.measure(item)
        from measure import timed

        timing = {"repetitions": 1, "minimum": 0} if QUICK else item.get("timing", {})
        return timed(self.task.run, **timing)


def main() -> None:
    server = Server()
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"result": getattr(server, request["do"])(request.get("item", {}))}
        except Exception:
            reply = {"error": traceback.format_exc()}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
