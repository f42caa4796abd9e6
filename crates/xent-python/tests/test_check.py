"""The checker of gradients and Hessians."""

import numpy as np
import pytest
import xent
import xent.lightgbm


def test_losses_of_the_catalogue_are_right(case):
    targets = case.targets
    report = xent.check(case.loss, case.predictions, targets)
    # Where a loss has a kink close by, or no curvature, differences say nothing.
    kinked = ("quantile", "mean_absolute_error", "huber", "smooth_l1", "hinge", "multi_margin")
    if case.loss.name not in kinked:
        assert report.gradient.error < 1e-5, report
    assert report.hessian is not None


def focal(p, y, gamma=2.0):
    s = 1 / (1 + np.exp(-p))
    t = np.where(y > 0, s, 1 - s)
    side = np.where(y > 0, 1.0, -1.0)
    value = -((1 - t) ** gamma) * np.log(t)
    grad = side * (1 - t) ** gamma * (gamma * t * np.log(t) + t - 1)
    return value.sum(), grad


def test_a_right_gradient():
    report = xent.check(focal)
    assert report
    assert report.hessian is None
    assert "right" in str(report)


def test_where_it_is_wrong():
    def wrong(p, y):
        value, grad = focal(p, y)
        grad[5] *= 1.1
        return value, grad

    report = xent.check(wrong)
    assert not report
    assert report.gradient.index == (5,)
    assert report.gradient.error == pytest.approx(0.1, rel=1e-4)
    assert report.gradient.given == pytest.approx(1.1 * report.gradient.expected)
    assert "WRONG" in str(report)
    assert not xent.check(lambda p, y: ((p**2).sum(), np.full_like(p, np.nan)))


def test_hessians():
    right = xent.check(lambda p, y: ((p**4).sum(), 4 * p**3, 12 * p**2))
    wrong = xent.check(lambda p, y: ((p**4).sum(), 4 * p**3, 12 * p))
    assert right
    assert not wrong
    assert wrong.gradient.error < 1e-6 < wrong.hessian.error


def test_objectives_of_boosters():
    def objective(y_true, y_pred):
        s = 1 / (1 + np.exp(-y_pred))
        return s - y_true, s * (1 - s)

    assert xent.check(objective)
    assert xent.check(objective).gradient is None
    loss = xent.BinaryCrossEntropyWithLogits()
    total = lambda p, y: loss(p, y, reduction="sum")
    assert xent.check(objective, loss=total).gradient.error < 1e-6
    assert not xent.check(lambda y_true, y_pred: (y_pred - y_true, 0 * y_pred + 2))
    assert xent.check(xent.lightgbm.objective("focal", hessian="exact"))


def test_tensors():
    torch = pytest.importorskip("torch")

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, p):
            ctx.save_for_backward(p)
            return p.exp()

        @staticmethod
        def backward(ctx, upstream):
            return upstream * ctx.saved_tensors[0]

    p = torch.linspace(-1, 1, 5, dtype=torch.float64)
    assert xent.check(torch.nn.functional.mse_loss, p)
    assert not xent.check(lambda p, y: Wrong.apply(p), p)


def test_shapes_have_to_fit():
    with pytest.raises(ValueError, match=r"gradient has the shape \(2,\)"):
        xent.check(lambda p, y: (p.sum(), p[:2]), np.ones(3))
