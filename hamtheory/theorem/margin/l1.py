"""HAM and m⊙w maximise the L1 margin, whatever α and γ."""

import numpy as np

import hamtheory as ht

from .._theorem import Theorem

ROWS, COLUMNS, LOGS = 3, 6, (1e2, 1e6)


def check(rng, rho):
    geo = ht.HAM(10 ** rng.uniform(-1, 4)) if rng.random() < 0.5 else ht.Hypentropy(10 ** rng.uniform(-4, 1))
    return _missing(rng, rho, geo)


def violate(rng, rho):
    return _missing(rng, rho, ht.Euclidean())


def _missing(rng, rho, geo):
    """The part of the largest margin that the flow misses far out, over what it misses at ln(1/L) = 100."""
    while True:
        X = rng.normal(size=(ROWS, COLUMNS))
        problem = ht.BinaryClassification(X, np.resize([1, -1], ROWS))
        best = ht.solve_margin(problem, rho=1.0)
        pull = np.abs(best.dual @ problem.signed) / float(best.margin)
        if max(pull[np.abs(best.theta) < 1e-6], default=0) < 0.5:  # off the support, they stay behind by this power
            break
    best = float(ht.solve_margin(problem, rho=float(rho)).margin)
    flows = [ht.solve_flow(problem, geo, log_loss=-log) for log in LOGS]
    near, far = (1 - float(ht.metrics.margin(problem, flow.theta, float(rho))) / best for flow in flows)
    return far / near


THEOREM = Theorem(
    id="margin.l1",
    title="HAM and m⊙w go to the largest L1 margin, for every α and γ",
    source="pesme2024implicit, the direction by the horizon; its rate: own",
    statement=r"""\frac{\theta_t}{\|\theta_t\|_1} \to \arg\max_{\|u\|_1\le1}\min_iz_i\langle x_i,u\rangle
\quad\text{for } g^{-1} = 1+\alpha|\theta| \text{ and } 2\sqrt{\theta^2+\gamma^2}, \text{ all } \alpha,\gamma>0""",
    hypotheses="Separable classes, a unique maximiser; the logistic or the exponential loss. Here with the "
    "certificate's entries off the support below 0.5: the nearer they are to 1, the farther out one has to look.",
    constants={"rho": 1},
    check=check,
    tolerance=0.75,
    why="what is missing falls, like a power of ln(1/L) in the end, over these four decades; not at all where it does "
    "not go to 0. Entries and weights that are nearly 0 at the end make it fall late",
    violate=violate,
    violated="these metrics: it is that of gradient descent",
    mutations={"the L2 margin": {"rho": 2}, "the L3 margin": {"rho": 3}},
)
