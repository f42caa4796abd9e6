"""Objectives and metrics for LightGBM and XGBoost."""

import doctest
import pickle

import lightgbm
import numpy as np
import pytest
import xent
import xent.lightgbm
import xent.xgboost
import xgboost

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(400, 4))
YES = (X[:, 0] + 0.5 * RANDOM.normal(size=400) > 1).astype(float)
CLASS = np.digitize(X[:, 1], [-0.5, 0.8])
PRICE = 3 * X[:, 0] + RANDOM.normal(size=400) + 10
WEIGHT = RANDOM.uniform(0.5, 2, size=400)
LIBRARIES = [xent.lightgbm, xent.xgboost]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_examples(library):
    results = doctest.testmod(library)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("loss", ["bce_with_logits", "focal:gamma=1.5", "huber", "squared_hinge"])
def test_grad_and_hess_are_those_of_the_loss(library, loss):
    scores = RANDOM.normal(size=400).astype(np.float32)
    objective = library.objective(loss, hessian="exact")
    grad, hess = objective(YES, scores, WEIGHT)
    targets = 2 * YES - 1 if "hinge" in loss else YES
    _, expected, curvature = xent.loss(loss).value_grad_curvature(
        scores.astype(float), targets, reduction="none"
    )
    assert grad.dtype == hess.dtype == np.float32
    np.testing.assert_allclose(grad, expected * WEIGHT, rtol=1e-6)
    np.testing.assert_allclose(hess, curvature * WEIGHT, rtol=1e-6)


def test_conventions_of_the_hessian():
    scores, labels = np.linspace(-8, 8, 401).astype(np.float32), np.arange(401) % 2.0
    exact = xent.lightgbm.objective("focal", hessian="exact")(labels, scores)[1]
    floored = xent.lightgbm.objective("focal")(labels, scores)[1]
    newton = xent.lightgbm.objective("focal", hessian="gauss_newton")(labels, scores)[1]
    assert exact.min() < 0
    assert floored.min() > 0
    np.testing.assert_array_equal(floored[exact > 1e-6], exact[exact > 1e-6])
    assert newton.min() > 0
    # Of the squared error of a probability p: 2 (dp/dz)^2.
    p = 1 / (1 + np.exp(-scores.astype(float)))
    newton = xent.lightgbm.objective("mse_sigmoid", hessian="gauss_newton")(labels, scores)[1]
    np.testing.assert_allclose(newton, np.maximum(2 * (p * (1 - p)) ** 2, 1e-6), rtol=1e-3)
    weighted = xent.lightgbm.objective("focal")(labels, scores, np.full(401, 3.0))[1]
    np.testing.assert_allclose(weighted, 3 * floored, rtol=1e-6)
    for library in LIBRARIES:
        with pytest.raises(ValueError, match="floored"):
            library.objective("focal", hessian="none")
        with pytest.raises(xent.UnsupportedError, match="Gauss-Newton"):
            library.objective("cross_entropy", hessian="gauss_newton")
        with pytest.raises(xent.UnsupportedError, match="logits"):
            library.objective("bce")


@pytest.mark.parametrize(
    ("loss", "labels", "expected"),
    [
        ("bce_with_logits", YES, np.log(YES.mean() / (1 - YES.mean()))),
        ("mse", PRICE, PRICE.mean()),
        ("mae", PRICE[:-1], np.median(PRICE[:-1])),
        ("quantile:quantile=0.25", PRICE[:-1], np.sort(PRICE[:-1])[99]),
    ],
)
def test_the_start_is_the_best_constant(loss, labels, expected):
    objective = xent.xgboost.objective(loss)
    assert objective.base_score(labels) == pytest.approx(expected, rel=1e-4)


