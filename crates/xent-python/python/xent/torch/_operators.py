"""Losses as operators that `torch.compile` puts into its graphs as they are."""

import functools

import torch
from torch import Tensor

import xent

from . import _memory
from ._memory import array, tensor


@functools.lru_cache(maxsize=1024)
def parsed(text):
    """The loss in this text form."""
    return xent.loss(text)


def _options(class_weight, sample_weight, reduction, ignore_index, axis):
    return {
        "reduction": reduction,
        "class_weight": None if class_weight is None else array(class_weight),
        "sample_weight": None if sample_weight is None else array(sample_weight),
        "ignore_index": ignore_index,
        "axis": axis,
        "threads": torch.get_num_threads(),
    }


def _result(value, input):
    if isinstance(value, float):
        return torch.scalar_tensor(value, dtype=input.dtype)
    return tensor(value, input.dtype)


def _empty_result(input, loss, reduction, axis):
    if reduction != "none":
        return input.new_empty(())
    shape = list(input.shape)
    if parsed(loss).family == "classwise":
        del shape[-1 if axis is None else axis]
    return input.new_empty(shape)


@torch.library.custom_op("xent::value", mutates_args=())
def value_op(
    input: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    sample_weight: Tensor | None,
    loss: str,
    reduction: str,
    ignore_index: int,
    axis: int | None,
) -> Tensor:
    options = _options(class_weight, sample_weight, reduction, ignore_index, axis)
    return _result(parsed(loss)(array(input), array(target), **options), input)


@value_op.register_fake
def _(input, target, class_weight, sample_weight, loss, reduction, ignore_index, axis):
    return _empty_result(input, loss, reduction, axis)


@torch.library.custom_op("xent::value_and_grad", mutates_args=())
def value_and_grad(
    input: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    sample_weight: Tensor | None,
    loss: str,
    reduction: str,
    ignore_index: int,
    axis: int | None,
) -> tuple[Tensor, Tensor]:
    options = _options(class_weight, sample_weight, reduction, ignore_index, axis)
    value, grad = _memory.value_and_grad(parsed(loss), input, array(target), options)
    return _result(value, input), grad


@value_and_grad.register_fake
def _(input, target, class_weight, sample_weight, loss, reduction, ignore_index, axis):
    return _empty_result(input, loss, reduction, axis), torch.empty_like(input)


def _setup(ctx, inputs, output):
    axis = inputs[-1]
    ctx.axis = -1 if axis is None else axis
    ctx.save_for_backward(output[1])


def _backward(ctx, upstream, _):
    (grad,) = ctx.saved_tensors
    if 0 < upstream.ndim < grad.ndim:
        upstream = upstream.unsqueeze(ctx.axis)
    return grad * upstream, *[None] * 7


value_and_grad.register_autograd(_backward, setup_context=_setup)


def value_alone(*arguments):
    """As ``value_and_grad``, without a gradient."""
    return (value_op(*arguments),)
