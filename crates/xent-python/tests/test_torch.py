"""Losses for PyTorch, against PyTorch's own in float64."""

import inspect
import multiprocessing
import pickle

import numpy as np
import pytest
import xent

torch = pytest.importorskip("torch")
import xent.torch  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from xent.torch import functional  # noqa: E402
from xent.torch import nn as xnn  # noqa: E402
from xent.torch._memory import array  # noqa: E402

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
REDUCTIONS = ["mean", "sum", "none"]
MODULES = [name for name in xnn.__all__ if hasattr(torch.nn, name) and name != "functional"]


class Case:
    """Arguments of a module, drawn at random."""

    def __init__(self, name, data):
        self.random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
        rows, classes = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 6))
        more = data.draw(st.lists(st.integers(1, 3), max_size=2))
        self.options = {"reduction": data.draw(st.sampled_from(REDUCTIONS))}
        self.rows, self.classes = [rows, *more], classes
        if name == "MultiMarginLoss":
            self.rows = [rows]
        self.shape = [rows, classes, *self.rows[1:]]
        getattr(self, name)(data)

    def normal(self, *shape):
        return torch.from_numpy(2 * self.random.normal(size=shape or self.shape))

    def uniform(self, *shape):
        return torch.from_numpy(self.random.uniform(0.05, 0.95, size=shape or self.shape))

    def maybe(self, data, name, value):
        if data.draw(st.booleans()):
            self.options[name] = value

    def labelled(self, data):
        self.input = self.normal()
        self.target = torch.from_numpy(self.random.integers(0, self.classes, size=self.rows))
        self.maybe(data, "weight", self.uniform(self.classes))

    def CrossEntropyLoss(self, data):
        self.labelled(data)
        self.maybe(data, "label_smoothing", 0.2)
        if data.draw(st.booleans()):
            self.target = self.uniform().softmax(1)
        elif data.draw(st.booleans()) and (self.target != 1).any():
            self.options["ignore_index"] = 1

    def NLLLoss(self, data):
        self.labelled(data)
        self.input = self.input.log_softmax(1)

    def MultiMarginLoss(self, data):
        self.labelled(data)
        self.options |= {"p": data.draw(st.sampled_from([1, 2])), "margin": 1.25}

    def KLDivLoss(self, data):
        self.input, self.target = self.normal().log_softmax(1), self.normal().softmax(1)
        self.maybe(data, "reduction", "batchmean")
        self.maybe(data, "log_target", False)

    def pointwise(self):
        self.input, self.target = self.normal(), self.normal()

    def MSELoss(self, data):
        self.pointwise()

    def L1Loss(self, data):
        self.pointwise()

    def HuberLoss(self, data):
        self.pointwise()
        self.maybe(data, "delta", 0.7)

    def SmoothL1Loss(self, data):
        self.pointwise()
        self.maybe(data, "beta", data.draw(st.sampled_from([0.0, 0.7])))

    def BCELoss(self, data):
        self.input, self.target = self.uniform(), self.uniform()
        self.maybe(data, "weight", self.uniform(*self.shape[1:]))

    def BCEWithLogitsLoss(self, data):
        self.input, self.target = self.normal(), self.uniform()
        self.maybe(data, "weight", self.uniform())
        self.maybe(data, "pos_weight", torch.tensor([2.5]))


def run(module, input, target, upstream=None, **more):
    input = input.detach().requires_grad_()
    value = module(input, target)
    upstream = torch.ones_like(value) if upstream is None else upstream.to(value.dtype)
    (grad,) = torch.autograd.grad(value, input, upstream, **more)
    return value.detach(), grad


def converted(options, dtype):
    return {
        name: value.to(dtype) if torch.is_tensor(value) else value
        for name, value in options.items()
    }


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("name", MODULES)
@given(st.data())
def test_modules_are_those_of_pytorch(name, data):
    case = Case(name, data)
    dtype = data.draw(st.sampled_from(TYPES))
    input, target = case.input.to(dtype), case.target
    target = target.to(dtype) if target.is_floating_point() else target
    options = converted(case.options, dtype)
    # The reference sees the same numbers, in float64.
    wide = target.double() if target.is_floating_point() else target
    reference = getattr(torch.nn, name)(**converted(options, torch.float64))
    shape = reference(input.double(), wide).shape
    upstream = case.normal(*shape).to(dtype) if shape else torch.tensor(-1.5, dtype=dtype)
    expected, gradient = run(reference, input.double(), wide, upstream)

    module = getattr(xnn, name)(**options)
    if data.draw(st.booleans()):
        input = input.mT.contiguous().mT if input.ndim > 1 else input
    value, grad = run(module, input, target, upstream)
    assert value.dtype == grad.dtype == dtype
    assert value.shape == expected.shape
    # What PyTorch computes in float64 is itself off by some units.
    epsilon = max(torch.finfo(dtype).eps, 1e-13)
    torch.testing.assert_close(value.double(), expected, rtol=epsilon, atol=epsilon)
    torch.testing.assert_close(grad.double(), gradient, rtol=2 * epsilon, atol=epsilon)
    with torch.no_grad():
        torch.testing.assert_close(module(input, target), value, rtol=0, atol=0)


