"""Metrics and scorers of scikit-learn."""

import doctest

import numpy as np
import pytest
import xent
import xent.sklearn
from sklearn import datasets, ensemble, linear_model, metrics, model_selection, svm

RANDOM = np.random.default_rng(0)
PRICE, GUESS = RANDOM.normal(size=50), RANDOM.normal(size=50)
YES, SHARE = RANDOM.integers(0, 2, size=50), RANDOM.uniform(0.01, 0.99, size=50)
WORD = np.array(["ant", "bee", "cat"])[RANDOM.integers(0, 3, size=50)]
SHARES = RANDOM.dirichlet(np.ones(3), size=50)
WEIGHT = RANDOM.uniform(size=50)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize(
    ("ours", "theirs", "y_true", "y_pred"),
    [
        ("mse", metrics.mean_squared_error, PRICE, GUESS),
        ("mae", metrics.mean_absolute_error, PRICE, GUESS),
        ("quantile", metrics.mean_pinball_loss, PRICE, GUESS),
        ("bce", metrics.log_loss, YES, SHARE),
        ("cross_entropy_probabilities", metrics.log_loss, WORD, SHARES),
        ("cross_entropy_probabilities", metrics.log_loss, YES, SHARE),
        ("hinge", metrics.hinge_loss, YES, GUESS),
        ("mse", metrics.brier_score_loss, YES, SHARE),
    ],
)
def test_agreement(ours, theirs, y_true, y_pred, weight):
    value = xent.sklearn.metric(ours)(y_true, y_pred, sample_weight=weight)
    assert value == pytest.approx(theirs(y_true, y_pred, sample_weight=weight), rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "model", "data", "theirs"),
    [
        ("mse", linear_model.Ridge(), datasets.load_diabetes, "neg_mean_squared_error"),
        (
            "cross_entropy_probabilities",
            ensemble.RandomForestClassifier(max_depth=3, random_state=0),
            datasets.load_wine,
            "neg_log_loss",
        ),
    ],
)
def test_scorers(loss, model, data, theirs):
    x, y = data(return_X_y=True)
    ours = model_selection.cross_val_score(model, x, y, scoring=xent.sklearn.scorer(loss))
    expected = model_selection.cross_val_score(model, x, y, scoring=theirs)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_scorer_of_decisions():
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x /= x.max(axis=0)
    model = svm.LinearSVC(random_state=0).fit(x, y)
    expected = -metrics.hinge_loss(y, model.decision_function(x))
    assert xent.sklearn.scorer("hinge")(model, x, y) == pytest.approx(expected)


def test_missing_labels_are_an_error():
    with pytest.raises(ValueError, match="labels="):
        xent.sklearn.metric("cross_entropy_probabilities")(WORD[WORD != "bee"], SHARES[WORD != "bee"])
    known = xent.sklearn.metric("cross_entropy_probabilities", labels=["ant", "bee", "cat"])
    assert known(WORD[:1], SHARES[:1]) > 0


def test_example():
    results = doctest.testmod(xent.sklearn)
    assert results.attempted > 0
    assert results.failed == 0


def test_errors_name_the_arguments_of_sklearn():
    with pytest.raises(xent.RangeError, match=r"^y_pred\[1\] is 2: y_pred must be"):
        xent.sklearn.metric("bce")([0, 1], [0.5, 2.0])
