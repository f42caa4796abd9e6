"""Custom losses, traced from a function."""

import functools
import math
import pickle

import numpy as np
import pytest
import xent
from hypothesis import given
from hypothesis import strategies as st


@xent.pointwise
def logistic(p, y):
    """The logistic loss of a side."""
    return xent.log1p(xent.exp(-p * y))


def huber(p, y, delta=1.0):
    e = p - y
    return xent.where(abs(e) <= delta, e**2 / 2, delta * (abs(e) - delta / 2))


NUMBERS = st.floats(-20, 20)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=300), st.floats(0.1, 5))
def test_a_traced_loss_is_that_of_the_catalogue(pairs, delta):
    predictions, targets = np.array(pairs).T
    ours = xent.pointwise(functools.partial(huber, delta=delta))
    theirs = xent.Huber(delta=delta)
    for dtype in (np.float64, np.float32, np.float16):
        arguments = predictions.astype(dtype), targets.astype(dtype)
        for one, other in zip(
            ours.value_grad_curvature(*arguments), theirs.value_grad_curvature(*arguments)
        ):
            np.testing.assert_array_equal(one, other)


def test_derivatives_are_exact():
    p, y = np.linspace(-3, 3, 1000), np.tile([-1.0, 1.0], 500)
    value, grad, curvature = logistic.value_grad_curvature(p, y, reduction="none")
    s = 1 / (1 + np.exp(p * y))
    np.testing.assert_allclose(value, np.log1p(np.exp(-p * y)), rtol=1e-15)
    np.testing.assert_allclose(grad, -y * s, rtol=1e-15)
    np.testing.assert_allclose(curvature, s / (1 + np.exp(-p * y)), rtol=1e-15)


# What each function is elsewhere, and its derivative.
FUNCTIONS = {
    "negative": (lambda x: -x, lambda x: -1.0),
    "exp": (math.exp, math.exp),
    "expm1": (math.expm1, math.exp),
    "log": (math.log, lambda x: 1 / x),
    "log1p": (math.log1p, lambda x: 1 / (1 + x)),
    "abs": (abs, lambda x: math.copysign(1, x)),
    "sign": (lambda x: math.copysign(1, x), lambda x: 0.0),
    "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "sqrt": (math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), lambda x: 0.25 / math.cosh(x / 2) ** 2),
    "softplus": (lambda x: math.log1p(math.exp(x)), lambda x: 1 / (1 + math.exp(-x))),
    "tanh": (math.tanh, lambda x: 1 / math.cosh(x) ** 2),
    "log_cosh": (lambda x: math.log(math.cosh(x)), math.tanh),
}


def test_every_function_is_tested():
    assert set(FUNCTIONS) == {*xent._FUNCTIONS, "sqrt"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function, derivative = FUNCTIONS[name]
    loss = xent.pointwise(lambda p, y: getattr(xent, name)(p))
    for x in (0.25, 1.0, 3.5):
        value, grad = loss.value_and_grad([x], [0.0])
        assert value == pytest.approx(function(x), rel=1e-14)
        assert grad[0] == pytest.approx(derivative(x), rel=1e-14)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda p, y: p**3, (-8.0, 12.0, -12.0)),
        (lambda p, y: p**-2, (0.25, 0.25, 0.375)),
        (lambda p, y: 1 - (y - p) / 4 * 2, (-1.5, 0.5, 0.0)),
        (lambda p, y: p**0 + +p, (-1.0, 1.0, 0.0)),
        (lambda p, y: 2**p, (0.25, 0.25 * math.log(2), 0.25 * math.log(2) ** 2)),
        (lambda p, y: (-p) ** 1.5, (2**1.5, -1.5 * 2**0.5, 0.75 * 2**-0.5)),
        (lambda p, y: (-p) ** y, (8.0, -12.0, 12.0)),
        (lambda p, y: xent.minimum(p, y), (-2.0, 1.0, 0.0)),
        (lambda p, y: xent.maximum(y, p), (3.0, 0.0, 0.0)),
        (lambda p, y: xent.where(p > y, p, y * p), (-6.0, 3.0, 0.0)),
        (lambda p, y: xent.where(p >= -2, p * p, y), (4.0, -4.0, 2.0)),
        (lambda p, y: xent.where(~(p < -2), p * p, y), (4.0, -4.0, 2.0)),
        (lambda p, y: np.float64(2) * p, (-4.0, 2.0, 0.0)),
    ],
)
def test_operators(function, expected):
    loss = xent.pointwise(function)
    value, grad, curvature = loss.value_grad_curvature([-2.0], [3.0])
    assert (value, grad[0], curvature[0]) == pytest.approx(expected, rel=1e-15)


def test_a_custom_loss_is_a_loss():
    predictions = np.array([0.0, 1.0, 2.0], np.float32)
    targets = np.array([1.0, -1.0, 1.0], np.float32)
    values = logistic(predictions, targets, reduction="none")
    weights = [1.0, 2.0, 0.0]
    value = logistic(predictions, targets, sample_weight=weights)
    assert value == pytest.approx((values[0] + 2 * values[1]) / 3, rel=1e-6)
    assert isinstance(logistic, xent.Loss)
    assert logistic.name == "logistic"
    assert logistic.__doc__ == "The logistic loss of a side."
    assert logistic.__wrapped__.__name__ == "logistic"
    assert repr(logistic) == "<xent.pointwise logistic>"


def test_pickling_needs_no_function():
    made = xent.pointwise(lambda p, y: abs(p - y) ** 1.5)
    same = pickle.loads(pickle.dumps(made))
    assert same == made
    assert hash(same) == hash(made)
    assert same([4.0], [0.0]) == 8
    assert made != xent.pointwise(lambda p, y: abs(p - y) ** 2.5)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p, y: p if p < y else y, r"xent\.where"),
        (lambda p, y: math.exp(p), r"xent\.exp"),
        (lambda p, y: None, "returns nothing"),
        (lambda p, y: p if p else y, r"xent\.where"),
        (lambda p, y: "p", "computes with numbers"),
        (lambda p, y: p + "y", "unsupported operand"),
        (lambda p, y: xent.where(True, p, y), "comparison"),
        (lambda p, y: p == y, "equality"),
    ],
)
def test_mistakes_are_explained(function, message):
    with pytest.raises(TypeError, match=message):
        xent.pointwise(function)


def test_shared_parts_are_computed_once():
    def doubled(p, y):
        for _ in range(60):
            p = p + p
        return p

    loss = xent.pointwise(doubled)
    assert len(loss.steps) == 61
    assert loss([1.0], [0.0]) == 2.0**60
