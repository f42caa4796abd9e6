"""A class for each loss of the catalogue."""

import inspect
import re
import textwrap

from ._xent import Loss, entries

_CALL = inspect.signature(
    lambda predictions, targets, *, reduction="mean", sample_weight=None, class_weight=None,
    mask=None, ignore_index=-100, axis=None, when_empty="error", threads=None: None
)

# Arguments that the loss can be called with, by what it takes.
_EXAMPLES = {
    "values": ("np.array([0.5, 0.25, 1.0])", "np.array([1.0, 0.0, 1.0])"),
    "sign": ("np.array([0.5, 0.25, 1.0])", "np.array([1.0, -1.0, 1.0])"),
    "probability": ("np.array([[0.5, 0.25, 0.25]])", "np.array([0])"),
    "log-probability": ("np.log([[0.5, 0.25, 0.25]])", "np.array([0])"),
    "logit": ("np.array([[2.0, 1.0, 0.1]])", "np.array([0])"),
    "real": ("np.array([[2.0, 1.0, 0.1]])", "np.array([0])"),
    "shares": "np.array([[0.5, 0.5, 0.0]])",
}

_FENCED = re.compile(r"```text\n(.*?)\n```", re.DOTALL)


class _Signature:
    """That of the class on the class, and that of a call on a loss."""

    def __init__(self, of_class):
        self.of_class = of_class

    def __get__(self, loss, owner=None):
        return self.of_class if loss is None else _CALL


def _example(name, entry):
    if entry["family"] == "pointwise":
        predictions, targets = _EXAMPLES["sign" if entry["targets"] == "sign" else "values"]
    else:
        predictions, targets = _EXAMPLES[entry["predictions"]]
        if entry["accepts"] == "values":
            targets = _EXAMPLES["shares"]
    return f"""\
>>> import numpy as np, xent
>>> loss = xent.{name}()
>>> value = loss({predictions}, {targets})
"""


def _page(name, entry):
    """The page of the catalogue, as Python documents its classes."""
    parts = [entry["summary"], _section("Formula", textwrap.indent(entry["formula"], "    "))]
    if entry["parameters"]:
        lines = (
            f"{parameter['name']} : float, default {parameter['default']}, in {parameter['range']}\n"
            + textwrap.fill(
                parameter["documentation"], 79, initial_indent="    ", subsequent_indent="    "
            )
            for parameter in entry["parameters"]
        )
        parts.append(_section("Parameters", "\n".join(lines)))
    for heading, text in entry["sections"]:
        text = re.sub(r"\[`(\w+)`\]\(crate::\w+\)", r"`xent.\1`", text)
        text = _FENCED.sub(lambda block: textwrap.indent(block[1], "    "), text)
        parts.append(_section(heading, _example(name, entry) if heading == "Example" else text))
    if entry["aliases"]:
        parts.append(_section("Other names", ", ".join(entry["aliases"])))
    return "\n\n".join(parts) + "\n"


def _section(heading, text):
    return f"{heading}\n{'-' * len(heading)}\n{text.rstrip()}"


def _parameter(name, documentation):
    return property(lambda loss: loss.parameters[name], doc=documentation)


def _class(entry):
    name = "".join(word.capitalize() for word in entry["name"].split("_"))
    parameters = [
        inspect.Parameter(
            parameter["name"],
            inspect.Parameter.KEYWORD_ONLY,
            default=parameter["default"],
            annotation=float,
        )
        for parameter in entry["parameters"]
    ]
    members = {
        "__module__": "xent",
        "__doc__": _page(name, entry),
        "__slots__": (),
        "__signature__": _Signature(inspect.Signature(parameters)),
        "name": entry["name"],
        "aliases": tuple(entry["aliases"]),
        "tags": tuple(entry["tags"]),
        "summary": entry["summary"],
        "formula": entry["formula"],
    }
    for parameter in entry["parameters"]:
        members[parameter["name"]] = _parameter(parameter["name"], parameter["documentation"])
    return type(name, (Loss,), members)


CLASSES = {entry["name"]: _class(entry) for entry in entries()}


def losses():
    """The catalogue: the class of every loss by its name.

    >>> import xent
    >>> [name for name, loss in xent.losses().items() if "robust" in loss.tags][:2]
    ['mean_absolute_error', 'huber']
    """
    return dict(CLASSES)


def loss(text, /, **parameters):
    """The loss with this name, or in this text form; parameters by name go before those in it.

    >>> import xent
    >>> xent.loss("huber", delta=1.5)
    xent.Huber(delta=1.5)
    >>> xent.loss("focal:gamma=3")
    xent.SigmoidFocal(gamma=3.0, alpha=0.25)
    >>> xent.loss("mse + 0.1*mae")
    xent.Loss('mean_squared_error+0.1*mean_absolute_error')
    """
    found = Loss(text)
    if not found.catalogued:
        if parameters:
            raise TypeError("the parameters of a sum of losses go into its text")
        return found
    return CLASSES[found.name](**(found.parameters | parameters))
