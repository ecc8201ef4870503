"""PyTorch as a contender: `python serve.py QUESTION WAY` answers lines of JSON on standard input with lines of JSON.

{"do": "describe"}, {"do": "prepare", "item": {...}} and {"do": "measure", "item": {...}}, as in lib/question.js.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import traceback

import torch
from measure import timed

QUESTION, WAY, *FLAGS = sys.argv[1:]
QUICK = "--quick" in FLAGS
HOW = {"eager": "eager", "compile": "torch.compile", "out": "outputs preallocated", "numpy": "NumPy's BLAS"}


class Server:
    def __init__(self) -> None:
        self.question = importlib.import_module(QUESTION)
        self.task = None

    def describe(self, _: dict) -> dict:
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

    def measure(self, item: dict) -> object:
        if hasattr(self.task, "measure"):
            return self.task.measure(item)
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
