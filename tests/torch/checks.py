"""What `hamtheory.torch` has to do, checked by an interpreter with PyTorch: `python checks.py REFERENCE`.

The last line that is printed is JSON: for each check nothing, "skipped: " and why, or how it has failed. They use
PyTorch and NumPy alone, of whatever version there is: `test_torch.py` writes the reference and runs this.
"""

import copy
import doctest
import inspect
import io
import itertools
import json
import pickle
import re
import sys
import traceback
import warnings

import cases
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

import hamtheory.torch as htt

VERSION = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
SCHEDULERS = torch.optim.lr_scheduler
REFERENCE: dict = {}


class Skipped(Exception):
    """Why a check says nothing here."""


# -- what the checks share -------------------------------------------------------------------------------------------


class Layer(torch.nn.Module):
    """The linear layer of `cases`."""

    def __init__(self):
        super().__init__()
        self.w, self.b = (torch.nn.Parameter(torch.tensor(cases.START[name])) for name in "wb")

    def forward(self):
        inputs, targets = torch.tensor(cases.INPUTS), torch.tensor(cases.TARGETS)
        return (inputs @ self.w + self.b - targets).square().mean()


def parameters(*shapes, dtype=torch.float64, seed=0):
    """Parameters with gradients of their own."""
    rng = np.random.default_rng(seed)
    found = [torch.nn.Parameter(torch.tensor(rng.standard_normal(shape)).to(dtype)) for shape in shapes]
    for theta in found:
        theta.grad = torch.tensor(rng.standard_normal(theta.shape)).to(dtype)
    return found


def factor(theta, gradient, eta, alpha, beta, clip=5.0):
    """The hyperbolic factor, by NumPy in float64."""
    theta, gradient = (tensor.detach().double().numpy() for tensor in (theta, gradient))
    exponent = -eta * (alpha * np.sign(theta) * gradient + beta)
    return np.exp(exponent if clip is None else np.clip(exponent, -clip, clip))


def assert_close(found, expected, rtol=1e-12):
    found, expected = (np.asarray(x.detach() if isinstance(x, torch.Tensor) else x) for x in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max(initial=0))


def assert_raises(error, words, call):
    said = None
    try:
        call()
    except error as found:
        said = str(found)
    assert said is not None and words in said, f"{error.__name__} must say {words!r}; it says {said!r}"


def train(layer, optimizer, steps=1, before=lambda: None, after=lambda: None):
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        layer().backward()
        before()
        optimizer.step()
        after()
        path.append([theta.detach().clone() for theta in layer.parameters()])
    return path


def assert_same_path(name, path):
    for k, theta in enumerate(path):
        for key, values in zip("wb", theta, strict=True):
            expected = REFERENCE[f"{name}/{key}"][k]
            error = np.abs(values.numpy() - expected).max() / np.abs(expected).max()
            assert error <= 1e-12, (k, key, error)
    assert len(path) == cases.STEPS


def ham(base, **changes):
    return htt.HAM(base, **{"alpha": cases.ALPHA, "beta": cases.BETA} | changes)


# -- step by step, it is ht.optim.ham --------------------------------------------------------------------------------


def check_sgd_is_that_of_optax():
    layer = Layer()
    assert_same_path("sgd", train(layer, ham(torch.optim.SGD(layer.parameters(), lr=cases.ETA)), cases.STEPS))


def check_momentum_is_that_of_optax():
    layer = Layer()
    base = torch.optim.SGD(layer.parameters(), lr=cases.ETA / 5, momentum=0.9)
    assert_same_path("momentum", train(layer, ham(base), cases.STEPS))


def check_adamw_is_that_of_optax():
    for foreach in (False, True):
        layer = Layer()
        base = torch.optim.AdamW(layer.parameters(), lr=cases.ETA, weight_decay=cases.DECAY, foreach=foreach)
        assert_same_path("adamw", train(layer, ham(base), cases.STEPS))


def check_a_schedule_is_that_of_optax():
    layer = Layer()
    optimizer = ham(torch.optim.SGD(layer.parameters(), lr=cases.ETA))
    scheduler = SCHEDULERS.LambdaLR(optimizer, lambda k: cases.schedule(k) / cases.ETA)
    assert_same_path("schedule", train(layer, optimizer, cases.STEPS, after=scheduler.step))


def check_a_clamped_exponent_is_that_of_optax():
    layer = Layer()
    optimizer = ham(torch.optim.SGD(layer.parameters(), lr=cases.ETA), clip=cases.CLIP)
    assert_same_path("clip", train(layer, optimizer, cases.STEPS))


def check_clamped_gradients_are_those_of_optax():
    layer = Layer()
    optimizer = ham(torch.optim.Adam(layer.parameters(), lr=cases.ETA))
    clamp = lambda: torch.nn.utils.clip_grad_value_(layer.parameters(), cases.MOST)  # noqa: E731
    assert_same_path("clamped_gradients", train(layer, optimizer, cases.STEPS, before=clamp))


def check_two_groups_are_those_of_optax():
    layer = Layer()
    base = torch.optim.SGD([{"params": [layer.w]}, {"params": [layer.b], "where": True, **cases.OTHER}], lr=cases.ETA)
    optimizer = ham(base)
    assert [group["alpha"] for group in optimizer.param_groups] == [cases.ALPHA, cases.OTHER["alpha"]]
    assert_same_path("groups", train(layer, optimizer, cases.STEPS))