@pytest.mark.parametrize("name", MODULES)
def test_modules_look_like_those_of_pytorch(name):
    ours, theirs = getattr(xnn, name), getattr(torch.nn, name)
    assert issubclass(ours, theirs)
    parameters = inspect.signature(ours).parameters
    assert set(parameters) - {"compat"} == set(inspect.signature(theirs).parameters) - {"kwargs"}
    for function in functional.__all__:
        expected = inspect.signature(getattr(torch.nn.functional, function)).parameters
        actual = dict(inspect.signature(getattr(functional, function)).parameters)
        del actual["compat"]
        assert [(p.name, p.default) for p in actual.values()][: len(expected)] == [
            (p.name, p.default) for p in expected.values()
        ]
    module = ours()
    assert repr(pickle.loads(pickle.dumps(module))) == repr(module) == repr(theirs())


LOGITS = torch.tensor([[2.0, 1.0, 0.1], [0.0, 3.0, 0.0]])
LABELS = torch.tensor([0, 2])


def test_no_copies():
    """The gradient is the memory that xent wrote; logits of any strides are read where they are."""
    logits = torch.randn(100, 50).t().requires_grad_()
    loss = xnn.functional.cross_entropy(logits, torch.zeros(50, dtype=torch.int64))
    memory = loss.grad_fn.grad.data_ptr()
    (grad,) = torch.autograd.grad(loss, logits)
    assert grad.data_ptr() == memory
    assert grad.stride() == logits.stride()


@pytest.mark.parametrize("dtype", TYPES)
def test_memory_of_large_gradients_is_used_again_when_it_is_free(dtype):
    logits = torch.randn(1200, 1000).to(dtype).requires_grad_()
    labels = torch.randint(0, 1000, (1200,))
    xent.torch.empty_cache()

    def grad():
        logits.grad = None
        functional.cross_entropy(logits, labels).backward()
        return logits.grad

    first = grad()
    memory, copy = first.data_ptr(), first.clone()
    view = first[3] if dtype is torch.bfloat16 else first[3].numpy()[1:]
    del first
    second = grad()
    assert second.data_ptr() != memory
    torch.testing.assert_close(second, copy, rtol=0, atol=0)
    del view
    third = grad()
    assert third.data_ptr() == memory
    torch.testing.assert_close(third, copy, rtol=0, atol=0)
    xent.torch.empty_cache()


@pytest.mark.parametrize("rows", [1, 60_000])
def test_a_second_pass_through_the_graph(rows):
    logits = LOGITS.repeat(rows, 1).requires_grad_()
    loss = functional.cross_entropy(logits, LABELS.repeat(rows))
    first = torch.autograd.grad(loss, logits, retain_graph=True)[0]
    kept = first.clone()
    second = torch.autograd.grad(loss * 2, logits, retain_graph=True)[0]
    torch.testing.assert_close(first, kept, rtol=0, atol=0)
    torch.testing.assert_close(second, 2 * kept, rtol=0, atol=0)
    torch.autograd.grad(loss, logits)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, logits)


@pytest.mark.parametrize("rows", [1, 60_000])
@pytest.mark.parametrize("changed", [0, 1])
def test_what_changed_has_no_second_gradient(changed, rows):
    arguments = LOGITS.repeat(rows, 1).requires_grad_(), torch.zeros(2 * rows, 3)
    loss = functional.mse_loss(*arguments)
    torch.autograd.grad(loss, arguments[0], retain_graph=True)
    with torch.no_grad():
        arguments[changed].zero_()
    with pytest.raises(RuntimeError, match="modified by an in-?place operation"):
        torch.autograd.grad(loss, arguments[0])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_after_a_small_call():
    def call():
        logits = torch.randn(2, 2, 2, requires_grad=True)
        functional.cross_entropy(logits, torch.zeros(2, 2, dtype=torch.long)).backward()

    call()
    child = multiprocessing.get_context("fork").Process(target=call)
    child.start()
    child.join(30)
    assert child.exitcode == 0


