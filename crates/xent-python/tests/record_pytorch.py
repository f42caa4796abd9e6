"""Records what PyTorch computes in float64, for the tests that do without it.

`python record_pytorch.py` writes pytorch.jsonl anew: for arguments of each module of
`xent.torch.nn`, what it asks of which loss, and value and gradient of the module of `torch.nn`.
"""

import json
import pathlib
from unittest import mock

import hypothesis
import torch
from hypothesis import strategies as st
from test_torch import MODULES, Case, run
from xent.torch import functional
from xent.torch import nn as xnn

FILE = pathlib.Path(__file__).with_name("pytorch.jsonl")
OPTIONS = "reduction", "class_weight", "sample_weight", "ignore_index", "axis", "scale"


def short(tensor):
    """The numbers in 64ths, which take few digits; labels as they are."""
    if tensor is None or not tensor.is_floating_point():
        return tensor
    return (tensor * 64).round() / 64


def plain(argument):
    return argument.tolist() if torch.is_tensor(argument) else argument


def asked(module, input, target):
    """The loss that a module asks for, and its options; None if it leaves all to PyTorch."""
    with mock.patch.object(functional, "evaluate", return_value=None) as evaluate:
        module(input, target)
    if not evaluate.called:
        return None
    loss, _, _, _, *given = evaluate.call_args.args
    given = dict(zip(OPTIONS, given)) | evaluate.call_args.kwargs
    given.pop("compat", None)
    return {"loss": loss} | {name: plain(value) for name, value in given.items()}


def records(name):
    found = []

    @hypothesis.settings(max_examples=12, derandomize=True, database=None, deadline=None)
    @hypothesis.given(st.data())
    def record(data):
        case = Case(name, data)
        hypothesis.assume(6 <= case.input.numel() <= 40)
        input, target = short(case.input), short(case.target)
        options = {
            option: short(value) if torch.is_tensor(value) else value
            for option, value in case.options.items()
        }
        question = asked(getattr(xnn, name)(**options), input, target)
        if question is None:
            return
        value, grad = run(getattr(torch.nn, name)(**options), input, target)
        answer = {"value": plain(value), "gradient": plain(grad)}
        found.append(question | {"input": plain(input), "target": plain(target)} | answer)

    record()
    return found[:5]


def main():
    lines = [json.dumps(record) for name in MODULES for record in records(name)]
    FILE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
