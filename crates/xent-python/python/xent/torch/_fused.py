"""A loss as one differentiable operation of PyTorch, which computes value and gradient together."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

import xent

from . import _operators
from ._memory import array, tensor, value_and_grad

DTYPES = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))
_PLAIN = (Tensor, torch.nn.Parameter)
# Up to this size a multiplication costs less than to find out that it is one by 1.
_SMALL = 4096


def fits(input, *others):
    """Whether xent can compute with these tensors; if not, PyTorch's own operation has to."""
    if not input.is_cpu or input.dtype not in DTYPES or input.layout is not torch.strided:
        return False
    for other in others:
        if other is not None and (not other.is_cpu or other.requires_grad):
            return False
    if torch.compiler.is_compiling():
        return True
    return (
        type(input) in _PLAIN
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
        and not torch.jit.is_tracing()
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
    differentiable = input.requires_grad and torch.is_grad_enabled()
    compiling = torch.compiler.is_compiling()
    if compiling and isinstance(loss, str):
        if compat:
            return own(input)
        compute = _operators.value_and_grad if differentiable else _operators.value_alone
        arguments = (class_weight, sample_weight, loss, reduction, ignore_index, axis)
        value = compute(input, target, *arguments)[0]
        return value if scale == 1.0 else value * scale
    options = {"threads": torch.get_num_threads()}
    if reduction != "mean":
        options["reduction"] = reduction
    if axis is not None:
        options["axis"] = axis
    if ignore_index != -100:
        options["ignore_index"] = ignore_index
    compute = _uncompiled if compiling else _now
    weights = class_weight, sample_weight
    return compute(loss, own, input, target, weights, options, scale, compat, differentiable)


def _now(loss, own, input, target, weights, options, scale, compat, differentiable):
    if isinstance(loss, str):
        loss = _operators.parsed(loss)
    class_weight, sample_weight = weights
    if class_weight is not None:
        options["class_weight"] = array(class_weight)
    if sample_weight is not None:
        options["sample_weight"] = array(sample_weight)
    call = Call(loss, own, array(target), options, scale)
    try:
        value = Fused.apply(input, call) if differentiable else call.value(input)
    except xent.EmptyError:
        if compat:
            return own(input)
        raise
    return own(input) if compat and not value.isfinite().all() else value


# A custom loss has no text form that a graph could hold, so it runs between two graphs.
_uncompiled = torch.compiler.disable(_now)


class Call:
    """A loss with all of its arguments but the predictions."""

    __slots__ = ("loss", "options", "own", "scale", "target")

    def __init__(self, loss, own, target, options, scale):
        self.loss, self.own, self.target = loss, own, target
        self.options, self.scale = options, scale

    def value(self, input):
        return self.result(self.loss(array(input), self.target, **self.options), input.dtype)

    def value_and_grad(self, input):
        value, grad = value_and_grad(self.loss, input, self.target, self.options)
        return self.result(value, input.dtype), grad

    def result(self, value, dtype):
        if type(value) is not float:
            value = tensor(value, dtype)
            return value if self.scale == 1.0 else value * self.scale
        # Where PyTorch would compute in float32, the loss is a float32.
        if dtype.itemsize == 2 and torch.is_autocast_enabled("cpu"):
            dtype = torch.float32
        return torch.scalar_tensor(value * self.scale, dtype=dtype)


class Fused(torch.autograd.Function):
    """The forward pass computes the gradient too, and the backward pass hands it on."""

    @staticmethod
    def forward(ctx, input, call):
        value, ctx.grad = call.value_and_grad(input)
        ctx.call = call
        ctx.save_for_backward(input)
        return value

    @staticmethod
    def backward(ctx, upstream):
        call, grad = ctx.call, ctx.grad
        if torch.is_grad_enabled():
            return differentiable_grad(call, ctx.saved_tensors[0], upstream), None
        # The memory of the gradient becomes that of the result; another pass through the same
        # graph computes it anew.
        ctx.grad = None
        if grad is None:
            grad = call.value_and_grad(ctx.saved_tensors[0])[1]
        return scaled(grad, upstream, call), None


def scaled(grad, upstream, call):
    """The gradient times that of what follows, in its own memory."""
    if call.options.get("reduction") == "none":
        if upstream.ndim < grad.ndim:
            upstream = upstream.unsqueeze(call.options.get("axis", -1))
    elif grad.numel() > _SMALL and call.scale * upstream.item() == 1.0:
        return grad
    return grad.mul_(upstream if call.scale == 1.0 else upstream * call.scale)


def differentiable_grad(call, input, upstream):
    """The gradient as operations of PyTorch, for derivatives of it."""
    if call.own is None:
        raise RuntimeError(
            f"{call.loss} cannot be differentiated twice: PyTorch has no operation for it. "
            "Leave create_graph out."
        )
    (grad,) = torch.autograd.grad(call.own(input), input, upstream, create_graph=True)
    return grad
