"""Times the losses of PyTorch and JAX, and those of xent from Python, for xent-bench.

Started as `peers.py torch`, or with another name of `PEERS`; says its version, reads a case, says
the loss, and then times a sample for each further line. Lines are JSON; whatever goes wrong is said
in one.
"""

import json
import math
import os
import sys
import time

import numpy as np

IGNORE_INDEX = -100


class Inputs:
    """The same numbers as in `inputs.rs`, as arrays of `convert(array, element type)`."""

    def __init__(self, request, convert):
        case, kind = request["case"], request["targets"]
        self.shape, extra = case["shape"], case["extra"]
        self.classes = self.shape[1] if len(self.shape) > 1 else 1
        entries = math.prod(self.shape)
        rows = entries // self.classes
        wide = np.float64 if case["number"] == "f64" else np.float32

        def real(array):
            return convert(array.astype(wide, copy=False), case["number"])

        self.predictions = real((8 * uniform(0, entries, wide) - 4).reshape(self.shape))
        if kind == "labels":
            labels = (bits(1, rows) % np.uint32(self.classes)).astype(np.int64)
            if extra == "ignore_index":
                labels[::16] = IGNORE_INDEX
            self.targets = convert(labels.reshape(self.shape[:1] + self.shape[2:]), "i64")
        elif kind == "distributions":
            shares = uniform(1, entries, np.float64).reshape(self.shape)
            self.targets = real(shares / shares.sum(axis=1, keepdims=True))
        elif kind == "binary":
            self.targets = real((uniform(1, entries, wide) >= 0.5).reshape(self.shape))
        else:
            self.targets = real((8 * uniform(1, entries, wide) - 4).reshape(self.shape))
        weights = extra == "sample_weights"
        self.weights = real(0.5 + uniform(2, rows, wide)) if weights else None
        weights = extra == "class_weights"
        self.class_weights = real(0.5 + uniform(3, self.classes, wide)) if weights else None
        self.ignores = extra == "ignore_index"
        self.soft = kind == "distributions"


