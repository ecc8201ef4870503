"""BERT's step on hidden words as Transformers' users write it: BertForMaskedLM with labels, -100 where nothing is hidden.
The batch is drawn and hidden within the step, as ours is."""

from __future__ import annotations

import torch
from torch import nn
from training import optimizer_of
from transformers import BertConfig, BertForMaskedLM


class Step:
    def __init__(self, item: dict, way: str) -> None:
        torch.manual_seed(0)
        self.batch, self.context, self.vocabulary = item["batch"], item["context"], item["vocabulary"]
        config = BertConfig(
            vocab_size=item["vocabulary"],
            hidden_size=item["dim"],
            num_hidden_layers=item["layers"],
            num_attention_heads=item["heads"],
            intermediate_size=item["hidden"],
            max_position_embeddings=item["context"],
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        config._attn_implementation = "sdpa"
        self.model = BertForMaskedLM(config).train()
        self.forward = torch.compile(self.model) if way == "compile" else self.model
        self.tokens = torch.arange(65_536).square() % (self.vocabulary - 4)
        self.parameters = list(self.model.parameters())
        self.optimizer = optimizer_of(self.model, 1e-3, (0.9, 0.95), 0.1)

    def hidden(self) -> tuple[torch.Tensor, torch.Tensor]:
        """80 % of 15 % hidden, 10 % another token, 10 % as they are: DataCollatorForLanguageModeling's way."""
        length = self.context - 2
        starts = torch.randint(len(self.tokens) - length, (self.batch, 1))
        marks = torch.tensor([self.vocabulary - 3, self.vocabulary - 2]).expand(self.batch, 2)
        tokens = torch.cat((marks[:, :1], self.tokens[starts + torch.arange(length)], marks[:, 1:]), 1)
        share = torch.full(tokens.shape, 0.15)
        share[:, 0] = share[:, -1] = 0
        chosen = torch.bernoulli(share).bool()
        labels = tokens.masked_fill(~chosen, -100)
        replaced = torch.bernoulli(torch.full(tokens.shape, 0.8)).bool() & chosen
        tokens = tokens.masked_fill(replaced, self.vocabulary - 1)
        other = torch.bernoulli(torch.full(tokens.shape, 0.5)).bool() & chosen & ~replaced
        return torch.where(other, torch.randint(self.vocabulary, tokens.shape), tokens), labels

    def run(self) -> float:
        tokens, labels = self.hidden()
        loss = self.forward(input_ids=tokens, labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def check(self) -> list[float]:
        """The number of parameters: it is the same model."""
        return [sum(parameter.numel() for parameter in self.parameters)]


def prepare(item: dict, way: str) -> Step:
    return Step(item, way)
