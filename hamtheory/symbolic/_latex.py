"""A derivation as LaTeX."""

import sympy


def aligned(derivation) -> str:
    """One line for each form; an integral or a definition stands where no closed form was found."""
    lines = [
        (r"g^{-1}(\theta)", derivation.inverse_metric, ""),
        (r"R'(\theta)", derivation.mirror_map, r"\int_0^\theta \frac{ds}{g^{-1}(s)}"),
        (r"R(\theta)", derivation.potential, r"\int_0^\theta \frac{\theta - s}{g^{-1}(s)}\,ds"),
        (r"(R^*)'(\mu)", derivation.inverse_mirror_map, r"(R')^{-1}(\mu)"),
        (r"R^*(\mu)", derivation.conjugate, r"\max_\theta\,\mu\theta - R(\theta)"),
        (r"\sup R'", derivation.mirror_bound, r"\int_0^\infty \frac{ds}{g^{-1}(s)}"),
    ]
    if derivation.parameter is not None:
        name = sympy.latex(sympy.Symbol(derivation.parameter))
        for end, form in zip(("0", r"\infty"), derivation.limits(), strict=True):
            if form is not None:
                lines.append((rf"R(\theta) \sim_{{{name} \to {end}}}", form, ""))
    body = [
        (f"{left} &{'' if 'sim' in left else '='} " + (formula(form) if form is not None else default))
        for left, form, default in lines
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(body) + "\n\\end{aligned}"


def formula(expression: sympy.Expr) -> str:
    """LaTeX of one expression, with `ln`."""
    return sympy.latex(expression, ln_notation=True)