def test_the_start_of_weighted_rows_and_of_classes():
    weighted = np.average(YES, weights=WEIGHT)
    start = xent.xgboost.objective("bce_with_logits").base_score(YES, WEIGHT)
    assert start == pytest.approx(np.log(weighted / (1 - weighted)))
    for loss in ("cross_entropy", "softmax_focal"):
        objective = xent.lightgbm.objective(loss)
        start = objective.init_score(CLASS)
        assert start.shape == (400, 3)
        grad, _ = objective(CLASS, start)
        assert np.abs(grad.sum(axis=0)).max() < 0.01 * len(CLASS)
    share = xent.lightgbm.objective("cross_entropy").transform(
        xent.lightgbm.objective("cross_entropy").init_score(CLASS)
    )[0]
    np.testing.assert_allclose(share, np.bincount(CLASS) / 400, atol=1e-4)


LIGHT = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 0}


def test_lightgbm_logloss_is_its_own():
    """The same trees as its built-in objective, weights counted once."""
    ours = xent.lightgbm.objective("bce_with_logits", hessian="exact")
    start = ours.init_score(YES, WEIGHT)
    record = {}
    data = lightgbm.Dataset(X, YES, weight=WEIGHT, init_score=start)
    booster = lightgbm.train(
        LIGHT | {"objective": ours, "metric": "none"},
        data,
        10,
        valid_sets=[data],
        feval=xent.lightgbm.metric("bce_with_logits"),
        callbacks=[lightgbm.record_evaluation(record)],
    )
    theirs = lightgbm.train(
        LIGHT | {"objective": "binary"}, lightgbm.Dataset(X, YES, weight=WEIGHT), 10
    )
    np.testing.assert_allclose(ours.predict(booster, X, start), theirs.predict(X), rtol=1e-4)
    curve = record["training"]["binary_cross_entropy_with_logits"]
    value = -np.average(np.log(np.where(YES, theirs.predict(X), 1 - theirs.predict(X))), weights=WEIGHT)
    assert curve[-1] == pytest.approx(value, rel=1e-4)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
def test_lightgbm_estimators():
    focal = xent.lightgbm.objective("focal", gamma=1)
    model = lightgbm.LGBMClassifier(objective=focal, n_estimators=10, **LIGHT)
    model.fit(
        X,
        YES,
        sample_weight=WEIGHT,
        init_score=focal.init_score(YES, WEIGHT),
        eval_set=[(X, YES)],
        eval_metric=xent.lightgbm.metric("focal", gamma=1),
    )
    probability = focal.predict(model, X, focal.init_score(YES, WEIGHT))
    assert ((probability > 0.3) == YES).mean() > 0.9
    assert "sigmoid_focal(gamma=1)" in model.evals_result_["training"]


@pytest.mark.parametrize("native", [True, False])
def test_lightgbm_classes(native):
    ours = xent.lightgbm.objective("cross_entropy")
    start = ours.init_score(CLASS)
    if native:
        data = lightgbm.Dataset(X, CLASS, weight=WEIGHT, init_score=start)
        options = LIGHT | {"objective": ours, "num_class": 3, "metric": "none"}
        model = lightgbm.train(options, data, 20)
    else:
        model = lightgbm.LGBMClassifier(objective=ours, n_estimators=20, num_class=3, **LIGHT)
        model.fit(X, CLASS, init_score=start)
    share = ours.predict(model, X, start)
    np.testing.assert_allclose(share.sum(axis=1), 1)
    assert (share.argmax(axis=1) == CLASS).mean() > 0.95


XG = {"max_depth": 3, "nthread": 1, "seed": 0, "min_child_weight": 0.1}