def check_a_regular_expression_is_that_of_optax():
    layer = Layer()
    base = torch.optim.SGD(layer.parameters(), lr=cases.ETA)
    optimizer = ham(base, where="w|b", named_parameters=layer.named_parameters())
    assert_same_path("everywhere", train(layer, optimizer, cases.STEPS))


def check_the_natural_step_is_that_of_optax():
    layer = Layer()
    optimizer = htt.HAMNatural(layer.parameters(), cases.ETA, cases.ALPHA, cases.BETA)
    assert_same_path("natural", train(layer, optimizer, cases.STEPS))


def check_the_defaults_are_those_of_the_authors():
    theta, bias = parameters((1, 3), (2,))
    theta.data, theta.grad = torch.tensor([[1.0, -2.0, 4.0]]).double(), torch.tensor([[0.5, 0.25, 1e5]]).double()
    before, gradient, moved = theta.detach().clone(), theta.grad.clone(), bias.detach() - 1e-3 * bias.grad
    htt.HAM(torch.optim.SGD([theta, bias], lr=1e-3)).step()
    half = before - 1e-3 * gradient  # the last one has changed its sign: its exponent is 20
    assert_close(theta, half.numpy() * factor(half, gradient, 1e-3, 200.0, 1e-3))
    assert abs(float(theta[0, 2].detach() / half[0, 2]) - np.exp(5)) < 1e-9
    assert torch.equal(bias.detach(), moved)


# -- every base ------------------------------------------------------------------------------------------------------


def bases():
    """All dense optimizers of torch.optim without closures, with all their options that are true or false."""
    options = {
        "weight_decay": [0.0, 0.1], "momentum": [0.0, 0.9],
        **{name: [False, True] for name in ("foreach", "maximize", "nesterov", "centered", "amsgrad")},
        "fused": [False, True] if VERSION >= (2, 4) else [False],
        "decoupled_weight_decay": [False, True],
    }  # fmt: skip
    for name, kind in vars(torch.optim).items():
        if not inspect.isclass(kind) or name in ("Optimizer", "SparseAdam", "LBFGS"):
            continue
        known = inspect.signature(kind).parameters
        mine = {option: values for option, values in options.items() if option in known}
        for values in itertools.product(*mine.values()):
            chosen = {option: value for option, value in zip(mine, values, strict=True) if value}
            if ({"foreach", "fused"} <= set(chosen)) or ("nesterov" in chosen and "momentum" not in chosen):
                continue
            yield kind, {"lr": 0.05, **chosen}


def check_the_gradient_is_the_raw_one_around_every_base():
    """Some of them write into the gradients, in some versions."""
    counted, written = 0, 0
    for kind, options in bases():
        alone, around = parameters((3, 4), (4, 3)), parameters((3, 4), (4, 3))
        base = kind(alone, **options)
        optimizer = ham(kind(around, **options))
        sign = -1 if options.get("maximize") else 1
        for step in range(3):
            for one, other in zip(alone, around, strict=True):
                one.data.copy_(other.data)
                one.grad = torch.tensor(np.random.default_rng(step).standard_normal(one.shape))
                other.grad = one.grad.clone()
            raw = [one.grad.clone() for one in alone]
            base.step()
            optimizer.step()
            written += any(not torch.equal(one.grad, gradient) for one, gradient in zip(alone, raw, strict=True))
            for one, other, gradient in zip(alone, around, raw, strict=True):
                expected = one.detach().numpy() * factor(one, sign * gradient, 0.05, cases.ALPHA, cases.BETA)
                assert_close(other, expected)
        counted += 1
    assert counted > 60 and written > 0, (counted, written)


class Rewriting(torch.optim.SGD):
    """A base in the old style, which writes into the gradients behind autograd's back."""

    def step(self, closure=None):
        for group in self.param_groups:
            for theta in group["params"]:
                theta.grad.data.mul_(0.1)
        return super().step(closure)


def check_a_base_that_is_not_of_torch_may_write_into_gradients():
    theta, other = parameters((2, 3)), parameters((2, 3))
    gradient = theta[0].grad.clone()
    half = theta[0].detach() - 0.1 * 0.1 * gradient
    ham(Rewriting(theta, lr=0.1)).step()
    assert_close(theta[0], half.numpy() * factor(half, gradient, 0.1, cases.ALPHA, cases.BETA))
    ham(Rewriting(other, lr=0.1), copy_gradients=False).step()  # as the user has asked for
    assert not np.allclose(other[0].detach(), theta[0].detach())


def check_gradients_that_change_unexpectedly_are_an_error():
    theta = parameters((2, 3))
    base = torch.optim.RMSprop(theta, lr=0.1, foreach=True, weight_decay=0.1)
    if VERSION >= (2, 0):
        base = torch.optim.SGD(theta, lr=0.1, foreach=True, momentum=0.9, nesterov=True)
    assert_raises(RuntimeError, "copy_gradients=True", ham(base, copy_gradients=False).step)


