"""The memory of tensors as arrays, and of large gradients from one step of training to the next."""

import weakref

import numpy as np
import torch

# From this size on, to take fresh memory from the system costs more than to compute a gradient.
_LARGE = 1 << 20
# How many buffers wait for their next use.
_KEPT = 2

_waiting = []


def array(tensor):
    """The memory of a tensor as an array."""
    if tensor.dtype is not torch.bfloat16:
        return tensor.numpy(force=True)
    import ml_dtypes

    return tensor.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def tensor(array, dtype):
    """The memory of an array as a tensor."""
    if dtype is torch.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(dtype)
    return torch.from_numpy(array)


def value_and_grad(loss, input, target, options):
    """As the method of a loss, with the gradient as a tensor."""
    if input.nbytes < _LARGE:
        value, grad = loss.value_and_grad(array(input), target, **options)
        return value, tensor(grad, input.dtype)
    predictions = array(input)
    numbers = predictions.dtype
    stored = np.dtype(np.int16) if input.dtype is torch.bfloat16 else numbers
    grad = _reused(input, stored)
    value, _ = loss.value_and_grad(predictions, target, out=grad.view(numbers), **options)
    return value, torch.from_numpy(grad).view(input.dtype)


def _reused(input, dtype):
    """An array laid out as ``input``, in memory that waits for its next use when it is freed."""
    size = input.nbytes
    memory = _taken(size)
    order = sorted(range(input.ndim), key=lambda axis: -input.stride(axis))
    shape = [input.shape[axis] for axis in order]
    grad = memory[:size].view(dtype).reshape(shape).transpose(np.argsort(order))
    # The tensor holds this array, and all that share the memory of the tensor hold the tensor.
    weakref.finalize(grad, _wait, memory).atexit = False
    return grad


def _taken(size):
    """Memory of at least this size."""
    for place, memory in enumerate(_waiting):
        if size <= memory.nbytes <= 2 * size:
            return _waiting.pop(place)
    return np.empty(size, np.uint8)


def _wait(memory):
    _waiting.append(memory)
    del _waiting[:-_KEPT]


def empty_cache():
    """Gives the memory that waits for the next gradient back to the system."""
    _waiting.clear()