def test_modules_have_subclasses():
    class Mine(xnn.CrossEntropyLoss):
        """My own."""

    assert Mine.__doc__ == "My own."
    run(Mine(), LOGITS, LABELS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_autocast_has_losses_of_float32(dtype, reduction):
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = (
            run(lambda x, y: cross_entropy(x, y, reduction=reduction), LOGITS.to(dtype), LABELS)
            for cross_entropy in (functional.cross_entropy, torch.nn.functional.cross_entropy)
        )
    assert [each.dtype for each in ours] == [each.dtype for each in theirs]


def test_small_tensors_wherever_they_lie():
    expected = run(torch.nn.functional.cross_entropy, LOGITS, LABELS)
    negated = torch.complex(LOGITS, -LOGITS).conj().imag
    assert negated.is_neg()
    all_labels = [LABELS, torch._neg_view(-LABELS), LABELS.int(), LABELS.repeat_interleave(2)[::2]]
    for logits in [LOGITS, negated, torch._neg_view(-LOGITS), LOGITS.T.contiguous().T]:
        for labels in all_labels:
            actual = run(functional.cross_entropy, logits, labels)
            torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("dtype", TYPES)
def test_small_tensors_give_the_bits_of_arrays(dtype, exchange, monkeypatch):
    if not exchange:
        monkeypatch.delattr(torch.Tensor, "__dlpack_c_exchange_api__", raising=False)
    logits, shares = LOGITS.to(dtype), LOGITS.softmax(1).to(dtype)
    for text, target in [("cross_entropy", LABELS), ("kl_divergence", shares), ("mse", shares)]:
        loss = xent.loss(text)
        input = logits.log_softmax(1) if text == "kl_divergence" else logits
        value, grad = loss.value_and_grad(array(input), array(target))
        actual = run(xnn.Loss(text), input, target)
        assert actual[0].item() == torch.tensor(value, dtype=dtype).item()
        assert (array(actual[1]) == grad).all()
        in_place = loss._prepared("mean", -100, None, 1).value_and_grad_of_tensors
        has_interface = hasattr(torch.Tensor, "__dlpack_c_exchange_api__")
        assert (in_place(input, target, 1.0) is not None) == (has_interface and dtype.itemsize > 2)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_double_backward(reduction):
    logits = LOGITS.double().requires_grad_()

    def twice(function):
        value = function(logits, LABELS, reduction=reduction).square().sum()
        (grad,) = torch.autograd.grad(value, logits, create_graph=True)
        return grad, torch.autograd.grad(grad.square().sum(), logits)[0]

    for ours, theirs in zip(
        twice(functional.cross_entropy), twice(torch.nn.functional.cross_entropy)
    ):
        torch.testing.assert_close(ours, theirs)
    assert torch.autograd.gradgradcheck(functional.mse_loss, (logits, LOGITS.double()))


def test_any_loss_is_a_module():
    logits = torch.randn(6, 3, 2, requires_grad=True)
    labels = torch.randint(0, 3, (6, 2))
    weight = torch.rand(6, 2)
    module = xnn.Loss("softmax_focal:gamma=1.5", class_weight=torch.tensor([1.0, 2.0, 3.0]))
    value = module(logits, labels, weight)
    value.backward()
    expected = xent.SoftmaxFocal(gamma=1.5).value_and_grad(
        logits.detach().numpy(),
        labels.numpy(),
        axis=1,
        class_weight=[1, 2, 3],
        sample_weight=weight.numpy(),
    )
    assert value.item() == pytest.approx(expected[0], rel=1e-7)
    np.testing.assert_array_equal(logits.grad.numpy(), expected[1])
    assert "class_weight" in module.state_dict()
    assert repr(module) == (
        "Loss(xent.SoftmaxFocal(gamma=1.5, alpha=1.0), reduction='mean')"
    )
    with pytest.raises(RuntimeError, match="differentiated twice"):
        torch.autograd.grad(module(logits, labels), logits, create_graph=True)
    with pytest.raises(TypeError, match="meta"):
        module(logits.to("meta"), labels.to("meta"))


def test_what_xent_does_not_do_pytorch_does():
    """Never by a copy: the graph holds PyTorch's operation."""
    logits = LOGITS.clone().requires_grad_()
    soft = LOGITS.softmax(1).requires_grad_()
    on_meta = functional.cross_entropy(logits.to("meta"), LABELS.to("meta"))
    assert on_meta.device.type == "meta"
    value = functional.cross_entropy(logits, soft)
    value.backward()
    assert soft.grad is not None
    assert "Fused" not in value.grad_fn.name()
    with pytest.warns(UserWarning, match="broadcast"):
        functional.mse_loss(logits, torch.zeros(3))
    many = torch.tensor([1.0, 2.0, 3.0])
    ours = functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=many)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=many)
    assert ours == theirs
    per_row = torch.func.vmap(functional.mse_loss)(LOGITS, torch.zeros_like(LOGITS))
    torch.testing.assert_close(per_row, LOGITS.square().mean(1))
    grad = torch.func.grad(lambda logits: functional.cross_entropy(logits, LABELS))(LOGITS)
    (expected,) = torch.autograd.grad(functional.cross_entropy(logits, LABELS), logits)
    torch.testing.assert_close(grad, expected)


