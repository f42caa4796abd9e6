"""Losses with the names and arguments of ``torch.nn.functional``.

Tensors of ``float32``, ``float64``, ``float16`` and ``bfloat16`` on the CPU are computed by xent.
What xent does not do, PyTorch's own operation does, and nothing is ever copied for it: tensors on
other devices, sparse tensors and subclasses, inputs and targets that have to be broadcast, targets
that require a gradient, forward-mode differentiation and the transforms of ``torch.func``, and
what a function below says.

What differs from PyTorch: a mean over nothing is an ``xent.EmptyError``, not NaN; probabilities
are not clamped, so a sure mistake costs infinity and 0 log 0 is 0; ignored rows may hold NaN. With
``compat="torch"`` all of this is as in PyTorch: its own operation gives every result that is not
finite, and computes where it clamps.
"""

from torch.nn import functional as own
from torch.nn._reduction import legacy_get_string

from ._fused import evaluate, fits
from ._operators import NO_LABEL

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def _axis(input):
    """That of the classes."""
    return 1 if input.ndim > 1 else None


def cross_entropy(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
    label_smoothing=0.0,
    *,
    compat=None,
):
    """As ``torch.nn.functional.cross_entropy``: of logits, with class indices or distributions."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.cross_entropy(
            input,
            target,
            weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )

    if not fits(input, target, weight) or not input.ndim or not _same_type(input, weight):
        return ours(input)
    loss = f"cross_entropy:label_smoothing={label_smoothing}" if label_smoothing else "cross_entropy"
    return evaluate(
        loss, ours, input, target, reduction, weight, None, ignore_index, _axis(input), 1.0, compat
    )


def nll_loss(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
    *,
    compat=None,
):
    """As ``torch.nn.functional.nll_loss``: of log-probabilities, with class indices."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)

    if not fits(input, target, weight) or not input.ndim or not _same_type(input, weight):
        return ours(input)
    loss = "negative_log_likelihood"
    return evaluate(
        loss, ours, input, target, reduction, weight, None, ignore_index, _axis(input), 1.0, compat
    )


def multi_margin_loss(
    input,
    target,
    p=1,
    margin=1.0,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
    *,
    compat=None,
):
    """As ``torch.nn.functional.multi_margin_loss``."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.multi_margin_loss(input, target, p, margin, weight, reduction=reduction)

    if not fits(input, target, weight) or input.ndim not in (1, 2) or margin < 0:
        return ours(input)
    loss = f"multi_margin:p={p},margin={margin}"
    scale, how = 1.0, reduction
    if weight is not None and reduction == "mean":
        # PyTorch divides by the number of rows, not by their weight.
        scale, how = 1.0 / max(target.numel(), 1), "sum"
    # There is no label to ignore, and PyTorch refuses a negative one.
    return evaluate(
        loss, ours, input, target, how, weight, None, NO_LABEL, _axis(input), scale, compat
    )


def _pointwise(loss, ours, input, target, reduction, compat, weight=None):
    """PyTorch divides by the number of elements, whatever their weight."""
    scale = 1.0
    if weight is not None:
        weight = weight.broadcast_to(input.shape)
        if reduction == "mean":
            scale, reduction = 1.0 / max(input.numel(), 1), "sum"
    return evaluate(
        loss, ours, input, target, reduction, None, weight, scale=scale, compat=compat
    )


def _same_type(input, other):
    return other is None or other.dtype is input.dtype


def _pairs(input, target, weight=None):
    return (
        fits(input, target, weight)
        and target.shape == input.shape
        and _same_type(input, target)
        and _same_type(input, weight)
    )


def mse_loss(
    input, target, size_average=None, reduce=None, reduction="mean", weight=None, *, compat=None
):
    """As ``torch.nn.functional.mse_loss``; with ``weight`` by PyTorch's own operation."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        if weight is None:
            return own.mse_loss(input, target, reduction=reduction)
        return own.mse_loss(input, target, reduction=reduction, weight=weight)

    if weight is not None or not _pairs(input, target):
        return ours(input)
    return _pointwise("mean_squared_error", ours, input, target, reduction, compat)


def l1_loss(
    input, target, size_average=None, reduce=None, reduction="mean", weight=None, *, compat=None
):
    """As ``torch.nn.functional.l1_loss``; with ``weight`` by PyTorch's own operation."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        if weight is None:
            return own.l1_loss(input, target, reduction=reduction)
        return own.l1_loss(input, target, reduction=reduction, weight=weight)

    if weight is not None or not _pairs(input, target):
        return ours(input)
    return _pointwise("mean_absolute_error", ours, input, target, reduction, compat)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None, *, compat=None):
    """As ``torch.nn.functional.huber_loss``; with ``weight`` by PyTorch's own operation."""

    def ours(input):
        if weight is None:
            return own.huber_loss(input, target, reduction, delta)
        return own.huber_loss(input, target, reduction, delta, weight)

    if weight is not None or delta <= 0 or not _pairs(input, target):
        return ours(input)
    return _pointwise(f"huber:delta={delta}", ours, input, target, reduction, compat)


def smooth_l1_loss(
    input, target, size_average=None, reduce=None, reduction="mean", beta=1.0, *, compat=None
):
    """As ``torch.nn.functional.smooth_l1_loss``."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.smooth_l1_loss(input, target, reduction=reduction, beta=beta)

    if beta < 0 or not _pairs(input, target):
        return ours(input)
    return _pointwise(f"smooth_l1:beta={beta}", ours, input, target, reduction, compat)


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", *, compat=None
):
    """As ``torch.nn.functional.binary_cross_entropy``: of probabilities.

    PyTorch takes log(0) for -100; with ``compat="torch"`` its own operation computes.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.binary_cross_entropy(input, target, weight, reduction=reduction)

    if compat or not _pairs(input, target, weight):
        return ours(input)
    return _pointwise("binary_cross_entropy", ours, input, target, reduction, None, weight)


def binary_cross_entropy_with_logits(
    input,
    target,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
    pos_weight=None,
    *,
    compat=None,
):
    """As ``torch.nn.functional.binary_cross_entropy_with_logits``.

    A ``pos_weight`` of more than one number is left to PyTorch's own operation.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.binary_cross_entropy_with_logits(
            input, target, weight, reduction=reduction, pos_weight=pos_weight
        )

    if pos_weight is not None and pos_weight.numel() != 1 or not _pairs(input, target, weight):
        return ours(input)
    loss = "binary_cross_entropy_with_logits"
    if pos_weight is not None:
        loss += f":pos_weight={pos_weight.item()}"
    return _pointwise(loss, ours, input, target, reduction, compat, weight)


def kl_div(
    input,
    target,
    size_average=None,
    reduce=None,
    reduction="mean",
    log_target=False,
    *,
    compat=None,
):
    """As ``torch.nn.functional.kl_div``: of log-probabilities, with distributions.

    ``reduction="none"`` and ``log_target=True`` are left to PyTorch's own operation, and so is all
    with ``compat="torch"``, since PyTorch takes 0 times infinity for NaN.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)

    def ours(input):
        return own.kl_div(input, target, reduction=reduction, log_target=log_target)

    sums = {"sum": 1, "mean": input.numel(), "batchmean": input.shape[0] if input.ndim else 1}
    parts = sums.get(reduction)
    if compat or log_target or not parts or input.ndim == 0 or not _pairs(input, target):
        return ours(input)
    return evaluate("kl_divergence", ours, input, target, "sum", scale=1.0 / parts)
