"""Losses against what PyTorch computed in float64: recorded, for where PyTorch is not."""

import json
import pathlib

import numpy as np
import pytest
import xent

LINES = pathlib.Path(__file__).with_name("pytorch.jsonl").read_text().splitlines()


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["loss"])
def test_results_are_those_of_pytorch(line):
    record = json.loads(line)
    answers = record.pop("value"), record.pop("gradient")
    scale = record.pop("scale", 1.0)
    loss, arguments = xent.loss(record.pop("loss")), (record.pop("input"), record.pop("target"))
    value, gradient = loss.value_and_grad(*arguments, **record)
    # What PyTorch computes in float64 is itself off by some units.
    for actual, expected in zip((value, gradient), answers):
        np.testing.assert_allclose(np.multiply(actual, scale), expected, rtol=1e-13, atol=1e-14)


def test_there_are_records_of_many_losses():
    assert len({json.loads(line)["loss"].split(":")[0] for line in LINES}) >= 10
