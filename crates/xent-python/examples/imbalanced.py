"""LightGBM on an imbalanced table: focal loss and logloss by average precision.

The table comes with scikit-learn: images of digits, one in ten of which is an eight.
"""

import lightgbm
import numpy as np
import xent.lightgbm
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score
from sklearn.model_selection import RepeatedStratifiedKFold

ROUNDS = 60
PARAMETERS = {"learning_rate": 0.1, "num_leaves": 15, "verbose": -1, "num_threads": 1, "metric": "none"}


def logloss(x, y, unseen):
    booster = lightgbm.train(PARAMETERS | {"objective": "binary"}, lightgbm.Dataset(x, y), ROUNDS)
    return booster.predict(unseen)


def focal(x, y, unseen, hessian):
    objective = xent.lightgbm.objective("focal", gamma=1, alpha=0.5, hessian=hessian)
    start = objective.init_score(y)
    data = lightgbm.Dataset(x, y, init_score=start)
    booster = lightgbm.train(PARAMETERS | {"objective": objective}, data, ROUNDS)
    return objective.predict(booster, unseen, start)


MODELS = {
    "logloss": logloss,
    "focal": lambda *data: focal(*data, hessian="floored"),
    "focal, Gauss-Newton": lambda *data: focal(*data, hessian="gauss_newton"),
}


def main():
    x, digit = load_digits(return_X_y=True)
    y = (digit == 8).astype(int)
    folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    scores = {name: [] for name in MODELS}
    for train, test in folds.split(x, y):
        for name, model in MODELS.items():
            predicted = model(x[train], y[train], x[test])
            scores[name].append(average_precision_score(y[test], predicted))
    print(f"{y.sum()} of {len(y)} rows are positive; average precision over 6 folds")
    for name, values in scores.items():
        print(f"{name:20} {np.mean(values):.4f} ± {np.std(values):.4f}")
    return scores


if __name__ == "__main__":
    main()
