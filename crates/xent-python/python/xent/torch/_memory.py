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


def result(value, input, scale=1.0, dtype=None):
    """A number times ``scale``, or an array as it is, as a tensor of type ``dtype``: that of
    ``input``, or float32 where PyTorch would compute in it."""
    if dtype is None:
        half = input.dtype.itemsize == 2
        dtype = torch.float32 if half and torch.is_autocast_enabled("cpu") else input.dtype
    if type(value) is float:
        return torch.scalar_tensor(value * scale, dtype=dtype)
    return tensor(value, input.dtype).to(dtype)


def value_and_grad(prepared, input, target, class_weight, sample_weight, scale=1.0, dtype=None):
    """The value, as ``result`` has it, and the gradient."""
    if class_weight is None and sample_weight is None:
        small = prepared.value_and_grad_of_tensors(input, target, scale)
        if small is not None:
            return small
    predictions = array(input)
    out = None if input.nbytes < _LARGE else empty_like(predictions)
    arguments = arrays(target, class_weight, sample_weight)
    value, grad = prepared.value_and_grad(predictions, *arguments, out)
    return result(value, input, scale, dtype), tensor(grad, input.dtype)
