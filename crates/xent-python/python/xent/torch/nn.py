"""Losses with the names and arguments of ``torch.nn``: modules, and ``functional``.

Each is a subclass of PyTorch's own, with one more argument: ``compat="torch"`` for results with
exactly PyTorch's meaning, see ``functional``. ``Loss`` is any loss of xent as a module.
"""

import inspect

import torch

import xent

from . import functional
from ._fused import evaluate, fits


class _Compatible:
    """What the modules below add to those of PyTorch."""

    def __init__(self, *args, compat=None, **kwargs):
        super().__init__(*args, **kwargs)
        if compat not in (None, "torch"):
            raise ValueError(f"compat is {compat!r}; leave it out or write 'torch'")
        self.compat = compat


def _described(module):
    """With the signature and the page of a module that adds `compat` to PyTorch's own."""
    own = inspect.signature(getattr(torch.nn, module.__name__))
    named = (p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD)
    compat = inspect.Parameter("compat", inspect.Parameter.KEYWORD_ONLY, default=None)
    module.__signature__ = own.replace(parameters=[*named, compat])
    module.__doc__ = f"As ``torch.nn.{module.__name__}``, computed by ``xent.torch.functional``."
    return module


@_described
class BCELoss(_Compatible, torch.nn.BCELoss):
    def forward(self, input, target):
        return functional.binary_cross_entropy(
            input, target, self.weight, reduction=self.reduction, compat=self.compat
        )


@_described
class BCEWithLogitsLoss(_Compatible, torch.nn.BCEWithLogitsLoss):
    def forward(self, input, target):
        return functional.binary_cross_entropy_with_logits(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
            compat=self.compat,
        )


@_described
class CrossEntropyLoss(_Compatible, torch.nn.CrossEntropyLoss):
    def forward(self, input, target):
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
            compat=self.compat,
        )


@_described
class HuberLoss(_Compatible, torch.nn.HuberLoss):
    def forward(self, input, target):
        return functional.huber_loss(input, target, self.reduction, self.delta, compat=self.compat)


@_described
class KLDivLoss(_Compatible, torch.nn.KLDivLoss):
    def forward(self, input, target):
        return functional.kl_div(
            input,
            target,
            reduction=self.reduction,
            log_target=self.log_target,
            compat=self.compat,
        )


@_described
class L1Loss(_Compatible, torch.nn.L1Loss):
    def forward(self, input, target):
        return functional.l1_loss(input, target, reduction=self.reduction, compat=self.compat)


@_described
class MSELoss(_Compatible, torch.nn.MSELoss):
    def forward(self, input, target):
        return functional.mse_loss(input, target, reduction=self.reduction, compat=self.compat)


@_described
class MultiMarginLoss(_Compatible, torch.nn.MultiMarginLoss):
    def forward(self, input, target):
        return functional.multi_margin_loss(
            input,
            target,
            self.p,
            self.margin,
            self.weight,
            reduction=self.reduction,
            compat=self.compat,
        )


@_described
class NLLLoss(_Compatible, torch.nn.NLLLoss):
    def forward(self, input, target):
        return functional.nll_loss(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            compat=self.compat,
        )


@_described
class SmoothL1Loss(_Compatible, torch.nn.SmoothL1Loss):
    def forward(self, input, target):
        return functional.smooth_l1_loss(
            input, target, reduction=self.reduction, beta=self.beta, compat=self.compat
        )


def _kind(tensor):
    return f"a {type(tensor).__name__} of {tensor.dtype} on {tensor.device}"


class Loss(torch.nn.Module):
    """Any loss of xent as a module, such as ``Loss("focal:gamma=2")`` or one of your own.

    Classes lie along the second axis, as everywhere in PyTorch. Tensors have to be on the CPU.
    """

    def __init__(self, loss, *, reduction="mean", class_weight=None, ignore_index=-100):
        super().__init__()
        self.loss = xent.loss(loss) if isinstance(loss, str) else loss
        self.reduction, self.ignore_index = reduction, ignore_index
        self.register_buffer("class_weight", class_weight)

    def forward(self, input, target, sample_weight=None):
        if not fits(input, target, self.class_weight, sample_weight):
            raise TypeError(
                f"{self.loss} takes plain, dense tensors of float32, float64, float16 or bfloat16 on "
                f"the CPU, and such targets without gradients; input is {_kind(input)}, target "
                f"{_kind(target)}"
            )
        classes = input.ndim > 1 and self.loss.family == "classwise"
        return evaluate(
            self.loss if isinstance(self.loss, xent.PointwiseLoss) else str(self.loss),
            None,
            input,
            target,
            reduction=self.reduction,
            class_weight=self.class_weight,
            sample_weight=sample_weight,
            ignore_index=self.ignore_index,
            axis=1 if classes else None,
        )

    def extra_repr(self):
        return f"{self.loss!r}, reduction={self.reduction!r}"


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "SmoothL1Loss",
    "functional",
]
