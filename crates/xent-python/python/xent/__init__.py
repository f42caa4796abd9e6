"""Loss functions, exact and fast.

A class for each loss, such as ``xent.CrossEntropy``; ``xent.losses()`` has them all, and
``help(xent.Huber)`` shows the page of one.

>>> import numpy as np, xent
>>> loss = xent.CrossEntropy(label_smoothing=0.1)
>>> logits, labels = np.array([[2.0, 1.0, 0.1]]), np.array([0])
>>> loss(logits, labels)
0.5136966829445001
>>> value, grad = loss.value_and_grad(logits, labels)
"""

from importlib.metadata import version as _version

from . import errors
from ._catalogue import CLASSES as _CLASSES
from ._catalogue import loss, losses
from ._check import check
from ._pointwise import FUNCTIONS as _FUNCTIONS
from ._pointwise import PointwiseLoss, maximum, minimum, pointwise, sqrt, where
from ._xent import Loss
from .errors import *

__version__ = _version("xent")

globals().update({loss_class.__name__: loss_class for loss_class in _CLASSES.values()})
globals().update(_FUNCTIONS)

__all__ = [
    "Loss",
    "PointwiseLoss",
    "check",
    "errors",
    "loss",
    "losses",
    "maximum",
    "minimum",
    "pointwise",
    "sqrt",
    "where",
    *errors.__all__,
    *_FUNCTIONS,
    *(loss_class.__name__ for loss_class in _CLASSES.values()),
]
