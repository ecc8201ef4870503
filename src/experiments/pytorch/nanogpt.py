"""nanoGPT's CPU preset: a run of 2,000 iterations, timed a stretch of it at a time, and its validation loss at the end."""

from __future__ import annotations

import time

import numpy as np
import torch
from gpt import Gpt
from torch import Tensor
from training import optimizer_of, stepper


class Run:
    def __init__(self, item: dict, way: str) -> None:
        torch.manual_seed(item["seed"])
        self.item, self.done = item, 0
        self.batch, self.context = item["batch"], item["context"]
        self.text, self.held = (torch.from_numpy(np.fromfile(item[part], np.uint16).astype(np.int64))
                                for part in ("trainFile", "validationFile"))  # fmt: skip
        self.model = Gpt(item["vocabulary"], item["dim"], item["layers"], item["heads"], self.context)
        self.optimizer = optimizer_of(self.model, item["rates"][0], (0.9, 0.99), 0.1)
        self.loss = torch.compile(self.model) if way == "compile" else self.model
        self.step = stepper(self.model, self.optimizer, self.loss)

    def windows(self, text: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        window = text[starts[:, None] + torch.arange(self.context + 1)]
        return window[:, :-1].contiguous(), window[:, 1:].contiguous()

    def run(self) -> None:
        """The measured stretches are all there is to run."""

    def check(self) -> list[float]:
        return []

    def measure(self, _: dict) -> dict[str, float]:
        """Milliseconds an iteration of the next stretch; after the last one, the loss over the held-out text."""
        began = time.perf_counter()
        for _ in range(self.item["stretch"]):
            for group in self.optimizer.param_groups:
                group["lr"] = self.item["rates"][self.done]
            starts = torch.randint(len(self.text) - self.context, (self.batch,))
            self.step(*self.windows(self.text, starts))
            self.done += 1
        each = 1000 * (time.perf_counter() - began) / self.item["stretch"]
        finished = self.done >= len(self.item["rates"])
        return {"median": each, "best": each, **({"loss": self.evaluate()} if finished else {})}

    @torch.no_grad()
    def evaluate(self) -> float:
        """Mean loss over the held-out text in windows that touch, each token once."""
        starts = torch.arange(0, len(self.held) - self.context, self.context)
        losses = [(len(part), self.model(*self.windows(self.held, part)).item()) for part in starts.split(64)]
        return sum(count * loss for count, loss in losses) / len(starts)


def prepare(item: dict, way: str) -> Run:
    return Run(item, way)
