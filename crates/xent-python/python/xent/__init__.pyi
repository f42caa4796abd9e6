# Written by `cargo xtask stubs` from the catalogue; do not edit.

from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar, overload

from numpy.typing import ArrayLike, NDArray

from . import errors as errors
from .errors import *

__version__: str

_Reduced = Literal["mean", "sum"]
_WhenEmpty = Literal["error", "zero"]
_Array = NDArray[Any]
_Out = TypeVar("_Out", bound=_Array)

class Loss:
    """A loss function: what all losses have in common."""

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]]
    tags: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    formula: ClassVar[str]

    def __new__(cls, text: str, /) -> Loss: ...
    @property
    def parameters(self) -> dict[str, float]: ...
    @property
    def catalogued(self) -> bool: ...
    @property
    def family(self) -> Literal["pointwise", "classwise"]: ...
    @property
    def prediction_domain(self) -> str: ...
    @property
    def target_domain(self) -> str: ...
    def __hash__(self) -> int: ...
    @overload
    def __call__(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        reduction: _Reduced = "mean",
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> float: ...
    @overload
    def __call__(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        reduction: Literal["none"],
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> _Array: ...
    @overload
    def value_and_grad(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        reduction: _Reduced = "mean",
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> tuple[float, _Array]: ...
    @overload
    def value_and_grad(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        reduction: Literal["none"],
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> tuple[_Array, _Array]: ...
    @overload
    def value_and_grad(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        out: _Out,
        reduction: _Reduced = "mean",
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> tuple[float, _Out]: ...
    @overload
    def value_and_grad(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        out: _Out,
        reduction: Literal["none"],
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> tuple[_Array, _Out]: ...
    @overload
    def value_grad_curvature(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        out: tuple[_Array, _Array] | None = None,
        curvature_floor: float | None = None,
        reduction: _Reduced = "mean",
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> tuple[float, _Array, _Array]: ...
    @overload
    def value_grad_curvature(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        out: tuple[_Array, _Array] | None = None,
        curvature_floor: float | None = None,
        reduction: Literal["none"],
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> tuple[_Array, _Array, _Array]: ...
    def sums(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
        threads: int | None = None,
    ) -> tuple[float, float]: ...

class MeanSquaredError(Loss):
    """Mean squared error: the square of the residual."""

    def __new__(cls) -> MeanSquaredError: ...

class MeanAbsoluteError(Loss):
    """Mean absolute error: the size of the residual."""

    def __new__(cls) -> MeanAbsoluteError: ...

class Huber(Loss):
    """Huber loss: quadratic for small residuals, linear for large ones."""

    def __new__(cls, *, delta: float = 1.0) -> Huber: ...
    @property
    def delta(self) -> float: ...

class SmoothL1(Loss):
    """Smooth L1 loss: the absolute error with its corner rounded off."""

    def __new__(cls, *, beta: float = 1.0) -> SmoothL1: ...
    @property
    def beta(self) -> float: ...

class LogCosh(Loss):
    """Log-cosh loss: half the square for small residuals, the absolute value less log 2 for large ones, smooth in between."""

    def __new__(cls) -> LogCosh: ...

class Quantile(Loss):
    """Quantile loss (pinball loss): an absolute error that is steeper on one side."""

    def __new__(cls, *, quantile: float = 0.5) -> Quantile: ...
    @property
    def quantile(self) -> float: ...

class CrossEntropy(Loss):
    """Cross-entropy of logits: minus the log-probability that the softmax gives to the target."""

    def __new__(cls, *, label_smoothing: float = 0.0) -> CrossEntropy: ...
    @property
    def label_smoothing(self) -> float: ...

class CrossEntropyProbabilities(Loss):
    """Cross-entropy of probabilities: minus the logarithm of the probability of the target."""

    def __new__(cls) -> CrossEntropyProbabilities: ...

class NegativeLogLikelihood(Loss):
    """Negative log-likelihood: minus the log-probability of the target, as the model gives it."""

    def __new__(cls) -> NegativeLogLikelihood: ...

class KlDivergence(Loss):
    """Kullback-Leibler divergence of predicted log-probabilities from a target distribution."""

    def __new__(cls) -> KlDivergence: ...

class SoftmaxFocal(Loss):
    """Focal loss of several classes: cross-entropy that fades as the target gets likely."""

    def __new__(cls, *, gamma: float = 2.0, alpha: float = 1.0) -> SoftmaxFocal: ...
    @property
    def gamma(self) -> float: ...
    @property
    def alpha(self) -> float: ...

class MseSoftmax(Loss):
    """Mean squared error of the softmax: the mean over the classes of the squared difference between probability and target."""

    def __new__(cls) -> MseSoftmax: ...

class Dice(Loss):
    """Dice loss of each row: for each class, 1 − its soft Dice coefficient, the overlap of probability and target."""

    def __new__(cls, *, smooth: float = 1.0) -> Dice: ...
    @property
    def smooth(self) -> float: ...

class MultiMargin(Loss):
    """Multi-margin loss: a hinge for each class that comes too close to the target's."""

    def __new__(cls, *, p: float = 1.0, margin: float = 1.0) -> MultiMargin: ...
    @property
    def p(self) -> float: ...
    @property
    def margin(self) -> float: ...

class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of probabilities: minus the log-probability of a yes or a no."""

    def __new__(cls) -> BinaryCrossEntropy: ...

class BinaryCrossEntropyWithLogits(Loss):
    """Binary cross-entropy of logits: minus the log-probability that the sigmoid gives to a yes or a no."""

    def __new__(cls, *, pos_weight: float = 1.0) -> BinaryCrossEntropyWithLogits: ...
    @property
    def pos_weight(self) -> float: ...

class SigmoidFocal(Loss):
    """Focal loss of yes-or-no logits: binary cross-entropy that fades as the answer gets likely."""

    def __new__(cls, *, gamma: float = 2.0, alpha: float = 0.25) -> SigmoidFocal: ...
    @property
    def gamma(self) -> float: ...
    @property
    def alpha(self) -> float: ...

class MseSigmoid(Loss):
    """Mean squared error of the sigmoid: the squared difference between probability and target, which is the Brier score."""

    def __new__(cls) -> MseSigmoid: ...

class Hinge(Loss):
    """Hinge loss: how far a score falls short of the margin on its side."""

    def __new__(cls) -> Hinge: ...

class SquaredHinge(Loss):
    """Squared hinge loss: the square of what a score lacks to the margin on its side."""

    def __new__(cls) -> SquaredHinge: ...

class PointwiseLoss(Loss):
    """A custom loss, made by ``xent.pointwise``."""

    steps: tuple[tuple[Any, ...], ...]
    def __new__(
        cls, name: str, steps: list[tuple[Any, ...]], documentation: str | None = None
    ) -> PointwiseLoss: ...

class Worst:
    error: float
    index: tuple[int, ...]
    given: float
    expected: float

class Report:
    gradient: Worst | None
    hessian: Worst | None
    tolerance: float
    def __bool__(self) -> bool: ...

def check(
    function: Callable[..., Any],
    predictions: Any = None,
    targets: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> Report: ...
def loss(text: str, /, **parameters: float) -> Loss: ...
def losses() -> dict[str, type[Loss]]: ...
def pointwise(function: Callable[..., Any]) -> PointwiseLoss: ...
def where(condition: Any, x: Any, y: Any) -> Any: ...
def minimum(x: Any, y: Any) -> Any: ...
def maximum(x: Any, y: Any) -> Any: ...
def sqrt(x: Any) -> Any: ...
def negative(x: Any) -> Any: ...
def exp(x: Any) -> Any: ...
def expm1(x: Any) -> Any: ...
def log(x: Any) -> Any: ...
def log1p(x: Any) -> Any: ...
def abs(x: Any) -> Any: ...
def sign(x: Any) -> Any: ...
def relu(x: Any) -> Any: ...
def square(x: Any) -> Any: ...
def sigmoid(x: Any) -> Any: ...
def softplus(x: Any) -> Any: ...
def tanh(x: Any) -> Any: ...
def log_cosh(x: Any) -> Any: ...
