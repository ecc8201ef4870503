"""A training step as PyTorch's best users write it: fused AdamW, clipping by foreach, gradients set to None."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def optimizer_of(model: nn.Module, lr: float, betas: tuple[float, float], decay: float) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)


def stepper(model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable) -> Callable[..., float]:
    """A function of a batch that does one step and gives the loss before it."""
    parameters = list(model.parameters())

    def step(tokens: Tensor, targets: Tensor) -> float:
        loss = loss_of(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step
