"""LaTeX to MathML, at build time: a browser needs nothing more to show it."""

import re

from latex2mathml.converter import convert

WIDTH = 62  # signs in a line of a statement, about
# A line may be broken before these, if it has this share of the width already.
_BREAKS = {r"\iff": 0.5, r"\Rightarrow": 0.5, r"\Leftrightarrow": 0.5, r"\text": 0.8}


def mathml(latex: str, *, display: bool = False) -> str:
    """A formula as MathML.

    Errors: `ValueError` for a command that the converter does not know.
    """
    latex = re.sub(r"\\(arg|sign)(?![A-Za-z])", r"\\operatorname{\1}", " ".join(latex.split()))
    found = convert(latex, display="block" if display else "inline")
    unknown = re.search(r"\\[A-Za-z]+", found)
    if unknown:
        raise ValueError(f"formula {latex!r} has {unknown[0]}, which cannot be converted")
    return _spaced(found)


# Bars and slashes are relations to the converter, with a space on both sides; names of functions are operators, or
# variables; and a prime is raised twice, as its glyph is raised already.
_BAR = r'<mo(?: stretchy="false")?>(\||&#x0007C;|/|&#x0002F;|&#x02016;|‖)</mo>'
_FUNCTION = r"<(mo|mi)>([a-z]{2,})</\1>"
_PRIME = r"<msup>(<mi>[^<]*</mi>)<mi>(&#x0203[234];)</mi></msup>"
_NEIGHBOUR = r"(?:</mi>|</mn>|</msub>|</msup>|</mstyle>|</mfrac>)"


def _spaced(found: str) -> str:
    found = re.sub(_BAR, r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', found)
    found = re.sub(_PRIME, r'\1<mo lspace="0" rspace="0">\2</mo>', found)
    found = re.sub(_FUNCTION, r'<mi mathvariant="normal">\2</mi>', found)
    thin, function = '<mspace width="0.17em"/>', r'<mi mathvariant="normal">[a-z]{2,}</mi>'
    found = re.sub(rf"({_NEIGHBOUR})(?={function})", rf"\1{thin}", found)
    return re.sub(rf"({function})(?=<mi>|<mn>|<msub>|<msup>)", rf"\1{thin}", found)


def lines(latex: str) -> list[str]:
    """A long statement in lines: broken at its wide spaces, and before implications and words, outside of groups."""
    pieces, depth, piece = [], 0, ""
    for token in re.findall(r"\\[A-Za-z]+|\\.|[^\\]", " ".join(latex.split())):
        depth += (token in ("{", r"\left", r"\begin")) - (token in ("}", r"\right", r"\end"))
        breaks = token in _BREAKS and _signs(piece) > _BREAKS[token] * WIDTH
        if depth == 0 and (breaks or token in (r"\quad", r"\qquad")):
            pieces.append(piece.strip().removesuffix(r"\;"))
            piece = token if breaks else ""
        else:
            piece += token
    pieces.append(piece.strip())
    found: list[str] = []
    for piece in filter(None, pieces):
        if found and _signs(found[-1]) + _signs(piece) < WIDTH:
            found[-1] += rf" \quad {piece}"
        else:
            found.append(piece)
    return found


def _signs(latex: str) -> int:
    text = re.sub(
        r"\\(text|operatorname|mathrm|mathbb|tfrac|frac|sqrt|big|Big|bigl|bigr|left|right)(?![A-Za-z])", "", latex
    )
    return len(re.sub(r"\\[A-Za-z]+", "x", text).translate(dict.fromkeys(map(ord, "{}^_ \\"))))


def statement(latex: str) -> str:
    """A statement of the ledger, as lines of display formulas."""
    return "".join(f'<div class="formula">{mathml(line, display=True)}</div>' for line in lines(latex))
