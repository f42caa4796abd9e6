"""Losses as objectives and metrics of gradient boosting, whatever the library."""

import re

import numpy as np

import xent

from . import errors
from ._memory import empty_like

HESSIANS = ("floored", "exact", "gauss_newton")
# The least Hessian of a row: of losses of plain numbers, where many are linear, that of half the
# squared error, as boosters have it for absolute errors.
FLOORS = {"real": 1.0, "logit": 1e-6}
# What the arguments of a loss are called here.
_NAMES = {"predictions": "scores", "targets": "labels", "sample_weight": "weight"}


def _loss(loss, parameters):
    if isinstance(loss, str):
        return xent.loss(loss, **parameters)
    if parameters:
        raise TypeError("parameters go with the name of a loss, not with a loss")
    return loss


class _Boosted:
    """A loss on the labels, weights and raw scores of a booster."""

    def __init__(self, loss, **parameters):
        self.loss = _loss(loss, parameters)
        domain = self.loss.prediction_domain
        if domain not in ("real", "logit"):
            raise xent.UnsupportedError(
                f"{self.loss}: takes a {domain}, but a booster gives raw scores; "
                "use the loss that takes logits"
            )
        self.classwise = self.loss.family == "classwise"

    def targets(self, labels):
        """Labels as the loss takes them: integers for classes, and -1 and 1 for sides."""
        labels = np.asarray(labels)
        if self.classwise:
            return labels.astype(np.int32, copy=False)
        if self.loss.target_domain == "sign" and np.isin(labels, (0, 1)).all():
            labels = 2 * labels - 1
        return labels.astype(np.float32, copy=False)

    def scores(self, scores):
        """Raw scores as float32, which boosters take gradients in, where they lie if they are."""
        return np.asarray(scores).astype(np.float32, order="K", copy=False)


class Objective(_Boosted):
    """Gradient and Hessian of a loss for a booster, and the score that it starts from.

    Call it as the booster does: with raw scores and its data set, or with labels, raw scores and
    perhaps weights.
    """

    def __init__(self, loss, hessian="floored", **parameters):
        super().__init__(loss, **parameters)
        if hessian not in HESSIANS:
            raise ValueError(f"hessian is {hessian!r}; write one of {', '.join(HESSIANS)}")
        if hessian == "gauss_newton" and self.classwise:
            raise xent.UnsupportedError(
                f"{self.loss}: a loss of several classes has no Gauss-Newton Hessian that is "
                "diagonal; use 'floored'"
            )
        self.hessian = hessian

    def __repr__(self):
        return f"objective({str(self.loss)!r}, hessian={self.hessian!r})"

    @property
    def __name__(self):
        return str(self.loss)

    def grad_and_hess(self, scores, labels, weight=None):
        """Of each row, or each row and class, as arrays of float32 laid out as the scores are."""
        scores = self.scores(scores)
        floor = FLOORS[self.loss.prediction_domain]
        try:
            _, grad, hess = self.loss.value_grad_curvature(
                scores,
                self.targets(labels),
                out=(empty_like(scores), empty_like(scores)),
                curvature_floor=floor if self.hessian == "floored" else None,
                reduction="sum",
                sample_weight=weight,
            )
        except errors.Error as error:
            raise errors.renamed(error, _NAMES) from None
        if self.hessian != "gauss_newton":
            return grad, hess
        if self.loss.prediction_domain == "logit":
            # What is left of the Hessian without the curvature of the sigmoid.
            hess += grad * np.tanh(scores / 2)
        floor = floor if weight is None else floor * np.asarray(weight, np.float32)
        if hess.ndim > 1 and weight is not None:
            floor = floor[:, None]
        return grad, np.maximum(hess, floor, out=hess)

    def start(self, labels, weight=None, classes=None):
        """The raw score that the loss likes best if all rows have the same: a number, or one for
        each of the ``classes``."""
        labels, places = np.unique(np.asarray(labels), return_inverse=True)
        weight = np.bincount(places.ravel(), weight)
        targets = self.targets(labels)
        if self.classwise:
            return self._start_of_classes(targets, weight, classes or int(targets.max()) + 1)
        if self.loss.prediction_domain == "logit":
            low, high = -30.0, 30.0
        else:
            low, high = float(targets.min()), float(targets.max())
        # The slope of a total over all rows changes sign where it is least.
        for _ in range(100):
            middle = (low + high) / 2
            slope = self._slope(np.full(len(targets), middle), targets, weight).sum()
            low, high = (low, middle) if slope > 0 else (middle, high)
        return (low + high) / 2

    def _slope(self, scores, targets, weight):
        targets = targets if self.classwise else targets.astype(scores.dtype)
        return self.loss.value_and_grad(
            scores, targets, reduction="sum", sample_weight=weight.astype(scores.dtype)
        )[1]

    def _start_of_classes(self, targets, weight, classes):
        share = np.full(classes, 1e-6)
        share[targets] += weight / weight.sum()
        scores = np.log(share / share.sum())
        weight = weight / weight.sum()
        for _ in range(200):
            rows = np.tile(scores, (len(targets), 1))
            slope = self._slope(rows, targets, weight).sum(axis=0)
            scores = scores - slope / np.maximum(share, 0.05)
        return scores - scores.mean()

    def transform(self, raw):
        """Predictions from raw scores: probabilities where the loss takes logits."""
        raw = np.asarray(raw)
        if self.loss.prediction_domain != "logit":
            return raw
        if not self.classwise:
            return np.exp(-np.logaddexp(0, -raw))
        shares = np.exp(raw - raw.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


class Metric(_Boosted):
    """The mean of a loss over the rows, from raw scores."""

    def __repr__(self):
        return f"metric({str(self.loss)!r})"

    @property
    def __name__(self):
        """The text form of the loss, without the colon that XGBoost ends a name at."""
        return re.sub(r":([^+]*)", r"(\1)", str(self.loss))

    def mean(self, scores, labels, weight=None):
        """A number; the smaller, the better."""
        try:
            return self.loss(self.scores(scores), self.targets(labels), sample_weight=weight)
        except errors.Error as error:
            raise errors.renamed(error, _NAMES) from None
