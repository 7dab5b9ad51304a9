"""LaTeX to MathML, at build time: a browser needs nothing more to show it."""

import re
from html import unescape

from latex2mathml.converter import convert

_MATH = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', flags=re.S)
# Bars and slashes are relations to the converter, with a space on both sides; names of functions are operators, or
# variables; and a prime is raised twice, as its glyph is raised already.
_BAR = re.compile(r'<mo(?: stretchy="false")?>(\||&#x0007C;|/|&#x0002F;|&#x02016;|‖)</mo>')
_FUNCTION = re.compile(r"(</m(?:i|n|sub|sup|style|frac)>)?<(mo|mi)>([a-z]{2,})</\2>(?=(<m(?:i|n|sub|sup)>)?)")
_PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>(&#x0203[234];)</mi></msup>")
_THIN = '<mspace width="0.17em"/>'


def mathml(latex: str, *, display: bool = False) -> str:
    """A formula as MathML; `ValueError` for a command that the converter does not know."""
    latex = re.sub(r"\\(arg|sign)(?![A-Za-z])", r"\\operatorname{\1}", " ".join(latex.split()))
    found = convert(latex, display="block" if display else "inline")
    if unknown := re.search(r"\\[A-Za-z]+", found):
        raise ValueError(f"formula {latex!r} has {unknown[0]}, which cannot be converted")
    found = _BAR.sub(r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', found)
    found = _PRIME.sub(r'\1<mo lspace="0" rspace="0">\2</mo>', found)
    return _FUNCTION.sub(_upright, found)


def _upright(function: re.Match) -> str:
    """The name of a function in upright letters, with thin spaces to its neighbours."""
    before, after = (function[1] or "") + _THIN * bool(function[1]), _THIN * bool(function[4])
    return f'{before}<mi mathvariant="normal">{function[3]}</mi>{after}'


def converted(html: str) -> str:
    """A page with its formulas, which the Markdown extension arithmatex has marked, as MathML."""
    return _MATH.sub(lambda found: mathml(unescape(found["latex"]), display=found["tag"] == "div"), html)


def lines(latex: str) -> list[str]:
    """A long statement in lines: broken at its wide spaces and before implications, outside of groups."""
    found, depth = [""], 0
    least = {r"\quad": 36, r"\qquad": 36, r"\iff": 30, r"\Rightarrow": 30, r"\Leftrightarrow": 30}  # signs, about
    for token in re.findall(r"\\[A-Za-z]+|\\.|[^\\]", " ".join(latex.split())):
        depth += (token in ("{", r"\left", r"\begin")) - (token in ("}", r"\right", r"\end"))
        signs = len(re.sub(r"\\[A-Za-z]+|[{}^_ ]", lambda sign: "x" * sign[0].startswith("\\"), found[-1]))
        if depth == 0 and signs > least.get(token, signs):
            found.append("" if "quad" in token else token)
        else:
            found[-1] += token
    return [line.strip().removesuffix(r"\;") for line in found if line.strip()]
