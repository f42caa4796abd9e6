"""Losses for PyTorch: ``from xent.torch import nn as xnn; xnn.CrossEntropyLoss(...)``."""

from . import functional, nn
from .nn import Loss

__all__ = ["Loss", "functional", "nn"]
