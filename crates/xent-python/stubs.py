"""Writes the type stubs of the package, `python/xent/__init__.pyi`, from the catalogue.

`python stubs.py` writes them; `python stubs.py --check` fails if they are not up to date.
"""

import pathlib
import sys

import xent

FILE = pathlib.Path(__file__).parent / "python/xent/__init__.pyi"

HEAD = '''\
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
'''

CALLS = [
    ("__call__", "", "float", "_Array"),
    ("value_and_grad", "", "tuple[float, _Array]", "tuple[_Array, _Array]"),
    ("value_and_grad", "out: _Out, ", "tuple[float, _Out]", "tuple[_Array, _Out]"),
    (
        "value_grad_curvature",
        "out: tuple[_Array, _Array] | None = None,\n        curvature_floor: float | None = None,",
        "tuple[float, _Array, _Array]",
        "tuple[_Array, _Array, _Array]",
    ),
]

OPTIONS = '''\
        sample_weight: ArrayLike | None = None,
        class_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        ignore_index: int = -100,
        axis: int | None = None,
'''

TAIL = '''\
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
'''


def method(name, out, result, reduction):
    return f"""\
    @overload
    def {name}(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
{f"        {out.strip()}" + chr(10) if out else ""}\
        reduction: {reduction},
{OPTIONS}\
        when_empty: _WhenEmpty = "error",
        threads: int | None = None,
    ) -> {result}: ...
"""


def stubs():
    parts = [HEAD]
    for name, out, reduced, rows in CALLS:
        parts.append(method(name, out, reduced, '_Reduced = "mean"'))
        parts.append(method(name, out, rows, 'Literal["none"]'))
    parts.append(
        f"""\
    def sums(
        self,
        predictions: ArrayLike,
        targets: ArrayLike,
        *,
{OPTIONS}\
        threads: int | None = None,
    ) -> tuple[float, float]: ...
"""
    )
    for loss in xent.losses().values():
        parameters = loss().parameters
        arguments = "".join(f", {name}: float = {value}" for name, value in parameters.items())
        star = ", *" if parameters else ""
        lines = [f"class {loss.__name__}(Loss):", f'    """{loss.summary}"""', ""]
        lines.append(f"    def __new__(cls{star}{arguments}) -> {loss.__name__}: ...")
        for name in parameters:
            lines += ["    @property", f"    def {name}(self) -> float: ..."]
        parts.append("\n" + "\n".join(lines) + "\n")
    parts.append("\n" + TAIL)
    known = ("sqrt", "where", "minimum", "maximum")
    functions = (name for name in xent._FUNCTIONS if name not in known)
    parts.extend(f"def {name}(x: Any) -> Any: ...\n" for name in functions)
    return "".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        if FILE.read_text() != stubs():
            sys.exit(f"{FILE.name} is not up to date with the catalogue: run `cargo xtask stubs`")
    else:
        FILE.write_text(stubs())
