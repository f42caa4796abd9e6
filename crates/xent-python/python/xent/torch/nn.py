"""Losses with the names and arguments of ``torch.nn``: modules, and ``functional``.

Each is a subclass of PyTorch's own, with one more argument: ``compat="torch"`` for results with
exactly PyTorch's meaning, see ``functional``. ``Loss`` is any loss of xent as a module.
"""

import inspect

import torch

import xent

from . import functional
from ._fused import evaluate, fits


def _module(name, function):
    own = getattr(torch.nn, name)
    compute = getattr(functional, function)
    signature = inspect.signature(own)
    compat = inspect.Parameter("compat", inspect.Parameter.KEYWORD_ONLY, default=None)
    # What the module keeps of the arguments of its function.
    kept = [name for name in inspect.signature(compute).parameters if hasattr(own(), name)]
    kept.append("compat")

    class Module(own):
        def __init__(self, *args, compat=None, **kwargs):
            super().__init__(*args, **kwargs)
            if compat not in (None, "torch"):
                raise ValueError(f"compat is {compat!r}; leave it out or write 'torch'")
            self.compat = compat

        def forward(self, input, target):
            return compute(input, target, **{name: getattr(self, name) for name in kept})

    Module.__name__ = Module.__qualname__ = name
    Module.__module__ = __name__
    Module.__doc__ = f"As ``torch.nn.{name}``, computed by ``xent.torch.functional.{function}``."
    Module.__signature__ = signature.replace(
        parameters=[
            *(p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD),
            compat,
        ]
    )
    return Module


BCELoss = _module("BCELoss", "binary_cross_entropy")
BCEWithLogitsLoss = _module("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
CrossEntropyLoss = _module("CrossEntropyLoss", "cross_entropy")
HuberLoss = _module("HuberLoss", "huber_loss")
KLDivLoss = _module("KLDivLoss", "kl_div")
L1Loss = _module("L1Loss", "l1_loss")
MSELoss = _module("MSELoss", "mse_loss")
MultiMarginLoss = _module("MultiMarginLoss", "multi_margin_loss")
NLLLoss = _module("NLLLoss", "nll_loss")
SmoothL1Loss = _module("SmoothL1Loss", "smooth_l1_loss")


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
                f"{self.loss} takes dense tensors of float32, float64, float16 or bfloat16 on the "
                f"CPU, and targets without gradients, not {input.dtype} on {input.device}"
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