def test_xgboost_logloss_is_its_own():
    ours = xent.xgboost.objective("bce_with_logits", hessian="exact")
    record = {}
    data = xgboost.DMatrix(X, YES, weight=WEIGHT)
    share = np.average(YES, weights=WEIGHT)
    booster = xgboost.train(
        XG | {"base_score": ours.base_score(YES, WEIGHT), "disable_default_eval_metric": 1},
        data,
        10,
        obj=ours,
        evals=[(data, "train")],
        custom_metric=xent.xgboost.metric("bce_with_logits"),
        evals_result=record,
        verbose_eval=False,
    )
    theirs = xgboost.train(XG | {"objective": "binary:logistic", "base_score": share}, data, 10)
    np.testing.assert_allclose(ours.predict(booster, data), theirs.predict(data), rtol=1e-4)
    p = theirs.predict(data)
    value = -np.average(np.log(np.where(YES, p, 1 - p)), weights=WEIGHT)
    curve = record["train"]["binary_cross_entropy_with_logits"]
    assert curve[-1] == pytest.approx(value, rel=1e-4)


def test_xgboost_estimators():
    focal = xent.xgboost.objective("focal", gamma=1)
    model = xgboost.XGBClassifier(
        objective=focal,
        base_score=focal.base_score(YES, probability=True),
        n_estimators=10,
        eval_metric=xent.xgboost.metric("focal", gamma=1),
        **XG,
    )
    model.fit(X, YES, sample_weight=WEIGHT, eval_set=[(X, YES)], verbose=False)
    assert ((focal.predict(model, X) > 0.3) == YES).mean() > 0.9
    assert "sigmoid_focal(gamma=1)" in model.evals_result()["validation_0"]
    model = xgboost.XGBRegressor(objective=xent.xgboost.objective("huber"), base_score=10, **XG)
    model.fit(X, PRICE)
    assert np.abs(model.predict(X) - PRICE).mean() < 1


def test_xgboost_classes():
    ours = xent.xgboost.objective("cross_entropy")
    data = xgboost.DMatrix(X, CLASS, weight=WEIGHT)
    booster = xgboost.train(XG | {"num_class": 3, "base_score": 0.0}, data, 20, obj=ours)
    assert (ours.predict(booster, data).argmax(axis=1) == CLASS).mean() > 0.95


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_objectives_are_kept_with_models(library):
    objective = library.objective("focal", gamma=3, hessian="gauss_newton")
    same = pickle.loads(pickle.dumps(objective))
    assert repr(same) == repr(objective)
    assert same.loss == xent.SigmoidFocal(gamma=3)
    assert pickle.loads(pickle.dumps(library.metric("huber"))).loss == xent.Huber()


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_derivatives_stay_until_nobody_has_them(library):
    objective = library.objective("focal")
    scores = RANDOM.normal(size=(2, 400)).astype(np.float32)
    first = objective(YES, scores[0])
    kept, part = [array.copy() for array in first], first[0][1:]
    memory = first[1].ctypes.data
    objective(YES, scores[1])
    np.testing.assert_array_equal(first, kept)
    del first
    others = objective(YES, scores[1])
    np.testing.assert_array_equal(part, kept[0][1:])
    assert memory in [array.ctypes.data for array in others]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
def test_errors_name_what_boosters_have(library):
    with pytest.raises(xent.RangeError, match=r"^labels\[3\] is 2"):
        library.objective("focal")([0, 1, 0, 2], np.zeros(4))
    with pytest.raises(xent.LabelError, match=r"^labels\[1\] is 3: class indices must be in 0..3$"):
        library.objective("cross_entropy")([0, 3], np.zeros((2, 3)))
    with pytest.raises(xent.RangeError, match=r"^weight\[1\] is -1"):
        library.metric("focal").mean(np.zeros(2), [0, 1], [1, -1])


def test_gradients_lie_as_scores_do():
    """Scores of several classes are read, and gradients written, class by class."""
    scores = np.asfortranarray(RANDOM.normal(size=(400, 3)), np.float32)
    grad, hess = xent.lightgbm.objective("cross_entropy")(CLASS, scores)
    assert grad.flags.f_contiguous and hess.flags.f_contiguous
    grad, hess = xent.xgboost.objective("cross_entropy")(CLASS, np.ascontiguousarray(scores))
    assert grad.flags.c_contiguous and hess.flags.c_contiguous
