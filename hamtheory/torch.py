"""HAM for PyTorch: around any optimizer of `torch.optim`, what `hamtheory.optim` is for optax.

It is imported by name, `import hamtheory.torch`. It needs PyTorch, 1.13 or newer, and neither JAX nor the rest of this
package.
"""

import itertools
import math
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:  # there need be no PyTorch where types are checked, and this file would be taken for it
    torch = cast(Any, None)
    Tensor = Any
else:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "hamtheory.torch needs PyTorch, 1.13 or newer, which is not installed here: pip install 'hamtheory[torch]'"
        ) from error
    Tensor = torch.Tensor

__all__ = ["HAM", "FlipCounter", "Flips", "HAMNatural", "count_flips"]

Where = Any  # a rule for single parameters, some of them, a module, a regular expression, a bool or None

_SETTINGS = ("alpha", "beta", "clip", "where")
_MOST_WEIGHT_NORM, _MOST_GRADIENT_NORM, _MOST_EXPONENT = 1000.0, 20.0, 5.0  # of the authors' wrapper
_flatten, _unflatten = torch._utils._flatten_dense_tensors, torch._utils._unflatten_dense_tensors
_STATE_DICT_HOOKS = [f"_optimizer_{what}state_dict_{when}_hooks" for what in ("", "load_") for when in ("pre", "post")]