def check_what_is_kept_is_small():
    """With AdamW no copy of anything: one buffer of a piece. With a base that may write: a copy of the gradients."""
    theta = parameters((700, 300), (5, 5), dtype=torch.float32)
    optimizer = ham(torch.optim.AdamW(theta, lr=0.1))
    optimizer.step()
    buffers = optimizer._workspace._buffers.values()
    assert not optimizer._copies and sum(buffer.numel() for buffer in buffers) <= 1 << 16 < 700 * 300
    other = ham(Rewriting(theta, lr=0.1))
    other.step()
    assert sum(copied.numel() for copied in other._copies.values()) == 700 * 300 + 25
    kept = [copied.data_ptr() for copied in other._copies.values()]
    other.step()
    assert kept == [copied.data_ptr() for copied in other._copies.values()]


def check_settings_have_another_name_where_the_base_has_them():
    theta = parameters((2, 3))
    optimizer = htt.HAM(torch.optim.RMSprop(theta, lr=0.1), alpha=7.0)
    group = optimizer.param_groups[0]
    assert group["alpha"] == 0.99 and group["ham_alpha"] == 7.0 and group["beta"] == 1e-3
    given = [{"params": theta, "ham_alpha": 9.0, "alpha": 0.9}]
    assert htt.HAM(torch.optim.RMSprop(given, lr=0.1)).param_groups[0]["ham_alpha"] == 9.0


# -- tensors of all kinds --------------------------------------------------------------------------------------------


def stepped_alone(theta, **options):
    """What one step without a base's makes of a parameter, and what it should be."""
    expected = theta.detach().double().numpy() * factor(theta, theta.grad, 0.1, 3.0, 0.02)
    optimizer = htt.HAM(torch.optim.SGD([theta], lr=0.1), alpha=3.0, beta=0.02, where=True, **options)
    optimizer.optimizer.step = lambda: None  # what it would do is checked elsewhere
    optimizer.step()
    return theta, expected


def check_sizes():
    """Smaller and larger than what is gathered and than a piece, alone and among others."""
    shapes = [(1,), (0, 3), (7,), (64, 64), (64, 65), (256, 256), (256, 257), (3, 256, 300)]
    for dtype, rtol in ((torch.float32, 1e-6), (torch.float64, 1e-14)):
        for shape in shapes:
            assert_close(*stepped_alone(*parameters(shape, dtype=dtype)), rtol)
        thetas = parameters(*shapes * 2, dtype=dtype)
        expected = [theta.detach().double().numpy() * factor(theta, theta.grad, 0.1, 3.0, 0.02) for theta in thetas]
        optimizer = htt.HAM(torch.optim.SGD(thetas, lr=0.1), alpha=3.0, beta=0.02, where=True)
        optimizer.optimizer.step = lambda: None
        optimizer.step()
        for theta, values in zip(thetas, expected, strict=True):
            assert_close(theta, values, rtol)


def check_tensors_that_are_not_contiguous():
    for strided in (lambda x: x.t(), lambda x: x[:, ::2], lambda x: x.t()[1:]):
        (whole,) = parameters((300, 400))
        theta = torch.nn.Parameter(strided(whole.detach().clone()))
        theta.grad = strided(whole.grad).clone()
        assert_close(*stepped_alone(theta))
    theta = torch.nn.Parameter(parameters((6, 5, 4, 3))[0].detach().contiguous(memory_format=torch.channels_last))
    theta.grad = parameters((6, 5, 4, 3), seed=1)[0].detach()
    assert_close(*stepped_alone(theta))


def check_half_precision_is_computed_in_float32():
    for dtype in (torch.float16, torch.bfloat16):
        for shape in ((5, 7), (300, 300)):
            theta, expected = stepped_alone(*parameters(shape, dtype=dtype))
            assert theta.dtype == dtype
            rounded = torch.tensor(expected).float().to(dtype).float()
            # All but few entries are rounded as the exact ones: those that are nearly half-way.
            differ = theta.detach().float() != rounded
            assert differ.float().mean() < 0.01
            assert_close(theta.detach().float(), expected, torch.finfo(dtype).eps)
    theta = parameters((5, 7), dtype=torch.float16)[0]
    theta.grad = (60.0 * theta.grad).half()  # α g overflows in half precision
    optimizer = htt.HAM(torch.optim.SGD([theta], lr=1e-4), alpha=2000.0)
    optimizer.optimizer.step = lambda: None
    expected = theta.detach().double().numpy() * factor(theta, theta.grad, 1e-4, 2000.0, 1e-3)
    optimizer.step()
    assert_close(theta.detach().float(), expected, torch.finfo(torch.float16).eps)


def check_zeros_and_nan():
    theta = torch.nn.Parameter(torch.tensor([[0.0, 1.0, -2.0, 3.0]], dtype=torch.float64))
    theta.grad = torch.tensor([[5.0, np.nan, np.inf, -np.inf]], dtype=torch.float64)
    theta, _ = stepped_alone(theta)
    assert theta[0, 0] == 0 and torch.isnan(theta[0, 1])
    assert_close(theta[0, 2:], [-2 * np.exp(5), 3 * np.exp(5)])
    unbounded = torch.nn.Parameter(torch.full((1, 1), -1.0, dtype=torch.float64))
    unbounded.grad = torch.full((1, 1), 20.0, dtype=torch.float64)
    optimizer = htt.HAM(torch.optim.SGD([unbounded], lr=1.0), alpha=1.0, beta=0.0, clip=None)
    optimizer.optimizer.step = lambda: None
    optimizer.step()
    assert_close(unbounded, [[-np.exp(20)]])


