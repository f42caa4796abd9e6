"""Losses as objectives and metrics of XGBoost.

>>> import numpy as np, xgboost, xent.xgboost
>>> random = np.random.default_rng(0)
>>> x = random.normal(size=(500, 3))
>>> y = (x[:, 0] > 1).astype(float)
>>> focal = xent.xgboost.objective("focal", gamma=2, alpha=0.25)
>>> parameters = {"base_score": focal.base_score(y), "min_child_weight": 0.01}
>>> booster = xgboost.train(parameters, xgboost.DMatrix(x, y), 20, obj=focal)
>>> probability = focal.predict(booster, xgboost.DMatrix(x))
>>> bool(probability[y == 1].mean() > 2 * probability[y == 0].mean())
True
"""

from . import _boosting

__all__ = ["metric", "objective"]


class Objective(_boosting.Objective):
    """An objective of XGBoost: ``obj`` of ``train``, or ``objective`` of an estimator."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        if hasattr(y_pred, "get_label"):
            weight = y_pred.get_weight()
            weight = weight if len(weight) else None
            return self.grad_and_hess(y_true, y_pred.get_label(), weight)
        return self.grad_and_hess(y_pred, y_true, sample_weight)

    def base_score(self, y, weight=None, *, probability=False):
        """The ``base_score`` for these labels: what the loss likes best if every row has the same.

        It is a raw score; ``XGBClassifier`` wants the ``probability`` that this stands for. One
        number, as XGBoost takes it: of several classes it is 0, which is as good for all.
        """
        start = 0.0 if self.classwise else self.start(y, weight)
        return float(self.transform(start)) if probability and not self.classwise else start

    def predict(self, model, x, **options):
        """Predictions of a booster or an estimator, transformed back by the link of the loss."""
        return self.transform(model.predict(x, output_margin=True, **options))


class Metric(_boosting.Metric):
    """A metric of XGBoost: ``custom_metric`` of ``train``, or ``eval_metric`` of an estimator."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        if hasattr(y_pred, "get_label"):
            weight = y_pred.get_weight()
            weight = weight if len(weight) else None
            return self.__name__, self.mean(y_true, y_pred.get_label(), weight)
        return self.mean(y_pred, y_true, sample_weight)


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