class HAM(torch.optim.Optimizer):
    """Hyperbolic Aware Minimization around any optimizer: its step, then a hyperbolic one.

    `θ_{k+½}` is what the base makes of θ_k, and `θ_{k+1} = θ_{k+½} exp(clip(−η(α sign(θ_{k+½}) g + β), −c, c))`, with g
    the raw gradient at θ_k, `p.grad` as it is when `step` is called, and η the group's `lr`. It is `ht.optim.ham`, with
    the same defaults, those of the authors' code.

    **Groups.** The base and HAM share `param_groups` and `state`. A group has `alpha`, `beta` and `clip` besides the
    options of the base: write them in the groups that the base is made of, or change them later, as a scheduler does
    with `lr`. Where the base has an option of that name, it is HAM's with `ham_` before it: `ham_alpha` with RMSprop
    and ASGD. `where` is a list of bools there, one a parameter. All of it is in `state_dict`, which is that of the
    base with these four; one of the base alone can be loaded, too.

    **The raw gradient.** Clip it before `step`, and the clipped one is the raw one. With `torch.amp.GradScaler` it is
    unscaled; a step that the scaler skips is no step of HAM either. If the base maximizes, it is −g. Some bases write
    into the gradients, as those of `torch.optim` with `foreach` may: HAM then keeps a copy of them, which takes as much
    memory as the parameters that get the factor. So it does with every base that is not of `torch.optim`, unless
    `copy_gradients=False`.

    **Parameters that the base leaves alone.** A parameter whose gradient is None is left alone by both. One whose
    gradient is 0 still decays; one with `lr = 0` in its group does not.

    **Closures.** g is the gradient that the first call of the closure leaves, however often the base calls it. LBFGS
    works, with the factor once a step, after all its iterations; but its next step compares gradients on both sides of
    a hyperbolic step that it knows nothing of, so that one of its curvature pairs a step is wrong by as much. Take
    `history_size` small, or another base.

    **As published.** With `official=True` the step is that of the authors' PyTorch wrapper, operation by operation. It
    differs from the above in this:

    * The gradient is read after the step of the base, as that leaves it; `maximize` is refused.
    * All is computed in the dtype of the parameter, half precision too, in this order: `((−α sign(θ)) g − β) η`.
    * The exponent is bounded by 5, whatever `clip` is.
    * A tensor is left as the base has made it, with a warning, where it, its gradient or the exponent has a NaN. (That
      code would restore what has become NaN by the factor, too: none can, the factor being finite.)
    * Every tensor with a gradient, those without the factor too, is scaled to an L2 norm of 1000, with a warning, if it
      has a larger one.
    * Last, the gradients of a group are scaled to a norm of 20, if it is larger; a NaN in one is one in all then. They
      have been used by that time: only what reads or accumulates gradients after the step sees it.

    (That wrapper returns no loss, prints instead of warning, keeps α and β out of `state_dict`, and has a `zero_grad`
    without arguments; these are not copied.)

    Args:
        optimizer: Any torch optimizer whose groups have an `lr`.
        alpha: α ≥ 0, the strength of the geometry, for groups that have none of their own.
        beta: β ≥ 0, that of the decay, likewise.
        clip: c > 0, the largest size of the exponent, likewise; None for no bound.
        where: Which parameters get the factor; the others get the step of the base alone. None: those with two axes or
            more. Otherwise a rule, called with each parameter, that returns a bool; a collection of parameters; a
            module, for all of its own; True, for all; or a regular expression, which is searched for in their names,
            such as `layers.0.weight`: "weight", "^layers.[01]". A group may have a `where` of its own.
        named_parameters: The names, `model.named_parameters()`, for regular expressions and messages; not needed where
            the base was made of named parameters (torch ≥ 2.6).
        official: Whether to do what the authors' wrapper does.
        copy_gradients: Whether to copy gradients before the step of the base; None: where it may write into them.

    Attributes:
        optimizer: The base.

    Raises:
        TypeError: If `optimizer` is none, or `where` returns no bools or chooses complex or integer parameters; at a
            step, for sparse gradients of what it chooses.
        ValueError: For numbers out of range, also of groups, at the next step; a base without `lr`; if `where` chooses
            nothing, holds what the base does not have, or is a regular expression without names.
        RuntimeError: If the base writes into gradients that were not copied, or never calls the closure.

    References:
        [jacobs2026ham], Algorithm 1, with the sign at θ_{k+½} (HYP*), so that no copy of θ_k is kept.

    ```python
    >>> import torch, hamtheory.torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.ones_(layer.weight), torch.nn.init.ones_(layer.bias)
    >>> optimizer = hamtheory.torch.HAM(torch.optim.SGD(layer.parameters(), lr=1e-3), alpha=100.0)
    >>> layer(torch.ones(1, 2)).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in layer.weight[0].tolist()], round(layer.bias.item(), 4)
    ([0.9039, 0.9039], 0.999)

    ```
    """

    optimizer: Any

    def __init__(
        self,
        optimizer: Any,
        alpha: float = 200.0,
        beta: float = 1e-3,
        clip: float | None = 5.0,
        where: Where = None,
        *,
        named_parameters: Iterable[tuple[str, Tensor]] | None = None,
        official: bool = False,
        copy_gradients: bool | None = None,
    ):
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer; got {optimizer!r}")
        defaults = {"alpha": _strength(alpha, "alpha"), "beta": _strength(beta, "beta"), "clip": _bound(clip)}
        # What Optimizer.__init__ does but for groups and state, which are those of the base.
        self.__setstate__(
            {
                "optimizer": optimizer,
                "official": official,
                "copy_gradients": copy_gradients,
                "_keys": {name: f"ham_{name}" if name in optimizer.defaults else name for name in _SETTINGS},
                "_settings": defaults | {"where": _listed(where)},
                "_names": {} if named_parameters is None else {p: name for name, p in named_parameters},
                "_copies": {},
                "_workspace": _Workspace(),
            }
        )
        for group in self.param_groups:
            self._complete(group)
        _all_known(self._settings["where"], self.param_groups)
        if not any(any(group[self._keys["where"]]) for group in self.param_groups):
            reason = "no parameter has two axes or more, which is the default" if where is None else "it chooses none"
            raise ValueError(f"where must choose at least one parameter; {reason}. All of them: where=True")

    def __getstate__(self) -> dict[str, Any]:
        kept = ("optimizer", "official", "copy_gradients", "_keys", "_settings", "_names")
        return {name: self.__dict__[name] for name in kept} | {"_copies": {}, "_workspace": _Workspace()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name in _STATE_DICT_HOOKS:
            if hasattr(state["optimizer"], name):
                self.__dict__[name] = getattr(state["optimizer"], name)
        super().__setstate__(state)

    def __repr__(self) -> str:
        return f"HAM({self.optimizer!r})"

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the base, with HAM's settings in them."""
        return self.optimizer.param_groups

    @property
    def state(self) -> dict[Tensor, Any]:
        """That of the base: HAM has none."""
        return self.optimizer.state

    @property
    def defaults(self) -> dict[str, Any]:
        """Those of the base."""
        return self.optimizer.defaults

    def zero_grad(self, *args: Any, **kwargs: Any) -> None:
        """What the base does.

        Args:
            *args: As of the base.
            **kwargs: As of the base.
        """
        self.optimizer.zero_grad(*args, **kwargs)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Give the base another group.

        Args:
            param_group: As of the base; `alpha`, `beta`, `clip` and `where` may be in it.
        """
        self.optimizer.add_param_group(param_group)
        try:
            self._complete(self.param_groups[-1])
        except BaseException:
            self.param_groups.pop()
            raise

    def state_dict(self) -> dict[str, Any]:
        """The state of the base, with the settings of HAM in its groups.

        Returns:
            What `load_state_dict` of HAM takes, and that of the base.
        """
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore base and settings; from the state of a base alone, the base.

        Args:
            state_dict: Of a HAM around the same kind of base, or of such a base.
        """
        before = [{key: group[key] for key in self._keys.values() if key in group} for group in self.param_groups]
        self.optimizer.load_state_dict(state_dict)
        for group, settings in zip(self.param_groups, before, strict=True):
            for key, value in settings.items():
                group.setdefault(key, value)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of the base, and the hyperbolic one.

        Args:
            closure: As of the base: it computes the loss again, and the gradients.

        Returns:
            What the step of the base returns.
        """
        steps = [self._step_of(group) for group in self.param_groups]  # a bad number is found before anything moves
        if self.official:
            loss = self.optimizer.step() if closure is None else self.optimizer.step(closure)
            for group in self.param_groups:
                self._official_step(group)
            return loss
        raw = _RawGradients(self)
        if closure is None:
            raw.read()
            loss = self.optimizer.step()
        else:
            loss = self.optimizer.step(raw.first_of(closure))
        for step, (thetas, gradients) in zip(steps, raw.of_groups(), strict=True):
            self._workspace.multiply(thetas, gradients, step)
        return loss

    def _complete(self, group: dict[str, Any]) -> None:
        """Give a group the settings that it lacks."""
        if "lr" not in group:
            raise ValueError(f"optimizer must have a learning rate, lr, in each of its groups; got {list(group)}")
        found = {name: group.get(key, self._settings[name]) for name, key in self._keys.items()}
        checked = {"alpha": _strength(found["alpha"], "alpha"), "beta": _strength(found["beta"], "beta")}
        checked |= {"clip": _bound(found["clip"]), "where": _selection(found["where"], group, self._names)}
        if self.official and group.get("maximize"):
            raise ValueError("official must be False for a base that maximizes: that rule would work against its step")
        group.update({self._keys[name]: value for name, value in checked.items()})

    def _step_of(self, group: dict[str, Any]) -> "_Step":
        """The numbers of a group at this step."""
        if any(key not in group for key in self._keys.values()):  # a group that was given to the base
            self._complete(group)
        eta = float(group["lr"])
        if not (eta >= 0 and math.isfinite(eta)):
            raise ValueError(f"lr must be at least 0 and finite; got {eta}")
        alpha, beta = (_strength(group[self._keys[name]], name) for name in ("alpha", "beta"))
        push = eta * alpha if group.get("maximize") else -eta * alpha
        return _Step(push, -eta * beta, _bound(group[self._keys["clip"]]))

    def _chosen(self, group: dict[str, Any]) -> list[Tensor]:
        """Those with a gradient among the parameters that get the factor."""
        flags = group[self._keys["where"]]
        if len(flags) != len(group["params"]):
            raise ValueError(f"where must have a bool for each of the {len(group['params'])} parameters; got {flags}")
        return [p for p, flag in zip(group["params"], flags, strict=True) if flag and p.grad is not None]

    def _writes(self, group: dict[str, Any]) -> bool:
        """Whether the base may write into the gradients of a group."""
        if self.copy_gradients is not None:
            return self.copy_gradients
        base = self.optimizer
        if not type(base).__module__.startswith("torch.optim.") or getattr(base, "_optimizer_step_pre_hooks", None):
            return True
        decays = group.get("weight_decay") and not isinstance(base, torch.optim.AdamW)
        if not (decays or group.get("nesterov")):
            return False
        by_default = not group.get("fused") and any(p.device.type != "cpu" for p in group["params"])
        return bool(by_default if group.get("foreach") is None else group["foreach"])

    @torch.no_grad()
    def _official_step(self, group: dict[str, Any]) -> None:
        """What the authors' wrapper does with a group after the step of the base."""
        alpha, beta, eta = group[self._keys["alpha"]], group[self._keys["beta"]], group["lr"]
        for theta, flag in zip(group["params"], group[self._keys["where"]], strict=True):
            if theta.grad is None or _warned_of_nan(theta, "parameter") or _warned_of_nan(theta.grad, "gradient"):
                continue
            if flag:
                exponent = torch.sign(theta).mul_(-alpha).mul_(theta.grad).sub_(beta).mul_(eta)
                exponent.clamp_(-_MOST_EXPONENT, _MOST_EXPONENT)
                if _warned_of_nan(exponent, "exponent"):
                    continue
                theta.mul_(exponent.exp_())
            norm = torch.norm(theta)
            if norm > _MOST_WEIGHT_NORM:
                _warn(f"a parameter of shape {tuple(theta.shape)} has norm {norm:.4f}: scaled to {_MOST_WEIGHT_NORM:g}")
                theta.mul_(_MOST_WEIGHT_NORM / norm)
        torch.nn.utils.clip_grad_norm_(group["params"], max_norm=_MOST_GRADIENT_NORM)


class _Step:
    """The numbers of one hyperbolic step: `exp(clip(push sign(θ) g + decay, −c, c))` is the factor."""

    def __init__(self, push: float, decay: float, clip: float | None):
        self.push, self.decay, self.clip = push, decay, clip
        self._decays: dict[tuple[Any, Any], Tensor] = {}

    def decay_of(self, theta: Tensor) -> Tensor:
        """The decay as a tensor, where `theta` is."""
        kind = (theta.device, theta.dtype)
        if kind not in self._decays:
            self._decays[kind] = torch.full((), self.decay, dtype=theta.dtype, device=theta.device)
        return self._decays[kind]


class _RawGradients:
    """The gradients at θ_k, kept through the step of the base."""

    def __init__(self, ham: HAM):
        self._ham = ham
        self._groups: list[tuple[list[Tensor], list[Tensor]]] | None = None
        self._versions: list[list[int] | None] = []  # of gradients that are not copies

    @torch.no_grad()
    def read(self) -> None:
        """Take those that the parameters have now."""
        self._groups, self._versions = [], []
        for group in self._ham.param_groups:
            thetas = self._ham._chosen(group)
            gradients = [_dense_gradient(theta, group, self._ham._names) for theta in thetas]
            if self._ham._writes(group):
                gradients = self._copied(thetas, gradients)
                self._versions.append(None)
            else:
                self._versions.append([gradient._version for gradient in gradients])
            self._groups.append((thetas, gradients))

    def first_of(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        """The closure, after whose first call the gradients are taken."""

        def called() -> Any:
            if self._groups is not None:
                self._keep()
            loss = closure()
            if self._groups is None:
                self.read()
            return loss

        return called

    def of_groups(self) -> list[tuple[list[Tensor], list[Tensor]]]:
        """Parameters and their gradients for each group, or an error if the base has written into these."""
        if self._groups is None:
            raise RuntimeError("the base optimizer has not called the closure: HAM has no gradient for its step")
        for (_, gradients), versions in zip(self._groups, self._versions, strict=True):
            if versions is not None and versions != [gradient._version for gradient in gradients]:
                raise RuntimeError("the base optimizer has written into the gradients: HAM needs copy_gradients=True")
        return self._groups

    @torch.no_grad()
    def _keep(self) -> None:
        """Copy what is not a copy, before the closure is called again."""
        groups = self.of_groups()
        self._groups = [
            (thetas, gradients if versions is None else self._copied(thetas, gradients))
            for (thetas, gradients), versions in zip(groups, self._versions, strict=True)
        ]
        self._versions = [None] * len(groups)

    def _copied(self, thetas: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        copies = self._ham._copies
        for theta, gradient in zip(thetas, gradients, strict=True):
            if theta not in copies or copies[theta].dtype != gradient.dtype or copies[theta].device != gradient.device:
                copies[theta] = torch.empty_like(gradient)
        kept = [copies[theta] for theta in thetas]
        if kept and hasattr(torch, "_foreach_copy_"):
            torch._foreach_copy_(kept, gradients)
        else:
            for copy, gradient in zip(kept, gradients, strict=True):
                copy.copy_(gradient)
        return kept


def _dense_gradient(theta: Tensor, group: dict[str, Any], names: dict[Tensor, str]) -> Tensor:
    if theta.grad.layout != torch.strided:
        name = _label(theta, group, names)
        raise TypeError(f"gradients must be dense; that of {name} is {theta.grad.layout}: leave it out of where")
    return theta.grad


class _Workspace:
    """Multiplies parameters by their factors; a buffer is kept for the large ones, which are computed in pieces of it.

    Small parameters are gathered in one piece, and with it the calls that each would need.
    """

    def __init__(self):
        self._buffers: dict[tuple[Any, Any], Tensor] = {}

    @torch.no_grad()
    def multiply(self, thetas: list[Tensor], gradients: list[Tensor], step: _Step) -> None:
        """`θ ← θ exp(clip(push sign(θ) g + decay, −c, c))`, in place, in float32 at least."""
        gathered = defaultdict(list)
        sizes = {device: (_small(device), _piece(device)) for device in {theta.device for theta in thetas}}
        for theta, gradient in zip(thetas, gradients, strict=True):
            size, (small, piece) = theta.numel(), sizes[theta.device]
            if 0 < size <= small:
                gathered[theta.device, theta.dtype, gradient.dtype].append((theta, gradient))
            elif size > piece and theta.is_contiguous() and gradient.is_contiguous():
                self._multiply_in_pieces(theta.view(-1), gradient.view(-1), step)
            else:
                theta.mul_(_factor(*_wide(theta, gradient), step))
        for (device, *_), pairs in gathered.items():
            for some, theirs in _together(pairs, sizes[device][1]):
                factor = _factor(*_wide(_flatten(some), _flatten(theirs)), step)
                torch._foreach_mul_(some, list(_unflatten(factor, some)))

    def _multiply_in_pieces(self, theta: Tensor, gradient: Tensor, step: _Step) -> None:
        size = _piece(theta.device)
        for part, its in zip(theta.split(size), gradient.split(size), strict=True):
            pair = _wide(part, its)
            kind = (theta.device, pair[0].dtype)
            if kind not in self._buffers or self._buffers[kind].numel() < size:
                self._buffers[kind] = torch.empty(size, dtype=kind[1], device=kind[0])
            part.mul_(_factor(*pair, step, out=self._buffers[kind][: part.numel()]))


def _wide(theta: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the dtype to compute in: the wider one, and at least float32."""
    if theta.dtype == gradient.dtype and theta.dtype in (torch.float32, torch.float64):
        return theta, gradient
    dtype = torch.promote_types(torch.promote_types(theta.dtype, gradient.dtype), torch.float32)
    return theta.to(dtype), gradient.to(dtype)


def _factor(theta: Tensor, gradient: Tensor, step: _Step, out: Tensor | None = None) -> Tensor:
    """The factor of each entry."""
    sign = torch.sign(theta, out=out)  # `copysign`, exact for an infinite gradient at 0 too, takes thrice as long
    exponent = torch.addcmul(step.decay_of(theta), sign, gradient, value=step.push, out=sign)
    if step.clip is not None:
        exponent.clamp_(-step.clip, step.clip)  # keeps NaN
    return exponent.exp_()


def _together(pieces: list[tuple[Tensor, Tensor]], size: int) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Pieces as they follow each other, as many at once as have no more than so many entries."""
    thetas, gradients, length = [], [], 0
    for theta, gradient in pieces:
        if thetas and length + theta.numel() > size:
            yield thetas, gradients
            thetas, gradients, length = [], [], 0
        thetas.append(theta)
        gradients.append(gradient)
        length += theta.numel()
    if thetas:
        yield thetas, gradients


def _piece(device: Any) -> int:
    """How many entries are computed at once: what fits into the caches, or keeps an accelerator busy.

    Threads wait for each other in every call: where there are several, pieces are larger, and fewer.
    """
    if device.type != "cpu":
        return 1 << 24
    return 1 << 16 if torch.get_num_threads() == 1 else 1 << 19


def _small(device: Any) -> int:
    """Up to how many entries a parameter is gathered with others."""
    return 1 << 12 if device.type == "cpu" else 1 << 20


class HAMNatural(torch.optim.Optimizer):
    """Natural gradient descent in HAM's geometry: `θ ← θ − η((1 + α|θ|) ⊙ g + βθ)`; `ht.optim.ham_natural` for PyTorch.

    It has no base and no state. To first order in η it is `HAM` around gradient descent; noise in the gradient leads it
    elsewhere, and it is stable while `η λ_max(H diag(1 + α|θ|)) < 2`, with H the Hessian of the loss.

    Args:
        params: As of any torch optimizer: parameters, or groups of them with options of their own.
        lr: η ≥ 0.
        alpha: α ≥ 0.
        beta: β ≥ 0.
        where: Which parameters it is for, as in `HAM`; for the others it is gradient descent, `θ − ηg`.
        named_parameters: As in `HAM`.
        maximize: Whether to ascend: g is then minus the gradient.

    Raises:
        TypeError: As in `HAM`.
        ValueError: As in `HAM`.

    References:
        [jacobs2026ham], Theorem 4.2 (the flow).

    ```python
    >>> import torch, hamtheory.torch
    >>> theta = torch.nn.Parameter(torch.tensor([[1.0, -3.0]]))
    >>> optimizer = hamtheory.torch.HAMNatural([theta], lr=0.1, alpha=2.0)
    >>> theta.sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in theta[0].tolist()]
    [0.7, -3.7]

    ```
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        alpha: float,
        beta: float = 0.0,
        where: Where = None,
        *,
        named_parameters: Iterable[tuple[str, Tensor]] | None = None,
        maximize: bool = False,
    ):
        self._where = _listed(where)
        self._names = {} if named_parameters is None else {p: name for name, p in named_parameters}
        super().__init__(params, {"lr": lr, "alpha": alpha, "beta": beta, "maximize": maximize})
        _all_known(self._where, self.param_groups)
        if not any(any(group["where"]) for group in self.param_groups):
            raise ValueError("where must choose at least one parameter; it chooses none. All of them: where=True")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters.

        Args:
            param_group: `params`, and any of `lr`, `alpha`, `beta`, `where` and `maximize`.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            _ = [_strength(group[name], name) for name in ("lr", "alpha", "beta")]
            group["where"] = _selection(group.get("where", self._where), group, self._names)
        except BaseException:
            self.param_groups.pop()
            raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step.

        Args:
            closure: Computes the loss and the gradients, if given.

        Returns:
            What the closure returns.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        steps = [
            _natural_steps(group, self._names) for group in self.param_groups
        ]  # or an error, before anything moves
        with torch.no_grad():
            for theta, *options in itertools.chain(*steps):
                _natural_step(theta, *options)
        return loss


def _natural_steps(group: dict[str, Any], names: dict[Tensor, str]) -> list[tuple]:
    """What `_natural_step` is called with, for each parameter that has a gradient."""
    numbers = [_strength(group[name], name) for name in ("lr", "alpha", "beta")]
    found = [pair for pair in zip(group["params"], group["where"], strict=True) if pair[0].grad is not None]
    return [(theta, _dense_gradient(theta, group, names), flag, group["maximize"], *numbers) for theta, flag in found]


def _natural_step(
    theta: Tensor, gradient: Tensor, hyperbolic: bool, maximize: bool, eta: float, alpha: float, beta: float
) -> None:
    direction = -gradient if maximize else gradient
    if hyperbolic:
        wide = theta.to(torch.promote_types(theta.dtype, torch.float32))
        direction = wide.abs().mul_(alpha).add_(1).mul_(direction).add_(wide, alpha=beta)
    theta.add_(direction, alpha=-eta)


class Flips(NamedTuple):
    """The sign flips of every entry of a parameter; see `ht.signs`. All fields have its shape.

    Attributes:
        initial: The first sign that an entry had, −1 or 1, int8; 0 if it has been zero throughout.
        sign: The last sign that it had, of the same values.
        gross: How often it has flipped, int32.
        first: At which step first, int32; −1 if never.
        last: At which step last, likewise.
    """

    initial: Tensor
    sign: Tensor
    gross: Tensor
    first: Tensor
    last: Tensor


class FlipCounter:
    """What `count_flips` returns: the sign flips of parameters, counted whenever `update` is called.

    Attributes:
        steps: How often that was.
        flips: A `Flips` for every parameter, in their order.

    ```python
    >>> import torch, hamtheory.torch
    >>> theta = torch.nn.Parameter(torch.tensor([0.05, -1.0]))
    >>> counter = hamtheory.torch.FlipCounter([theta])
    >>> counter.flips[0].sign.tolist()
    [1, -1]

    ```
    """

    def __init__(self, parameters: Iterable[Tensor]):
        self._parameters = list(parameters)
        self.steps = 0
        self.flips = [_unflipped(theta) for theta in self._parameters]

    @torch.no_grad()
    def update(self) -> int:
        """Compare the signs with those before; to be called after each step of the optimizer.

        Returns:
            How many entries have flipped at this step.
        """
        self.steps += 1
        return sum(
            _observed(flips, theta, self.steps) for flips, theta in zip(self.flips, self._parameters, strict=True)
        )

    def totals(self) -> dict[str, int]:
        """The numbers of entries and of flips, over all parameters, as `ht.signs.totals` gives them.

        Returns:
            A dictionary of `entries`; `gross`, all flips; `net`, entries with another sign than at first;
                `flipped_back`, those that have flipped and have their first sign again; `never`, those that never have.
        """
        parts = {
            "entries": lambda flips: flips.gross.numel(),
            "gross": lambda flips: flips.gross.sum(),
            "net": lambda flips: (flips.gross % 2 == 1).sum(),
            "flipped_back": lambda flips: ((flips.gross > 0) & (flips.gross % 2 == 0)).sum(),
            "never": lambda flips: (flips.gross == 0).sum(),
        }
        return {name: sum(int(part(flips)) for flips in self.flips) for name, part in parts.items()}

    def state_dict(self) -> dict[str, Any]:
        """What has been counted.

        Returns:
            What `load_state_dict` takes.
        """
        return {"steps": self.steps, "flips": [tuple(field.clone() for field in flips) for flips in self.flips]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what had been counted.

        Args:
            state_dict: Of a counter of parameters of the same shapes.

        Raises:
            ValueError: For other shapes.
        """
        flips = [Flips(*(field.clone() for field in fields)) for fields in state_dict["flips"]]
        found, need = (
            [tuple(tensor.shape) for tensor in tensors] for tensors in ([one.gross for one in flips], self._parameters)
        )
        if found != need:
            raise ValueError(f"state_dict must be of parameters of the shapes {need}; got {found}")
        self.steps, self.flips = state_dict["steps"], flips


def count_flips(parameters: Any) -> FlipCounter:
    """A counter of the sign flips of parameters, between calls of its `update`; `ht.signs.count_flips` for PyTorch.

    A zero has no sign of its own: an entry keeps the last one that it had. What happens between two calls is not seen.

    Args:
        parameters: Real parameters, or an optimizer, for all of its real floating ones.

    Returns:
        The counter. It takes 14 bytes for every entry.

    Raises:
        TypeError: For parameters that are not real and floating.
        ValueError: If there are none.

    References:
        Counted in [jacobs2026ham], Fig. 2.

    ```python
    >>> import torch, hamtheory.torch
    >>> theta = torch.nn.Parameter(torch.tensor([0.05, -1.0]))
    >>> optimizer = torch.optim.SGD([theta], lr=0.1)
    >>> counter = hamtheory.torch.count_flips(optimizer)
    >>> theta.sum().backward()
    >>> optimizer.step()
    >>> counter.update()
    1
    >>> counter.totals()
    {'entries': 2, 'gross': 1, 'net': 1, 'flipped_back': 0, 'never': 1}

    ```
    """
    if isinstance(parameters, torch.optim.Optimizer):
        every = (theta for group in parameters.param_groups for theta in group["params"])
        chosen = [theta for theta in every if theta.is_floating_point()]
    else:
        chosen = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
    for theta in chosen:
        if not (isinstance(theta, torch.Tensor) and theta.is_floating_point()):
            what = theta.dtype if isinstance(theta, torch.Tensor) else repr(theta)
            raise TypeError(f"parameters must be real floating tensors; got {what}")
    if not chosen:
        raise ValueError("parameters must hold at least one real floating tensor; got none")
    return FlipCounter(chosen)


@torch.no_grad()
def _unflipped(theta: Tensor) -> Flips:
    sign = torch.sign(theta).to(torch.int8)
    zero = torch.zeros_like(sign, dtype=torch.int32)
    return Flips(sign.clone(), sign, zero, zero - 1, zero - 1)


def _observed(flips: Flips, theta: Tensor, step: int) -> int:
    """Count what has flipped, in place."""
    now = torch.sign(theta).to(torch.int8)
    flipped = flips.sign * now < 0
    flips.first[flipped & (flips.gross == 0)] = step
    flips.last[flipped] = step
    flips.gross.add_(flipped)
    flips.sign.copy_(torch.where(now == 0, flips.sign, now))
    flips.initial.copy_(torch.where(flips.initial == 0, flips.sign, flips.initial))
    return int(flipped.sum())


def _strength(value: Any, name: str) -> Any:
    """A number that is at least 0, or an error; a scalar tensor may be one."""
    return _number(value, name, "at least 0 and finite", lambda number: number >= 0)


def _bound(value: Any) -> Any:
    """A positive number, or None for no bound."""
    return None if value is None else _number(value, "clip", "positive and finite", lambda number: number > 0)


def _number(value: Any, name: str, need: str, holds: Callable[[float], bool]) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {value!r}") from None
    if not (holds(number) and math.isfinite(number)):
        raise ValueError(f"{name} must be {need}; got {number}")
    return number


def _listed(where: Where) -> Where:
    """`where`, with the tensors that it holds in a list."""
    if isinstance(where, torch.nn.Module):
        return list(where.parameters())
    if isinstance(where, torch.Tensor):
        return [where]
    if where is None or callable(where) or isinstance(where, (bool, str, re.Pattern)):
        return where
    listed = list(where)
    for entry in listed:
        if not isinstance(entry, torch.Tensor):
            raise TypeError(f"where must hold parameters, or be a rule or a regular expression; it holds {entry!r}")
    return listed


def _all_known(where: Where, groups: list[dict[str, Any]]) -> None:
    """An error if a collection holds what the optimizer does not have."""
    if isinstance(where, list):
        known = {id(theta) for group in groups for theta in group["params"]}
        foreign = [tuple(theta.shape) for theta in where if id(theta) not in known]
        if foreign:
            raise ValueError(f"where must hold parameters of the optimizer; not of it is one of shape {foreign[0]}")


def _selection(where: Where, group: dict[str, Any], names: dict[Tensor, str]) -> list[bool]:
    """A bool for each parameter of a group: whether it gets the factor."""
    params = group["params"]
    if isinstance(where, list) and len(where) == len(params) and all(isinstance(flag, bool) for flag in where):
        chosen = where  # of a group that is complete
    elif isinstance(where := _listed(where), list):
        known = {id(theta) for theta in where}
        chosen = [id(theta) in known for theta in params]
    elif isinstance(where, bool):
        chosen = [where for _ in params]
    elif where is None:
        chosen = [theta.ndim >= 2 and (theta.is_floating_point() or theta.is_complex()) for theta in params]
    elif callable(where):
        chosen = [_bool(where(theta)) for theta in params]
    else:
        chosen = _found(where, group, names)
    for theta, flag in zip(params, chosen, strict=True):
        if flag and not theta.is_floating_point():
            name = _label(theta, group, names)
            raise TypeError(f"where must choose real floating parameters; {name} has dtype {theta.dtype}")
    return chosen


def _bool(flag: Any) -> bool:
    if not isinstance(flag, bool):
        raise TypeError(f"where must return a bool for each parameter; got {flag!r}")
    return flag


def _found(where: str | re.Pattern, group: dict[str, Any], names: dict[Tensor, str]) -> list[bool]:
    """A bool for each parameter: whether the pattern is found in its name."""
    try:
        pattern = re.compile(where)
    except re.error as error:
        raise ValueError(f"where must be a regular expression; got {where!r}: {error}") from None
    called = _names_of(group, names)
    if None in called:
        missing = tuple(group["params"][called.index(None)].shape)
        raise ValueError(
            f"named_parameters must be given for a regular expression: a parameter of shape {missing} has no name"
        )
    return [pattern.search(name) is not None for name in called]


def _names_of(group: dict[str, Any], names: dict[Tensor, str]) -> list[Any]:
    """The name of each parameter of a group, None where it has none."""
    own = group.get("param_names") or [None] * len(group["params"])
    return [names.get(theta, name) for theta, name in zip(group["params"], own, strict=True)]


def _label(theta: Tensor, group: dict[str, Any], names: dict[Tensor, str]) -> str:
    """What a message calls a parameter."""
    place = next(place for place, other in enumerate(group["params"]) if other is theta)
    name = _names_of(group, names)[place]
    return repr(name) if name else f"the one of shape {tuple(theta.shape)}, {place} in its group"


def _warned_of_nan(tensor: Tensor, what: str) -> bool:
    """Whether there is a NaN, with a warning if so."""
    found = bool(torch.isnan(tensor).any())
    if found:
        _warn(f"NaN in the {what} of a tensor of shape {tuple(tensor.shape)}, which is left as the base has made it")
    return found


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=4)
