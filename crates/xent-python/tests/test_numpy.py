"""Calls of losses on NumPy arrays."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import ml_dtypes
import numpy as np
import pytest
import xent
from conftest import Case
from hypothesis import given
from hypothesis import strategies as st
from xent import errors

TYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


def test_methods_agree(case):
    loss, predictions, targets = case.loss, case.predictions, case.targets
    value = loss(predictions, targets)
    assert isinstance(value, float)
    values = loss(predictions, targets, reduction="none")
    assert values.shape == (predictions.shape[:1] if case.classwise else predictions.shape)
    total, weight = loss.sums(predictions, targets)
    assert weight == values.size
    np.testing.assert_allclose([values.mean(), total / weight], value, rtol=1e-14)
    np.testing.assert_allclose(loss(predictions, targets, reduction="sum"), total, rtol=1e-14)

    same, grad = loss.value_and_grad(predictions, targets)
    third, same_grad, curvature = loss.value_grad_curvature(predictions, targets)
    assert value == same == third
    np.testing.assert_array_equal(grad, same_grad)
    assert grad.shape == curvature.shape == predictions.shape
    by_row, unreduced = loss.value_and_grad(predictions, targets, reduction="none")
    np.testing.assert_array_equal(by_row, values)
    np.testing.assert_allclose(unreduced / values.size, grad, rtol=1e-14)


@pytest.mark.parametrize("dtype", TYPES)
def test_types(loss_class, dtype):
    case = Case(loss_class(), dtype)
    value, grad = case.loss.value_and_grad(case.predictions, case.targets)
    assert grad.dtype == dtype
    values = case.loss(case.predictions, case.targets, reduction="none")
    assert values.dtype == dtype
    exact = case.predictions.astype(np.float64)
    targets = case.targets
    targets = targets if targets.dtype.kind == "i" else targets.astype(np.float64)
    expected, gradient = case.loss.value_and_grad(exact, targets)
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(grad, gradient.astype(dtype))


def layouts(array):
    """The same numbers, laid out in other ways."""
    wide = np.zeros([2 * length for length in array.shape], array.dtype)
    apart = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    apart[...] = array
    records = np.zeros(array.shape, np.dtype([("byte", "i1"), ("entry", array.dtype)]))
    records["entry"] = array
    backwards = np.ascontiguousarray(array[::-1])[::-1]
    swapped = array.astype(array.dtype.newbyteorder())
    return [np.asfortranarray(array), apart, records["entry"], backwards, swapped]


def test_strides_change_no_bit(case):
    expected = case.loss.value_and_grad(case.predictions, case.targets)
    for predictions in layouts(case.predictions):
        for targets in [case.targets, *layouts(case.targets)]:
            value, grad = case.loss.value_and_grad(predictions, targets)
            assert value == expected[0]
            np.testing.assert_array_equal(grad, expected[1])


def test_any_axis_in_any_order():
    random = np.random.default_rng(1)
    logits = random.normal(size=(2, 3, 4, 5))
    labels = random.integers(0, 3, size=(2, 4, 5))
    shares = random.dirichlet(np.ones(3), size=(2, 4, 5)).transpose(0, 3, 1, 2)
    loss = xent.CrossEntropy(label_smoothing=0.1)
    for targets in (labels, shares):
        expected = loss.value_and_grad(logits, targets, axis=1)
        for order in ((0, 2, 3, 1), (1, 0, 2, 3), (3, 2, 1, 0)):
            stored = np.ascontiguousarray(logits.transpose(order))
            seen = stored.transpose(np.argsort(order))
            for out in (None, np.empty_like(seen), np.empty_like(logits), seen.copy(order="K")):
                value, grad = loss.value_and_grad(seen, targets, axis=-3, out=out)
                assert value == expected[0]
                np.testing.assert_array_equal(grad, expected[1])
                assert out is None or grad is out


def test_in_place(case):
    value, expected = case.loss.value_and_grad(case.predictions, case.targets)
    for predictions in [case.predictions.copy(), *layouts(case.predictions)[:2]]:
        same, grad = case.loss.value_and_grad(predictions, case.targets, out=predictions)
        assert same == value
        assert grad is predictions
        np.testing.assert_array_equal(predictions, expected)
    predictions = case.predictions.copy()
    by_row = case.loss.value_and_grad(case.predictions, case.targets, reduction="none")
    case.loss.value_and_grad(predictions, case.targets, reduction="none", out=predictions)
    np.testing.assert_array_equal(predictions, by_row[1])


def test_contiguous_arrays_are_not_copied():
    """What is computed in place over a view is seen in the array that it is a view of."""
    memory = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    view = memory.transpose(0, 2, 1)
    labels = np.zeros((2, 4), int)
    expected = xent.CrossEntropy().value_and_grad(view.copy(), labels)[1]
    grad = xent.CrossEntropy().value_and_grad(view, labels)[1]
    assert grad.strides == view.strides
    xent.CrossEntropy().value_and_grad(view, labels, out=view)
    np.testing.assert_array_equal(memory, expected.transpose(0, 2, 1))


def test_masked_rows_are_as_good_as_absent(case):
    predictions, targets = case.predictions.copy(), case.targets
    keep = np.array([True, False, True, True, False, True])
    predictions[~keep] = np.nan
    mask = keep if case.classwise else np.repeat(keep[:, None], predictions.shape[1], axis=1)
    value, grad = case.loss.value_and_grad(predictions, targets, mask=mask)
    expected, part = case.loss.value_and_grad(predictions[keep], targets[keep])
    assert value == pytest.approx(expected, rel=1e-15)
    np.testing.assert_allclose(grad[keep], part, rtol=1e-14)
    assert not grad[~keep].any()


def test_sample_weight(case):
    arguments = case.predictions, case.targets
    values = case.loss(*arguments, reduction="none")
    weighted = case.loss(*arguments, sample_weight=case.weights)
    assert weighted == pytest.approx(np.average(values, weights=case.weights), rel=1e-13)
    of_samples = np.arange(1.0, 7.0)
    everywhere = of_samples if case.classwise else np.repeat(of_samples[:, None], 5, axis=1)
    assert case.loss(*arguments, sample_weight=of_samples) == case.loss(
        *arguments, sample_weight=everywhere
    )


def test_class_weight_and_ignore_index():
    logits = np.random.default_rng(2).normal(size=(4, 3))
    labels = np.array([0, 2, 7, 1])
    weight = np.array([1.0, 2.0, 3.0])
    loss = xent.CrossEntropy()
    values = loss(logits, labels, reduction="none", ignore_index=7)
    assert values[2] == 0
    value = loss(logits, labels, class_weight=weight, ignore_index=7)
    assert value == pytest.approx((values[0] + 3 * values[1] + 2 * values[3]) / 6, rel=1e-15)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_labels_of_any_integer_type(dtype):
    logits = np.random.default_rng(3).normal(size=(3, 2))
    labels = np.array([1, 0, 1])
    expected = xent.CrossEntropy()(logits, labels)
    assert xent.CrossEntropy()(logits, labels.astype(dtype)) == expected
    assert xent.CrossEntropy()(logits, [1, 0, 1]) == expected


def test_lists_integers_and_scalars():
    assert xent.MeanSquaredError()([1, 2, 4], [0, 0, 1]) == 14 / 3
    assert xent.MeanSquaredError()(3.0, 1.0) == 4
    assert xent.MeanSquaredError()(np.ones((3, 1)), np.zeros(3)) == 1


@given(st.integers(1, 4), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_threads_change_no_bit(threads, classes, seed):
    random = np.random.default_rng(seed)
    logits = random.normal(size=(70000 // classes, classes)).astype(np.float32)
    labels = random.integers(0, classes, size=len(logits))
    expected = xent.CrossEntropy().value_and_grad(logits, labels)
    value, grad = xent.CrossEntropy().value_and_grad(logits, labels, threads=threads)
    assert value == expected[0]
    np.testing.assert_array_equal(grad, expected[1])


def test_sums_merge():
    random = np.random.default_rng(4)
    logits, labels = random.normal(size=(10, 3)), random.integers(0, 3, size=10)
    parts = [xent.CrossEntropy().sums(logits[i::2], labels[i::2]) for i in (0, 1)]
    total, weight = np.sum(parts, axis=0)
    assert total / weight == pytest.approx(xent.CrossEntropy()(logits, labels), rel=1e-15)


LOGITS, LABELS = np.zeros((2, 3)), np.array([0, 1])
CE, MSE = xent.CrossEntropy(), xent.MeanSquaredError()


@pytest.mark.parametrize(
    ("call", "error", "builtin", "message"),
    [
        (
            lambda: CE(LOGITS, [0, 3]),
            errors.LabelError,
            IndexError,
            "targets[1] is 3: class indices must be in 0..3; "
            "mark rows to skip with ignore_index or a mask",
        ),
        (
            lambda: CE(LOGITS, [0]),
            errors.ShapeError,
            ValueError,
            "targets: expected 2 (one class index per row), got 1",
        ),
        (
            lambda: MSE(np.zeros((2, 3)), np.zeros((3, 2))),
            errors.ShapeError,
            ValueError,
            "targets: expected the shape [2, 3], got the shape [3, 2]",
        ),
        (
            lambda: xent.BinaryCrossEntropy()([1.5], [1]),
            errors.RangeError,
            ValueError,
            "predictions[0] is 1.5: predictions must be in [0, 1]; "
            "for logits, use the loss that takes logits",
        ),
        (
            lambda: xent.Huber(delta=-1),
            errors.ParameterError,
            ValueError,
            "huber: delta is -1, but must be in (0, ∞)",
        ),
        (
            lambda: xent.Huber(beta=1),
            errors.UnknownParameterError,
            TypeError,
            "huber has no parameter 'beta'; it has delta",
        ),
        (
            lambda: xent.loss("hubr"),
            errors.UnknownLossError,
            ValueError,
            "unknown loss 'hubr'; did you mean 'huber'?",
        ),
        (
            lambda: xent.MultiMargin()(LOGITS, LOGITS),
            errors.TargetKindError,
            TypeError,
            "targets: multi_margin needs an integer class index for each row, got numbers",
        ),
        (
            lambda: CE(LOGITS, LABELS, mask=[False, False]),
            errors.EmptyError,
            ValueError,
            "no rows left: all 2 are masked, ignored or of weight zero, so the mean is "
            "undefined; set when_empty to zero for a mean of 0",
        ),
        (
            lambda: CE(LOGITS, LABELS, reduction="average"),
            errors.ReductionError,
            ValueError,
            "reduction: 'average' is none of 'mean', 'sum' and 'none'",
        ),
        (
            lambda: MSE([1.0], [1.0], class_weight=[1.0]),
            errors.UnsupportedError,
            ValueError,
            "class_weight: mean_squared_error has no classes; use sample_weight, one per element",
        ),
        (
            lambda: CE(LOGITS, LABELS, sample_weight=[1, -1]),
            errors.RangeError,
            ValueError,
            "sample_weight[1] is -1: sample_weight must be finite and not negative",
        ),
        (
            lambda: CE(LOGITS, LABELS, class_weight=[1, 1]),
            errors.ShapeError,
            ValueError,
            "class_weight: expected 3 (one per class), got 2",
        ),
        (
            lambda: CE(LOGITS, LABELS, threads=0),
            errors.UnsupportedError,
            ValueError,
            "threads: 0 is no number of threads; give 1 or more",
        ),
        (
            lambda: xent.loss("huber:delta"),
            errors.LossSyntaxError,
            ValueError,
            "cannot read the loss 'huber:delta': 'delta' has no '='; "
            "write name:key=value,key=value",
        ),
    ],
)
def test_errors(call, error, builtin, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
    assert type(caught.value) is error
    assert issubclass(error, builtin)
    assert issubclass(error, errors.Error)


@pytest.mark.parametrize(
    "call",
    [
        lambda: CE(LOGITS, LABELS, weights=[1, 1]),
        lambda: CE.sums(LOGITS, LABELS, reduction="mean"),
        lambda: CE(LOGITS, LABELS, out=LOGITS),
        lambda: CE.value_and_grad(LOGITS, LABELS, out=np.zeros((2, 3), np.float32)),
        lambda: CE(LOGITS.astype(complex), LABELS),
        lambda: CE(np.array(["a"]), LABELS),
        lambda: xent.Huber(1.5),
        lambda: xent.Huber(delta="wide"),
        lambda: xent.Loss(),
    ],
)
def test_misuse_is_a_type_error(call):
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize("order", ["C", "F"])
def test_derivatives_go_where_they_are_wanted(order):
    predictions = np.asarray(LOGITS, order=order)
    out = np.empty_like(predictions), np.empty_like(predictions)
    expected = CE.value_grad_curvature(predictions, LABELS)
    value, grad, curvature = CE.value_grad_curvature(predictions, LABELS, out=out)
    assert grad is out[0] and curvature is out[1]
    assert value == expected[0]
    np.testing.assert_array_equal(out, expected[1:])
    with pytest.raises(TypeError, match="two arrays"):
        CE.value_grad_curvature(predictions, LABELS, out=out[0])


def test_a_floored_curvature(case):
    """That of the loss where it is above the floor, and the weight times the floor elsewhere."""
    arguments = case.predictions, case.targets
    options = {"reduction": "sum", "sample_weight": case.weights}
    value, grad, curvature = case.loss.value_grad_curvature(*arguments, **options)
    weights = np.broadcast_to(case.weights.reshape(len(curvature), -1), curvature.shape)
    floor = float(np.median(curvature / weights))
    floored = case.loss.value_grad_curvature(*arguments, curvature_floor=floor, **options)
    assert floored[0] == value
    np.testing.assert_array_equal(floored[1], grad)
    np.testing.assert_allclose(floored[2], np.maximum(curvature, floor * weights), rtol=1e-15)


def test_out_that_cannot_take_the_gradient():
    frozen = LOGITS.copy()
    frozen.flags.writeable = False
    with pytest.raises(errors.UnsupportedError, match="out"):
        CE.value_and_grad(frozen, LABELS, out=frozen)
    memory = np.zeros(9)
    with pytest.raises(errors.UnsupportedError, match="out"):
        CE.value_and_grad(memory[:6].reshape(2, 3), LABELS, out=memory[3:].reshape(2, 3))
    with pytest.raises(errors.ShapeError, match="out"):
        CE.value_and_grad(LOGITS, LABELS, out=np.zeros((3, 2)))


def test_other_threads_run_meanwhile():
    """While a long call computes, the interpreter is free."""
    predictions = np.random.default_rng(5).normal(size=400_000)
    done, turns = threading.Event(), 0

    def compute():
        xent.SigmoidFocal()(predictions, np.zeros_like(predictions), threads=1)
        done.set()

    worker = threading.Thread(target=compute)
    worker.start()
    while not done.is_set():
        turns += 1
        time.sleep(0.0005)
    worker.join()
    assert turns > 3


@pytest.mark.skipif(os.name == "nt", reason="signals are sent in another way")
def test_ctrl_c_ends_a_long_call():
    script = """
        import numpy as np, os, signal, threading, xent
        # What is started in the background may have been told to ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        predictions = np.zeros(300_000_000, np.float16)
        loss = xent.loss("focal+focal:gamma=1.5+focal:gamma=1.7+focal:gamma=1.1")
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            loss(predictions, predictions, threads=1)
            print("finished")
        except KeyboardInterrupt:
            print("interrupted")
        print(xent.MeanSquaredError()([2.0], [0.0]))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "interrupted\n4.0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_threads_work_in_a_forked_process():
    predictions = np.ones(1_000_000)
    assert MSE(predictions, 0 * predictions) == 1
    child = os.fork()
    if child == 0:
        os._exit(int(MSE(predictions, 0 * predictions)) + 41)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(ended[1]) == 42
    assert ended[0] == child
