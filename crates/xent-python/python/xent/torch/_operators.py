"""Losses as operators that `torch.compile` puts into its graphs as they are."""

import functools

import torch
from torch import Tensor

import xent

from .. import errors
from . import _memory
from ._memory import array, arrays, result

# What PyTorch calls the arguments of its functions.
_NAMES = {"predictions": "input", "targets": "target"}
_NAMES_OF_FUNCTIONS = _NAMES | {"class_weight": "weight", "sample_weight": "weight"}


# The ``ignore_index`` of a function that has none: no label is this.
NO_LABEL = -(2**63)


def renamed(error, ignore_index, own=True):
    """An error with the names that arguments have in PyTorch: ``own`` if it has the function."""
    if isinstance(error, errors.EmptyError):
        nan = ", or compat='torch' for NaN" if own else ""
        text = f"target: no row counts, so there is no mean; use reduction='sum'{nan}"
        return type(error)(text)
    names = _NAMES_OF_FUNCTIONS if own else _NAMES
    skipping = "" if ignore_index == NO_LABEL else "; mark rows to skip with ignore_index"
    return errors.renamed(error, names, skipping)


@functools.lru_cache(maxsize=1024)
def parsed(text):
    """The loss in this text form."""
    return xent.loss(text)


@functools.lru_cache(maxsize=1024)
def prepared(loss, reduction, ignore_index, axis, threads):
    """A loss, or one in its text form, with its options."""
    loss = parsed(loss) if isinstance(loss, str) else loss
    return loss._prepared(reduction, ignore_index, axis, threads)


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
    compute = prepared(loss, reduction, ignore_index, axis, torch.get_num_threads()).value
    try:
        value = compute(array(input), *arrays(target, class_weight, sample_weight))
    except errors.Error as error:
        raise renamed(error, ignore_index) from None
    return result(value, input, dtype=input.dtype)


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
    compute = prepared(loss, reduction, ignore_index, axis, torch.get_num_threads())
    arguments = target, class_weight, sample_weight
    try:
        return _memory.value_and_grad(compute, input, *arguments, dtype=input.dtype)
    except errors.Error as error:
        raise renamed(error, ignore_index) from None


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
