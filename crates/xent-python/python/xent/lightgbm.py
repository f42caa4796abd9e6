"""Losses as objectives and metrics of LightGBM.

>>> import numpy as np, lightgbm, xent.lightgbm
>>> random = np.random.default_rng(0)
>>> x = random.normal(size=(500, 3))
>>> y = (x[:, 0] > 1).astype(float)
>>> focal = xent.lightgbm.objective("focal", gamma=2, alpha=0.25)
>>> data = lightgbm.Dataset(x, y, init_score=focal.init_score(y))
>>> parameters = {"objective": focal, "metric": "none", "verbose": -1}
>>> booster = lightgbm.train(parameters, data, num_boost_round=20)
>>> probability = focal.predict(booster, x, data.init_score)
>>> bool(probability[y == 1].mean() > 2 * probability[y == 0].mean())
True
"""

import numpy as np

from . import _boosting

__all__ = ["metric", "objective"]


class Objective(_boosting.Objective):
    """An objective of LightGBM: ``params["objective"]``, or that of ``LGBMClassifier`` and
    ``LGBMRegressor``."""

    def __call__(self, y_true, y_pred, weight=None):
        if hasattr(y_pred, "get_label"):
            return self.grad_and_hess(y_true, y_pred.get_label(), y_pred.get_weight())
        return self.grad_and_hess(y_pred, y_true, weight)

    def init_score(self, y, weight=None, classes=None):
        """The ``init_score`` of a data set with these labels: what the loss likes best if every
        row has the same. LightGBM does not keep it, so ``predict`` needs it too."""
        start = self.start(y, weight, classes)
        return np.full(len(y), start) if np.isscalar(start) else np.tile(start, (len(y), 1))

    def predict(self, model, x, init_score=None, **options):
        """Predictions of a booster or an estimator: with the initial score that it was trained
        from, and transformed back by the link of the loss."""
        raw = model.predict(x, raw_score=True, **options)
        if init_score is not None:
            raw = raw + np.asarray(init_score)[0]
        return self.transform(raw)


class Metric(_boosting.Metric):
    """A metric of LightGBM: ``feval``, or ``eval_metric`` of an estimator."""

    def __call__(self, y_true, y_pred, weight=None):
        if hasattr(y_pred, "get_label"):
            value = self.mean(y_true, y_pred.get_label(), y_pred.get_weight())
        else:
            value = self.mean(y_pred, y_true, weight)
        return self.__name__, value, False


def objective(loss, *, hessian="floored", **parameters):
    """A loss, or the name of one and its parameters, as an objective.

    ``hessian`` is "floored": never below a millionth of the weight of a row, or below the weight
    itself if the loss takes plain numbers and not logits; "exact", which can be 0 or negative; or
    "gauss_newton", which leaves out the curvature of the sigmoid, is positive for losses that are
    convex in the probability, and floored for others.
    """
    return Objective(loss, hessian, **parameters)


def metric(loss, **parameters):
    """A loss, or the name of one and its parameters, as a metric."""
    return Metric(loss, **parameters)
