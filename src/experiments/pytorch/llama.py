"""LLaMA as PyTorch's best users write it: one product for queries, keys and values, scaled_dot_product_attention,
F.rms_norm. With a cache of fixed size it generates, as gpt-fast does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    dim: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    context: int

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


def rotations(shape: Shape) -> Tensor:
    """cos and sin of every position and pair of channels: [2, context, head_dim / 2]."""
    frequencies = 10_000 ** (-torch.arange(0, shape.head_dim, 2) / shape.head_dim)
    angles = torch.outer(torch.arange(shape.context), frequencies)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Cache:
    """Keys and values of a batch of one, of a fixed length."""

    def __init__(self, shape: Shape) -> None:
        size = (1, shape.kv_heads, shape.context, shape.head_dim)
        self.keys, self.values = ([torch.zeros(size) for _ in range(shape.layers)] for _ in range(2))


class Attention(nn.Module):
    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.shape, self.index = shape, index
        rows = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
        self.qkv = nn.Linear(shape.dim, rows, bias=False)
        self.out = nn.Linear(shape.dim, shape.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: Cache | None, at: Tensor | None, mask: Tensor | None):
        shape = self.shape
        batch, time, _ = x.shape
        heads = self.qkv(x).view(batch, time, -1, shape.head_dim).transpose(1, 2)
        q, k, v = heads.split((shape.heads, shape.kv_heads, shape.kv_heads), 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        grouped = shape.heads != shape.kv_heads
        if cache is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        else:
            keys, values = cache.keys[self.index], cache.values[self.index]
            keys.index_copy_(2, at, k)
            values.index_copy_(2, at, v)
            y = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask, enable_gqa=grouped)
        return self.out(y.transpose(1, 2).reshape(batch, time, -1))


class Layer(nn.Module):
    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.attention_norm, self.block_norm = (nn.RMSNorm(shape.dim, 1e-5) for _ in range(2))
        self.attention = Attention(shape, index)
        self.gate, self.up = (nn.Linear(shape.dim, shape.hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(shape.hidden, shape.dim, bias=False)

    def forward(self, x: Tensor, *where) -> Tensor:
        x = x + self.attention(self.attention_norm(x), *where)
        h = self.block_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.dim)
        self.layers = nn.ModuleList(Layer(shape, i) for i in range(shape.layers))
        self.norm = nn.RMSNorm(shape.dim, 1e-5)
        self.register_buffer("rotations", rotations(shape), persistent=False)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
        for layer in self.layers:
            for projection in (layer.attention.out, layer.down):
                nn.init.normal_(projection.weight, std=0.02 / math.sqrt(2 * shape.layers))

    def logits(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x), self.embedding.weight)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy per token."""
        cos, sin = self.rotations[:, : tokens.shape[1]]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin, None, None, None)
        return F.cross_entropy(self.logits(x).view(-1, self.shape.vocabulary), targets.view(-1))

    def next_token(self, tokens: Tensor, at: Tensor, cache: Cache, mask: Tensor) -> Tensor:
        """The likeliest token after those at the positions `at`, which the cache takes up."""
        cos, sin = self.rotations[:, at]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin, cache, at, mask[at])
        return self.logits(x[:, -1:]).argmax(-1)
