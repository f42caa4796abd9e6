"""The memory of tensors as arrays, and the other way round."""

import numpy as np
import torch


def array(tensor):
    """The memory of a tensor as an array."""
    tensor = tensor.detach()
    if tensor.dtype is not torch.bfloat16:
        return tensor.numpy()
    import ml_dtypes

    return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def tensor(array, dtype):
    """The memory of an array as a tensor."""
    if dtype is torch.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(dtype)
    return torch.from_numpy(array)