def test_what_differs_from_pytorch_and_compat():
    ignored = torch.tensor([-100, -100])
    with pytest.raises(xent.EmptyError):
        functional.cross_entropy(LOGITS, ignored)
    assert functional.cross_entropy(LOGITS, ignored, compat="torch").isnan()
    sure, wrong = torch.zeros(1), torch.ones(1)
    assert functional.binary_cross_entropy(sure, wrong) == torch.inf
    assert functional.binary_cross_entropy(sure, wrong, compat="torch") == 100
    never = torch.tensor([[-torch.inf, 0.0]])
    nothing = torch.tensor([[0.0, 1.0]])
    assert functional.kl_div(never, nothing, reduction="sum") == 0
    assert functional.kl_div(never, nothing, reduction="sum", compat="torch").isnan()
    assert xnn.BCELoss(compat="torch")(sure, wrong) == 100
    with pytest.raises(ValueError, match="compat"):
        xnn.BCELoss(compat="jax")


def test_errors_name_the_arguments_of_pytorch():
    with pytest.raises(IndexError, match=r"^target\[1\] is 3: .* with ignore_index$"):
        functional.cross_entropy(LOGITS, torch.tensor([0, 3]))
    compiled = torch.compile(functional.multi_margin_loss, backend="aot_eager")
    for margin in (functional.multi_margin_loss, compiled):
        with pytest.raises(IndexError, match=r"^target\[1\] is -1: class indices must be in 0..3$"):
            margin(LOGITS, torch.tensor([0, -1]))
    with pytest.raises(xent.RangeError, match=r"^weight\[1\] is -1: weight must be"):
        functional.cross_entropy(LOGITS, LABELS, torch.tensor([1.0, -1.0, 1.0]))
    with pytest.raises(xent.RangeError, match=r"^input\[0\] is 2: input must be"):
        functional.binary_cross_entropy(torch.tensor([2.0]), torch.ones(1))
    with pytest.raises(xent.EmptyError, match="^target: .*compat"):
        functional.cross_entropy(LOGITS, torch.tensor([-100, -100]))
    with pytest.raises(xent.RangeError, match="^sample_weight"):
        xnn.Loss("cross_entropy")(LOGITS, LABELS, torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype):
    logits = LOGITS.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype):
        loss = functional.cross_entropy(logits, LABELS)
        assert loss.dtype == torch.nn.functional.cross_entropy(logits, LABELS).dtype
    loss.backward()
    assert logits.grad.dtype == dtype


def train(nn, compiled=False):
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(1)
    inputs = torch.randn(64, 5, generator=random)
    labels = (inputs[:, 0] + inputs[:, 1].square() > 1).long()
    model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    step = lambda: loss(model(inputs), labels)
    if compiled:
        step = torch.compile(step, backend="aot_eager", fullgraph=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    curve = []
    for _ in range(60):
        optimiser.zero_grad()
        value = step()
        value.backward()
        optimiser.step()
        curve.append(value.item())
    return curve


def test_training_follows_the_curve_of_pytorch():
    ours, theirs = train(xnn), train(torch.nn)
    assert ours[-1] < ours[0] - 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_training_is_the_same():
    """The loss is one operator of the graph: fullgraph refuses anything else."""
    np.testing.assert_allclose(train(xnn, compiled=True), train(xnn), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_operators_are_well_made():
    from xent.torch import _operators

    logits, labels = LOGITS.clone().requires_grad_(), LABELS
    rest = (None, None, "cross_entropy", "none", -100, 1)
    torch.library.opcheck(_operators.value_and_grad, (logits, labels, *rest))
    torch.library.opcheck(_operators.value_op, (LOGITS, labels, *rest))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_custom_losses_run_between_compiled_graphs():
    module = xnn.Loss(xent.pointwise(lambda p, y: (p - y) ** 4))
    compiled = torch.compile(lambda x: module(x * 2, torch.zeros_like(x)), backend="aot_eager")
    assert compiled(torch.ones(3)) == 16


def replica(rank, file, results):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=2
    )
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 3))
    xnn.CrossEntropyLoss()(model(LOGITS[rank : rank + 1]), LABELS[rank : rank + 1]).backward()
    results[rank] = model.module.weight.grad.numpy().copy()
    torch.distributed.destroy_process_group()


def test_distributed_data_parallel(tmp_path):
    """Two processes come to the gradient of the whole batch."""
    with torch.multiprocessing.get_context("spawn").Manager() as manager:
        results = manager.dict()
        torch.multiprocessing.spawn(replica, (tmp_path / "store", results), nprocs=2)
        results = dict(results)
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 3)
    torch.nn.CrossEntropyLoss()(model(LOGITS), LABELS).backward()
    for rank in (0, 1):
        np.testing.assert_allclose(results[rank], model.weight.grad.numpy(), rtol=1e-5)
