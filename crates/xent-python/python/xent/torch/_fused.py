"""A loss as one differentiable operation of PyTorch, which computes value and gradient together."""

import torch
from torch import Tensor, is_grad_enabled
from torch.autograd import forward_ad
from torch.compiler import is_compiling

from .. import errors
from .._xent import number
from . import _operators
from ._memory import array, arrays, result, value_and_grad

DTYPES = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))
_STRIDED = torch.strided
# Up to how many bytes of input may stay in memory as long as the loss does.
_KEPT = 1 << 14
_PLAIN = (Tensor, torch.nn.Parameter)
_are_transforms_active = torch._C._are_functorch_transforms_active
_is_tracing = torch._C._is_tracing


def fits(input, *others):
    """Whether xent can compute with these tensors; if not, PyTorch's own operation has to."""
    if not _is_plain(input) or input.dtype not in DTYPES:
        return False
    for other in others:
        if other is not None and (other.requires_grad or not _is_plain(other)):
            return False
    return is_compiling() or not (
        _are_transforms_active() or forward_ad._current_level >= 0 or _is_tracing()
    )


def _is_plain(tensor):
    plain = type(tensor) in _PLAIN or is_compiling()
    return plain and tensor.is_cpu and tensor.layout is _STRIDED


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
    differentiable = input.requires_grad and is_grad_enabled()
    if is_compiling():
        if not isinstance(loss, str):
            weights = class_weight, sample_weight
            rest = ignore_index, axis, scale, compat
            return _uncompiled(loss, own, input, target, reduction, *weights, *rest)
        if compat:
            return own(input)
        compute = _operators.value_and_grad if differentiable else _operators.value_alone
        how = reduction, ignore_index, axis
        value = compute(input, target, class_weight, sample_weight, loss, *how)[0]
        return value if scale == 1.0 else value * scale
    threads = torch.get_num_threads()
    prepared = _operators.prepared(loss, reduction, ignore_index, axis, threads)
    try:
        if differentiable:
            arguments = target, class_weight, sample_weight, scale
            value = _apply(input, (loss, prepared, arguments, own, reduction, axis))
        else:
            value = prepared.value(array(input), *arrays(target, class_weight, sample_weight))
            value = result(value, input, scale)
    except errors.Error as error:
        if compat and isinstance(error, errors.EmptyError):
            return own(input)
        raise _operators.renamed(error, ignore_index, own) from None
    return own(input) if compat and not value.isfinite().all() else value


# A custom loss has no text form that a graph could hold, so it runs between two graphs.
_uncompiled = torch.compiler.disable(evaluate)


class Fused(torch.autograd.Function):
    """The forward pass computes the gradient too, and the backward pass hands it on."""

    @staticmethod
    def forward(ctx, input, call):
        _, prepared, arguments, _, _, _ = ctx.call = call
        # For a second pass back, or a derivative of the gradient: both are rare, and to save a small
        # tensor the way of PyTorch takes longer than to compute the loss.
        ctx.versions = input._version, arguments[0]._version
        ctx.kept = input if input.nbytes <= _KEPT else None
        if ctx.kept is None:
            ctx.save_for_backward(input)
        value, ctx.grad = value_and_grad(prepared, input, *arguments)
        return value

    @staticmethod
    def backward(ctx, upstream):
        loss, prepared, arguments, own, reduction, axis = ctx.call
        grad = ctx.grad
        if is_grad_enabled():
            return _differentiable_grad(loss, own, _kept(ctx), upstream), None
        # The memory of the gradient becomes that of the result; another pass through the same
        # graph computes it anew.
        ctx.grad = None
        if grad is None:
            grad = value_and_grad(prepared, _kept(ctx), *arguments)[1]
        scale = arguments[-1]
        if reduction == "none":
            if upstream.ndim < grad.ndim:
                upstream = upstream.unsqueeze(-1 if axis is None else axis)
        elif scale * (upstream.item() if is_compiling() else number(upstream)) == 1.0:
            return grad, None
        return grad.mul_(upstream if scale == 1.0 else upstream * scale), None


# As `Fused.apply` where no transform of `torch.func` is active, which `fits` has seen to.
_apply = super(torch.autograd.Function, Fused).apply
# As it is, but for a look in each pass back whether the method is called `backward` or `vjp`.
Fused._backward_cls.apply = Fused.backward


def _kept(ctx):
    # An error if the graph was given back, also where nothing was saved.
    saved = ctx.saved_tensors
    input, target = ctx.kept if ctx.kept is not None else saved[0], ctx.call[2][0]
    if (input._version, target._version) != ctx.versions:
        raise RuntimeError(
            f"the input or the target of {ctx.call[0]} was modified by an in-place operation, so its "
            "gradient cannot be computed again"
        )
    return input


def _differentiable_grad(loss, own, input, upstream):
    """The gradient as operations of PyTorch, for derivatives of it."""
    if own is None:
        raise RuntimeError(
            f"{loss} cannot be differentiated twice: PyTorch has no operation for it. "
            "Leave create_graph out."
        )
    (grad,) = torch.autograd.grad(own(input), input, upstream, create_graph=True)
    return grad
