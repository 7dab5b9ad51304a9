"""Early stopping with orthogonal columns: when the large entries are fitted, the small ones have hardly begun."""

import numpy as np
import sympy as sp

import hamtheory as ht

from .._theorem import Step, Theorem

TRUE, REST = 3, 5  # entries of θ*, and entries that are noise alone


def prove(unit, most):
    # One coordinate, z > 0. m⊙w: p = e^(2μ), θ = γ(p − 1/p)/2, dμ/dt = z − θ
    z, g, a, t, e, p = sp.symbols("z gamma alpha t E p", positive=True)
    omega = sp.sqrt(z**2 + g**2)
    top, low = (z + omega) / g, (z - omega) / g
    velocity = 2 * p * (z - g * (p - 1 / p) / 2)
    at = (top + e * low) / (1 + e)
    fading = sp.exp(-(1 + a * z) * t)
    theta = z * (1 - fading) / (1 + a * z * fading)
    return [
        Step("dp/dt = −γ(p − p₊)(p − p₋)", sp.expand(velocity + g * (p - top) * (p - low))),
        Step("so ln E falls at 2ω, E = (p₊ − p)/(p − p₋)",
             sp.simplify(velocity * (-1 / (top - p) - 1 / (p - low)) + unit * omega)),
        Step("z − θ = ωE(1 + 1/(p p₊))/(1 + E) ≤ 2ωE",
             sp.simplify(z - g * (at - 1 / at) / 2 - omega * e / (1 + e) * (1 + 1 / (at * top)))),
        Step("E₀ ≤ p₊ = 2ω/γ − (ω − z)/γ, so that 2ωE ≤ 4ω²/γ e^(−2ωt)",
             sp.expand(2 * omega * top - most * omega**2 / g + 2 * omega * (omega - z) / g)),
        Step("and |θ| ≤ γ sinh 2zt, as dμ/dt ≤ z", sp.diff(g * sp.sinh(unit * z * t), t)
             - 2 * z * g * sp.cosh(unit * z * t)),
        Step("HAM: dθ/dt = (1 + αθ)(z − θ)", sp.simplify(sp.diff(theta, t) - (1 + a * theta) * (z - theta))),
        Step("HAM: from 0", sp.expand(theta.subs(t, 0))),
        Step("HAM: z − θ ≤ z(1 + αz)e^(−(1 + αz)t)",
             sp.simplify((z - theta) * (1 + a * z * fading) - z * (1 + a * z) * fading)),
        Step("HAM: θ ≤ (e^(αzt) − 1)/α, which solves dθ/dt = (1 + αθ)z",
             sp.expand(sp.diff((sp.exp(a * z * t) - 1) / a, t) - (1 + (sp.exp(a * z * t) - 1)) * z)),
    ]  # fmt: skip


def check(rng, unit, most):
    return _error(rng, _orthogonal(rng), unit, most)


def violate(rng, unit, most):
    X = _orthogonal(rng)
    return _error(rng, X + 0.2 * rng.normal(size=X.shape), unit, most)


def _orthogonal(rng):
    d = TRUE + REST
    return np.sqrt(d + 4) * np.linalg.qr(rng.normal(size=(d + 4, d)))[0]


