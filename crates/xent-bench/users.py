"""Times what users of the Python package do, under the settings that they have: a step of training
with `xent.torch` and with PyTorch, fresh gradients included, and boosting with a focal loss.

`python users.py [--quick] [FILE]` prints two tables, and appends them to a file. All ways of doing
a thing take turns.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

QUICK = "--quick" in sys.argv
LARGE_PAGES = "glibc.malloc.hugetlb=1"
HEADING = f"""\
## What users of the Python package see

A step of training as users write it, with a fresh gradient each time and the pages of the system as
it comes; *large pages* is with `GLIBC_TUNABLES={LARGE_PAGES}`. And boosting with a focal loss,
against the same objective in NumPy and the logloss that the library has built in. *recorded* plays
gradients back that were computed before: what focal costs more than logloss with an objective for
nothing, since its trees are others. *alone* is what as many calls of the objective take without a
booster, whose idle threads spin on the cores for some milliseconds and delay those of the
objective."""


def in_turns(ways, rounds, calls=1):
    """The median seconds of a call, of each way."""
    times = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(calls):
                way()
            # The first turn compiles and warms up.
            if turn:
                times[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(found) for name, found in times.items()}


def training_step(rows, classes, rounds, calls):
    import torch
    from xent.torch import nn as xnn

    torch.set_num_threads(2)
    logits = torch.randn(rows, classes, requires_grad=True)
    labels = torch.randint(0, classes, (rows,))

    def step(loss):
        def run():
            logits.grad = None
            loss(logits, labels).backward()

        return run

    ways = {
        "xent.torch": step(xnn.CrossEntropyLoss()),
        "PyTorch": step(torch.nn.CrossEntropyLoss()),
        "torch.compile": step(torch.compile(torch.nn.CrossEntropyLoss())),
    }
    return in_turns(ways, rounds, calls)


def training_step_of(pages, *arguments):
    """`training_step` in a process of its own, under a setting of glibc or none."""
    environment = os.environ | ({"GLIBC_TUNABLES": pages} if pages else {})
    command = [sys.executable, __file__, "--step", *map(str, arguments)]
    process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(process.stdout)


class Clock:
    """An objective that keeps its time."""

    def __init__(self, objective):
        self.objective, self.seconds = objective, 0.0

    def __deepcopy__(self, _):
        return self

    def __call__(self, *arguments):
        start = time.perf_counter()
        result = self.objective(*arguments)
        self.seconds += time.perf_counter() - start
        # Not the scores themselves, whose memory is the booster's.
        scores, self.data = arguments
        self.shape, self.dtype = scores.shape, scores.dtype
        return result

    def alone(self, calls):
        """The seconds of as many calls on random scores of the same kind, without a booster."""
        scores = np.random.default_rng(0).normal(size=self.shape).astype(self.dtype)
        self.objective(scores, self.data)
        start = time.perf_counter()
        for _ in range(calls):
            self.objective(scores, self.data)
        return time.perf_counter() - start


class Recording:
    """An objective that keeps what it computes in a first training, for the next ones."""

    def __init__(self, objective, calls):
        self.objective, self.calls = objective, calls
        self.results, self.next = [], 0

    def __deepcopy__(self, _):
        return self

    def __call__(self, *arguments):
        if len(self.results) < self.calls:
            self.results.append([array.copy() for array in self.objective(*arguments)])
        result = self.results[self.next]
        self.next = (self.next + 1) % self.calls
        return result


def numpy_focal(scores, data, gamma=2.0, alpha=0.25):
    """The focal objective as people write it with NumPy."""
    y = data.get_label()
    p = 1 / (1 + np.exp(-scores))
    t = np.where(y > 0, p, 1 - p)
    side = np.where(y > 0, alpha, 1 - alpha)
    sign = np.where(y > 0, 1.0, -1.0)
    log = np.log(np.clip(t, 1e-15, 1))
    fade = (1 - t) ** gamma
    grad = side * sign * fade * (gamma * t * log + t - 1)
    slope = -gamma * (1 - t) ** (gamma - 1) * (gamma * t * log + t - 1)
    slope = slope + fade * (gamma * log + gamma + 1)
    return grad, np.maximum(side * slope * t * (1 - t), 1e-6)


def boosting(library, rows, boosts):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 20)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] + random.normal(size=rows) > 2).astype(np.float32)
    times = {}
    if library == "lightgbm":
        import lightgbm
        import xent.lightgbm

        ours = xent.lightgbm.objective("focal", gamma=2, alpha=0.25)
        options = {"verbose": -1, "num_threads": 2, "metric": "none"}

        def train(objective):
            data = lightgbm.Dataset(x, y).construct()
            start = time.perf_counter()
            lightgbm.train(options | {"objective": objective or "binary"}, data, boosts)
            return time.perf_counter() - start

    else:
        import xent.xgboost
        import xgboost

        ours = xent.xgboost.objective("focal", gamma=2, alpha=0.25)
        data = xgboost.QuantileDMatrix(x, y)
        options = {"nthread": 2, "tree_method": "hist"}

        def train(objective):
            start = time.perf_counter()
            own = {"base_score": 0.0} if objective else {"objective": "binary:logistic"}
            xgboost.train(options | own, data, boosts, obj=objective)
            return time.perf_counter() - start

    recording = Recording(ours, boosts)
    train(recording)
    for _ in range(1 if QUICK else 3):
        for name, objective in (("xent", ours), ("NumPy", numpy_focal)):
            clock = Clock(objective)
            found = (train(clock), clock.seconds, clock.alone(boosts))
            times[name] = min(times.get(name, found), found)
        for name, objective in (("recorded", recording), ("logloss", None)):
            found = (train(objective),)
            times[name] = min(times.get(name, found), found)
    return times


def milliseconds(seconds):
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def training_steps():
    yield "| forward and backward | xent.torch | PyTorch | torch.compile |"
    yield "|---|---:|---:|---:|"
    large = ((4096, 32000), 7, 1)
    for pages, note, (shape, rounds, calls) in (
        (None, "", large),
        (LARGE_PAGES, ", large pages", large),
        (None, "", ((32, 10), 30, 300)),
    ):
        if QUICK:
            shape, rounds, calls = (shape[0] // 32, shape[1]), 1, 1
        found = training_step_of(pages, *shape, rounds, calls)
        ours = found["xent.torch"]
        others = (
            f"{milliseconds(found[name])} ({found[name] / ours:.2f}×)"
            for name in ("PyTorch", "torch.compile")
        )
        cells = " | ".join([milliseconds(ours), *others])
        yield f"| cross-entropy, {shape[0]}×{shape[1]}{note} | {cells} |"


def boosters():
    rows, boosts = (1_000, 5) if QUICK else (1_000_000, 50)
    yield f"| {rows} rows × 20, {boosts} rounds | training | in the objective | alone |"
    yield "|---|---:|---:|---:|"
    titles = {
        "xent": "focal, xent",
        "NumPy": "focal, NumPy",
        "recorded": "focal, recorded",
        "logloss": "its own logloss",
    }
    for library in ("lightgbm", "xgboost"):
        for name, times in boosting(library, rows, boosts).items():
            cells = [milliseconds(time) for time in times] + [""] * (3 - len(times))
            yield f"| {library}, {titles[name]} | {' | '.join(cells)} |"


def main():
    if sys.argv[1:2] == ["--step"]:
        print(json.dumps(training_step(*map(int, sys.argv[2:]))))
        return
    lines = [HEADING]
    for table in (training_steps(), boosters()):
        lines.append("")
        for line in table:
            print(line, flush=True)
            lines.append(line)
        print()
    for name in sys.argv[1:]:
        if name != "--quick":
            append(Path(name), "\n" + "\n".join(lines) + "\n")


def append(path, text):
    """In one step, so that the file is never there in part."""
    new = path.with_name(path.name + ".new")
    new.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    main()
