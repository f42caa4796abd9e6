"""The examples, and the snippets of the READMEs."""

import pathlib
import re
import runpy

import numpy as np
import pytest

PACKAGE = pathlib.Path(__file__).parents[1]


def example(name):
    return runpy.run_path(str(PACKAGE / "examples" / f"{name}.py"))["main"]()


def test_imbalanced():
    scores = {name: np.mean(values) for name, values in example("imbalanced").items()}
    assert scores["focal"] > scores["logloss"]
    assert scores["focal, Gauss-Newton"] > scores["logloss"] + 0.005


def test_custom_loss():
    slope, offset = example("custom_loss")
    assert abs(slope - 3) < 0.05
    assert abs(offset - 1) < 0.05


def test_pytorch():
    pytest.importorskip("torch")
    ours, theirs = example("pytorch")
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def snippets():
    for readme in (PACKAGE / "README.md", PACKAGE.parents[1] / "README.md"):
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", readme.read_text(), re.S)):
            yield pytest.param(code, id=f"{readme.parent.name}-{number}")


@pytest.mark.parametrize("code", list(snippets()))
def test_snippets(code):
    if "torch" in code:
        pytest.importorskip("torch")
    exec(code, {})