def check_parameters_without_gradients():
    """None: neither base nor factor. Zero: the decay."""
    theta, still = parameters((2, 3), (3, 2))
    frozen, zero = still.detach().clone(), theta.detach().clone()
    theta.grad.zero_()
    still.grad = None
    optimizer = htt.HAM(torch.optim.SGD([theta, still], lr=0.1), beta=0.5)
    optimizer.step()
    assert torch.equal(still.detach(), frozen)
    assert_close(theta, zero.numpy() * np.exp(-0.05))
    optimizer.param_groups[0]["lr"], before = 0.0, theta.detach().clone()
    optimizer.step()
    assert torch.equal(theta.detach(), before)
    optimizer.zero_grad(set_to_none=True)
    assert theta.grad is None
    optimizer.step()


def check_sparse_gradients_are_refused_by_name():
    model = torch.nn.ModuleDict({"words": torch.nn.Embedding(5, 3, sparse=True), "head": torch.nn.Linear(3, 2)})
    optimizer = htt.HAM(torch.optim.SGD(model.parameters(), lr=0.1), named_parameters=model.named_parameters())
    before = copy.deepcopy(model.state_dict())
    model["head"](model["words"](torch.tensor([1, 2]))).sum().backward()
    assert_raises(TypeError, "'words.weight' is torch.sparse_coo", optimizer.step)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    unnamed = htt.HAM(torch.optim.SGD(model.parameters(), lr=0.1))
    assert_raises(TypeError, "the one of shape (5, 3), 0 in its group", unnamed.step)
    natural = htt.HAMNatural(model.parameters(), 0.1, 1.0, named_parameters=model.named_parameters())
    assert_raises(TypeError, "'words.weight' is torch.sparse_coo", natural.step)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    only = htt.HAM(torch.optim.SGD(model.parameters(), lr=0.1), where=model["head"])
    only.step()
    assert not torch.equal(model["words"].weight, before["words.weight"])


def check_complex_parameters_are_refused():
    theta = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.complex128))
    real = parameters((2, 2))
    base = torch.optim.SGD([theta, *real], lr=0.1)
    assert_raises(TypeError, "shape (2, 2), 0 in its group has dtype torch.complex128", lambda: htt.HAM(base))
    assert htt.HAM(base, where=real).param_groups[0]["where"] == [False, True]


def check_maximize_is_respected():
    for kind in (torch.optim.SGD, torch.optim.Adam):
        up, down = Layer(), Layer()
        ascent = ham(kind(up.parameters(), lr=0.05, maximize=True))
        path = []
        for _ in range(20):
            ascent.zero_grad()
            (-up()).backward()
            ascent.step()
            path.append(up.w.detach().clone())
        for one, other in zip(path, train(down, ham(kind(down.parameters(), lr=0.05)), 20), strict=True):
            assert_close(one, other[0], 1e-14)
    natural = Layer(), Layer()
    ascent = htt.HAMNatural(natural[0].parameters(), 0.05, 3.0, 0.02, maximize=True)
    (-natural[0]()).backward()
    ascent.step()
    train(natural[1], htt.HAMNatural(natural[1].parameters(), 0.05, 3.0, 0.02))
    assert_close(natural[0].w, natural[1].w, 1e-15)


# -- which parameters ------------------------------------------------------------------------------------------------


def flags(where, model, **options):
    base = torch.optim.SGD(model.parameters(), lr=0.1)
    return htt.HAM(base, where=where, **options).param_groups[0]["where"]


def check_where():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))  # 0.weight, 0.bias, 1.weight, 1.bias
    names = {"named_parameters": list(model.named_parameters())}
    for where, expected, options in [
        (None, [True, False, True, False], {}),
        (True, [True, True, True, True], {}),
        (lambda theta: theta.numel() > 8, [True, False, False, False], {}),
        ([model[1].weight, model[0].bias], [False, True, True, False], {}),
        (model[1].weight, [False, False, True, False], {}),
        ((theta for theta in model[1].parameters()), [False, False, True, True], {}),
        (model[0], [True, True, False, False], {}),
        ("weight", [True, False, True, False], names),
        (re.compile(r"^1\."), [False, False, True, True], names),
    ]:
        assert flags(where, model, **options) == expected, where
        natural = htt.HAMNatural(
            model.parameters(), 0.1, 1.0, where=None if inspect.isgenerator(where) else where, **options
        )
        assert natural.param_groups[0]["where"] == (flags(None, model) if inspect.isgenerator(where) else expected)
    one, other = model[0].parameters(), model[1].parameters()
    groups = [{"params": list(one), "where": "bias"}, {"params": list(other), "where": False}]
    optimizer = htt.HAM(torch.optim.SGD(groups, lr=0.1), **names)
    assert [group["where"] for group in optimizer.param_groups] == [[False, True], [False, False]]
    for where, error, words, options in [
        (lambda theta: 1, TypeError, "must return a bool", {}),
        (False, ValueError, "it chooses none. All of them: where=True", {}),
        ("nothing", ValueError, "it chooses none", names),
        ("weight", ValueError, "named_parameters must be given", {}),
        ("(", ValueError, "must be a regular expression", names),
        ([True, False], TypeError, "it holds True", {}),
        ([model[0].weight, torch.ones(2, 9)], ValueError, "not of it is one of shape (2, 9)", {}),
    ]:
        assert_raises(error, words, lambda where=where, options=options: flags(where, model, **options))
    biases = torch.nn.ParameterList(parameters((2,), (3,)))
    assert_raises(ValueError, "no parameter has two axes", lambda: flags(None, biases))


