"""Checks gradients and Hessians that people wrote by hand."""

import dataclasses
import inspect

import numpy as np

from ._xent import Loss

# What the first argument of a function is called that takes labels before predictions.
_LABELS = ("y_true", "y", "label", "labels", "target", "targets")


@dataclasses.dataclass(frozen=True)
class Worst:
    """The entry of a gradient or a Hessian that is furthest off.

    ``error`` is the difference to the derivative, relative to the larger of it and 1e-3 of the
    largest; ``index`` is where; ``given`` is what the function says there, and ``expected`` the
    derivative, from differences.
    """

    error: float
    index: tuple
    given: float
    expected: float


@dataclasses.dataclass(frozen=True)
class Report:
    """What ``check`` found: the worst entry of each, None where there is nothing to hold it
    against. True if both are right."""

    gradient: Worst | None
    hessian: Worst | None
    tolerance: float

    def __bool__(self):
        found = [worst for worst in (self.gradient, self.hessian) if worst is not None]
        return all(worst.error <= self.tolerance for worst in found)

    def __str__(self):
        return "\n".join(self._line(name) for name in ("gradient", "hessian"))

    def _line(self, name):
        worst = getattr(self, name)
        if worst is None:
            return f"{name:<8} not checked"
        place = "[" + ", ".join(map(str, worst.index)) + "]"
        verdict = "right" if worst.error <= self.tolerance else "WRONG"
        return (
            f"{name:<8} {verdict}: worst relative error {worst.error:.1e} at {place}, "
            f"{worst.given:.6g} for {worst.expected:.6g}"
        )


def check(function, predictions=None, targets=None, *, loss=None, tolerance=None, seed=0):
    """Holds the derivatives of an objective against differences, and says where they are worst.

    ``function(predictions, targets)`` returns value and gradient; or value, gradient and Hessian
    (its diagonal); or gradient and Hessian, as the objective of a booster; or it is a loss of xent.
    A function whose first argument is called ``y_true``, ``y``, ``labels`` or the like gets the
    targets first. If the predictions are a tensor of PyTorch, it returns a tensor that knows its
    gradient. Derivatives are those of the value, or the sum of values.

    An objective that returns no value has only its Hessian held against its gradient, unless
    ``loss(predictions, targets)`` gives the value. Predictions are drawn from a normal
    distribution and targets are 0 or 1, unless given.

    >>> import xent
    >>> def squared(p, y):
    ...     return ((p - y) ** 2).sum(), p - y
    >>> report = xent.check(squared)
    >>> bool(report)
    False
    >>> print(report)
    gradient WRONG: worst relative error 5.0e-01 at [0], -0.87427 for -1.74854
    hessian  not checked
    """
    random = np.random.default_rng(seed)
    given = targets if predictions is None else predictions
    shape = (16,) if given is None else np.shape(given)
    of_tensors = hasattr(predictions, "requires_grad_")
    predictions = random.normal(size=shape) if predictions is None else predictions
    targets = random.integers(0, 2, size=shape).astype(float) if targets is None else targets
    if of_tensors:
        predictions = predictions.detach().numpy()
    predictions = np.array(predictions, np.float64)
    how = _tensors if of_tensors else _arrays

    def evaluate(predictions):
        return how(function, loss, predictions, targets)

    value, grad, hess = evaluate(predictions)
    for name, part in (("gradient", grad), ("Hessian", hess)):
        if part is not None and part.shape != predictions.shape:
            raise ValueError(
                f"the {name} has the shape {part.shape}, but predictions have {predictions.shape}"
            )
    narrow = grad.dtype.kind == "f" and grad.dtype.itemsize < 8
    if tolerance is None:
        tolerance = 1e-2 if narrow else 1e-6
    step = float(np.finfo(np.float32 if narrow else np.float64).eps) ** 0.2
    return Report(
        None if value is None else _worst(grad, predictions, step, lambda p, _: evaluate(p)[0]),
        None if hess is None else _worst(hess, predictions, step, lambda p, i: evaluate(p)[1][i]),
        tolerance,
    )


def _worst(given, predictions, step, function):
    """The entry that is furthest from the slope of ``function(predictions, index)`` there."""
    expected = np.empty(predictions.shape)
    for index in np.ndindex(predictions.shape):

        def at(change, index=index):
            moved = predictions.copy()
            moved[index] += change
            return float(function(moved, index))

        wide, narrow = ((at(h) - at(-h)) / (2 * h) for h in (step, step / 2))
        expected[index] = (4 * narrow - wide) / 3
    given = np.asarray(given, np.float64)
    scale = np.maximum(np.abs(expected), 1e-3 * max(np.abs(expected).max(), 1e-9))
    error = np.nan_to_num(np.abs(given - expected) / scale, nan=np.inf)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))
    return Worst(float(error[index]), index, float(given[index]), float(expected[index]))


def _called(function, predictions, targets):
    try:
        first = next(iter(inspect.signature(function).parameters), None)
    except ValueError:
        first = None
    return function(targets, predictions) if first in _LABELS else function(predictions, targets)


def _arrays(function, loss, predictions, targets):
    """The total value, the gradient and the Hessian."""
    if isinstance(function, Loss):
        return function.value_grad_curvature(predictions, targets, reduction="sum")
    parts = [np.asarray(part) for part in _called(function, predictions, targets)]
    if len(parts) == 3:
        return parts[0].sum(), parts[1], parts[2]
    if parts[0].shape == predictions.shape == parts[1].shape != ():
        return None if loss is None else np.sum(loss(predictions, targets)), *parts
    return parts[0].sum(), parts[1], None


def _tensors(function, loss, predictions, targets):
    import torch

    predictions = torch.from_numpy(predictions).requires_grad_()
    value = _called(function, predictions, torch.as_tensor(targets)).sum()
    (grad,) = torch.autograd.grad(value, predictions)
    return value.item(), grad.numpy(), None
