"""Memory of large results that is used again: fresh memory costs as much as what is computed."""

import weakref

import numpy as np

# How many buffers wait for their next use.
_KEPT = 2

_waiting = {}


def empty_like(array):
    """An array laid out as ``array``, in memory that waits for its next use when nobody has the
    array or a view of it any more."""
    layout = np.empty_like(array)
    memory = _taken(layout.nbytes)
    # NumPy keeps the array that first saw a buffer alive through all views of it, and of views.
    owner = np.asarray(memory.data)
    weakref.finalize(owner, _wait, memory).atexit = False
    return np.ndarray(layout.shape, layout.dtype, owner, strides=layout.strides)


def _taken(size):
    """Memory of at least this size."""
    for key, memory in list(_waiting.items()):
        # Another thread may have been faster.
        if size <= memory.nbytes <= 2 * size and _waiting.pop(key, None) is not None:
            return memory
    return np.empty(size, np.uint8)


def _wait(memory):
    _waiting[id(memory)] = memory
    for key in list(_waiting)[:-_KEPT]:
        _waiting.pop(key, None)


def empty_cache():
    """Gives the memory that waits for the next gradient back to the system."""
    _waiting.clear()