def check_names_that_the_base_knows():
    if VERSION < (2, 6):
        raise Skipped("optimizers know no names before torch 2.6")
    model = torch.nn.Linear(2, 2)
    optimizer = htt.HAM(torch.optim.SGD(model.named_parameters(), lr=0.1), where="bias")
    assert optimizer.param_groups[0]["where"] == [False, True]


def check_another_group():
    model = torch.nn.Linear(2, 2)
    (later,) = parameters((2, 2), dtype=torch.float32)
    optimizer = htt.HAM(torch.optim.SGD(model.parameters(), lr=0.1))
    optimizer.add_param_group({"params": later, "alpha": 5.0})
    assert len(optimizer.optimizer.param_groups) == 2
    assert optimizer.param_groups[1]["where"] == [True] and optimizer.param_groups[1]["alpha"] == 5.0
    wrong = {"params": parameters((3, 3)), "beta": -1.0}
    assert_raises(ValueError, "beta must be at least 0 and finite; got -1", lambda: optimizer.add_param_group(wrong))
    assert len(optimizer.param_groups) == 2
    optimizer.optimizer.add_param_group({"params": (given := parameters((2, 2)))})  # to the base, behind HAM's back
    half, gradient = given[0].detach() - 0.1 * given[0].grad, given[0].grad.clone()
    optimizer.step()
    assert_close(given[0], half.numpy() * factor(half, gradient, 0.1, 200.0, 1e-3))


def check_bad_arguments():
    theta = parameters((2, 2))
    base = torch.optim.SGD(theta, lr=0.1)
    for changes, error, words in [
        ({"alpha": -1.0}, ValueError, "alpha must be at least 0 and finite; got -1.0"),
        ({"alpha": float("nan")}, ValueError, "alpha must be at least 0"),
        ({"beta": float("inf")}, ValueError, "beta must be at least 0 and finite; got inf"),
        ({"beta": "much"}, TypeError, "beta must be a number; got 'much'"),
        ({"clip": 0.0}, ValueError, "clip must be positive and finite; got 0.0"),
    ]:
        assert_raises(error, words, lambda changes=changes: htt.HAM(base, **changes))
    assert_raises(TypeError, "optimizer must be a torch.optim.Optimizer", lambda: htt.HAM(theta))
    assert_raises(ValueError, "alpha must be at least 0", lambda: htt.HAMNatural(theta, 0.1, -1.0))
    optimizer, before = htt.HAM(base), theta[0].detach().clone()
    optimizer.param_groups[0]["alpha"] = -2.0
    assert_raises(ValueError, "alpha must be at least 0 and finite; got -2.0", optimizer.step)
    assert torch.equal(theta[0].detach(), before)  # nothing has moved
    bare = torch.optim.Optimizer(parameters((2, 2)), {})
    assert_raises(ValueError, "must have a learning rate, lr", lambda: htt.HAM(bare))


# -- as a citizen of torch.optim -------------------------------------------------------------------------------------


def check_alpha_can_be_changed():
    theta, gradient = parameters((2, 3))[0], parameters((2, 3))[0].grad
    optimizer = htt.HAM(torch.optim.SGD([theta], lr=0.1), alpha=1.0)
    for alpha, beta, clip in ((4.0, 0.1, 5.0), (torch.tensor(2.0), 0.0, 0.1), (0, 0, None)):
        optimizer.param_groups[0].update(alpha=alpha, beta=beta, clip=clip)
        half = theta.detach() - 0.1 * gradient
        optimizer.step()
        assert_close(theta, half.numpy() * factor(half, gradient, 0.1, float(alpha), beta, clip))


def check_every_scheduler_takes_it():
    made = {
        "LambdaLR": {"lr_lambda": lambda k: 0.9**k}, "MultiplicativeLR": {"lr_lambda": lambda k: 0.9},
        "StepLR": {"step_size": 1}, "MultiStepLR": {"milestones": [1, 2]},
        "ConstantLR": {"total_iters": 2}, "LinearLR": {}, "ExponentialLR": {"gamma": 0.5},
        "CosineAnnealingLR": {"T_max": 5}, "PolynomialLR": {},
        "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1}, "OneCycleLR": {"max_lr": 0.1, "total_steps": 9},
        "CosineAnnealingWarmRestarts": {"T_0": 3}, "ReduceLROnPlateau": {"patience": 0},
    }  # fmt: skip
    used = 0
    for name, options in made.items():
        if not hasattr(SCHEDULERS, name):
            continue
        layers, rates = (Layer(), Layer()), []
        for layer, wrap in zip(layers, (ham, lambda base: base), strict=True):
            optimizer = wrap(torch.optim.SGD(layer.parameters(), lr=0.05, momentum=0.9))
            scheduler = getattr(SCHEDULERS, name)(optimizer, **options)
            seen = []
            for _ in range(4):
                train(layer, optimizer)
                scheduler.step(*[1.0] * (name == "ReduceLROnPlateau"))
                seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
            rates.append(seen)
        assert rates[0] == rates[1] and len(set(rates[0])) > 1, name
        used += 1
    assert used >= 12
    optimizer = ham(torch.optim.SGD(Layer().parameters(), lr=0.05))
    SCHEDULERS.SequentialLR(
        optimizer, [SCHEDULERS.ConstantLR(optimizer), SCHEDULERS.ExponentialLR(optimizer, 0.9)], milestones=[2]
    )
    torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.01)


