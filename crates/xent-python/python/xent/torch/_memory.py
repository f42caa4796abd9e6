"""The memory of tensors as arrays, and that of arrays as tensors."""

import numpy as np
import torch

from .._memory import empty_like

# From this size on, to take fresh memory from the system costs more than to compute a gradient.
_LARGE = 1 << 20


def array(tensor):
    """The memory of a tensor as an array."""
    if tensor.dtype is not torch.bfloat16:
        return tensor.numpy(force=True)
    import ml_dtypes

    return tensor.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def arrays(target, class_weight, sample_weight):
    """The memory of each tensor as an array; None for what is left out."""
    return (
        array(target),
        None if class_weight is None else array(class_weight),
        None if sample_weight is None else array(sample_weight),
    )


def tensor(array, dtype):
    """The memory of an array as a tensor."""
    if dtype is torch.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(dtype)
    return torch.from_numpy(array)


def value_and_grad(prepared, input, arguments):
    """As the method of a prepared loss, with the gradient as a tensor."""
    dtype = input.dtype
    if dtype is torch.bfloat16 or input.nbytes >= _LARGE:
        predictions = array(input)
        out = None if input.nbytes < _LARGE else empty_like(predictions)
        value, grad = prepared.value_and_grad(predictions, *arguments, out)
        return value, tensor(grad, dtype)
    value, grad = prepared.value_and_grad(input.numpy(force=True), *arguments)
    return value, torch.from_numpy(grad)
