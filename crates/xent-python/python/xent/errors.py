"""What can be wrong with a call: a class for each kind, all of them subclasses of ``Error``.

Each is also a ``ValueError``, ``TypeError`` or ``IndexError``, as NumPy would raise it.
"""

import re

__all__ = [
    "EmptyError",
    "Error",
    "LabelError",
    "LossSyntaxError",
    "ParameterError",
    "RangeError",
    "ReductionError",
    "ShapeError",
    "TargetKindError",
    "UnknownLossError",
    "UnknownParameterError",
    "UnsupportedError",
]


class Error(Exception):
    """Something is wrong with a call; the message names the argument and the fix."""


class ShapeError(Error, ValueError):
    """Two arguments whose shapes do not fit together."""


class RangeError(Error, ValueError):
    """An entry outside the range of its argument, such as a probability of 2."""


class LabelError(Error, IndexError):
    """A class index that is not one of the classes."""


class ParameterError(Error, ValueError):
    """A parameter of a loss outside its range."""


class TargetKindError(Error, TypeError):
    """Numbers where the loss needs class indices."""


class EmptyError(Error, ValueError):
    """No row counts, so there is no mean."""


class ReductionError(Error, ValueError):
    """A reduction that there is not."""


class UnsupportedError(Error, ValueError):
    """An option that does not go with the loss or with the other arguments."""


class UnknownLossError(Error, ValueError):
    """A name that is not in the catalogue."""


class UnknownParameterError(Error, TypeError):
    """A parameter that the loss does not have."""


class LossSyntaxError(Error, ValueError):
    """A text form of a loss that cannot be read."""


# What the core advises for a label that is no class index.
_SKIPPING = "; mark rows to skip with ignore_index or a mask"


def renamed(error, names, skipping=""):
    """The error with ``names`` for the arguments that it is about, and with ``skipping`` as the
    advice for rows that do not count: as the caller knows them."""
    text = str(error).replace(_SKIPPING, skipping)
    text = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), text)
    return type(error)(text)