def resumable(alpha=cases.ALPHA):
    layer = Layer()
    groups = [{"params": [layer.w], "alpha": alpha}, {"params": [layer.b], "where": True, "clip": None}]
    optimizer = htt.HAM(torch.optim.AdamW(groups, lr=0.05, amsgrad=True), beta=cases.BETA)
    return layer, optimizer, SCHEDULERS.ExponentialLR(optimizer, 0.95)


def check_a_checkpoint_goes_on_to_the_bit():
    layer, optimizer, scheduler = resumable()
    train(layer, optimizer, 10, after=scheduler.step)
    optimizer.param_groups[0]["alpha"] = 5.0  # as a schedule would
    file = io.BytesIO()
    torch.save([part.state_dict() for part in (layer, optimizer, scheduler)], file)
    path = train(layer, optimizer, 10, after=scheduler.step)
    file.seek(0)
    states = torch.load(file)
    again = resumable(alpha=99.0)
    for part, state in zip(again, states, strict=True):
        part.load_state_dict(state)
    assert [group["alpha"] for group in again[1].param_groups] == [5.0, 200.0]
    assert again[1].param_groups is again[1].optimizer.param_groups and again[1].state is again[1].optimizer.state
    resumed = train(again[0], again[1], 10, after=again[2].step)
    assert all(torch.equal(x, y) for one, two in zip(path, resumed, strict=True) for x, y in zip(one, two, strict=True))
    ours, theirs = optimizer.state_dict(), again[1].state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    for one, two in zip(ours["state"].values(), theirs["state"].values(), strict=True):
        assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(two[key])) for key in one)


def check_checkpoints_of_base_and_of_ham_go_either_way():
    layer = Layer()
    base = torch.optim.Adam(layer.parameters(), lr=0.05)
    train(layer, base, 3)
    optimizer = ham(torch.optim.Adam(Layer().parameters(), lr=0.01))
    optimizer.load_state_dict(base.state_dict())
    group = optimizer.param_groups[0]
    assert (group["lr"], group["alpha"], group["beta"], group["clip"]) == (0.05, cases.ALPHA, cases.BETA, 5.0)
    assert group["where"] == [True, False]
    torch.optim.Adam(Layer().parameters(), lr=0.01).load_state_dict(optimizer.state_dict())


def check_copies_and_pickles():
    layer = Layer()
    optimizer = ham(torch.optim.Adam(layer.parameters(), lr=0.05))
    train(layer, optimizer, 3)
    both = copy.deepcopy((layer, optimizer)), pickle.loads(pickle.dumps((layer, optimizer)))
    expected = train(layer, optimizer, 3)[-1]
    for other, its in both:
        assert its.param_groups[0]["params"][0] is other.w
        assert all(torch.equal(x, y) for x, y in zip(train(other, its, 3)[-1], expected, strict=True))
    assert repr(optimizer).startswith("HAM(Adam (") and "alpha: 3.0" in repr(optimizer)


def check_closures():
    """The loss comes back, the closure is called once, with gradients on, and the path is the same."""
    path = train(layer := Layer(), ham(torch.optim.SGD(layer.parameters(), lr=0.05)), 5)
    other, calls = Layer(), []
    optimizer = ham(torch.optim.SGD(other.parameters(), lr=0.05))

    def closure():
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        value = other()
        value.backward()
        calls.append(value.item())
        return value

    for k in range(5):
        found = optimizer.step(closure)
        assert found.item() == calls[-1] and len(calls) == k + 1
        assert torch.equal(other.w.detach(), path[k][0])
    natural = htt.HAMNatural(other.parameters(), 0.05, 1.0)
    assert natural.step(closure).item() == calls[-1]

    class Deaf(torch.optim.SGD):
        def step(self, closure=None):
            return None

    deaf = ham(Deaf(other.parameters(), lr=0.05))
    assert_raises(RuntimeError, "has not called the closure", lambda: deaf.step(closure))


def check_lbfgs_has_the_factor_after_all_its_iterations():
    """With the gradient of the first call, though later ones write into the same tensors, or into new ones."""
    for to_none in (False, True):
        layers = Layer(), Layer()
        options = {"lr": 0.5, "max_iter": 4, "line_search_fn": "strong_wolfe"}
        base = torch.optim.LBFGS(layers[0].parameters(), **options)
        optimizer = ham(torch.optim.LBFGS(layers[1].parameters(), **options))
        layers[0]().backward()
        raw = layers[0].w.grad.clone()
        calls = []

        def closure_of(layer, to_none=to_none, calls=calls):
            def closure():
                for theta in layer.parameters():
                    if theta.grad is not None:
                        theta.grad = None if to_none else theta.grad.zero_()
                value = layer()
                value.backward()
                calls.append(layer)
                return value

            return closure

        base.step(closure_of(layers[0]))
        optimizer.step(closure_of(layers[1]))
        assert calls.count(layers[1]) == calls.count(layers[0]) > 2
        half = layers[0].w.detach()
        assert_close(layers[1].w, half.numpy() * factor(half, raw, 0.5, cases.ALPHA, cases.BETA))
        assert_close(layers[1].b, layers[0].b)


