"""A loss as one differentiable operation of PyTorch, which computes value and gradient together."""

import torch
from torch import Tensor, is_grad_enabled
from torch.autograd import forward_ad
from torch.compiler import is_compiling

from .. import errors
from . import _operators
from ._memory import array, arrays, tensor, value_and_grad

DTYPES = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))
_PLAIN = (Tensor, torch.nn.Parameter)
_are_transforms_active = torch._C._are_functorch_transforms_active
_is_tracing = torch._C._is_tracing


def fits(input, *others):
    """Whether xent can compute with these tensors; if not, PyTorch's own operation has to."""
    if not input.is_cpu or input.dtype not in DTYPES or input.layout is not torch.strided:
        return False
    for other in others:
        if other is not None and (not other.is_cpu or other.requires_grad):
            return False
    if is_compiling():
        return True
    return (
        type(input) in _PLAIN
        and not _are_transforms_active()
        and forward_ad._current_level < 0
        and not _is_tracing()
    )


def evaluate(
    loss,
    own,
    input,
    target,
    reduction,
    class_weight=None,
    sample_weight=None,
    ignore_index=-100,
    axis=None,
    scale=1.0,
    compat=None,
):
    """The loss, reduced and times ``scale``; differentiable by ``input``.

    ``loss`` is a text form, or a custom loss. ``own(input)`` is the same by operations of PyTorch,
    or None where it has none.
    """
    how = reduction, ignore_index, axis
    if not is_compiling():
        return _now(loss, own, input, target, class_weight, sample_weight, how, scale, compat)
    if not isinstance(loss, str):
        return _uncompiled(loss, own, input, target, class_weight, sample_weight, how, scale, compat)
    if compat:
        return own(input)
    differentiable = input.requires_grad and is_grad_enabled()
    compute = _operators.value_and_grad if differentiable else _operators.value_alone
    value = compute(input, target, class_weight, sample_weight, loss, *how)[0]
    return value if scale == 1.0 else value * scale


def _now(loss, own, input, target, class_weight, sample_weight, how, scale, compat):
    prepared = _operators.prepared(loss, *how, torch.get_num_threads())
    arguments = arrays(target, class_weight, sample_weight)
    try:
        if input.requires_grad and is_grad_enabled():
            value = _apply(input, (loss, prepared, arguments, own, how, scale))
        else:
            value = _result(prepared.value(array(input), *arguments), input.dtype, scale)
    except errors.Error as error:
        if compat and isinstance(error, errors.EmptyError):
            return own(input)
        raise _operators.renamed(error, how[1], own) from None
    return own(input) if compat and not value.isfinite().all() else value


# A custom loss has no text form that a graph could hold, so it runs between two graphs.
_uncompiled = torch.compiler.disable(_now)


def _result(value, dtype, scale):
    if type(value) is not float:
        value = tensor(value, dtype)
        return value if scale == 1.0 else value * scale
    # Where PyTorch would compute in float32, the loss is a float32.
    if dtype.itemsize == 2 and torch.is_autocast_enabled("cpu"):
        dtype = torch.float32
    return torch.scalar_tensor(value * scale, dtype=dtype)


class Fused(torch.autograd.Function):
    """The forward pass computes the gradient too, and the backward pass hands it on."""

    @staticmethod
    def forward(ctx, input, call):
        _, prepared, arguments, _, _, scale = ctx.call = call
        ctx.save_for_backward(input)
        value, ctx.grad = value_and_grad(prepared, input, arguments)
        return _result(value, input.dtype, scale)

    @staticmethod
    def backward(ctx, upstream):
        loss, prepared, arguments, own, how, scale = ctx.call
        grad = ctx.grad
        if is_grad_enabled():
            return _differentiable_grad(loss, own, ctx.saved_tensors[0], upstream), None
        # The memory of the gradient becomes that of the result; another pass through the same
        # graph computes it anew.
        ctx.grad = None
        if grad is None:
            grad = value_and_grad(prepared, ctx.saved_tensors[0], arguments)[1]
        reduction, _, axis = how
        if reduction == "none":
            if upstream.ndim < grad.ndim:
                upstream = upstream.unsqueeze(-1 if axis is None else axis)
        elif scale * upstream.item() == 1.0:
            return grad, None
        return grad.mul_(upstream if scale == 1.0 else upstream * scale), None


# As `Fused.apply` where no transform of `torch.func` is active, which `fits` has seen to.
_apply = super(torch.autograd.Function, Fused).apply


def _differentiable_grad(loss, own, input, upstream):
    """The gradient as operations of PyTorch, for derivatives of it."""
    if own is None:
        raise RuntimeError(
            f"{loss} cannot be differentiated twice: PyTorch has no operation for it. "
            "Leave create_graph out."
        )
    (grad,) = torch.autograd.grad(own(input), input, upstream, create_graph=True)
    return grad
