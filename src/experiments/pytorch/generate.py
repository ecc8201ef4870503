"""Greedy generation with a cache of keys and values, batch 1: by hand with a static cache, and transformers' generate."""

from __future__ import annotations

import time

import torch
from llama import Cache, Llama, Shape

PROMPT = 8


class ByHand:
    def __init__(self, item: dict, compiled: bool) -> None:
        shape = Shape(*(item[n] for n in ("vocabulary", "dim", "layers", "heads", "kvHeads", "hidden", "context")))
        self.tokens, self.cache = item["tokens"], Cache(shape)
        self.mask = torch.ones(shape.context, shape.context, dtype=torch.bool).tril()
        self.model = Llama(shape).eval()
        self.prefill = self.next = self.model.next_token
        if compiled:
            self.next = torch.compile(self.next)

    def generate(self) -> list[float]:
        """When each token came out, in seconds."""
        times, token, at = [], torch.arange(PROMPT)[None], torch.arange(PROMPT)
        for i in range(self.tokens):
            token = (self.next if i > 0 else self.prefill)(token, at, self.cache, self.mask)
            at = at[-1:] + 1
            token.item()
            times.append(time.perf_counter())
        return times


class Transformers:
    def __init__(self, item: dict) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            vocab_size=item["vocabulary"], hidden_size=item["dim"], intermediate_size=item["hidden"],
            num_hidden_layers=item["layers"], num_attention_heads=item["heads"], num_key_value_heads=item["kvHeads"],
            max_position_embeddings=item["context"], tie_word_embeddings=True, bos_token_id=0, eos_token_id=None,
            pad_token_id=0,
        )  # fmt: skip
        self.tokens, self.model = item["tokens"], LlamaForCausalLM(config).eval()

    def generate(self) -> list[float]:
        times: list[float] = []

        class Clock:
            def put(self, _: object) -> None:
                times.append(time.perf_counter())

            def end(self) -> None:
                pass

        self.model.generate(
            torch.arange(PROMPT)[None], attention_mask=torch.ones(1, PROMPT, dtype=torch.long), do_sample=False,
            max_new_tokens=self.tokens, min_new_tokens=self.tokens, streamer=Clock(),
        )  # fmt: skip
        return times[1:]  # the first is the prompt


class Generation:
    def __init__(self, item: dict, way: str) -> None:
        torch.manual_seed(0)
        self.kind = Transformers(item) if way == "transformers" else ByHand(item, way == "compile")

    @torch.no_grad()
    def measure(self, _: dict) -> dict[str, float]:
        """Milliseconds of a token, the first (which is the prompt's) left out."""
        times = self.kind.generate()
        gaps = sorted(1000 * (b - a) for a, b in zip(times, times[1:]))
        return {"median": 1000 * (times[-1] - times[0]) / len(gaps), "best": gaps[0]}

    def run(self) -> None:
        self.measure({})

    def check(self) -> list[float]:
        """The number of parameters: it is the same model."""
        return [sum(parameter.numel() for parameter in self.kind.model.parameters())]


def prepare(item: dict, way: str) -> Generation:
    return Generation(item, way)