def check_the_scaler_of_mixed_precision():
    """A step that it skips is none of HAM either; unscaled by a power of two, the others are the same to the bit."""
    if VERSION < (2, 3):
        raise Skipped("before torch 2.3 the scaler works on CUDA alone")
    layers, bases_ = (Layer(), Layer()), []
    for layer in layers:
        bases_.append(ham(torch.optim.AdamW(layer.parameters(), lr=0.05)))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1000)
    for k in range(6):
        before = [theta.detach().clone() for theta in layers[1].parameters()]
        bases_[1].zero_grad()
        scaler.scale(layers[1]()).backward()
        if k == 3:
            layers[1].w.grad[0, 0] = float("inf")
        scaler.step(bases_[1])
        scaler.update()
        if k == 3:
            assert all(torch.equal(x, y.detach()) for x, y in zip(before, layers[1].parameters(), strict=True))
            continue
        train(layers[0], bases_[0])
        assert torch.equal(layers[0].w, layers[1].w) and torch.equal(layers[0].b, layers[1].b)
    assert scaler.get_scale() == 2.0**9


def check_fused_steps_and_their_scaler():
    if VERSION < (2, 4):
        raise Skipped("before torch 2.4 fused steps work on CUDA alone")
    layers = Layer(), Layer()
    optimizers = [ham(torch.optim.AdamW(layer.parameters(), lr=0.05, fused=True)) for layer in layers]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1000)
    for _ in range(4):
        train(layers[0], optimizers[0])
        optimizers[1].zero_grad()
        scaler.scale(layers[1]()).backward()
        scaler.step(optimizers[1])
        scaler.update()
        assert torch.equal(layers[0].w, layers[1].w)


def check_hooks():
    layer = Layer()
    optimizer = ham(torch.optim.SGD(layer.parameters(), lr=0.05))
    layer.w.register_hook(lambda gradient: 2 * gradient)  # of the tensor: its gradient is what comes out
    half, raw = Layer(), Layer()
    raw().backward()
    with torch.no_grad():
        half.w -= 0.05 * 2 * raw.w.grad
    train(layer, optimizer)
    assert_close(layer.w, half.w.detach().numpy() * factor(half.w, 2 * raw.w.grad, 0.05, cases.ALPHA, cases.BETA))
    if VERSION < (2, 3):
        return
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    optimizer.register_state_dict_post_hook(lambda _, state: state | {"more": 1})
    train(layer, optimizer)
    assert called == ["before", "after"] and optimizer.state_dict()["more"] == 1
    clipped = ham(torch.optim.SGD(layer.parameters(), lr=0.05))

    def clip(*_):
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1e-3)

    clipped.optimizer.register_step_pre_hook(clip)  # the base alone sees the clipped gradient
    layer.zero_grad()
    layer().backward()
    before, gradient = layer.w.detach().clone(), layer.w.grad.clone()
    clipped.step()
    half = before - 0.05 * layer.w.grad
    assert layer.w.grad.norm() < 1.1e-3 < gradient.norm()
    assert_close(layer.w, half.numpy() * factor(half, gradient, 0.05, cases.ALPHA, cases.BETA))


# -- as the authors' wrapper has it ----------------------------------------------------------------------------------


def published(theta, gradient, eta, alpha=200.0, beta=1e-3):
    """What the authors' wrapper makes of a parameter that its base has moved, by NumPy; and whether it warns."""
    if np.isnan(theta).any() or np.isnan(gradient).any():
        return theta, True
    if theta.ndim >= 2:
        with np.errstate(invalid="ignore"):
            exponent = np.clip((-alpha * np.sign(theta) * gradient - beta) * eta, -5, 5)
        if np.isnan(exponent).any():
            return theta, True
        theta = np.where(theta != 0, theta * np.exp(exponent), theta)
    norm = np.linalg.norm(theta)
    return (theta * (1000 / norm), True) if norm > 1000 else (theta, False)


