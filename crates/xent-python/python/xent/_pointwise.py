"""Custom losses: a Python function, run once to see what it computes."""

import functools
import inspect
import numbers

from ._xent import Expression, functions


class Number:
    """A number that depends on the prediction and the target, while a function is traced."""

    __slots__ = ("arguments", "operation")
    # NumPy scalars and arrays leave the operators to this class.
    __array_ufunc__ = None

    def __init__(self, operation, *arguments):
        self.operation, self.arguments = operation, arguments

    def __add__(self, other):
        return _apply("add", self, other)

    def __radd__(self, other):
        return _apply("add", other, self)

    def __sub__(self, other):
        return _apply("subtract", self, other)

    def __rsub__(self, other):
        return _apply("subtract", other, self)

    def __mul__(self, other):
        return _apply("multiply", self, other)

    def __rmul__(self, other):
        return _apply("multiply", other, self)

    def __truediv__(self, other):
        return _apply("divide", self, other)

    def __rtruediv__(self, other):
        return _apply("divide", other, self)

    def __neg__(self):
        return Number("negative", self)

    def __pos__(self):
        return self

    def __abs__(self):
        return Number("abs", self)

    def __pow__(self, exponent):
        if isinstance(exponent, Number):
            return Number("exp", Number("log", self) * exponent)
        if not isinstance(exponent, numbers.Real):
            return NotImplemented
        # A power of a whole number has a sign, and few multiplications.
        if exponent == int(exponent) and abs(exponent) <= 64:
            power = _whole_power(self, abs(int(exponent)))
            return 1.0 / power if exponent < 0 else power
        return Number("power", self, float(exponent))

    def __rpow__(self, base):
        return Number("exp", self * Number("log", _number(base)))

    def __lt__(self, other):
        return Condition(self, _number(other), strict=True)

    def __gt__(self, other):
        return Condition(_number(other), self, strict=True)

    def __le__(self, other):
        return Condition(_number(other), self, strict=False)

    def __ge__(self, other):
        return Condition(self, _number(other), strict=False)

    def __eq__(self, other):
        raise TypeError("a traced number cannot be tested for equality; compare with < or >")

    __hash__ = object.__hash__

    def __bool__(self):
        raise TypeError("a traced number is neither true nor false; choose with xent.where")

    def __float__(self):
        raise TypeError(
            "a traced number has no value yet; use the functions of xent, such as xent.exp, "
            "in place of those of math and NumPy"
        )


class Condition:
    """A comparison of traced numbers: ``low < high``, or its opposite if not strict."""

    __slots__ = ("high", "low", "strict")

    def __init__(self, low, high, strict):
        self.low, self.high, self.strict = low, high, strict

    def __invert__(self):
        return Condition(self.low, self.high, not self.strict)

    def __bool__(self):
        raise TypeError(
            "a comparison of traced numbers is neither true nor false; choose with "
            "xent.where(condition, x, y) in place of if, and, or"
        )


def _number(value):
    if isinstance(value, Number):
        return value
    if isinstance(value, numbers.Real):
        return Number("constant", float(value))
    raise TypeError(f"a custom loss computes with numbers, not with {value!r}")


def _apply(operation, *arguments):
    if not all(isinstance(argument, (Number, numbers.Real)) for argument in arguments):
        return NotImplemented
    return Number(operation, *map(_number, arguments))


def _whole_power(base, exponent):
    if exponent == 0:
        return Number("constant", 1.0)
    half = _whole_power(base, exponent // 2)
    square = half if exponent == 1 else Number("square", half)
    return square if exponent % 2 == 0 else base if exponent == 1 else square * base


def _function(name, documentation):
    def function(x):
        return Number(name, _number(x))

    function.__name__ = function.__qualname__ = name
    function.__module__ = "xent"
    function.__doc__ = documentation + " For use in a custom loss."
    return function


FUNCTIONS = {name: _function(name, documentation) for name, documentation in functions()}


def sqrt(x):
    """The square root; NaN below 0. For use in a custom loss."""
    return Number("power", _number(x), 0.5)


def where(condition, x, y):
    """``x`` where the condition holds, else ``y``. For use in a custom loss."""
    if not isinstance(condition, Condition):
        raise TypeError(f"where needs a comparison such as p < y, not {condition!r}")
    x, y = _number(x), _number(y)
    x, y = (x, y) if condition.strict else (y, x)
    return Number("if_less", condition.low, condition.high, x, y)


def minimum(x, y):
    """The smaller of two numbers. For use in a custom loss."""
    return where(_number(x) < y, x, y)


def maximum(x, y):
    """The larger of two numbers. For use in a custom loss."""
    return where(_number(x) < y, y, x)


def _steps(loss):
    """The operations that lead to ``loss``, each with the numbers of those before it."""
    steps, places, waiting = [], {}, [loss]
    while waiting:
        number = waiting[-1]
        needed = [argument for argument in number.arguments if isinstance(argument, Number)]
        missing = [argument for argument in needed if id(argument) not in places]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if id(number) not in places:
            places[id(number)] = len(steps)
            arguments = (
                places[id(argument)] if isinstance(argument, Number) else argument
                for argument in number.arguments
            )
            steps.append((number.operation, *arguments))
    return steps


class PointwiseLoss(Expression):
    """A custom loss, made by ``xent.pointwise``."""

    def __new__(cls, name, steps, documentation=None):
        loss = super().__new__(cls, name, steps)
        loss.steps, loss.__doc__ = tuple(steps), documentation
        return loss

    def __reduce__(self):
        return type(self), (self.name, list(self.steps), self.__doc__)

    def __repr__(self):
        return f"<xent.pointwise {self.name}>"


def pointwise(function):
    """Makes a loss of a function of a prediction and a target, both numbers.

    The function runs once, on numbers that record what is computed; the loss then computes the
    same for whole arrays, as fast as a loss of the catalogue, and its gradient and curvature are
    exact. Use operators, and the functions of this module: ``xent.exp``, ``xent.log1p``,
    ``xent.where`` and so on. More arguments of the function need defaults, which are used;
    ``functools.partial`` sets others.

    >>> import xent
    >>> @xent.pointwise
    ... def logistic(p, y):
    ...     return xent.log1p(xent.exp(-p * y))
    >>> logistic.value_and_grad([0.0], [1.0])
    (0.6931471805599453, array([-0.5]))
    """
    name = getattr(function, "__name__", None) or getattr(
        getattr(function, "func", None), "__name__", "pointwise"
    )
    result = function(Number("prediction"), Number("target"))
    if result is None:
        raise TypeError(f"{name} returns nothing; it has to return the loss")
    loss = PointwiseLoss(name, _steps(_number(result)), inspect.getdoc(function))
    functools.update_wrapper(loss, function, assigned=("__module__", "__qualname__"), updated=())
    return loss
