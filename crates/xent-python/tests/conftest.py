"""Arguments that any loss of the catalogue takes."""

import numpy as np
import pytest
import xent
from hypothesis import settings

# The same inputs on every machine, however slow it is.
settings.register_profile("xent", deadline=None, derandomize=True)
settings.load_profile("xent")

LOSSES = list(xent.losses().values())


class Case:
    """A loss, and predictions and targets that it takes."""

    def __init__(self, loss, dtype=np.float64, rows=6, classes=5, seed=0):
        random = np.random.default_rng(seed)
        self.loss = loss
        self.classwise = loss.family == "classwise"
        predictions = random.normal(size=(rows, classes))
        if loss.prediction_domain == "probability":
            predictions = np.abs(predictions) + 0.1
            predictions /= predictions.sum(axis=1, keepdims=True)
        self.predictions = predictions.astype(dtype)
        if self.classwise:
            self.targets = random.integers(0, classes, size=rows)
        elif loss.target_domain == "sign":
            self.targets = random.choice([-1.0, 1.0], size=(rows, classes)).astype(dtype)
        else:
            shares = random.uniform(0.1, 1, size=(rows, classes))
            self.targets = (shares / shares.sum(axis=1, keepdims=True)).astype(dtype)
        self.weights = random.uniform(0.5, 2, size=rows if self.classwise else (rows, classes))


@pytest.fixture(params=LOSSES, ids=lambda loss: loss.name)
def case(request):
    return Case(request.param())


@pytest.fixture(params=LOSSES, ids=lambda loss: loss.name)
def loss_class(request):
    return request.param