def _error(rng, X, unit, most):
    """The largest error of θ_t by the closed forms, in units of |z|, and by how much the bounds are exceeded."""
    n = len(X)
    truth = np.append(rng.choice([-1.0, 1.0], TRUE) * rng.uniform(1, 1.5, TRUE), np.zeros(REST))
    y = X @ truth + rng.normal(size=n) * 10 ** rng.uniform(-2, -1)
    problem, z = ht.LinearRegression(X, y), X.T @ y / n
    size, on = np.abs(z), truth != 0
    least, gain, log = size[on].min(), rng.uniform(0.1, 0.5), rng.uniform(3, 12)
    # m⊙w with γ = e^(−log), and HAM with α = e^log; stopped where γ^(1 + δ) and α^(−1−δ) are e^(−2s·t) and e^(−αs·t)
    gamma, alpha = np.exp(-log), np.exp(log)
    omega = np.hypot(size, gamma)
    worst = 0.0
    for geometry, end in ((ht.Hypentropy(gamma), 1 / (2 * least)), (ht.HAM(alpha), 1 / (alpha * least))):
        ts = np.array([0.4, 0.8, 1 + gain]) * log * end
        path = np.asarray(ht.solve_flow(problem, geometry, ts=ts, rtol=1e-10, atol=1e-13).thetas)
        t = ts[:, None]
        if isinstance(geometry, ht.HAM):
            fading = np.exp(-(1 + alpha * size) * t)
            theta = size * (1 - fading) / (1 + alpha * size * fading)
            begun, left = np.expm1(alpha * size * t) / alpha, size * (1 + alpha * size) * fading
            stopped = alpha**-gain * size * (size + 1 / alpha), alpha ** ((1 + gain) * size / least - 1)
        else:
            top, low = (size + omega) / gamma, -gamma / (size + omega)
            E = (top - 1) / (1 - low) * np.exp(-unit * omega * t)
            p = (top + E * low) / (1 + E)
            theta = gamma * (p - 1 / p) / 2
            begun, left = gamma * np.sinh(unit * size * t), most * omega**2 / gamma * np.exp(-unit * omega * t)
            stopped = most * omega**2 * gamma**gain, gamma ** (1 - (1 + gain) * size / least) / 2
        found = np.abs(path)
        over = [found / begun - 1, np.abs(path - z) / left - 1, np.abs(path - z)[-1, on] / stopped[0][on] - 1,
                found[-1, ~on] / stopped[1][~on] - 1]  # fmt: skip
        worst = max(worst, np.max(np.abs(path - np.sign(z) * theta) / size), *(part.max() for part in over))
    return float(worst)


THEOREM = Theorem(
    id="vaskevicius.early-stopping",
    title="Early stopping with orthogonal columns fits the large entries alone",
    # What the paper has for restricted isometries and discrete steps; the closed forms, and HAM: own.
    source="vaskevicius2019implicit, early stopping of the large entries; the closed forms, and HAM: own",
    statement=r"""X^\top X = nI,\ z = X^\top y/n,\ \theta_0 = 0:\quad
m\odot w:\ \theta_t = \tfrac\gamma2(p-p^{-1}),\
\frac{p_+-p}{p-p_-} = \frac{p_+-1}{1-p_-}e^{-2\omega t},\
p_\pm = (z\pm\omega)/\gamma,\ \omega = \sqrt{z^2+\gamma^2},\quad
|\theta_t|\le\gamma\sinh(2|z|t),\ |z-\theta_t|\le\tfrac{4\omega^2}{\gamma}e^{-2\omega t};\quad
t = (1+\delta)\tfrac{\ln(1/\gamma)}{2s}:\ |z-\theta_t|\le4\omega^2\gamma^\delta\ \text{if}\ |z|\ge s,\
|\theta_t|\le\tfrac12\gamma^{1-(1+\delta)|z|/s};\quad
\text{HAM}:\ \theta_t = \frac{z(1-e^{-(1+\alpha|z|)t})}{1+\alpha|z|e^{-(1+\alpha|z|)t}},\quad
t = (1+\delta)\tfrac{\ln\alpha}{\alpha s}:\ |z-\theta_t|\le|z|(|z|+\tfrac1\alpha)\alpha^{-\delta}\ \text{if}\ |z|\ge s,\
|\theta_t|\le\alpha^{(1+\delta)|z|/s-1}""",
    hypotheses="The columns of X are orthogonal, of norm √n; γ < 1 < α. With γ → 0, or α → ∞, the stopped flow is z "
    "where |z| ≥ s and 0 where |z| < s/(1 + δ): of the noise it has that of the support alone; the limit has all.",
    constants={"unit": 2, "most": 4},
    check=check,
    tolerance=1e-9,
    why="the integrator's 1e-10 a step, through a growth from γ to 1, in units of the entry",
    violate=violate,
    violated="the columns are orthogonal",
    mutations={"the metric without its 2": {"unit": 1}, "a smaller constant": {"most": 1}},
    prove=prove,
)
