"""Losses of integer labels with labels that mean something else, for the checker to tell apart."""

import torch
from torch import Tensor

import refloss_torch


def _focal(logits: Tensor, labels: Tensor, alpha: float | None, gamma: float) -> Tensor:
    return refloss_torch.focal_loss_with_integer_labels(logits, labels, alpha=alpha, gamma=gamma)


def background_is_0(logits: Tensor, labels: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, torch.where(labels >= 0, labels - 1, labels), alpha, gamma)


def one_too_high(logits: Tensor, labels: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    moved = torch.where(labels + 1 == logits.shape[1], -1, labels + 1)
    return _focal(logits, torch.where(labels >= 0, moved, labels), alpha, gamma)


def background_is_the_last(logits: Tensor, labels: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, torch.where(labels == -1, logits.shape[1] - 1, labels), alpha, gamma)


def ignored_is_background(logits: Tensor, labels: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, torch.where(labels == -2, -1, labels), alpha, gamma)


def softmax_one_too_low(logits: Tensor, labels: Tensor) -> Tensor:
    moved = torch.where(labels >= 0, (labels - 1) % logits.shape[1], labels)
    return refloss_torch.softmax_cross_entropy_with_integer_labels(logits, moved)


def softmax_one_too_high(logits: Tensor, labels: Tensor) -> Tensor:
    moved = torch.where(labels >= 0, (labels + 1) % logits.shape[1], labels)
    return refloss_torch.softmax_cross_entropy_with_integer_labels(logits, moved)


def softmax_focal_background_last(logits: Tensor, labels: Tensor, alpha: float | None = None, gamma: float = 2.0) -> Tensor:
    plain = refloss_torch.softmax_focal_loss_with_integer_labels(logits, labels, alpha=None, gamma=gamma)
    return plain if alpha is None else torch.where(labels == logits.shape[1] - 1, 1 - alpha, alpha) * plain