def check_official_is_the_wrapper_of_the_authors():
    for spoil in (None, "theta", "gradient", "exponent", "large", "vector", "clamped", "both"):
        thetas = parameters((3, 4), (4,), (2, 2, 2))
        if spoil in ("large", "both"):
            thetas[0].data *= 1e3
        if spoil == "vector":
            thetas[1].data *= 1e3
        if spoil == "clamped":
            thetas[2].grad *= 1e3
        if spoil == "theta":
            thetas[0].data[0, 1] = np.nan
        if spoil in ("gradient", "both"):
            thetas[2].grad[0, 1, 0] = np.nan
        if spoil == "exponent":
            thetas[0].data[1, 1], thetas[0].grad[1, 1] = 0.0, np.inf
        eta = 0.01
        optimizer = htt.HAM(torch.optim.SGD(thetas, lr=eta), official=True)
        halves = [theta.detach() - eta * theta.grad for theta in thetas]
        if spoil == "exponent":
            halves[0][1, 1] = 0.0
            thetas[0].data.copy_(halves[0])
            thetas[1].data.copy_(halves[1])
            thetas[2].data.copy_(halves[2])
            optimizer.optimizer.step = lambda: None
        gradients = [theta.grad.clone() for theta in thetas]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            optimizer.step()
        expected = [published(half.numpy(), g.numpy(), eta) for half, g in zip(halves, gradients, strict=True)]
        for theta, (values, _) in zip(thetas, expected, strict=True):
            np.testing.assert_allclose(theta.detach(), values, rtol=1e-14)
        assert len(caught) == sum(warned for _, warned in expected), spoil
        norm = torch.stack([g.norm() for g in gradients]).norm()
        for theta, g in zip(thetas, gradients, strict=True):
            scaled = g * torch.clamp(20 / (norm + 1e-6), max=1.0)  # a NaN in one gradient spreads to all
            np.testing.assert_allclose(theta.grad, scaled, rtol=1e-14)
    ascent = torch.optim.SGD(parameters((2, 2)), lr=0.1, maximize=True)
    assert_raises(ValueError, "official must be False", lambda: htt.HAM(ascent, official=True))


def check_official_is_ham_where_nothing_is_bounded():
    layers = Layer(), Layer()
    ours, theirs = (ham(torch.optim.Adam(x.parameters(), lr=0.05), official=x is layers[1]) for x in layers)
    for one, other in zip(train(layers[0], ours, 50), train(layers[1], theirs, 50), strict=True):
        assert_close(one[0], other[0])
        assert_close(one[1], other[1])


def check_official_reads_what_the_base_has_left():
    """With a base that writes into the gradients the wrapper of the authors has another step than HAM."""
    ours, theirs = parameters((2, 3)), parameters((2, 3))
    gradient = theirs[0].grad.clone()
    half = theirs[0].detach() - 0.1 * 0.1 * gradient
    ham(Rewriting(ours, lr=0.1)).step()
    ham(Rewriting(theirs, lr=0.1), official=True).step()
    assert_close(theirs[0], half.numpy() * factor(half, 0.1 * gradient, 0.1, cases.ALPHA, cases.BETA))
    assert not np.allclose(ours[0].detach(), theirs[0].detach())


# -- flips -----------------------------------------------------------------------------------------------------------


def check_flips_are_those_of_the_reference():
    layer = Layer()
    optimizer = ham(torch.optim.SGD(layer.parameters(), lr=cases.ETA))
    counter = htt.count_flips([layer.w])
    train(layer, optimizer, cases.STEPS, after=counter.update)
    assert counter.flips[0].gross.tolist() == REFERENCE["flips"].tolist()
    assert counter.totals()["gross"] == REFERENCE["flips"].sum() and counter.steps == cases.STEPS


def check_flips_of_a_path_with_zeros():
    """Against a loop over the signs of each entry."""
    rng = np.random.default_rng(0)
    path = rng.integers(-1, 2, size=(30, 2, 9)).astype(float)
    theta = torch.nn.Parameter(torch.tensor(path[0]))
    counter = htt.count_flips(
        torch.optim.SGD([theta, torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))], lr=1.0)
    )
    totals = []
    for k, values in enumerate(path[1:]):
        if k == 12:  # a counter that goes on
            state, counter = counter.state_dict(), htt.count_flips(theta)
            counter.load_state_dict(state)
        theta.data = torch.tensor(values)
        totals.append(counter.update())
    flips = counter.flips[0]
    for place in np.ndindex(2, 9):
        steps = [(k, s) for k, s in enumerate(path[(slice(None), *place)]) if s != 0]
        times = [k for (_, a), (k, b) in itertools.pairwise(steps) if a != b]
        found = [int(field[place]) for field in flips]
        first, last = ([times[0], times[-1]]) if times else (-1, -1)
        assert found == [steps[0][1], steps[-1][1], len(times), first, last]
    gross = flips.gross.numpy()
    assert counter.totals() == {
        "entries": 18, "gross": gross.sum(), "net": (gross % 2).sum(),
        "flipped_back": ((gross > 0) & (gross % 2 == 0)).sum(), "never": (gross == 0).sum(),
    }  # fmt: skip
    assert sum(totals) == gross.sum()
    other = htt.count_flips(parameters((3, 3)))
    assert_raises(
        ValueError, "of the shapes [(3, 3)]; got [(2, 9)]", lambda: other.load_state_dict(counter.state_dict())
    )
    assert_raises(TypeError, "got torch.int64", lambda: htt.count_flips([torch.ones(2, dtype=torch.int64)]))
    assert_raises(ValueError, "got none", lambda: htt.count_flips([]))


def check_examples_of_docstrings():
    failed, attempted = doctest.testmod(htt)
    assert failed == 0 and attempted > 15


def main(file):
    torch.set_num_threads(1)
    REFERENCE.update(np.load(file))
    answers = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check()
                answers[name] = ""
            except Skipped as skipped:
                answers[name] = f"skipped: {skipped}"
            except Exception:
                answers[name] = traceback.format_exc()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
