"""Losses as metrics and scorers of scikit-learn.

>>> import numpy as np, xent.sklearn
>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.model_selection import cross_val_score
>>> random = np.random.default_rng(0)
>>> x = random.normal(size=(200, 2))
>>> y = np.where(x[:, 0] > 0, "yes", "no")
>>> scores = cross_val_score(LogisticRegression(), x, y, scoring=xent.sklearn.scorer("bce"))
>>> bool((scores < 0).all())
True
"""

import numpy as np

import xent

from . import errors

__all__ = ["metric", "scorer"]

# What the arguments of a loss are called here.
_NAMES = {"predictions": "y_pred", "targets": "y_true"}


class Metric:
    """The mean of a loss, with the arguments of ``sklearn.metrics``."""

    def __init__(self, loss, labels=None, **parameters):
        if parameters and not isinstance(loss, str):
            raise TypeError("parameters go with the name of a loss, not with a loss")
        self.loss = xent.loss(loss, **parameters) if isinstance(loss, str) else loss
        self.labels = labels

    def __repr__(self):
        return f"metric({str(self.loss)!r})"

    @property
    def __name__(self):
        return str(self.loss)

    def __call__(self, y_true, y_pred, *, sample_weight=None):
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if self.loss.family == "classwise":
            if y_pred.ndim == 1:
                y_pred = np.stack([1 - y_pred, y_pred], axis=1)
            y_true = self._places(y_true, y_pred.shape[1])
        elif self.loss.target_domain == "sign":
            y_true = 2.0 * self._places(y_true, 2) - 1
        elif self.loss.target_domain == "probability" and not _is_share(y_true):
            y_true = self._places(y_true, 2)
        try:
            return self.loss(y_pred, y_true, sample_weight=sample_weight)
        except errors.Error as error:
            raise errors.renamed(error, _NAMES) from None

    def _places(self, y_true, classes):
        """The labels as 0, 1, 2 and so on."""
        labels = np.unique(y_true) if self.labels is None else np.unique(self.labels)
        if len(labels) != classes:
            raise ValueError(
                f"y_true has the {len(labels)} labels {labels.tolist()}, but there are {classes} "
                "classes; name them all with labels="
            )
        return np.searchsorted(labels, y_true)


def _is_share(y_true):
    return y_true.dtype.kind in "fiub" and ((y_true >= 0) & (y_true <= 1)).all()


def metric(loss, *, labels=None, **parameters):
    """A loss, or the name of one and its parameters, as ``metric(y_true, y_pred,
    sample_weight=None)``.

    Labels of any kind count in their order; ``labels`` has to name them where not all are in
    every ``y_true``.
    """
    return Metric(loss, labels, **parameters)


def scorer(loss, *, labels=None, **parameters):
    """A loss as a scorer: its negative, since scikit-learn prefers larger scores.

    It asks for probabilities, decisions or predictions, by what the loss takes.
    """
    from sklearn.metrics import make_scorer

    of_loss = metric(loss, labels=labels, **parameters)
    domain = of_loss.loss.prediction_domain
    methods = {"probability": "predict_proba", "log-probability": "predict_log_proba"}
    decides = domain == "logit" or of_loss.loss.target_domain == "sign"
    method = methods.get(domain, "decision_function" if decides else "predict")
    return make_scorer(of_loss, greater_is_better=False, response_method=method)