def bits(stream, count):
    mixed = np.arange(count, dtype=np.uint32) + np.uint32(stream * 0x9E3779B9 % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def uniform(stream, count, wide):
    return (bits(stream, count) >> np.uint32(8)).astype(wide) / wide(2**24)


def parse(text):
    """`huber:delta=1.5` as `("huber", {"delta": 1.5})`."""
    name, _, parameters = text.partition(":")
    pairs = (pair.split("=") for pair in parameters.split(",") if pair)
    return name, {key: float(value) for key, value in pairs}


class Torch:
    """Eager: the gradient through `torch.autograd.grad`. Compiled: value and gradient in one graph
    that writes the gradient into a buffer, faster than a compiled forward pass and its backward."""

    def __init__(self, compiled):
        import torch

        self.torch, self.compiled, self.version = torch, compiled, torch.__version__

    def prepare(self, request):
        torch, case = self.torch, request["case"]
        inputs = Inputs(request, self.convert)
        loss, predictions = self.loss(case["loss"], inputs), inputs.predictions

        if case["output"] == "value":
            compute = self.compile(loss) if self.compiled else loss
            return torch.no_grad()(lambda: compute(predictions))
        if self.compiled:
            gradient_and_value = torch.func.grad_and_value(loss)

            def into(predictions, gradient):
                result, value = gradient_and_value(predictions)
                gradient.copy_(result)
                return value

            compute, gradient = self.compile(into), torch.zeros_like(predictions)
            return lambda: compute(predictions, gradient)
        predictions.requires_grad_()

        def compute():
            value = loss(predictions)
            torch.autograd.grad(value, predictions)
            return value

        return compute

    def compile(self, function):
        return self.torch.compile(function, dynamic=False, fullgraph=True)

    def convert(self, array, number):
        torch = self.torch
        numbers = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
        numbers |= {"f64": torch.float64, "i64": torch.int64}
        return torch.from_numpy(array).to(numbers[number])

    def loss(self, text, inputs):
        functional = self.torch.nn.functional
        name, parameters = parse(text)
        targets, weights = inputs.targets, inputs.weights

        def cross_entropy(predictions):
            options = parameters | {"weight": inputs.class_weights}
            if weights is None:
                return functional.cross_entropy(predictions, targets, **options)
            rows = functional.cross_entropy(predictions, targets, reduction="none", **options)
            return (rows * weights).sum() / weights.sum()

        # PyTorch has no function for it.
        def log_cosh(predictions):
            distance = predictions - targets
            return (distance + functional.softplus(-2 * distance) - math.log(2)).mean()

        # As torchvision computes it.
        def sigmoid_focal(predictions, gamma=2.0, alpha=0.25):
            entropy = functional.binary_cross_entropy_with_logits(
                predictions, targets, reduction="none"
            )
            p = self.torch.sigmoid(predictions)
            right = p * targets + (1 - p) * (1 - targets)
            side = alpha * targets + (1 - alpha) * (1 - targets)
            return (side * entropy * (1 - right) ** gamma).mean()

        with_targets = {
            "mse": functional.mse_loss,
            "huber": functional.huber_loss,
            "bce_with_logits": functional.binary_cross_entropy_with_logits,
        }
        alone = {
            "cross_entropy": cross_entropy,
            "log_cosh": log_cosh,
            "sigmoid_focal": lambda predictions: sigmoid_focal(predictions, **parameters),
        }
        if name in with_targets:
            return lambda predictions: with_targets[name](predictions, targets, **parameters)
        return alone[name]


class Jax:
    """Value and gradient as one compiled function; the gradient takes the donated buffer of the
    gradient before it."""

    def __init__(self):
        import jax
        import optax

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        self.jax, self.optax = jax, optax
        self.version = f"{jax.__version__}, {optax.__version__}"

    def prepare(self, request):
        jax, case = self.jax, request["case"]
        inputs = Inputs(request, self.convert)
        arguments = (inputs.predictions, inputs.targets, inputs.weights, inputs.class_weights)
        loss = self.loss(case["loss"], inputs)
        if case["output"] == "value":
            compute = jax.jit(loss)
            return lambda: compute(*arguments).block_until_ready()

        def value_and_gradient(_donated, *arguments):
            return jax.value_and_grad(loss)(*arguments)

        compute = jax.jit(value_and_gradient, donate_argnums=0, keep_unused=True)
        gradient = jax.numpy.zeros_like(inputs.predictions)

        def run():
            nonlocal gradient
            value, gradient = compute(gradient, *arguments)
            return jax.block_until_ready((value, gradient))[0]

        return run

    def convert(self, array, number):
        jnp = self.jax.numpy
        # Labels of 32 bits are what JAX computes with unless told otherwise.
        numbers = {"f16": jnp.float16, "bf16": jnp.bfloat16, "f32": jnp.float32}
        numbers |= {"f64": jnp.float64, "i64": jnp.int32}
        return jnp.asarray(array, dtype=numbers[number])

    def loss(self, text, inputs):
        jnp, optax = self.jax.numpy, self.optax
        name, parameters = parse(text)

        def cross_entropy(predictions, targets, weights, class_weights):
            smoothing = parameters.get("label_smoothing")
            if smoothing is not None:
                targets = self.jax.nn.one_hot(targets, inputs.classes, dtype=predictions.dtype)
                targets = optax.smooth_labels(targets, smoothing)
            if inputs.soft or smoothing is not None:
                return optax.softmax_cross_entropy(predictions, targets).mean()
            if inputs.ignores:
                weights = (targets != IGNORE_INDEX).astype(predictions.dtype)
                targets = jnp.maximum(targets, 0)
            if class_weights is not None:
                weights = class_weights[targets]
            rows = optax.softmax_cross_entropy_with_integer_labels(predictions, targets)
            if weights is None:
                return rows.mean()
            return (rows * weights).sum() / weights.sum()

        pointwise = {
            "mse": optax.squared_error,
            "huber": optax.huber_loss,
            "log_cosh": optax.log_cosh,
            "bce_with_logits": optax.sigmoid_binary_cross_entropy,
            "sigmoid_focal": lambda predictions, targets, alpha=0.25, gamma=2.0: (
                optax.sigmoid_focal_loss(predictions, targets, alpha=alpha, gamma=gamma)
            ),
        }
        if name == "cross_entropy":
            return cross_entropy
        elementwise = pointwise[name]
        return lambda predictions, targets, *_: elementwise(
            predictions, targets, **parameters
        ).mean()


class XentNumpy:
    """xent from Python: value and gradient of arrays, in a buffer that is there."""

    def __init__(self):
        import ml_dtypes
        import xent

        self.xent, self.version = xent, xent.__version__
        self.numbers = {"f16": np.float16, "bf16": ml_dtypes.bfloat16}
        self.numbers |= {"f32": np.float32, "f64": np.float64, "i64": np.int64}

    def prepare(self, request):
        case, inputs = request["case"], Inputs(request, self.convert)
        loss, predictions = self.xent.loss(case["loss"]), inputs.predictions
        options = {"sample_weight": inputs.weights, "class_weight": inputs.class_weights}
        options = {name: value for name, value in options.items() if value is not None}
        if len(inputs.shape) > 2:
            options["axis"] = 1
        if case["output"] == "value":
            return lambda: np.float64(loss(predictions, inputs.targets, **options))
        options["out"] = np.zeros_like(predictions)
        compute = loss.value_and_grad
        return lambda: np.float64(compute(predictions, inputs.targets, **options)[0])

    def convert(self, array, number):
        return array.astype(self.numbers[number])


class XentTorch(Torch):
    """xent in place of PyTorch's losses."""

    def __init__(self):
        import xent

        super().__init__(False)
        self.version = f"{xent.__version__}, {self.version}"

    def loss(self, text, inputs):
        from xent.torch import nn

        module = nn.Loss(text, class_weight=inputs.class_weights)
        return lambda predictions: module(predictions, inputs.targets, inputs.weights)


PEERS = {
    "xent_numpy": XentNumpy,
    "xent_torch": XentTorch,
    "torch": lambda: Torch(False),
    "torch_compile": lambda: Torch(True),
    "jax": Jax,
}


def seconds(run, calls, warm):
    """Seconds per call, after one that does not count."""
    if warm:
        run()
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def answers(peer, lines):
    """The replies to all lines; the same rules as in `Stopwatch`."""
    line = next(lines, None)
    if line is None:
        return
    request = json.loads(line)
    run = peer.prepare(request)
    # JAX and torch.compile have compiled after the first call, and settled after the second.
    run()
    yield {"value": run().item()}
    once = seconds(run, 1, warm=False)
    calls = max(1, min(1_000_000, int(request["sample"] / once)))
    for _ in lines:
        yield {"seconds": seconds(run, calls, warm=once < 0.5)}


def main():
    # What libraries print must not come between the replies.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        peer = PEERS[sys.argv[1]]()
        print(json.dumps({"version": peer.version}), file=replies)
        for reply in answers(peer, sys.stdin):
            print(json.dumps(reply), file=replies)
    # An answer like any other: the reader decides what it means.
    except Exception as error:
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        print(json.dumps({"error": message}), file=replies)


if __name__ == "__main__":
    main()
