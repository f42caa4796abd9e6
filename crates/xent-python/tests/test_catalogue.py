"""The classes made from the catalogue."""

import copy
import doctest
import inspect
import pathlib
import pickle
import subprocess
import sys

import pytest
import xent


def test_every_loss_has_a_class(loss_class):
    assert getattr(xent, loss_class.__name__) is loss_class
    assert loss_class.__name__ in xent.__all__
    for name in (loss_class.name, *loss_class.aliases):
        assert xent.loss(name) == loss_class()


def test_signature_is_that_of_the_parameters(loss_class):
    signature = inspect.signature(loss_class)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    assert defaults == loss_class().parameters
    assert all(getattr(loss_class(), name) == value for name, value in defaults.items())
    assert "reduction" in inspect.signature(loss_class()).parameters


def test_page(loss_class):
    page = inspect.getdoc(loss_class)
    assert page.startswith(loss_class.summary)
    for part in ("Formula\n-------", "When to use", "Pitfalls", "Reference", loss_class.formula[:20]):
        assert part in page
    for name in loss_class().parameters:
        assert f"\n{name} : float, default" in page
    assert "::" not in page.replace("doi:", "")
    assert "```" not in page


def test_examples_of_pages_run(loss_class):
    examples = doctest.DocTestFinder(recurse=False).find(loss_class, loss_class.__name__)
    assert examples[0].examples
    assert all(doctest.DocTestRunner().run(example).failed == 0 for example in examples)


def test_help_of_the_package_runs():
    import xent._catalogue
    import xent._pointwise

    for module in (xent, xent._catalogue, xent._pointwise):
        results = doctest.testmod(module)
        assert results.attempted > 0
        assert results.failed == 0


def test_losses_survive_pickling_and_printing(loss_class):
    losses = [loss_class()]
    if losses[0].parameters:
        name, value = next(iter(losses[0].parameters.items()))
        for other in (value / 3, value / 7 + 0.5, 2.0, 0.5):
            try:
                losses.append(loss_class(**{name: other}))
            except xent.ParameterError:
                continue
    for loss in losses:
        for same in (
            pickle.loads(pickle.dumps(loss)),
            copy.deepcopy(loss),
            eval(repr(loss)),
            xent.loss(str(loss)),
        ):
            assert type(same) is loss_class
            assert same == loss
            assert hash(same) == hash(loss)
    assert len(set(losses)) == len({str(loss) for loss in losses})
    assert losses[0] != xent.Loss("mse+mae")


def test_sums_of_losses():
    total = xent.loss("mse + 0.5*mae")
    assert type(total) is xent.Loss
    assert total([2.0], [0.0]) == 5
    assert pickle.loads(pickle.dumps(total)) == total == eval(repr(total))
    with pytest.raises(TypeError, match="text"):
        xent.loss("mse+mae", delta=1)


def test_parameters_by_name_win_over_the_text():
    assert xent.loss("huber:delta=2", delta=1.5) == xent.Huber(delta=1.5)


def test_subclasses_stay_what_they_are():
    loss = Named(delta=2)
    assert type(pickle.loads(pickle.dumps(loss))) is Named
    assert loss != xent.Huber(delta=2)


class Named(xent.Huber):
    pass


def test_free_threading_is_declared():
    check = "import sys, xent; sys.exit(getattr(sys, '_is_gil_enabled', lambda: False)())"
    free = sys.version_info >= (3, 13) and not sys._is_gil_enabled()
    assert not free or subprocess.run([sys.executable, "-W", "error", "-c", check]).returncode == 0


def test_stubs_are_those_of_the_catalogue():
    script = pathlib.Path(__file__).parents[1] / "stubs.py"
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_stubs_are_read_by_type_checkers(tmp_path):
    (tmp_path / "uses.py").write_text(
        "import numpy as np, xent\n"
        "value: float = xent.Huber(delta=1.5)(np.zeros(3), np.zeros(3))\n"
        "text: str = xent.CrossEntropy()(np.zeros((2, 3)), [0, 1], reduction='none')\n"
        "xent.Huber(beta=1)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "uses.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    wrong = [line.split(":")[1] for line in result.stdout.splitlines() if ": error:" in line]
    assert wrong == ["3", "4"], result.stdout
