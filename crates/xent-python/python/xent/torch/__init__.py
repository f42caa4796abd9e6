"""Losses for PyTorch: ``from xent.torch import nn as xnn; xnn.CrossEntropyLoss(...)``."""

from . import functional, nn
from .._memory import empty_cache
from .nn import Loss

__all__ = ["Loss", "empty_cache", "functional", "nn"]
